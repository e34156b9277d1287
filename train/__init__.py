"""The `rllib` command: experiments from YAML, training on Ray Tune, evaluation of checkpoints.

A file becomes an experiment (`experiments`), is checked against what the algorithm and the environment know
of themselves (`environments`) until it is a plan (`plans`), runs on Ray Tune (`running`) and leaves folders
behind (`runs`), whose networks can act again (`evaluation`, `thinking`) and be drawn (`pictures`). The verbs
of the command are the files of `commands`, and `console` is what the user types and reads.
"""
