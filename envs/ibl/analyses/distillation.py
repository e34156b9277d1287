"""Two units in place of a network: representations and dynamics distillation (RADD), and decoherence.

The two units are beliefs of stimulus and block: z_t = tanh(A z_(t-1) + B o_t), see `engram.envs.ibl.radd`.
N steps.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

from engram.envs.arrays import Array, Flags, Floats
from engram.envs.ibl.analyses.recording import Steps
from engram.envs.ibl.radd import run_two_units

MARGIN = 1.01
"""States are scaled so that the largest lies so far inside of -1 to 1."""

TEST_SHARE = 0.33
LAGS = 20


class TwoUnits(NamedTuple):
    """A distilled network.

    Attributes:
        recurrent: A, (2, 2).
        inputs: B, (2, 3).
        r2: share of the variance of the next state, one step ahead, that it explains on steps held out.
    """

    recurrent: Floats
    inputs: Floats
    r2: float


def scaled(coordinates: Array) -> Floats:
    """Return coordinates (N, 2), each scaled into -1 to 1."""
    return np.asarray(coordinates / (MARGIN * np.abs(coordinates).max(axis=0)))


def distil(beliefs: Array, observations: Array, follows: Flags, seed: int = 0) -> TwoUnits:
    """Fit two units by linear regression of arctanh(z_t) on z_(t-1) and the observation, as the code does.

    Args:
        beliefs: z, scaled coordinates of states, (N, 2).
        observations: that led to them, (N, 3).
        follows: whether the row before is the step before, (N,).
        seed: of the split into steps that are fitted and steps held out.
    """
    after = np.flatnonzero(follows)
    given = np.concatenate([beliefs[after - 1], observations[after]], axis=1)
    train, test = train_test_split(np.arange(len(after)), test_size=TEST_SHARE, random_state=seed)
    model = LinearRegression(fit_intercept=False).fit(given[train], np.arctanh(beliefs[after[train]]))
    expected = np.tanh(model.predict(given[test]))
    return TwoUnits(model.coef_[:, :2], model.coef_[:, 2:], float(r2_score(beliefs[after[test]], expected)))


def run_free(recurrent: Array, inputs: Array, steps: Steps, start: Array) -> Floats:
    """Let two units go on by themselves through what a network observed, each session from its start.

    Args:
        recurrent: A, (2, 2).
        inputs: B, (2, 3).
        steps: of the network.
        start: beliefs at each step, of which the first of each session is taken, (N, 2).

    Returns:
        Beliefs, (N, 2).
    """
    lanes, observations = steps.lanes(), steps.observations
    longest = max(lane.stop - lane.start for lane in lanes)
    rows = np.stack([np.minimum(np.arange(longest) + lane.start, lane.stop - 1) for lane in lanes])
    now = start[rows[:, 0]]
    beliefs = np.zeros((len(steps), 2))
    beliefs[rows[:, 0]] = now
    for place in range(1, longest):
        going = rows[:, place] != rows[:, place - 1]
        now = run_two_units(recurrent, inputs, now, observations[rows[:, place]])
        beliefs[rows[going, place]] = now[going]
    return beliefs


def decoherence(states: Array, lanes: list[slice], lags: int = LAGS) -> Floats:
    """Return how far states are from themselves some steps later, by lag, (lags,).

    The mean of |x_(t + lag) - x_t| over time, divided by the root of the dimensions. (The paper's code takes
    differences of a higher order, `np.diff(n=lag)`, which is something else.)

    Args:
        states: (N, D).
        lanes: rows of each session; longer ones than `lags`.
        lags: from 0 on.
    """
    sums, counts = np.zeros(lags), np.zeros(lags)
    for lane in lanes:
        session = states[lane]
        for lag in range(min(lags, len(session))):
            moved = np.linalg.norm(session[lag:] - session[: len(session) - lag], axis=1)
            sums[lag] += moved.sum()
            counts[lag] += len(moved)
    return np.asarray(sums / np.maximum(counts, 1) / np.sqrt(states.shape[1]))
