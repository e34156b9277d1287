"""Directions of a network's states that say on which side the stimulus is, and which side the block favours.

N states, H units.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit

from engram.envs.arrays import Array, Floats, Ints
from engram.envs.ibl.analyses.plane import Plane

TEST_SHARE = 0.33
"""Of the data, held out; the paper's section 3.2.1."""

MOST_NUMBERS = 40_000_000
"""Of states, N times H, that a classifier is fitted to and tested on; of more, so many are drawn. With 40,000
states in the plane, angles between readouts still vary by two degrees from draw to draw."""


class Readout(NamedTuple):
    """A side is read from a state: right where `vector` @ state + `offset` > 0.

    Attributes:
        vector: (H,), or (2,) in the plane.
        offset: a number.
    """

    vector: Floats
    offset: float

    @property
    def direction(self) -> Floats:
        """Unit vector along it."""
        return np.asarray(self.vector / np.linalg.norm(self.vector))


def stimulus_readout(states: Array, log_odds: Array) -> tuple[Readout, float]:
    """Find how log odds of the right side are read from states, by least squares.

    Where the outputs are linear in the state, as in the paper, these are the output weights of right minus
    those of left, and the second number is 1.

    Args:
        states: (N, H).
        log_odds: (N,).

    Returns:
        The readout, and the share of the variance of the log odds that it explains.
    """
    values = np.asarray(states, np.float64)
    found = LinearRegression().fit(values, log_odds)
    return Readout(found.coef_, float(found.intercept_)), float(found.score(values, log_odds))


class Decoded(NamedTuple):
    """A classifier of the block's side, and how often it is right on data held out.

    Attributes:
        readout: the classifier.
        accuracy: share of the held-out states.
        tested: how many these were.
    """

    readout: Readout
    accuracy: float
    tested: int


def decode_block(
    states: Array,
    block_side: Array,
    groups: Ints | None = None,
    *,
    intercept: bool = True,
    seed: int = 0,
) -> Decoded:
    """Fit a logistic regression of the block's side to two thirds of the states, and test it on the rest.

    Args:
        states: (N, H).
        block_side: -1 or 1, (N,).
        groups: of which states are held out together, such as those of a block, (N,); without it each by
            itself, as in the paper, and states of a block are on both sides.
        intercept: whether it has one; the paper's code has none.
        seed: of the split.

    Raises:
        ValueError: there are states of one side only.
    """
    rng = np.random.default_rng(seed)
    most = MOST_NUMBERS // states.shape[1]
    if len(states) > most:
        drawn = np.sort(rng.choice(len(states), most, replace=False))
        states, block_side = states[drawn], block_side[drawn]
        groups = None if groups is None else groups[drawn]
    splitter: Any = (ShuffleSplit if groups is None else GroupShuffleSplit)(
        1, test_size=TEST_SHARE, random_state=seed
    )
    train, test = next(splitter.split(states, block_side, groups))
    if len(np.unique(block_side[train])) < 2:
        raise ValueError("all states are of blocks of one side")
    values = np.asarray(states, np.float64)
    model = LogisticRegression(max_iter=1000, fit_intercept=intercept)
    model.fit(values[train], block_side[train] > 0)
    right = model.predict(values[test]) == (block_side[test] > 0)
    offset = float(model.intercept_[0]) if intercept else 0.0
    return Decoded(Readout(model.coef_[0], offset), float(right.mean()), len(test))


def angle(first: Array, second: Array) -> float:
    """Return the angle between two directions, degrees."""
    cosine = first @ second / (np.linalg.norm(first) * np.linalg.norm(second))
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


@dataclasses.dataclass(frozen=True)
class Readouts:
    """Readouts of a network, in the space of its states and in its plane.

    Attributes:
        plane: the plane.
        stimulus: from the outputs, in the full space.
        explained: share of the log odds that `stimulus` explains.
        block: a classifier of all steps, in the full space.
        block_in_plane: another, of the plane's coordinates.
    """

    plane: Plane
    stimulus: Readout
    explained: float
    block: Decoded
    block_in_plane: Decoded

    @property
    def stimulus_in_plane(self) -> Readout:
        """The stimulus readout of the plane's coordinates."""
        vector, offset = self.stimulus
        return Readout(self.plane.shadow(vector), float(offset + vector @ self.plane.mean))

    @property
    def share_in_plane(self) -> float:
        """Share of the length of the stimulus readout that lies in the plane."""
        return float(np.linalg.norm(self.stimulus_in_plane.vector) / np.linalg.norm(self.stimulus.vector))

    def angles(self) -> dict[str, float]:
        """Return the angle between both readouts by definition, degrees.

        `plane`: both in the plane. `full`: both in the full space. `lifted`: the block readout of the plane
        brought back to the full space with the mean state added, as the paper's code does it, against the
        stimulus readout of the full space. `lifted, no mean`: the same without the mean.
        """
        back = self.block_in_plane.readout.vector @ self.plane.axes
        return {
            "plane": angle(self.stimulus_in_plane.vector, self.block_in_plane.readout.vector),
            "full": angle(self.stimulus.vector, self.block.readout.vector),
            "lifted": angle(self.stimulus.vector, back + self.plane.mean),
            "lifted, no mean": angle(self.stimulus.vector, back),
        }

    def coordinates(self, states: Array) -> Floats:
        """Return states along the unit readouts of stimulus and block in the plane, (N, 2)."""
        directions = np.stack([self.stimulus_in_plane.direction, self.block_in_plane.readout.direction])
        return np.asarray(self.plane.project(states) @ directions.T)


def find_readouts(plane: Plane, states: Array, log_odds: Array, block_side: Array, seed: int = 0) -> Readouts:
    """Find the readouts of a network.

    Args:
        plane: of its states.
        states: (N, H).
        log_odds: of the right side, (N,).
        block_side: -1 or 1, (N,).
        seed: of what is held out.

    Raises:
        ValueError: the outputs do not depend on the states, or there are blocks of one side only.
    """
    stimulus, explained = stimulus_readout(states, log_odds)
    if not np.linalg.norm(stimulus.vector) > 0:
        raise ValueError("the outputs do not depend on the states")
    return Readouts(
        plane,
        stimulus,
        explained,
        decode_block(states, block_side, seed=seed),
        decode_block(plane.project(states), block_side, seed=seed),
    )
