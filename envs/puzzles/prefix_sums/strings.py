"""Bit strings and their prefix sums, on packed words.

P strings, N bits; a word holds 64 bits, the first one as its least significant.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint8]
Words = NDArray[np.uint64]

DISTINCT_BELOW = 24  # bits; shorter strings of a finite set are all different
WORD = 64
_LAST = np.uint64(WORD - 1)
_LITTLE = np.dtype("<u8")


def draw_words(rng: np.random.Generator, count: int, bits: int) -> Words:
    """Draw uniform bits, (P, words), as many words as N bits fill."""
    return rng.integers(2**WORD, size=(count, -(-bits // WORD)), dtype=np.uint64)


def draw_distinct_words(rng: np.random.Generator, count: int, bits: int) -> Words:
    """Draw distinct strings (P, 1): whole numbers below 2**N without replacement."""
    return rng.choice(2**bits, size=count, replace=False).astype(np.uint64)[:, None]


def sum_words(words: Words) -> Words:
    """Compute prefix sums modulo 2 of packed strings, t_j = (b_1 + ... + b_j) mod 2.

    Inside a word by doubling: each bit sums itself and 1, 2, 4, ... before it. The last sum of a word is
    carried into those after it.
    """
    sums = words.copy()
    for shift in (1, 2, 4, 8, 16, 32):
        sums ^= sums << np.uint64(shift)
    odd = sums[:, :-1] >> _LAST
    carry = np.bitwise_xor.accumulate(odd, axis=1)
    sums[:, 1:] ^= -carry  # all 64 bits where it is 1
    return sums


def unpack(words: Words, bits: int) -> Bits:
    """Return the first N bits of packed strings, uint8 (P, N), values 0 and 1."""
    octets = words.astype(_LITTLE, copy=False).view(np.uint8)
    return np.unpackbits(octets, axis=1, count=bits, bitorder="little")
