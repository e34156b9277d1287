"""Single form of what is made batched: one lane of it."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded

from engram.envs.arrays import Array
from engram.envs.forms.batched_env import BatchedEnv
from engram.envs.forms.copies import WholeCopies

LaneT = TypeVar("LaneT", bound=BatchedEnv)


class SingleLane(WholeCopies, gymnasium.Env[Array, Any], Generic[LaneT]):
    """A batched form of one lane as a single environment; a family says in `metadata` how it is rendered."""

    def __init__(self, lane: LaneT) -> None:
        """Set up an environment.

        Args:
            lane: made with one lane and NEXT_STEP autoreset.
        """
        self._lane = lane
        self._over = True
        self.render_mode = lane.render_mode
        self.metadata = {**type(self).metadata, "group_by": lane.metadata["group_by"]}
        self.observation_space = lane.single_observation_space
        self.action_space = lane.single_action_space

    @property
    def hidden_choices(self) -> dict[str, Any]:
        """What was drawn for this episode; `reset(options=...)` with it makes the same episode again."""
        return self._lane.hidden_choices(0)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Start an episode; hidden choices named in `options` are not drawn.

        Raises:
            ValueError: an unknown or illegal option.
        """
        super().reset(seed=seed)
        self._lane.np_random = self.np_random  # one generator, whoever asks for it
        if seed is not None:
            self._lane.restart()
        observations, info = self._lane.reset(options=options)
        self._over = False
        return observations[0], _of_lane(info)

    def step(self, action: Any) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Answer what is seen.

        Raises:
            ResetNeeded: there is no episode, or it has ended.
            ValueError: `action` is not legal.
        """
        if self._over:
            raise ResetNeeded("call reset() first: there is no episode to step")
        observations, rewards, terminated, _, info = self._lane.step(np.asarray(action)[None])
        self._over = bool(terminated[0])
        return observations[0], float(rewards[0]), self._over, False, _of_lane(info)

    def render(self) -> Any:
        """Render what is seen, see the batched form; None without a render mode."""
        frames: Any = self._lane.render()
        return None if frames is None else frames[0]


def _of_lane(info: dict[str, Any]) -> dict[str, Any]:
    """Infos of a single lane as those of a single environment: arrays, and plain Python numbers."""
    first = {name: values[0] for name, values in info.items() if f"_{name}" in info}
    return {name: value if np.ndim(value) else value.item() for name, value in first.items()}
