"""The verbs of `rllib`, a module each: `command`, whose options typer reads, and `EXAMPLES` for its help.

Modules here import nothing heavy before a command runs: `rllib --help` and the Tab key load all of them.
"""
