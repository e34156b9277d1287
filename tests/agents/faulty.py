"""A task in which something is not finite at a step that is named."""

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np


class Faulty(gym.Env):
    """Episodes of `length` steps, reward -1 each; what is `fault` at step `at` of every `every`-th episode.

    Observation (2,), or a dict of it under `board`. Action: Discrete(2).

    Args:
        what: `reward`, `observation`, `final`, or nothing.
        fault: The number that is put there.
        at: Step of an episode, from 1.
        every: 1: in every episode, 2: in every second one, ...
        cut: Whether episodes are truncated.
        nest: Whether observations are a dict.
        dtype: Of observations.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}

    def __init__(
        self, what="", fault=np.nan, at=3, every=1, length=8, cut=False, nest=False, dtype="float32"
    ):
        self.what, self.fault, self.at, self.every = what, fault, at, every
        self.length, self.cut, self.nest = length, cut, nest
        board = gym.spaces.Box(-1, 1, (2,), np.dtype(dtype))
        self.observation_space = gym.spaces.Dict({"board": board}) if nest else board
        self.action_space = gym.spaces.Discrete(2)
        self._episodes, self._dtype = 0, np.dtype(dtype)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._t, self._episodes = 0, self._episodes + 1
        return self._look("observation"), {}

    def step(self, action):
        self._t += 1
        last = self._t == self.length
        what = "final" if last and self.what == "final" else "observation"
        reward = self.fault if self._due("reward") else -1.0
        return self._look(what), reward, last and not self.cut, last and self.cut, {}

    def _due(self, what):
        due = self._t == self.at or what == "final"
        return what == self.what and due and self._episodes % self.every == 0

    def _look(self, what):
        board = np.array([0.5, self.fault if self._due(what) else self._t / self.length], self._dtype)
        return {"board": board} if self.nest else board


gym.register("engram_tests/Faulty-v0", Faulty, disable_env_checker=True)
