"""Base of all batched forms: each lane plays its own episode, array operations step all of them.

B lanes.
"""

from __future__ import annotations

import functools
import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from engram.envs.arguments import (
    check_at_least,
    check_autoreset_mode,
    check_fits,
    check_options,
    check_shapes,
)
from engram.envs.arrays import Array, Flags, Floats, Ints
from engram.envs.forms.copies import WholeCopies

Lanes = Ints | slice
Observations = Any
"""An array, lanes first, or a dict of them by name."""

ALL = slice(None)


class BatchedEnv(WholeCopies, VectorEnv[Observations, Array, Array]):
    """Many episodes at once, on plain arrays and one random generator.

    A subclass supplies `_begin`, `_advance`, `_observe`, `_checked`, `_facts`, `_state` and `hidden_choices`,
    and `_out_of_time` where there is a time limit; it makes the arrays of its lanes in `_allocate`.
    Everything returned is the caller's to keep: later steps do not change it.

    Info:
        As for the single form, each (B, ...); with SAME_STEP autoreset that of finished episodes is in
        `final_info`, their last observations in `final_obs`, laid out as Gymnasium's SyncVectorEnv does.

    Reset options:
        As for the single form, each one for all lanes or one per lane.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium declares it so)
        "render_modes": [],
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        observation_space: gymnasium.spaces.Box | gymnasium.spaces.Dict,
        action_space: gymnasium.spaces.Discrete[Any] | gymnasium.spaces.MultiBinary,
        group_by: str | None,
        num_envs: int = 1,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
    ) -> None:
        """Set up `num_envs` lanes.

        Args:
            observation_space: of one lane.
            action_space: of one lane.
            group_by: the info key by which results are split, if any.
            num_envs: number of lanes (B, default 1).
            autoreset_mode: when a finished lane begins anew: SAME_STEP (its last observation is in
                `info["final_obs"]`) or NEXT_STEP (the next step's action is ignored, its reward 0); the enum,
                its name or its value.

        Raises:
            ValueError: an argument is not legal.
        """
        lanes = check_at_least("num_envs", num_envs, 1, ">= 1 lanes")
        self.autoreset_mode = check_autoreset_mode(autoreset_mode)
        self.metadata = {
            **type(self).metadata,
            "group_by": group_by,
            "autoreset_mode": self.autoreset_mode,
        }
        self.single_observation_space = observation_space
        self.single_action_space = action_space
        self.num_envs = check_fits("num_envs", lanes, self._lane_bytes(), "lanes")
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._lanes = np.arange(self.num_envs)
        self._pending = np.empty(0, dtype=np.int64)  # NEXT_STEP: finished, not yet begun anew
        self._started = False
        self._allocate()

    def _allocate(self) -> None:
        """Make the arrays of the lanes; called once all arguments are checked."""

    @abstractmethod
    def _begin(self, lanes: Ints, options: Mapping[str, Any]) -> None:
        """Start an episode in each of `lanes`, with hidden choices from `options` or `self.np_random`."""

    @abstractmethod
    def _advance(self, actions: Array) -> tuple[Floats, Flags]:
        """Play one step in every lane.

        A lane that has ended may be advanced once more before it begins anew; what that gives is thrown away.

        Args:
            actions: (B, ...), legal ones.

        Returns:
            rewards (B,) and terminations (B,), both fresh.
        """

    def _out_of_time(self) -> Flags:
        """Return which lanes the step just played cut short, fresh (B,); none without a time limit."""
        return np.zeros(self.num_envs, dtype=np.bool_)

    @abstractmethod
    def _observe(self, lanes: Lanes) -> Observations:
        """Return fresh observations of the lanes, (lanes, ...)."""

    @abstractmethod
    def _checked(self, actions: Any) -> Array:
        """Return actions as an array (B, ...).

        Raises:
            ValueError: not one legal action per lane.
        """

    @abstractmethod
    def _facts(self) -> dict[str, Array]:
        """Return the entries of `info` for the present step, each (B, ...)."""

    @abstractmethod
    def _state(self) -> dict[str, Array]:
        """Return the arrays (not copies) that are the lanes' state, by name; `set_state` writes into them."""

    @abstractmethod
    def hidden_choices(self, lane: int) -> dict[str, Any]:
        """Return what was drawn for a lane's episode; `reset(options=...)` with it repeats the episode."""

    def _lane_bytes(self) -> int:
        """Estimate the bytes of a lane, before lanes are made; subclasses add what they keep."""
        seen = self.single_observation_space
        spaces = seen.spaces.values() if isinstance(seen, gymnasium.spaces.Dict) else (seen,)
        answers = math.prod(self.single_action_space.shape or ())
        # Bounds of the batched spaces; observations as kept and as returned; answers, targets and masks.
        return sum(_bytes_of(space) for space in spaces) + 8 * answers

    def restart(self) -> None:
        """Forget everything but the random generator, which alone decides from here on."""

    def _restored(self) -> None:
        """Recompute what is derived from the arrays of `_state`; called after `set_state` wrote them."""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Start an episode in every lane; hidden choices given in `options` are not drawn.

        An option is one value for all lanes, or one per lane.

        Raises:
            ValueError: an unknown or illegal option.
        """
        super().reset(seed=seed)
        if seed is not None:
            self.restart()
        self._begin(self._lanes, check_options(options))
        self._pending = self._pending[:0]
        self._started = True
        return self._observe(ALL), self._info()

    def step(self, actions: Array) -> tuple[Observations, Floats, Flags, Flags, dict[str, Any]]:
        """Play one step in every lane; finished lanes begin anew as `autoreset_mode` says.

        Raises:
            ResetNeeded: the environment was never reset.
            ValueError: not one legal action per lane.
        """
        observations, rewards, terminated, truncated, final = self.play(actions)
        return observations, rewards, terminated, truncated, final | self._info()

    def play(self, actions: Array) -> tuple[Observations, Floats, Flags, Flags, dict[str, Any]]:
        """Play one step as `step` does, but for `info`: of that only what is said of finished lanes."""
        self._check_started()
        rewards, terminated = self._advance(self._checked(actions))
        truncated = self._out_of_time()
        final: dict[str, Any] = {}
        begun = self._pending
        if self.autoreset_mode is AutoresetMode.NEXT_STEP:
            if begun.size:
                rewards[begun], terminated[begun], truncated[begun] = 0.0, False, False
            self._pending = (terminated | truncated).nonzero()[0]
        else:
            begun = (terminated | truncated).nonzero()[0]
            if begun.size:
                final = self._final(begun)
        if begun.size:
            self._begin(begun, {})
        return self._observe(ALL), rewards, terminated, truncated, final

    def plain_facts(self) -> dict[str, Any]:
        """Return what `info` says of the only lane's step: arrays, plain Python numbers and texts."""
        return {
            name: values.item() if values.ndim == 1 else values[0].copy()
            for name, values in self._facts().items()
        }

    def get_state(self) -> dict[str, Any]:
        """Return all that decides the future: plain arrays and the state of the random generator.

        Raises:
            ResetNeeded: the environment was never reset.
        """
        self._check_started()
        game = {name: values.copy() for name, values in self._state().items()}
        return {"game": game, "pending": self._pending.copy(), "rng": self.np_random.bit_generator.state}

    def set_state(self, state: Mapping[str, Any]) -> Observations:
        """Restore `get_state()` of an environment made with the same arguments, bit for bit.

        Returns:
            the present observations (B, ...).

        Raises:
            ValueError: the state has another number of lanes, or is of another environment.
        """
        game, live = state["game"], self._state()
        check_shapes("state.game", game, {name: values.shape for name, values in live.items()})
        for name, values in live.items():
            values[...] = game[name]
        self._pending = np.copy(state["pending"])
        self.np_random.bit_generator.state = state["rng"]
        self._started = True
        self._restored()
        return self._observe(ALL)

    def _info(self) -> dict[str, Any]:
        info: dict[str, Any] = {}
        everyone = _everyone(self.num_envs)
        for name, values in self._facts().items():
            info[name], info[f"_{name}"] = values.copy(), everyone
        return info

    def _final(self, lanes: Ints) -> dict[str, Any]:
        """Return last observations and infos of lanes about to begin anew, laid out as by SyncVectorEnv."""
        ended = np.zeros(self.num_envs, dtype=np.bool_)
        ended[lanes] = True
        ended.flags.writeable = False  # it stands under every name
        observations = np.full(self.num_envs, None, dtype=object)
        seen = self._observe(lanes)
        for place, lane in enumerate(lanes.tolist()):
            observations[lane] = of_lane(seen, place)
        info: dict[str, Any] = {}
        for name, values in self._facts().items():
            told = np.zeros(values.shape, values.dtype)
            if values.dtype == object:
                told.fill(None)
            told[lanes] = values[lanes]
            info[name], info[f"_{name}"] = told, ended
        return {
            "final_obs": observations,
            "_final_obs": ended,
            "final_info": info,
            "_final_info": ended,
        }

    def _check_started(self) -> None:
        if not self._started:
            raise ResetNeeded("call reset() first")


def of_lane(observations: Observations, lane: int) -> Observations:
    """Return the observation of one lane."""
    if isinstance(observations, dict):
        return {name: values[lane] for name, values in observations.items()}
    return observations[lane]


def _bytes_of(space: gymnasium.Space[Any]) -> int:
    """Estimate the bytes of a part of an observation: bounds, and what is kept and returned."""
    return (4 * np.dtype(space.dtype).itemsize + 2) * math.prod(space.shape or ())


@functools.cache
def _everyone(lanes: int) -> Flags:
    """Return the mask of all lanes, (lanes,); read-only, as infos share it."""
    mask = np.ones(lanes, dtype=np.bool_)
    mask.flags.writeable = False
    return mask
