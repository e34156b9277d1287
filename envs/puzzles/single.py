"""Puzzles one at a time: one lane of the batched form."""

from __future__ import annotations

from engram.envs.forms.single_lane import SingleLane
from engram.envs.puzzles.batched import BatchedPuzzle
from engram.envs.puzzles.puzzles import Puzzles


class Puzzle(SingleLane[BatchedPuzzle], of=BatchedPuzzle):
    """One problem per episode."""

    @property
    def puzzles(self) -> Puzzles:
        """Where problems come from."""
        return self._lane.puzzles
