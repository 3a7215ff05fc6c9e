"""From clean text to a tokenizer and memory-mapped blocks of token ids."""
