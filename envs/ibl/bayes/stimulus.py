"""On which side is the stimulus? What the observations of one trial say.

Two numbers hold all that observations of a trial say: the sum of right minus left, and how many there were.
With strength mu on the right, right minus left has mean mu and variance 2.
"""

from __future__ import annotations

import numpy as np

from engram.envs.arrays import Array, Flags, Floats
from engram.envs.ibl.rules import IBLRules

VARIANCE = 2.0
"""Of right minus left."""


class StimulusEvidence:
    """Weighs observations for right against left, without a prior.

    Args:
        rules: of the task: strengths, and how likely each is.
    """

    def __init__(self, rules: IBLRules) -> None:
        drawn = rules.strength_odds > 0
        self.strengths = np.array(rules.strengths)[drawn]
        self.log_odds = np.log(rules.strength_odds[drawn])

    def log_ratio(self, total: Array, count: Array) -> Floats:
        """Return log P(observations | right) - log P(observations | left), (...).

        The strength is one for the whole trial: it is averaged over once, after all observations.

        Args:
            total: sum of right minus left, (...).
            count: observations that were summed, (...).
        """
        left, right = self.by_strength(total, count)
        return _log_sum(right) - _log_sum(left)

    def by_strength(self, total: Array, count: Array) -> tuple[Floats, Floats]:
        """Return log P(observations, strength) on the left and on the right, (..., strengths).

        What both have alike is left out.

        Args:
            total: as in `log_ratio`.
            count: as in `log_ratio`.
        """
        pull = np.multiply.outer(total, self.strengths / VARIANCE)
        common = self.log_odds - np.multiply.outer(count, self.strengths**2 / (2 * VARIANCE))
        return common - pull, common + pull


def is_shown(observations: Array) -> Flags:
    """Return where a stimulus is seen, or noise alone: on blank steps both sides are 0, bool (B,).

    Args:
        observations: (B, 3).
    """
    return np.asarray((observations[:, :2] != 0).any(axis=1))


def _log_sum(logs: Floats) -> Floats:
    """Return log sum exp over the last axis."""
    most = logs.max(axis=-1)
    return np.asarray(most + np.log(np.exp(logs - most[..., None]).sum(axis=-1)))


def logit(share: Array) -> Floats:
    """Return the log odds of probabilities; infinite for 0 and 1."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(share) - np.log1p(-np.asarray(share)))


def sigmoid(log_odds: Array) -> Floats:
    """Return the probabilities of log odds."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * log_odds)))
