"""`rllib play`: an environment in a terminal, played by hand."""

from engram.train.play.command import Request, play

__all__ = ["Request", "play"]
