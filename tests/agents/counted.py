"""An environment of any action and observation space, which minds what it is given and says what is right."""

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium import spaces

ACTIONS = {
    "plain": spaces.Discrete(3),
    "start": spaces.Discrete(3, start=5),
    "negative": spaces.Discrete(3, start=-2),
    "int32": spaces.Discrete(3, start=7, dtype=np.int32),
    "uint8": spaces.Discrete(3, start=2, dtype=np.uint8),
    "several": spaces.MultiDiscrete([3, 2], start=[5, -1]),
    "several_int16": spaces.MultiDiscrete([3, 2], dtype=np.int16, start=[5, -1]),
    "bits": spaces.MultiBinary(3),
    "box": spaces.Box(-0.1, 0.2, (2,)),
    "box64": spaces.Box(-0.1, 0.2, (2,), np.float64),
}
OBSERVATIONS = {
    "vector": spaces.Box(0, 1, (4,)),
    "symbol": spaces.Discrete(4, start=10),
    "negative": spaces.Discrete(4, start=-10),
    "symbols": spaces.MultiDiscrete([3, 4], start=[7, -3]),
    "bits": spaces.MultiBinary(4),
}
STEPS = 5


class Counted(gym.Env):
    """Episodes of `STEPS` steps. Right is the t-th action at step t, which earns 1; the last step is masked.

    Masked targets are 0, whether or not that is an action.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "tells": ("target", "mask")}

    def __init__(self, actions="start", observations="vector", render_mode=None):
        self.action_space, self.observation_space = ACTIONS[actions], OBSERVATIONS[observations]
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._t = 0
        return self._look(), self._told()

    def step(self, action):
        if not self.action_space.contains(action) or action.dtype != self.action_space.dtype:
            raise AssertionError(f"{action!r} is not in {self.action_space}")
        right = bool(np.all(action == self._told()["target"]))
        self._t += 1
        return self._look(), float(right), self._t == STEPS, False, self._told()

    def _look(self):
        space = self.observation_space
        if isinstance(space, spaces.Discrete):
            return space.start + space.dtype.type(self._t % int(space.n))
        if isinstance(space, spaces.MultiDiscrete):
            return (space.start + self._t % space.nvec).astype(space.dtype)
        return np.eye(4, dtype=space.dtype)[self._t % 4]

    def _told(self):
        space, counts = self.action_space, self._t < STEPS - 1
        if not isinstance(space, spaces.Discrete):
            first = getattr(space, "start", np.zeros(space.shape, space.dtype))
            return {"target": first, "mask": counts}
        right = space.start + space.dtype.type(self._t % 3) if counts else space.dtype.type(0)
        return {"target": right, "mask": counts}

    def render(self):
        return np.full((2, 3, 3), 40 * self._t, np.uint8)


gym.register("engram_tests/Counted-v0", Counted)
