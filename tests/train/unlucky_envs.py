"""Environments to which something happens at a step that is named: they raise, hang, or end their process."""

import os
import signal
import time
from pathlib import Path

import gymnasium as gym
from small_envs import Cue


class Unlucky(Cue):
    """`Cue` to which something happens at step `at` of a lane: what `what` says.

    Args:
        what: `raise`, `hang`, `kill`, or nothing.
        at: Steps of a lane.
        where: `step`, or the `reset` behind it.
        marker: A file that is made by then; where there is one, nothing happens. None: it always does.
    """

    def __init__(self, what="raise", at=40, where="step", marker=None, delay=2, render_mode=None):
        super().__init__(delay, render_mode)
        self._what, self._at, self._where = what, at, where
        self._marker = None if marker is None else Path(marker)
        self._steps = 0

    def reset(self, *, seed=None, options=None):
        if self._steps >= self._at and self._where == "reset":
            self._befall()
        return super().reset(seed=seed, options=options)

    def step(self, action):
        self._steps += 1
        if self._steps == self._at and self._where == "step":
            self._befall()
        return super().step(action)

    def _befall(self):
        if self._marker is not None:
            if self._marker.exists():
                return
            self._marker.touch()
        if self._what == "raise":
            raise KeyError(f"no such board after {self._at} steps")
        if self._what == "hang":
            time.sleep(100_000)
        if self._what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)


class Slow(Cue):
    """`Cue` that takes `pause` seconds for a step: so long that there is time to do something to a run."""

    def __init__(self, pause=0.001, delay=2, render_mode=None):
        super().__init__(delay, render_mode)
        self._pause = pause

    def step(self, action):
        time.sleep(self._pause)
        return super().step(action)


gym.register("unlucky/Unlucky-v0", Unlucky)
gym.register("unlucky/Slow-v0", Slow)
