"""Bases of single forms that are one lane of a batched form."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode

from engram.envs.arrays import Bytes
from engram.envs.forms.batched_env import BatchedEnv, Observations, of_lane
from engram.envs.forms.batched_task import BatchedGame, BatchedTask
from engram.envs.forms.boards import Look
from engram.envs.forms.copies import WholeCopies
from engram.envs.forms.parameters import declare, parameters_of, read_meanings

LaneT = TypeVar("LaneT", bound=BatchedEnv)
TaskLaneT = TypeVar("TaskLaneT", bound=BatchedTask[Any])
GameLaneT = TypeVar("GameLaneT", bound=BatchedGame[Any])


class SingleLane(WholeCopies, gymnasium.Env[Observations, Any], Generic[LaneT]):
    """Single environment around one lane of a batched form.

    `class Maze(SingleLane[BatchedMaze], of=BatchedMaze)` is made with the arguments of `BatchedMaze` but
    `num_envs` and `autoreset_mode`, and renders as it does.
    """

    _of: type[BatchedEnv]

    def __init_subclass__(cls, of: type[BatchedEnv] | None = None, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if of is None:
            return
        cls._of = of
        told = ("render_modes", "render_fps", "per_trial")
        cls.metadata = {name: of.metadata[name] for name in told if name in of.metadata}
        parameters = parameters_of(of)
        del parameters["num_envs"], parameters["autoreset_mode"]
        declare(cls, list(parameters.values()), read_meanings(of))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError(f"{type(self).__name__}: of which batched form? class X(SingleLane, of=BatchedX)")

    def _construct(self, given: dict[str, Any]) -> None:
        lane: Any = self._of(**given, autoreset_mode=AutoresetMode.NEXT_STEP)
        self._lane: LaneT = lane
        self._over = True
        self.render_mode = lane.render_mode
        self.metadata = {**type(self).metadata, "group_by": lane.metadata["group_by"]}
        self.observation_space = lane.single_observation_space
        self.action_space = lane.single_action_space

    @property
    def hidden_choices(self) -> dict[str, Any]:
        """What was drawn for this episode; `reset(options=...)` with it repeats the episode."""
        return self._lane.hidden_choices(0)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Start an episode; hidden choices named in `options` are not drawn.

        Raises:
            ValueError: an unknown or illegal option.
        """
        super().reset(seed=seed)
        self._lane.np_random = self.np_random  # one generator, whoever asks for it
        if seed is not None:
            self._lane.restart()
        observations, _ = self._lane.reset(options=options)
        self._over = False
        return of_lane(observations, 0), self._lane.plain_facts()

    def step(self, action: Any) -> tuple[Observations, float, bool, bool, dict[str, Any]]:
        """Play one step.

        Raises:
            ResetNeeded: there is no episode, or it has ended.
            ValueError: `action` is not legal.
        """
        if self._over:
            raise ResetNeeded("call reset() first: there is no episode to step")
        observations, rewards, terminated, truncated, _ = self._lane.play(np.asarray(action)[None])
        ends = bool(terminated[0]), bool(truncated[0])
        self._over = any(ends)
        return of_lane(observations, 0), float(rewards[0]), *ends, self._lane.plain_facts()

    def render(self) -> Any:
        """Render the present step as the batched form does; None without a render mode."""
        frames: Any = self._lane.render()
        return None if frames is None else frames[0]


class SingleTask(SingleLane[TaskLaneT]):
    """One lane of a task that follows rules and is shown as a board of characters."""

    @property
    def rules(self) -> Any:
        """The task's parameters."""
        return self._lane.rules

    @property
    def memory_delay(self) -> int:
        """Env steps from cue to choice, see `engram.envs.forms.rules.Rules`."""
        return self._lane.memory_delay

    @property
    def board(self) -> Bytes:
        """The board as painted, before repaint: ASCII codes, uint8 (R, C).

        Raises:
            ResetNeeded: the environment was never reset.
        """
        board: Bytes = self._lane.board[0]
        return board


class SingleGame(SingleTask[GameLaneT]):
    """One lane of a game with the five actions."""

    @property
    def look(self) -> Look:
        """How boards are shown."""
        return self._lane.look
