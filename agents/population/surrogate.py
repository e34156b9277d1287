"""A Gaussian process over hyperparameters that forgets with time (Parker-Holder et al. 2020, `pb2`).

N gains that are known, D hyperparameters, each as its share of the way through its range.
"""

import itertools
import math

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

LENGTHS = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Distances between hyperparameters over which gains are alike, of which the likeliest is taken."""
FORGETTING = (0.0, 0.01, 0.05, 0.15, 0.4)
"""Shares by which a gain tells less of one an interval later, likewise."""
NOISES = (0.01, 0.1, 0.5)
"""Variances of what is chance, of gains whose own variance is 1, likewise."""
CANDIDATES = 1000

Floats = NDArray[np.float64]


class Surrogate:
    """What is believed of the gain at any hyperparameters, from those that are known."""

    def __init__(self, shares: Floats, times: Floats, gains: Floats) -> None:
        """Fits lengths, forgetting and noise by the likelihood of the gains.

        Args:
            shares: Hyperparameters, (N, D).
            times: When the gains were made, in intervals between two looks, (N,).
            gains: Changes of the mean return, (N,), N >= 2.
        """
        self.shares, self.times = shares, times
        spread = gains.std()
        self.gains = (gains - gains.mean()) / (spread if spread > 0 else 1.0)
        settings = itertools.product(LENGTHS, FORGETTING, NOISES)
        self.length, self.forgetting, self.noise = max(settings, key=lambda each: self._likelihood(*each))

    def believed(self, shares: Floats, time: float, pending: Floats) -> tuple[Floats, Floats]:
        """Returns mean and deviation of the standardised gain, (M,) each.

        Args:
            shares: Hyperparameters that are asked about, (M, D).
            time: When they would be used.
            pending: Hyperparameters that others use now, whose gains will be known, (P, D): they leave the
                mean as it is and make the deviation smaller.
        """
        now = np.full(len(shares), time)
        known = linalg.cho_solve(self._factor(self.shares, self.times), self.gains)
        mean = self._alike(shares, now, self.shares, self.times) @ known
        all_shares = np.concatenate([self.shares, pending])
        all_times = np.concatenate([self.times, np.full(len(pending), time)])
        across = self._alike(shares, now, all_shares, all_times)
        explained = across * linalg.cho_solve(self._factor(all_shares, all_times), across.T).T
        return mean, np.sqrt(np.maximum(1.0 - explained.sum(1), 0.0))

    def promising(self, time: float, pending: Floats, generator: np.random.Generator) -> Floats:
        """Draws candidates and returns the one with the highest upper confidence bound, (D,).

        Args:
            time: When it would be used.
            pending: As in `believed`.
            generator: Random numbers.
        """
        candidates = generator.random((CANDIDATES, self.shares.shape[1]))
        mean, deviation = self.believed(candidates, time, pending)
        weight = 0.2 + max(math.log(0.4 * len(self.gains)), 0.0)
        best: Floats = candidates[int(np.argmax(mean + math.sqrt(weight) * deviation))]
        return best

    def _alike(self, shares: Floats, times: Floats, others: Floats, their_times: Floats) -> Floats:
        """The covariance of the gains at some hyperparameters and times with those at others."""
        squares = ((shares[:, None] - others[None]) ** 2).sum(2)
        apart = np.abs(times[:, None] - their_times[None])
        alike: Floats = np.exp(-squares / (2 * self.length**2)) * (1.0 - self.forgetting) ** (apart / 2)
        return alike

    def _factor(self, shares: Floats, times: Floats) -> tuple[Floats, bool]:
        alike = self._alike(shares, times, shares, times)
        factor: tuple[Floats, bool] = linalg.cho_factor(alike + self.noise * np.eye(len(alike)), lower=True)
        return factor

    def _likelihood(self, length: float, forgetting: float, noise: float) -> float:
        """The logarithm of the gains' likelihood, but for a constant."""
        self.length, self.forgetting, self.noise = length, forgetting, noise
        factor = self._factor(self.shares, self.times)
        fit = self.gains @ linalg.cho_solve(factor, self.gains)
        return float(-0.5 * fit - np.log(np.diag(factor[0])).sum())
