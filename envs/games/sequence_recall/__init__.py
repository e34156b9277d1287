"""Sequence Recall: lights flash one after the other; when the pen opens, visit them in that order."""
