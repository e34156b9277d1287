"""Sequences one at a time: one lane of the batched form."""

from __future__ import annotations

from typing import Any, ClassVar

from typing_extensions import override

from engram.envs.arguments import check_options
from engram.envs.arrays import Array
from engram.envs.forms.single_lane import SingleTask
from engram.envs.sequences.batched import RANDOM, START, BatchedSequences
from engram.envs.sequences.task import Chance


class SingleSequence(SingleTask[BatchedSequences], of=BatchedSequences):
    """One sequence at a time; with `stagger` the first one, and the first of each seed, begins late."""

    best_return: ClassVar[str] = "1"

    @override
    def _construct(self, given: dict[str, Any]) -> None:
        super()._construct(given)
        self._begun = False

    @property
    def chance(self) -> Chance:
        """Chance level, see `Chance`."""
        return self._lane.chance

    @override
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        begins_stream = self._lane.stagger and (seed is not None or not self._begun)
        default = {START: RANDOM if begins_stream else 0}
        begun = super().reset(seed=seed, options=default | check_options(options))
        self._begun = True
        return begun
