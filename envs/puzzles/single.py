"""Puzzles one at a time: one lane of the batched form."""

from __future__ import annotations

from typing import ClassVar

from engram.envs.forms.single_lane import SingleLane
from engram.envs.puzzles.batched import BatchedPuzzle
from engram.envs.puzzles.task import PuzzleTask


class SinglePuzzle(SingleLane[BatchedPuzzle], of=BatchedPuzzle):
    """One problem per episode."""

    best_return: ClassVar[str] = "1"

    @property
    def task(self) -> PuzzleTask:
        """Draws and scores the problems."""
        return self._lane.task
