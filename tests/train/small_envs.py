"""Environments that finish in a few steps, with what the command reads from an environment."""

import os
import signal
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np


class Cue(gym.Env):
    """See one of two cues, wait `delay` steps, name it: reward 1 for the right name, else 0.

    Observation (3,): cue 0, cue 1, "now". An episode takes `delay` + 1 steps.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "group_by": "cue", "render_fps": 5}

    def __init__(self, delay=2, render_mode=None):
        if not isinstance(delay, int) or delay < 1:
            raise ValueError(f"delay: {delay!r} is out of range; legal: 1 or more")
        self.delay, self.render_mode = delay, render_mode
        self.observation_space = gym.spaces.Box(0, 1, (3,), np.float32)
        self.action_space = gym.spaces.Discrete(2)

    @property
    def memory_delay(self):
        return self.delay

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._t, self._cue = 0, int(self.np_random.integers(2))
        return self._look(), {"cue": self._cue, "success": False}

    def step(self, action):
        last = self._t == self.delay
        success = bool(last and action == self._cue)
        self._t += 1
        return self._look(), float(success), last, False, {"cue": self._cue, "success": success}

    def _look(self):
        shown = np.zeros(3, np.float32)
        if self._t == 0:
            shown[self._cue] = 1
        shown[2] = self._t == self.delay
        return shown

    def render(self):
        return np.full((2, 3, 3), 40 * self._t, np.uint8)


class ToldCue(Cue):
    """`Cue` that says at every step which name is right, and that it counts in the last."""

    metadata: ClassVar[dict[str, Any]] = {**Cue.metadata, "tells": ("target", "mask")}

    def reset(self, *, seed=None, options=None):
        seen, info = super().reset(seed=seed)
        return seen, info | self._told()

    def step(self, action):
        *seen, info = super().step(action)
        return *seen, info | self._told()

    def _told(self):
        return {"target": self._cue, "mask": self._t == self.delay}


class Uneven(gym.Env):
    """Action-free; an episode lasts 1 step and pays 0, or lasts 9 steps and pays 9, each half of the time."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}

    def __init__(self):
        self.observation_space = gym.spaces.Box(0, 1, (1,), np.float32)
        self.action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._length, self._t = (1, 9)[int(self.np_random.integers(2))], 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self._t += 1
        return np.zeros(1, np.float32), float(self._length == 9), self._t == self._length, False, {}


class Toll(gym.Env):
    """Action-free; every step costs 1, an episode has 60, and step 30 of every second one costs NaN."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}

    def __init__(self):
        self.observation_space = gym.spaces.Box(0, 1, (1,), np.float32)
        self.action_space = gym.spaces.Discrete(2)
        self._episodes = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._t, self._episodes = 0, self._episodes + 1
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self._t += 1
        broken = self._t == 30 and self._episodes % 2 == 0
        return np.zeros(1, np.float32), np.nan if broken else -1.0, self._t == 60, False, {}


class Fatal(Cue):
    """`Cue` in which a lane ends the process that it is played in, once, by its step `dies_at` there.

    Args:
        marker: A file that is made by then.
        dies_at: Steps of a lane.
    """

    def __init__(self, marker, dies_at, delay=2, render_mode=None):
        super().__init__(delay, render_mode)
        self._marker, self._left = Path(marker), dies_at

    def step(self, action):
        self._left -= 1
        if self._left == 0 and not self._marker.exists():
            self._marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().step(action)


gym.register("small/Cue-v0", Cue)
gym.register("small/Fatal-v0", Fatal)
gym.register("small/ToldCue-v0", ToldCue)
gym.register("small/Uneven-v0", Uneven)
gym.register("small/Toll-v0", Toll)
