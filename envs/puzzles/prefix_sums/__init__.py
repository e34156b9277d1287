"""Prefix sums: the parity of all bits up to each position."""
