"""Laws of block lengths: how likely each length is, and how likely a block ends after so many trials.

L lengths, 0 trials to the longest.
"""

from __future__ import annotations

import functools

import numpy as np

from engram.envs.arrays import Floats, Ints

LAWS = ("rejection", "hazard")


def longest_block(law: str, max_block: int) -> int:
    """Return the trials of the longest block: the hazard law's last trial comes after `max_block`."""
    return max_block + (law == "hazard")


@functools.cache
def length_odds(law: str, hazard: float, min_block: int, max_block: int) -> Floats:
    """Return how likely each length of a block is, (L,); read-only.

    Args:
        law: "rejection": geometric lengths, drawn anew until they are within bounds; "hazard": a block that
            has lasted `min_block` to `max_block` trials ends with probability `hazard`, a longer one surely.
        hazard: probability that a block ends after a trial, if bounds allow it.
        min_block: trials of the shortest block.
        max_block: see `law`; the hazard law allows one more trial.
    """
    longest = longest_block(law, max_block)
    beyond = np.arange(longest + 1) - min_block
    with np.errstate(under="ignore"):
        odds = np.where(beyond >= 0, (1 - hazard) ** np.maximum(beyond, 0), 0.0)
    if law == "hazard":
        odds[:-1] *= hazard
    odds /= odds.sum()
    odds.flags.writeable = False
    return odds


def hazards(odds: Floats) -> Floats:
    """Return how likely a block ends after l trials if it has lasted so long, for each l, (L,)."""
    lasting = np.cumsum(odds[::-1])[::-1]
    return np.clip(np.divide(odds, lasting, out=np.ones_like(odds), where=lasting > 0), 0.0, 1.0)


def draw_by_odds(rng: np.random.Generator, odds: Floats, count: int) -> Ints:
    """Draw places in a list of odds, such as block lengths, (count,)."""
    totals = np.cumsum(odds)
    return np.searchsorted(totals / totals[-1], rng.random(count), side="right")
