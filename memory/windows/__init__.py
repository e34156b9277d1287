"""Windows: memories that look at the present and, at most, a stretch of the past as it was."""
