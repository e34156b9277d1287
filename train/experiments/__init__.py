"""The experiment file: YAML becomes an `Experiment`, whatever version of RLlib it was written for.

What an experiment says is read and put into today's shape here; whether it can run is asked in `plans`.
"""
