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

    Right is what the action space's generator draws, in all its parts.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": [], "tells": ("target", "mask")}

    def __init__(self, observation="vector", action="choice", masked=False):
        self.observation_space, self.action_space = OBSERVATIONS[observation], ACTIONS[action]
        self.masked = masked

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if seed is not None:
            self.observation_space.seed(seed)
            self.action_space.seed(seed)
        self._left = int(self.np_random.integers(2, 7))
        return self.observation_space.sample(), self._info()

    def step(self, action):
        if not self.action_space.contains(action) or np.asarray(action).dtype != self.action_space.dtype:
            raise AssertionError(f"{action!r} is not in {self.action_space}")
        self._left -= 1
        over, cut = self._left == 0, bool(self.np_random.integers(2))
        reward = float(self.np_random.standard_normal())
        return self.observation_space.sample(), reward, over and not cut, over and cut, self._info()

    def _info(self):
        target = self.action_space.sample()
        return {"target": target, "mask": np.ones(np.shape(target), bool)}


gym.register("engram_tests/AnySpaces-v0", AnySpaces)
