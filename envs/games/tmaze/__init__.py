"""The T-maze: a cue, a long wait in limbo, then a choice that only the cue told."""
