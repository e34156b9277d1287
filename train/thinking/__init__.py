"""Thinking for longer at test time: accuracy against iterations, exit rules, comparisons of two networks."""
