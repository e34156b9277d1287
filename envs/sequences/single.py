"""Sequences of any family one at a time: one lane of the batched form."""

from __future__ import annotations

from typing import Any

from gymnasium.vector import AutoresetMode

from engram.envs.arguments import check_flag, check_options
from engram.envs.arrays import Array, Bytes
from engram.envs.forms.boards import RENDER_MODES
from engram.envs.forms.single_lane import SingleLane
from engram.envs.sequences.batched import RANDOM, START, BatchedSequences
from engram.envs.sequences.task import Chance, SequenceTask


class SingleSequence(SingleLane[BatchedSequences]):
    """One sequence at a time.

    Args:
        task: draws the sequences.
        stagger: see `BatchedSequences`; here a stream begins with the first `reset`, and with each that has
            a seed.
        render_mode: None, "ansi" or "rgb_array".

    Raises:
        ValueError: an argument is not legal.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium declares it so)
        "render_modes": list(RENDER_MODES),
        "render_fps": 10,
    }

    def __init__(self, task: SequenceTask, stagger: bool = False, render_mode: str | None = None) -> None:
        super().__init__(BatchedSequences(task, 1, False, render_mode, AutoresetMode.NEXT_STEP))
        self.stagger = check_flag("stagger", stagger)
        self.rules = task
        self._begun = False

    @property
    def memory_delay(self) -> int:
        """See `engram.envs.forms.rules.Rules`."""
        return self.rules.memory_delay

    @property
    def chance(self) -> Chance:
        """See `Chance`."""
        return self.rules.chance

    @property
    def board(self) -> Bytes:
        """See `BatchedSequences`, uint8 (R, C)."""
        board: Bytes = self._lane.board[0]
        return board

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """See `SingleLane`; the first episode of a stream may begin at a random step."""
        begins_stream = self.stagger and (seed is not None or not self._begun)
        default = {START: RANDOM} if begins_stream else {}
        begun = super().reset(seed=seed, options=default | check_options(options))
        self._begun = True
        return begun
