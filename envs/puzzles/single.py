"""Puzzles one at a time."""

from __future__ import annotations

from typing import Any

from gymnasium.vector import AutoresetMode

from engram.envs.forms.single_lane import SingleLane
from engram.envs.puzzles.batched import RENDER_MODES, BatchedPuzzle
from engram.envs.puzzles.puzzles import Puzzles


class PuzzleLane(SingleLane[BatchedPuzzle]):
    """A `BatchedPuzzle` of one lane as a single environment."""

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium declares it so)
        "render_modes": list(RENDER_MODES),
        "render_fps": 10,
    }

    @property
    def puzzles(self) -> Puzzles:
        """Where problems come from."""
        return self._lane.puzzles


class Puzzle(PuzzleLane):
    """One problem per episode, answered in one step."""

    def __init__(self, puzzles: Puzzles, reward: str = "exact", render_mode: str | None = None) -> None:
        """Set up an environment.

        Args:
            puzzles: where problems come from; this environment's own, for it may be restarted.
            reward: "exact" or "fraction", see `BatchedPuzzle`.
            render_mode: None or "rgb_array".

        Raises:
            ValueError: an argument is not legal.
        """
        super().__init__(BatchedPuzzle(puzzles, 1, reward, render_mode, AutoresetMode.NEXT_STEP))
