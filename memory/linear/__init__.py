"""Linear recurrences: whole fragments by one resettable scan (EMA, LRU, S5, minGRU, ...)."""
