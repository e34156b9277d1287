"""Durations that Ray measures by the clock on the wall, measured by one that does not jump.

A clock that is set, by hand or by the network, would give an iteration a negative time, or hours that it did
not take, and Ray's "once every few seconds" would wait until the old time is reached again.
"""

import importlib
import time
from typing import Any

_MODULES = ("ray.tune.trainable.trainable", "ray.rllib.algorithms.algorithm", "ray.train._internal.syncer")
"""Modules of Ray that subtract times."""


class _SteadyTime:
    """Python's module `time`, but that `time()` goes on from where it was at first, second by second."""

    def __init__(self) -> None:
        self._start = time.time() - time.monotonic()

    def time(self) -> float:
        """Seconds since 1970, by a clock that nobody sets."""
        return self._start + time.monotonic()

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


def keep_steady() -> None:
    """Lets Ray's modules in this process measure so."""
    steady = _SteadyTime()
    for name in _MODULES:
        module: Any = importlib.import_module(name)
        if not isinstance(module.time, _SteadyTime):
            module.time = steady
