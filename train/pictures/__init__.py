"""Pictures of memories, drawn without a screen; `KINDS` lists what `rllib picture` can draw."""

from engram.train.pictures.kinds import KINDS, Kind, draw

__all__ = ["KINDS", "Kind", "draw"]
