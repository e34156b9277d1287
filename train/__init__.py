"""The `rllib` command: experiments from YAML, training on Ray Tune, evaluation of checkpoints."""
