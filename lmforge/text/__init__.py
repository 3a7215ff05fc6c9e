"""Raw text to clean and labelled shards: readers, repair, filters and splits; each rejected record has a reason."""
