"""Which side does the block favour? Filters that learn it from the sides of the stimuli, trial by trial.

B lanes, L trials that a block has lasted. Evidence is the probability that a trial's stimulus was on the
right, by itself: 1 or 0 where the side is known.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

import numpy as np

from engram.envs.arrays import Flags, Floats
from engram.envs.ibl.blocks import hazards
from engram.envs.ibl.rules import IBLRules

_LEFT, _RIGHT = 0, 1


class BlockFilter(ABC):
    """Beliefs of B lanes about their blocks.

    Attributes:
        belief: P(the last trial's block favours the right), after its evidence, (B,).
        expected: P(the next trial's block favours the right), (B,).
        side: P(the next trial's stimulus is on the right), (B,).
    """

    def __init__(self, lanes: int, rules: IBLRules) -> None:
        self.p_s = rules.p_s
        self.belief: Floats = np.full(lanes, 0.5)
        self.expected: Floats = np.full(lanes, 0.5)

    @property
    def side(self) -> Floats:
        """P(the next trial's stimulus is on the right), (B,)."""
        return self.p_s * self.expected + (1 - self.p_s) * (1 - self.expected)

    def begin(self, where: Flags) -> None:
        """Forget everything in some lanes."""
        self.belief[where] = self.expected[where] = 0.5

    @abstractmethod
    def update(self, evidence: Floats, where: Flags) -> None:
        """Take in a trial of some lanes.

        Args:
            evidence: P(right) of the stimulus by itself, (B,).
            where: which lanes, bool (B,).
        """

    def _likelihoods(self, evidence: Floats) -> tuple[Floats, Floats]:
        """Return how likely evidence is in a block on the left, and in one on the right."""
        right = self.p_s * evidence + (1 - self.p_s) * (1 - evidence)
        return self.p_s + (1 - self.p_s) - right, right


class MarkovFilter(BlockFilter):
    """As if blocks ended with the same probability after each trial, as the paper's baselines assume."""

    def __init__(self, lanes: int, rules: IBLRules) -> None:
        super().__init__(lanes, rules)
        self.hazard = rules.hazard

    def update(self, evidence: Floats, where: Flags) -> None:
        """Take in a trial of some lanes."""
        left, right = self._likelihoods(evidence[where])
        expected = self.expected[where]
        belief = expected * right / (expected * right + (1 - expected) * left)
        self.belief[where] = belief
        self.expected[where] = (1 - self.hazard) * belief + self.hazard * (1 - belief)


class SemiMarkovFilter(BlockFilter):
    """The exact one: knows how likely a block ends after each number of trials, and counts them."""

    def __init__(self, lanes: int, rules: IBLRules) -> None:
        super().__init__(lanes, rules)
        self._ends = hazards(rules.length_odds)[1:]
        self._lasted = np.zeros(
            (lanes, 2, len(self._ends))
        )  # P(side, trials in the block, the next included)
        self.begin(np.ones(lanes, np.bool_))

    def begin(self, where: Flags) -> None:
        """Forget everything in some lanes."""
        super().begin(where)
        self._lasted[where] = 0.0
        self._lasted[where, :, 0] = 0.5

    def update(self, evidence: Floats, where: Flags) -> None:
        """Take in a trial of some lanes."""
        joint = self._lasted[where] * np.stack(self._likelihoods(evidence[where]), axis=1)[:, :, None]
        joint /= joint.sum(axis=(1, 2), keepdims=True)
        self.belief[where] = joint[:, _RIGHT].sum(axis=1)
        ended = joint @ self._ends
        joint[:, :, 1:] = (joint * (1 - self._ends))[:, :, :-1]
        joint[:, :, 0] = ended[:, ::-1]
        self._lasted[where] = joint
        self.expected[where] = joint[:, _RIGHT].sum(axis=1)


class NoFilter(BlockFilter):
    """Knows nothing of blocks: either side is as likely, and the belief is NaN."""

    def begin(self, where: Flags) -> None:
        """Forget nothing."""

    def update(self, evidence: Floats, where: Flags) -> None:
        """Take in nothing."""
        self.belief[where] = np.nan


class AverageFilter(BlockFilter):
    """An exponential average of the sides, taken for the probability of the next one.

    Args:
        decay: what a trial leaves of the average so far.
    """

    def __init__(self, lanes: int, rules: IBLRules, decay: float = 0.9) -> None:
        super().__init__(lanes, rules)
        self.decay = decay

    @property
    def side(self) -> Floats:
        """The average, (B,)."""
        return self.expected

    def update(self, evidence: Floats, where: Flags) -> None:
        """Take in a trial of some lanes."""
        average = self.decay * self.expected[where] + (1 - self.decay) * evidence[where]
        self.belief[where] = self.expected[where] = average


FILTERS: Mapping[str, Callable[[int, IBLRules], BlockFilter]] = {
    "semi_markov": SemiMarkovFilter,
    "markov": MarkovFilter,
    "average": AverageFilter,
    "none": NoFilter,
    "oracle": NoFilter,
}
