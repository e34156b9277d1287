"""From an experiment to a plan: every setting is honoured, refused or announced before anything starts.

In signatures, `run` is the name of an algorithm and `config` an AlgorithmConfig from `build.build_config`;
`experiment` is as written, `plan` is checked.
"""
