"""Scores over seeds: the interquartile mean, which one lucky or failed seed moves little."""

from collections.abc import Sequence
from typing import Any, NamedTuple


class OverSeeds(NamedTuple):
    """Scores of trials that differ in nothing but the seed.

    Attributes:
        trials: How many.
        mean: Their interquartile mean: that of the middle half.
        low: Lower end of its 95 % interval, by bootstrap over the trials.
        high: Upper end.
    """

    trials: int
    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.4f} ({self.low:.4f} to {self.high:.4f})"


def over_seeds(scores: Sequence[float]) -> OverSeeds:
    """Compute the interquartile mean of scores and its interval.

    Source: Agarwal et al., Deep reinforcement learning at the edge of the statistical precipice, 2021,
    arXiv 2108.13264.

    Args:
        scores: One for each trial, at least two.
    """
    import numpy as np
    from scipy import stats

    def interquartile_mean(values: Any, axis: int = -1) -> Any:
        return stats.trim_mean(values, proportiontocut=0.25, axis=axis)

    found: Any = stats.bootstrap(
        (np.asarray(scores, float),),
        interquartile_mean,
        n_resamples=10_000,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    ends = found.confidence_interval
    return OverSeeds(len(scores), float(interquartile_mean(scores)), float(ends.low), float(ends.high))
