"""Pictures of several frames: the latest few, one after the other, in the planes of one picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces


class FrameStack(spaces.Box):
    """Space of the latest `frames` frames as planes of one picture, uint8 (rows, columns, frames * planes).

    The oldest frame comes first. In the first steps of an episode, frames from before it are zeros. So a step
    adds one frame to what is known, and whoever stores steps in a row needs to store each frame only once.

    Attributes:
        frames: how many.
    """

    def __init__(self, rows: int, columns: int, planes: int, frames: int, seed: Any = None) -> None:
        super().__init__(0, 255, (rows, columns, frames * planes), np.uint8, seed=seed)
        self.frames = frames

    def __eq__(self, other: object) -> bool:
        """Whether it is the same space, of as many frames where both have some."""
        return super().__eq__(other) and self.frames == getattr(other, "frames", self.frames)
