"""A three-line task that needs memory: a cue is shown once, and asked for `delay` steps later."""

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np


class CueRecall(gym.Env):
    """See one of two cues, wait `delay` steps, name the cue: reward 1 for the right answer, else 0.

    Observation (3,): cue 0, cue 1, "answer now". Action: Discrete(2). An episode takes `delay` + 1 steps;
    a memory-free policy earns 0.5. With `cut` the episode is truncated instead of terminated.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": [], "group_by": "cue"}

    def __init__(self, delay=4, cut=False):
        self.delay, self.cut = delay, cut
        self.observation_space = gym.spaces.Box(0, 1, (3,), np.float32)
        self.action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._t, self._cue = 0, int(self.np_random.integers(2))
        return self._observe(), self._info(False)

    def step(self, action):
        last = self._t == self.delay
        success = bool(last and action == self._cue)
        self._t += 1
        return self._observe(), float(success), last and not self.cut, last and self.cut, self._info(success)

    def _observe(self):
        shown = np.zeros(3, np.float32)
        if self._t == 0:
            shown[self._cue] = 1
        shown[2] = self._t == self.delay
        return shown

    def _info(self, success):
        return {"success": success, "cue": self._cue}


gym.register("engram_tests/CueRecall-v0", CueRecall)
