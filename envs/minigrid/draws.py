"""Whole numbers from a generator, equal to `Generator.integers` call by call, several times as fast.

Source:
    NumPy's `random_bounded_uint64` (Lemire's method on halves of the 64 bits that PCG64 gives); NumPy
    promises the stream of `Generator` for a version only, so a test holds this against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from engram.envs.arrays import Array

T = TypeVar("T")

_BLOCK = 24  # numbers of 64 bits that are fetched at once: about as many as a level of one room needs
_ALL, _LOW = 2**32, 2**32 - 1


class Draws:
    """Numbers below a bound, one by one; those fetched ahead are kept for the next episode.

    Args:
        bits: the generator, a PCG64; it belongs to these draws alone.
    """

    def __init__(self, bits: np.random.BitGenerator) -> None:
        self.bits = bits
        self._words: list[int] = []  # halves fetched, the next one last

    def below(self, count: int) -> int:
        """Return a number from 0 to `count` - 1, as `Generator.integers(count)`; of one, nothing is drawn."""
        if count == 1:
            return 0
        product = (self._words or self._fetch()).pop() * count
        if product & _LOW < count:
            least = (_ALL - count) % count
            while product & _LOW < least:
                product = (self._words or self._fetch()).pop() * count
        return product >> 32

    def between(self, low: int, high: int) -> int:
        """Return a number from `low` to `high` - 1, as `Generator.integers(low, high)`."""
        return low + self.below(high - low)

    def choose(self, items: Sequence[T]) -> T:
        """Return one of `items`."""
        return items[self.below(len(items))]

    def happens(self, share: float) -> bool:
        """Return whether something happens that does in this share of cases; of 0 and 1 nothing is drawn."""
        return bool(share) and (share >= 1 or (self._words or self._fetch()).pop() < share * _ALL)

    def get_state(self) -> dict[str, Any]:
        """Return all that decides the numbers to come."""
        return {"bits": self.bits.state, "words": np.array(self._words, np.uint32)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from `get_state()`."""
        self.bits.state = state["bits"]
        self._words = state["words"].tolist()

    def _fetch(self) -> list[int]:
        raw: Array = np.asarray(self.bits.random_raw(_BLOCK))
        self._words = raw.astype("<u8").view("<u4")[::-1].tolist()  # lower halves come first
        return self._words
