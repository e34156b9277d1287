"""`run: Supervised`: cross-entropy with the targets that an environment gives in its info."""

from engram.agents.supervised.algorithm import Supervised, SupervisedConfig

__all__ = ["Supervised", "SupervisedConfig"]
