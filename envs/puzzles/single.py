"""Puzzles one at a time."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode

from engram.envs.puzzles.batched import RENDER_MODES, BatchedPuzzle
from engram.envs.puzzles.puzzles import Array, Puzzles


class SingleLane(gymnasium.Env[Array, Any]):
    """A `BatchedPuzzle` of one lane as a single environment."""

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium declares it so)
        "render_modes": list(RENDER_MODES),
        "render_fps": 10,
    }

    def __init__(self, lane: BatchedPuzzle) -> None:
        """Set up an environment.

        Args:
            lane: made with one lane and NEXT_STEP autoreset.
        """
        self._lane = lane
        self._over = True
        self.puzzles = lane.puzzles
        self.render_mode = lane.render_mode
        self.metadata = {**type(self).metadata, "group_by": lane.puzzles.group_by}
        self.observation_space = lane.puzzles.observation_space
        self.action_space = lane.puzzles.action_space

    @property
    def hidden_choices(self) -> dict[str, Any]:
        """What was drawn for this episode; `reset(options=...)` with it makes the same episode again."""
        return self._lane.hidden_choices(0)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Show a problem; one given in `options` is not drawn.

        Raises:
            ValueError: an unknown or illegal option.
        """
        super().reset(seed=seed)
        self._lane.np_random = self.np_random  # one generator, whoever asks for it
        if seed is not None:
            self.puzzles.restart()
        observations, info = self._lane.reset(options=options)
        self._over = False
        return observations[0], _of_lane(info)

    def step(self, action: Any) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Score an answer.

        Raises:
            ResetNeeded: there is no problem, or its episode has ended.
            ValueError: the answer is not legal.
        """
        if self._over:
            raise ResetNeeded("call reset() first: there is no problem to answer")
        observations, rewards, ended, _, info = self._lane.step(np.asarray(action)[None])
        self._over = bool(ended[0])
        return observations[0], float(rewards[0]), self._over, False, _of_lane(info)

    def render(self) -> Any:
        """Render the present problem: RGB uint8 (height, width, 3); None without a render mode."""
        frames = self._lane.render()
        return None if frames is None else frames[0]


class Puzzle(SingleLane):
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


def _of_lane(info: dict[str, Any]) -> dict[str, Any]:
    """Infos of a single lane as those of a single environment: arrays, and plain Python numbers."""
    first = {name: values[0] for name, values in info.items() if f"_{name}" in info}
    return {name: value if np.ndim(value) else value.item() for name, value in first.items()}
