"""Populations of trials: what `scheduler:` says, who takes part, what was copied, how to train it again."""
