"""McNemar's exact test against sums of binomial coefficients."""

import math

import numpy as np
import pytest

from engram.train.thinking.mcnemar import mcnemar


def solved(both: int, first_only: int, second_only: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    counts = (both, first_only, second_only, neither)
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


@pytest.mark.parametrize(("first_only", "second_only"), [(0, 1), (1, 5), (12, 3), (40, 60), (7, 7)])
def test_p_value(first_only: int, second_only: int) -> None:
    result = mcnemar(*solved(30, first_only, second_only, 11))
    differing, fewer = first_only + second_only, min(first_only, second_only)
    tail = sum(math.comb(differing, count) for count in range(fewer + 1)) / 2**differing
    assert (result.first_only, result.second_only) == (first_only, second_only)
    assert result.p_value == pytest.approx(min(1.0, 2 * tail))


def test_no_difference() -> None:
    assert mcnemar(*solved(5, 0, 0, 5)).p_value == 1.0


def test_wrong_shapes() -> None:
    with pytest.raises(ValueError, match=r"second: expected \(P,\) as the first, \(3,\), got \(2,\)"):
        mcnemar([True, False, True], [True, False])
