"""Is another member better? Welch's t-test of the returns of episodes, and when it says nothing."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

ROUNDING = 1e-9
"""Relative size below which a spread or a difference comes from adding up rewards."""


class Comparison(NamedTuple):
    """What a test says.

    Attributes:
        better: Whether the other is better.
        p: Two-sided; None where there is none.
        why: Why it is not better, in words; empty where it is.
    """

    better: bool
    p: float | None
    why: str


def compare(own: NDArray[np.float64], other: NDArray[np.float64], p_value: float) -> Comparison:
    """Tests whether the mean of `other` is larger, and significantly so.

    Args:
        own: Returns of the member's own episodes, (n,).
        other: Of another's, (m,).
        p_value: Below which a two-sided p counts.
    """
    for whose, returns in (("own", own), ("the other's", other)):
        if len(returns) < 2:
            return Comparison(False, None, f"fewer than 2 episodes: {len(returns)} of {whose}")
        if not np.isfinite(returns).all():
            return Comparison(False, None, f"returns of {whose} episodes are not finite")
    scale = max(1.0, float(np.abs(own).max()), float(np.abs(other).max())) * ROUNDING
    if own.std() <= scale and other.std() <= scale:
        return Comparison(False, None, "no spread in the returns of either")
    difference = float(other.mean() - own.mean())
    if abs(difference) <= scale:
        return Comparison(False, 1.0, "equal means")
    p = _welch(own, other)
    if p >= p_value:
        return Comparison(False, p, f"p {p:.3g} is not below {p_value:.3g}")
    if difference < 0:
        return Comparison(False, p, "the other is worse")
    return Comparison(True, p, "")


def _welch(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The two-sided p of Welch's t-test, as of `scipy.stats`, a module that takes 30 MB of each member."""
    sizes = np.array([len(one), len(other)])
    errors = np.array([one.var(ddof=1), other.var(ddof=1)]) / sizes  # of the means, squared
    freedom = errors.sum() ** 2 / (errors**2 / (sizes - 1)).sum()
    return float(2 * stdtr(freedom, -abs(one.mean() - other.mean()) / math.sqrt(errors.sum())))


def corrected(p_value: float, correction: str, test: int) -> float:
    """The p below which a member's test counts.

    Args:
        p_value: As configured.
        correction: `none` or `bonferroni`, whose shares of `p_value` add up to it over all tests.
        test: The number of the member's test, from 1.
    """
    return p_value if correction == "none" else p_value / (test * (test + 1))
