"""An environment of any spaces: what is seen is drawn from its space, what is done is checked against it."""

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from engram.envs.forms.words import Tokens, Vocabulary

WORDS = Vocabulary(["go", "to", "the", "red", "ball"])
TEXT = Tokens(WORDS, 6)
BOARD = spaces.Box(np.zeros((7, 7, 3), np.uint8), np.full((7, 7, 3), [10, 5, 2], np.uint8), dtype=np.uint8)
GRID = spaces.Dict(image=BOARD, direction=spaces.Discrete(4), mission=TEXT)
OBSERVATIONS: dict[str, gym.Space[Any]] = {
    "vector": spaces.Box(-1, 1, (3,)),
    "double": spaces.Box(-1, 1, (2,), np.float64),
    "number": spaces.Box(0, 10, (), np.int32),
    "picture": spaces.Box(0, 255, (5, 6, 3), np.uint8),
    "block": spaces.Box(0, 1, (2, 3, 2, 2)),
    "board": BOARD,
    "symbol": spaces.Discrete(5, start=-2),
    "symbols": spaces.MultiDiscrete([3, 4], start=[7, -3]),
    "rows": spaces.MultiDiscrete([[2, 3], [4, 2]]),
    "bits": spaces.MultiBinary(4),
    "plane": spaces.MultiBinary((2, 3)),
    "tokens": TEXT,
    "grid": GRID,
    "goal": spaces.Dict(
        observation=spaces.Box(-1, 1, (3,)),
        achieved_goal=spaces.Box(-1, 1, (2,)),
        desired_goal=spaces.Box(-1, 1, (2,)),
    ),
    "hand": spaces.Tuple((spaces.Discrete(32), spaces.Discrete(11), spaces.Discrete(2))),
    "nest": spaces.Dict(
        left=spaces.Tuple((spaces.Box(0, 1, (2,)), spaces.Dict(values=spaces.MultiBinary(3), type=TEXT))),
        right=spaces.Discrete(3, start=1),
    ),
}
ACTIONS: dict[str, gym.Space[Any]] = {
    "choice": spaces.Discrete(3),
    "start": spaces.Discrete(3, start=5),
    "choices": spaces.MultiDiscrete([3, 2], start=[1, -1]),
    "table": spaces.MultiDiscrete([[3, 2], [2, 4]]),
    "bits": spaces.MultiBinary(3),
    "plane": spaces.MultiBinary((2, 2)),
    "number": spaces.Box(-2, 3, ()),
    "vector": spaces.Box(-0.1, 0.2, (2,)),
    "matrix": spaces.Box(np.array([[-1, 0], [-5, 2]]), np.array([[1, 4], [5, 3]]), dtype=np.float64),
    "unbounded": spaces.Box(-np.inf, np.inf, (2,)),
}


class AnySpaces(gym.Env):
    """Episodes of 2 to 6 steps, which end in either way; a step earns what the environment draws.

    Right is what the action space's generator draws, or the first legal action, in all its parts.

    Args:
        observation: A row of `OBSERVATIONS`.
        action: A row of `ACTIONS`.
        mask: Where it is told which actions are legal: "info", "tuple" (info, with one mask for each choice),
            "nowhere", or the name of a part of the observation. Others are refused. It is drawn in each step.
        stuck: Whether no action is legal after two steps.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}

    def __init__(self, observation="vector", action="choice", mask="nowhere", stuck=False):
        self.observation_space, self.action_space = OBSERVATIONS[observation], ACTIONS[action]
        self.seen, self.mask, self.stuck = self.observation_space, mask, stuck
        if mask != "nowhere":
            counts = np.reshape(getattr(self.action_space, "nvec", getattr(self.action_space, "n", 0)), -1)
            self.counts = counts.astype(int).tolist()
        if mask not in ("info", "tuple", "nowhere"):
            parts = {"seen": self.seen, mask: spaces.MultiBinary(sum(self.counts))}
            self.observation_space = spaces.Dict(parts)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if seed is not None:
            self.seen.seed(seed)
            self.action_space.seed(seed)
        self.step_number, self.length = 0, int(self.np_random.integers(2, 7))
        return self._look(), self._info()

    def step(self, action):
        if not self.action_space.contains(action) or np.asarray(action).dtype != self.action_space.dtype:
            raise AssertionError(f"{action!r} is not in {self.action_space}")
        if self.mask != "nowhere":
            choices = np.reshape(action - getattr(self.action_space, "start", 0), -1)
            places = choices + np.cumsum([0, *self.counts])[:-1]
            assert self.legal[places].all(), f"{action} is not legal"
        self.step_number += 1
        over, cut = self.step_number == self.length, bool(self.np_random.integers(2))
        reward = float(self.np_random.standard_normal())
        return self._look(), reward, over and not cut, over and cut, self._info()

    def _look(self):
        if self.mask == "nowhere":
            return self.seen.sample()
        rows = [self.np_random.integers(2, size=count) for count in self.counts]
        for row in rows:
            row[self.np_random.integers(len(row))] = 1
        self.legal = np.concatenate(rows).astype(np.int8)
        if self.stuck and self.step_number == 2:
            self.legal[: self.counts[0]] = 0
        seen = self.seen.sample()
        return seen if self.mask in ("info", "tuple") else {"seen": seen, self.mask: self.legal}

    def _first_legal(self):
        rows = np.split(self.legal, np.cumsum(self.counts)[:-1])
        first = np.array([np.argmax(row) for row in rows]).reshape(self.action_space.shape)
        return (first + getattr(self.action_space, "start", 0)).astype(self.action_space.dtype)[()]

    def _info(self):
        target = self.action_space.sample() if self.mask == "nowhere" else self._first_legal()
        told = {}
        if self.mask in ("info", "tuple"):
            rows = tuple(np.split(self.legal, np.cumsum(self.counts)[:-1]))
            told["action_mask"] = rows if self.mask == "tuple" else self.legal
        return {"target": target, "mask": np.ones(np.shape(target), bool), **told}


gym.register("engram_tests/AnySpaces-v0", AnySpaces)
