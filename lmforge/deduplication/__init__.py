"""Documents that stand twice: exact and near duplicates, and overlap with the sets that evaluate."""
