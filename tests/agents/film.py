"""Lanes that show a film: pictures of the latest frames, so that each can be told from all others.

B lanes.
"""

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space

from engram.envs.forms.frames import FrameStack

FRAMES, SIDE = 4, 20


class Film(VectorEnv):
    """Episodes of drawn lengths; every frame is drawn, and the reward is what `reward` says in each step."""

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012

    def __init__(self, num_envs=1, planes=1, reward=7.0):
        self.num_envs, self.reward = num_envs, reward
        self.single_observation_space = FrameStack(SIDE, SIDE, planes, FRAMES)
        self.single_action_space = gym.spaces.Discrete(3)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.seen = np.zeros(self.observation_space.shape, np.uint8)
        self.planes = planes

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._show(np.ones(self.num_envs, bool))
        return self.seen.copy(), {}

    def step(self, actions):
        truncated, terminated = self.np_random.random((2, self.num_envs)) < 0.1
        ended = truncated | terminated
        self._show(np.zeros(self.num_envs, bool))
        infos = {}
        if ended.any():
            infos["final_obs"] = np.full(self.num_envs, None, object)
            for lane in np.flatnonzero(ended):
                infos["final_obs"][lane] = self.seen[lane].copy()
            self._show(ended)
        rewards = np.full(self.num_envs, self.reward)
        return self.seen.copy(), rewards, terminated, truncated & ~terminated, infos

    def _show(self, begun):
        """Adds a frame to each picture, or, in lanes that begin, to nothing."""
        new = self.np_random.integers(1, 256, (self.num_envs, SIDE, SIDE, self.planes), np.uint8)
        older = self.seen[..., self.planes :] * ~begun[:, None, None, None]
        moved = np.concatenate([older, new], axis=-1)
        if begun.any():
            self.seen[begun] = moved[begun]
        else:
            self.seen[:] = moved


class OneFilm(gym.Env):
    """A single lane of it."""

    def __init__(self, planes=1):
        self.lane = Film(planes=planes)
        self.observation_space, self.action_space = (
            self.lane.single_observation_space,
            self.lane.single_action_space,
        )

    def reset(self, *, seed=None, options=None):
        return self.lane.reset(seed=seed)[0][0], {}

    def step(self, action):
        observations, rewards, terminated, truncated, infos = self.lane.step([action])
        seen = infos["final_obs"][0] if infos else observations[0]
        return seen, float(rewards[0]), bool(terminated[0]), bool(truncated[0]), {}


class Skip(gym.Wrapper):
    """An action lasts two steps: two frames are new."""

    def step(self, action):
        results = self.env.step(action)
        return results if results[2] or results[3] else self.env.step(action)


class Same(VectorWrapper):
    """Changes nothing; but what a wrapper gives is not taken apart into frames."""
