"""How observations move a network's state along its readouts, and how near these come to a Bayesian belief.

N steps, K trials.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import linregress

from engram.envs.arrays import Array, Flags, Floats


class Slope(NamedTuple):
    """Movement along a readout, by right minus left of the observation.

    Attributes:
        slope: movement per unit of right minus left.
        intercept: movement where both are alike.
        r: correlation.
        p: probability of so steep a slope by chance.
    """

    slope: float
    intercept: float
    r: float
    p: float


def movements(along: Array, follows: Flags) -> Floats:
    """Return the movement from the step before, NaN where there is none.

    Args:
        along: coordinates of states, (N,) or (N, 2).
        follows: whether the row before is the step before, (N,).
    """
    moved = np.full(along.shape, np.nan)
    moved[1:] = np.diff(along, axis=0)
    moved[~follows] = np.nan
    return moved


def slope_of(difference: Array, moved: Array) -> Slope:
    """Fit movement against right minus left of the observation, by least squares.

    Args:
        difference: right minus left, (N,).
        moved: along a readout, (N,); rows with NaN are left out.

    Raises:
        ValueError: there are no observations that differ.
    """
    known = ~np.isnan(moved)
    if known.sum() < 3 or not np.ptp(difference[known]) > 0:
        raise ValueError("no observations that differ")
    found = linregress(difference[known], moved[known])
    return Slope(*map(float, (found.slope, found.intercept, found.rvalue, found.pvalue)))


class Agreement(NamedTuple):
    """A projection of the state against a Bayesian belief.

    Attributes:
        scale: of the projection, so that it comes nearest to 2 P(right block) - 1, by least squares.
        r: correlation of the single trials.
    """

    scale: float
    r: float


def agreement(projected: Array, belief: Array) -> Agreement:
    """Compare the block readout of states with the belief of an observer.

    Args:
        projected: states along the block readout at the ends of trials, (K,).
        belief: the observer's P(right block) after the trial, (K,); NaN where there is none.
    """
    known = ~np.isnan(belief)
    signed, found = 2 * belief[known] - 1, projected[known]
    if known.sum() < 3 or not np.ptp(found) > 0 or not np.ptp(signed) > 0:
        raise ValueError("too few trials with a belief of the block")
    return Agreement(float(found @ signed / (found @ found)), float(np.corrcoef(found, signed)[0, 1]))
