"""Copies of environments."""

from __future__ import annotations

import copy
from typing import Self


class WholeCopies:
    """Mixin that makes every copy of an environment deep: it plays on from the same point by itself.

    That is one of `copy.copy`, `copy.deepcopy`, `pickle` and `cloudpickle`, before and after `reset`, at any
    step: it draws what the original would draw, and neither affects the other. A shallow copy of what changes
    with each step would share half of its future; here `copy.copy` does what `copy.deepcopy` does. (Of a
    wrapped environment, as `gymnasium.make` returns it, `copy.copy` copies the wrapper alone.)

    What holds views of other attributes' memory, or cannot be pickled, needs `__getstate__` and
    `__setstate__` that rebuild it: no kind of copy keeps memory shared.
    """

    def __copy__(self) -> Self:
        return copy.deepcopy(self)
