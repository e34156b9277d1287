"""Wrappers of a user's own, and environments whose observations are texts and nests, some with a fault."""

import time

import gymnasium as gym
import numpy as np
from gymnasium.vector import VectorWrapper

NUMBERS = gym.spaces.Box(0, 1, (2,), np.float32)
WORD = gym.spaces.Text(5, charset="abc")


class Doubled(gym.Wrapper):
    """Rewards times `factor`."""

    def __init__(self, env, factor: float = 2.0):
        super().__init__(env)
        if factor < 0:
            raise ValueError(f"factor: expected 0 or more, got {factor}")
        self.factor = factor

    def step(self, action):
        observation, reward, *rest = self.env.step(action)
        return observation, self.factor * reward, *rest


class DoubledLanes(VectorWrapper):
    """The same for all lanes."""

    def __init__(self, env, factor: float = 2.0):
        super().__init__(env)
        self.factor = factor

    def step(self, actions):
        observations, rewards, *rest = self.env.step(actions)
        return observations, self.factor * rewards, *rest


class Broken(gym.Wrapper):
    """One fault in what it returns."""

    def __init__(self, env, fault):
        super().__init__(env)
        self.fault = fault

    def step(self, action):
        observation, reward, *rest = self.env.step(action)
        if self.fault == "raises":
            raise KeyError("gone")
        if self.fault == "hangs":
            time.sleep(60)
        faults = {
            "nan": (np.full(2, np.nan, np.float32), reward),
            "shape": (np.zeros(3, np.float32), reward),
            "dtype": (np.zeros(2, complex), reward),
            "range": (np.full(2, 7, np.float32), reward),
            "string": ("ab", reward),
            "reward": (observation, "much"),
            "reward_nan": (observation, float("nan")),
        }
        return *faults[self.fault], *rest


class Plain(gym.Env):
    """Two numbers; an episode takes four steps."""

    observation_space, action_space = NUMBERS, gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return self.look(), {}

    def step(self, action):
        self.t += 1
        return self.look(), 1.0, self.t == 4, False, {}

    def look(self):
        return self.np_random.random(2, np.float32)


class Told(Plain):
    """A word that changes with each step, beside two numbers and a word inside of a tuple."""

    observation_space = gym.spaces.Dict(
        {"numbers": NUMBERS, "word": WORD, "pair": gym.spaces.Tuple([gym.spaces.Discrete(3), WORD])}
    )

    def __init__(self, fault=None):
        self.fault = fault

    def look(self):
        word = "abcab"[: self.t + 1]
        seen = {"numbers": super().look(), "word": word, "pair": (self.t % 3, word[::-1])}
        seen |= {
            None: {},
            "number": {"word": 3},
            "long": {"word": "aaaaaaa"},
            "strange": {"word": "axb"},
            "inside": {"pair": (0, None)},
            "numbers": {"numbers": "ab"},
            "nan": {"numbers": np.array([0, np.nan], np.float32)},
            "missing": {},
        }[self.fault]
        return {key: part for key, part in seen.items() if (key, self.fault) != ("pair", "missing")}


class Drawn(Plain):
    """A graph, which no array holds."""

    observation_space = gym.spaces.Dict(
        {"numbers": NUMBERS, "graph": gym.spaces.Graph(NUMBERS, gym.spaces.Discrete(2))}
    )

    def look(self):
        return {"numbers": super().look(), "graph": self.observation_space["graph"].sample()}
