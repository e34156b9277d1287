"""Pictures of memories and finished runs, drawn without a screen; `KINDS`: what `rllib picture` can draw."""

from engram.train.pictures.kinds import KINDS, Kind, draw, with_subjects

__all__ = ["KINDS", "Kind", "draw", "with_subjects"]
