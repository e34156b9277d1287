"""The plane of the two principal components of a network's states. N states, H units."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.decomposition import PCA

from engram.envs.arrays import Array, Floats

SHOWN = 10
"""Shares of variance that are kept."""


class Plane(NamedTuple):
    """A plane in the space of states.

    Attributes:
        mean: a point of it, the mean state, (H,).
        axes: unit vectors, (2, H).
        shares: of the variance, by component, the largest first, at most `SHOWN`.
    """

    mean: Floats
    axes: Floats
    shares: Floats

    def project(self, states: Array) -> Floats:
        """Return coordinates (N, 2) of states (N, H)."""
        return np.asarray((states - self.mean) @ self.axes.T)

    def lift(self, points: Array) -> Floats:
        """Return the states (N, H) at coordinates (N, 2)."""
        return np.asarray(self.mean + points @ self.axes)

    def shadow(self, vector: Array) -> Floats:
        """Return a direction (H,) as seen in the plane, (2,)."""
        return np.asarray(self.axes @ vector)


def fit_plane(states: Array, log_odds: Array, block_side: Array) -> Plane:
    """Find the plane that holds most of the variance; right stimuli lie to the right, right blocks above.

    Args:
        states: (N, H).
        log_odds: of the right side, (N,); they say which way the first axis points.
        block_side: -1 or 1, (N,); they say which way the second one points.

    Raises:
        ValueError: the states have fewer than two units, or do not vary.
    """
    units = states.shape[1]
    if units < 2:
        raise ValueError(f"a state of {units} units has no plane; two or more are needed")
    found = PCA(min(units, SHOWN), svd_solver="covariance_eigh").fit(np.asarray(states, np.float64))
    if not found.explained_variance_[1] > 0:
        raise ValueError("the states do not vary in two directions")
    axes = found.components_[:2]
    points = (states - found.mean_) @ axes.T
    first = np.sign(points[:, 0] @ (log_odds - log_odds.mean())) or 1.0
    pull = np.linalg.lstsq(points, block_side - block_side.mean(), rcond=None)[0]
    signs = np.array([first, np.sign(pull[1]) or 1.0])
    return Plane(found.mean_, axes * signs[:, None], found.explained_variance_ratio_)
