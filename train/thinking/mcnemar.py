"""McNemar's exact test between two networks that were asked the same problems.

Source: McNemar, Note on the sampling error of the difference between correlated proportions, 1947; the exact
test is a sign test on the problems that only one of the two solves.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


class McNemar(NamedTuple):
    """Result of the test.

    Attributes:
        first_only: Number of problems that only the first one solves.
        second_only: Number of problems that only the second one solves.
        p_value: How probable a difference at least as large is if both are equally good; two-sided, exact.
    """

    first_only: int
    second_only: int
    p_value: float


def mcnemar(first: ArrayLike, second: ArrayLike) -> McNemar:
    """Compare two networks by McNemar's exact test.

    Args:
        first: (P,) bool, which of P problems the first one solves.
        second: (P,) bool, which of the same problems the second one solves.

    Raises:
        ValueError: The two have different numbers of problems.
    """
    one, other = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    if one.shape != other.shape or one.ndim != 1:
        raise ValueError(f"second: expected (P,) as the first, {one.shape}, got {other.shape}")
    first_only, second_only = int((one & ~other).sum()), int((other & ~one).sum())
    differing = first_only + second_only
    p_value = float(stats.binomtest(first_only, differing).pvalue) if differing else 1.0
    return McNemar(first_only, second_only, p_value)
