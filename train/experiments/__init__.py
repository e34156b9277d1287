"""Read experiment files of any version of RLlib into `Experiment` objects.

What an experiment says is read and put into today's shape here; whether it can run is asked in `plans`.
"""
