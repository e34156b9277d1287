"""Sequences of any family one at a time: one lane of the batched form."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode

from engram.envs.batched_task import Bytes
from engram.envs.boards import RENDER_MODES
from engram.envs.checks import check_flag
from engram.envs.sequences.batched import RANDOM, START, BatchedSequences
from engram.envs.sequences.task import SequenceTask


class SingleSequence(gymnasium.Env[Bytes, np.int64]):
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
        self._lane = BatchedSequences(task, 1, False, render_mode, AutoresetMode.NEXT_STEP)
        self.stagger = check_flag("stagger", stagger)
        self.rules, self.render_mode = task, render_mode
        self.metadata = {**type(self).metadata, "group_by": task.group_by}
        self.observation_space = self._lane.single_observation_space
        self.action_space = self._lane.single_action_space
        self._begun = self._ended = False

    @property
    def memory_delay(self) -> int:
        """See `engram.envs.rules.Rules`."""
        return self.rules.memory_delay

    @property
    def board(self) -> Bytes:
        """See `BatchedSequences`, uint8 (R, C)."""
        board: Bytes = self._lane.board[0]
        return board

    @property
    def hidden_choices(self) -> dict[str, Any]:
        """What was drawn for this episode; `reset(options=...)` with it makes the same episode again."""
        return self._lane.hidden_choices(0)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Bytes, dict[str, Any]]:
        """Start an episode; hidden choices named in `options` are not drawn.

        Raises:
            ValueError: an unknown or illegal option.
        """
        super().reset(seed=seed)
        self._lane.np_random = self.np_random
        begins_stream = self.stagger and (seed is not None or not self._begun)
        default = {START: RANDOM} if begins_stream else {}
        observations, info = self._lane.reset(options=default | (options or {}))
        self._begun, self._ended = True, False
        return observations[0], _first(info)

    def step(self, action: np.int64 | int) -> tuple[Bytes, float, bool, bool, dict[str, Any]]:
        """Answer the present token and see the next one.

        Raises:
            ResetNeeded: there is no episode, or it has ended.
            ValueError: `action` is not legal.
        """
        if self._ended or not self._begun:
            raise ResetNeeded("call reset() first: there is no episode to step")
        observations, rewards, terminated, _, info = self._lane.step(np.array([action]))
        self._ended = bool(terminated[0])
        return observations[0], float(rewards[0]), self._ended, False, _first(info)

    def render(self) -> Any:
        """Render the tokens shown so far: text, or RGB uint8 (16 R, 16 C, 3); None without a render mode."""
        frames = self._lane.render()
        return None if frames is None else frames[0]


def _first(info: dict[str, Any]) -> dict[str, Any]:
    """The only lane's info, in plain Python."""
    return {name: values[0].item() for name, values in info.items() if not name.startswith("_")}
