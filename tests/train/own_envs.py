"""Environments of a user's own, by class path: some as they should be, each other with one fault."""

import os
import re
import sys
import threading
import time

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space


class Good(gym.Env):
    """Five steps of noise."""

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012

    def __init__(self, size=3, render_mode=None):
        self.observation_space = gym.spaces.Box(0, 1, (size,), np.float32)
        self.action_space = gym.spaces.Discrete(2)
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return self._look(), {"told": 1}

    def step(self, action):
        self.t += 1
        return self._look(), 1.0, self.t >= 5, False, {}

    def _look(self):
        return self.np_random.random(self.observation_space.shape, np.float32)

    def render(self):
        return np.zeros((4, 4, 3), np.uint8)


class Typed(Good):
    """Says the types of some of its settings, and of one what its default is not."""

    def __init__(
        self, sutton_barto_reward=False, sizes: "tuple[int, ...]" = (1,), map: str = 0, render_mode=None
    ):
        super().__init__(render_mode=render_mode)


class InConfig(Good):
    """As RLlib has it: one mapping of all settings."""

    def __init__(self, env_config):
        super().__init__(env_config.get("size", 3))
        self.worker_index = env_config.worker_index


class InConfigRendered(Good):
    def __init__(self, config=None, render_mode=None):
        super().__init__((config or {}).get("size", 3), render_mode)


def make(config):
    return Good(config["size"])


def make_by_keywords(size=6):
    return Good(size)


class Lanes(VectorEnv):
    """`Good` in many lanes."""

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012

    def __init__(self, num_envs=1, size=3, autoreset_mode=None):
        if autoreset_mode is not None:
            self.metadata = {"autoreset_mode": AutoresetMode[autoreset_mode]}
        self.num_envs = num_envs
        self.single_observation_space = gym.spaces.Box(0, 1, (size,), np.float32)
        self.single_action_space = gym.spaces.Discrete(2)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self._look(), {}

    def step(self, actions):
        never = np.zeros(self.num_envs, bool)
        return self._look(), np.ones(self.num_envs), never, never, {}

    def _look(self):
        return self.np_random.random(self.observation_space.shape, np.float32)


class LanesInConfig(Lanes):
    def __init__(self, config):
        super().__init__(config["num_envs"], config.get("size", 3))


class LanesOfOneReward(Lanes):
    def step(self, actions):
        seen, _, *rest = super().step(actions)
        return seen, 1.0, *rest


class LanesOfWrongSpace(Lanes):
    def __init__(self, num_envs=1):
        super().__init__(num_envs)
        self.observation_space = self.single_observation_space


class LanesWithoutLast(Lanes):
    """Its lanes begin anew, and do not tell what they saw last."""

    def step(self, actions):
        seen, rewards, never, _, info = super().step(actions)
        return seen, rewards, never, ~never, info


class TextSuccess(Good):
    def step(self, action):
        *rest, info = super().step(action)
        return *rest, {**info, "success": "no"}


class LateMask(Good):
    def step(self, action):
        *rest, info = super().step(action)
        return *rest, {**info, "action_mask": np.array([1, 0], np.int8)}


class Outer:
    class Inner(Good):
        pass


class HangsMade(Good):
    def __init__(self):
        time.sleep(1000)


class HangsReset(Good):
    def reset(self, **options):
        while True:
            pass


class HangsInC(Good):
    def step(self, action):
        re.match(r"(a+)+$", "a" * 50 + "b")


class Exits(Good):
    def __init__(self):
        print("no licence found")
        sys.exit(3)


class Interrupts(Good):
    def reset(self, **options):
        raise KeyboardInterrupt


class RaisesBase(Good):
    def __init__(self):
        raise BaseException("odd")


class Crashes(Good):
    def __init__(self):
        os.kill(os.getpid(), 11)


class Prints(Good):
    def __init__(self):
        print("hello from the constructor")
        super().__init__()


class Threads(Good):
    def __init__(self):
        super().__init__()
        threading.Thread(target=time.sleep, args=(1000,)).start()


class Forks(Good):
    def __init__(self):
        super().__init__()
        if os.fork() == 0:
            time.sleep(1000)


class ResetsToArray(Good):
    def reset(self, **options):
        return super().reset(**options)[0]


class FourValues(Good):
    def step(self, action):
        seen, reward, done, _, info = super().step(action)
        return seen, reward, done, info


class WrongShape(Good):
    def step(self, action):
        seen, *rest = super().step(action)
        return seen[:2], *rest


class WrongKind(Good):
    def __init__(self):
        super().__init__()
        self.observation_space = gym.spaces.Box(0, 5, (3,), np.int32)

    def reset(self, **options):
        return np.zeros(3, np.float32), {}


class OutOfBounds(Good):
    def step(self, action):
        seen, *rest = super().step(action)
        return seen + 2, *rest


class NotANumberSeen(Good):
    def step(self, action):
        seen, *rest = super().step(action)
        seen[1] = np.nan
        return seen, *rest


class OutOfDiscrete(Good):
    def __init__(self):
        super().__init__()
        self.observation_space = gym.spaces.Dict({"a": gym.spaces.Discrete(3, start=1)})

    def _look(self):
        return {"a": 0}


class ListReward(Good):
    def step(self, action):
        seen, reward, *rest = super().step(action)
        return seen, [reward], *rest


class NotANumberReward(Good):
    def step(self, action):
        seen, _, *rest = super().step(action)
        return seen, float("nan"), *rest


class NumberFlag(Good):
    def step(self, action):
        seen, reward, _, *rest = super().step(action)
        return seen, reward, 0, *rest


class ArraysOfOne(Good):
    """As they come of an action that is an array of one number."""

    def step(self, action):
        seen, reward, ended, *rest = super().step(action)
        return seen, np.array([reward]), np.array([ended]), *rest


class NoInfo(Good):
    def step(self, action):
        *rest, _ = super().step(action)
        return *rest, None


class NoSeed(Good):
    def reset(self):
        return np.zeros(3, np.float32), {}


class Raises(Good):
    def step(self, action):
        return {}["x"]


class SeesText(Good):
    """Has a legal space that no network of ours or RLlib's is made for."""

    def __init__(self):
        super().__init__()
        self.observation_space = gym.spaces.Text(3, charset="ab")

    def reset(self, *, seed=None, options=None):
        return "ab", super().reset(seed=seed, options=options)[1]

    def step(self, action):
        return "ab", *super().step(action)[1:]


class ActsInText(Good):
    """Has a legal space that no network of ours or RLlib's is made for."""

    def __init__(self):
        super().__init__()
        self.action_space = gym.spaces.Text(3, charset="ab")


class NoSpaces(Good):
    def __init__(self):
        pass


class Needs(Good):
    def __init__(self, apples, pears=1):
        super().__init__()


class NoEnvironment:
    pass


NUMBER = 3
