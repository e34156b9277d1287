"""`run: Supervised`: a network answers, and the environment says what would have been right."""

from engram.agents.supervised.algorithm import Supervised, SupervisedConfig

__all__ = ["Supervised", "SupervisedConfig"]
