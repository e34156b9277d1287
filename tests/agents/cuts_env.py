"""Lanes with lives: one is lost at steps that are known, an episode ends with the last."""

import gymnasium as gym
import numpy as np

LIVES = 3
LOST_AT = (2, 5, 9)
"""Steps of an episode, from 1, at which a life is lost; with the last of them it ends."""


class Lives(gym.Env):
    """A reward of 1 in each step; the observation is the step."""

    observation_space = gym.spaces.Box(0.0, 10.0, (1,))
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time = 0
        return self._seen(), {"lives": LIVES, "name": "nobody"}

    def step(self, action):
        self.time += 1
        lost = sum(self.time >= at for at in LOST_AT)
        return self._seen(), 1.0, lost == LIVES, False, {"lives": LIVES - lost, "name": "nobody"}

    def _seen(self):
        return np.array([self.time], np.float32)
