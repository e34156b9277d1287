"""AtariLanes: ALE's own vector environment, with the promises that Gymnasium makes of a batched one.

B lanes, P planes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from engram.envs.arguments import (
    check_actions,
    check_at_least,
    check_autoreset_mode,
    check_fits,
    check_options,
)
from engram.envs.arrays import Array, Bytes, Flags, Floats, Ints
from engram.envs.atari.options import FRAMES_PER_SECOND, AtariOptions
from engram.envs.forms.frames import FrameStack
from engram.envs.forms.parameters import Parametrized

SEEDS = 2**31
"""ALE has so many; of a larger one, the remainder counts."""

_LEGAL_SEED = "whole numbers >= 0"
_MACHINE = 2**20  # bytes that the console of a lane takes, about

Info = dict[str, Any]


class GameLanes(VectorEnv[Bytes, Ints, Array]):
    """What `AtariLanes` does, with its options in one.

    Attributes:
        options: what is played and how it is shown.
        actions: names of the actions, in their order.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium declares it so)
        "render_modes": [],
        "render_fps": FRAMES_PER_SECOND,
        "autoreset_mode": AutoresetMode.SAME_STEP,
        "tells": ("score", "lives", "episode_frame_number"),
    }

    def __init__(
        self,
        options: AtariOptions,
        num_envs: int = 1,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
    ) -> None:
        """Set up `num_envs` lanes.

        Args:
            options: what is played and how it is shown.
            num_envs: number of lanes (B, default 1).
            autoreset_mode: when a finished lane begins anew, see `BatchedEnv`.

        Raises:
            ModuleNotFoundError: there is no ale_py.
            ValueError: an argument is not legal.
        """
        self.options = options
        self.autoreset_mode = check_autoreset_mode(autoreset_mode)
        space = FrameStack(options.img_height, options.img_width, options.planes, options.stack_num)
        lanes = check_at_least("num_envs", num_envs, 1, ">= 1 lanes")
        self.num_envs = check_fits("num_envs", lanes, _MACHINE + 8 * int(np.prod(space.shape)), "lanes")
        self._ale = options.make(self.num_envs, self.autoreset_mode)
        self.actions = tuple(action.name for action in self._ale.get_action_set())
        self.metadata = {
            **type(self).metadata,
            "autoreset_mode": self.autoreset_mode,
            "rules": options.rules(),
        }
        self.single_observation_space = space
        self.single_action_space = spaces.Discrete(len(self.actions))
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._legal = ", ".join(f"{number} {name}" for number, name in enumerate(self.actions))
        self._everyone = np.ones(self.num_envs, np.bool_)
        self._scores = np.zeros(self.num_envs)
        self._before: Info = {}
        self._over = np.zeros(self.num_envs, np.bool_)

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Bytes, Info]:
        """Start a game in every lane.

        Args:
            seed: of lane 0, those of the others follow it; or one for each lane. Of seeds beyond ALE's, the
                remainder counts. None: lanes go on with their generators.
            options: none are known.

        Raises:
            ValueError: a seed or an option is not legal.
        """
        for name in check_options(options):
            raise ValueError(f"options.{name}: unknown; a game has no options of a reset")
        if seed is not None and np.ndim(seed) == 0:
            seed = check_at_least("seed", seed, 0, _LEGAL_SEED)
            super().reset(seed=seed)
        seeds = self._lane_seeds(seed)
        observations, told = self._playable().reset(np.arange(self.num_envs), seeds)
        self._scores[:] = 0
        self._over[:] = False
        return self._shown(observations), self._info(told)

    def step(self, actions: Ints) -> tuple[Bytes, Floats, Flags, Flags, Info]:
        """Play one action in every lane; finished lanes begin anew as `autoreset_mode` says.

        Raises:
            ResetNeeded: the environment was never reset.
            ValueError: not one legal action per lane.
        """
        ale = self._playable()
        if not self._before:
            raise ResetNeeded("call reset() first")
        legal = check_actions(actions, self.num_envs, len(self.actions), self._legal)
        ale.send(legal, np.ones(self.num_envs, np.float32))
        observations, gained, terminated, truncated, told = ale.recv()
        rewards = gained.astype(np.float64)
        if self.autoreset_mode is AutoresetMode.NEXT_STEP:
            self._scores[self._over] = 0
            self._scores += rewards
            self._over = terminated | truncated
            return self._shown(observations), rewards, terminated, truncated, self._info(told)
        self._scores += rewards
        ended, final = terminated | truncated, {}
        if ended.any():
            final = self._final(ended, told)
            self._scores[ended] = 0
        return self._shown(observations), rewards, terminated, truncated, final | self._info(told)

    def close_extras(self, **kwargs: Any) -> None:
        """End the threads of the lanes."""
        self._ale = None

    def __getstate__(self) -> Any:
        raise TypeError("ALE's lanes have no state that can be taken")

    def _playable(self) -> Any:
        if self._ale is None:
            raise ClosedEnvironmentError("the environment is closed")
        return self._ale

    def _lane_seeds(self, seed: int | Sequence[int] | None) -> Ints:
        """Return what ALE seeds each lane with, (B,); -1 leaves its generator alone."""
        if seed is None:
            if self._before:
                return np.full(self.num_envs, -1)
            seed = int(self.np_random.integers(SEEDS))
        given: Iterable[Any] = seed if isinstance(seed, Iterable) else range(seed, seed + self.num_envs)
        seeds = [check_at_least("seed", one, 0, _LEGAL_SEED) % SEEDS for one in given]
        if len(seeds) != self.num_envs:
            raise ValueError(
                f"seed: {len(seeds)} of them; legal: a whole number >= 0, or one per lane ({self.num_envs})"
            )
        return np.array(seeds)

    def _shown(self, observations: Bytes) -> Bytes:
        """Return frames as planes: (B, frames, rows, columns[, P]) to (B, rows, columns, frames * P)."""
        if self.options.grayscale:
            return observations.transpose(0, 2, 3, 1)
        frames, rows, columns, planes = observations.shape[1:]
        return observations.transpose(0, 2, 3, 1, 4).reshape(-1, rows, columns, frames * planes)

    def _info(self, told: Info) -> Info:
        self._before = told
        facts = {
            "score": self._scores.copy(),
            "lives": told["lives"],
            "episode_frame_number": told["episode_frame_number"],
        }
        return facts | {f"_{name}": self._everyone.copy() for name in facts}

    def _final(self, ended: Flags, told: Info) -> Info:
        """Return last observations and infos of lanes that have begun anew, as SyncVectorEnv lays them out.

        ALE tells of the new game already. Its count of frames over all games of a lane, less those of the
        present one, is where that one began.
        """
        begun, before = (each["frame_number"] - each["episode_frame_number"] for each in (told, self._before))
        facts = {
            "score": self._scores,
            "lives": self._before["lives"],
            "episode_frame_number": begun - before,
        }
        lasts = np.full(self.num_envs, None, dtype=object)
        seen = self._shown(told.pop("final_obs"))
        for lane in np.flatnonzero(ended).tolist():
            lasts[lane] = seen[lane].copy()
        info: Info = {}
        for name, values in facts.items():
            info[name], info[f"_{name}"] = np.where(ended, values, 0), ended.copy()
        return {
            "final_obs": lasts,
            "_final_obs": ended.copy(),
            "final_info": info,
            "_final_info": ended.copy(),
        }


class AtariLanes(Parametrized, GameLanes, task=AtariOptions):
    """B Atari games at once, in C++; observations and the rest as of `Atari`, each (B, ...).

    ALE has no state to be saved, so that there are no copies: a run that is resumed begins new games.
    """
