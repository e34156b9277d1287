"""Beliefs of a player of the IBL task, whoever acts. B lanes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engram.envs.arguments import check_at_least, check_known
from engram.envs.arrays import Array, Flags, Floats, Ints
from engram.envs.ibl.bayes.filters import FILTERS, BlockFilter
from engram.envs.ibl.bayes.stimulus import StimulusEvidence, is_shown, logit, sigmoid
from engram.envs.ibl.rules import RIGHT, WAIT, IBLRules, make_rules

EVIDENCE = ("joint", "redrawn")
PRIORS = ("side", "block")
TIMEOUTS = ("soft", "revealed", "opposite")


class Observer:
    """Believes something of the present stimulus and of the block, and leaves acting to others.

    After an action, the reward says on which side the stimulus was. It sees nothing but observations, and the
    actions that were chosen, unless `blocks` is "oracle" or `timeouts` is "revealed": then it reads `infos`.

    Args:
        lanes: number of lanes (B).
        rules: of the task; without them those of its defaults.
        blocks: how the block is followed: "semi_markov" (exact), "markov" (as in the paper), "average"
            (exponential, of the sides), "none" (either side is as likely) or "oracle" (is told the block).
        evidence: "joint" (exact: one strength for all observations of a trial) or "redrawn" (as if each
            observation had a strength of its own, as the paper's code has it: over-confident).
        prior: what stands for the probability of the next side: "side" (exact) or "block" (that of the block
            itself, as in the paper's code: over-confident).
        timeouts: what a trial without an action says of its side: "soft" (exact: what was observed),
            "revealed" (the side, as the paper assumes) or "opposite" (the less likely one, as the paper's
            code has it).

    Attributes:
        stimulus_belief: P(the stimulus is on the right), after the last observation, (B,).
        n_obs: observations of the present trial so far, (B,).

    Raises:
        ValueError: an argument is not legal.
    """

    def __init__(
        self,
        lanes: int = 1,
        rules: IBLRules | None = None,
        *,
        blocks: str = "semi_markov",
        evidence: str = "joint",
        prior: str = "side",
        timeouts: str = "soft",
    ) -> None:
        self.lanes = check_at_least("lanes", lanes, 1, ">= 1 lanes")
        self.rules = rules or make_rules()
        self.blocks = check_known("blocks", blocks, tuple(FILTERS))
        self.evidence = check_known("evidence", evidence, EVIDENCE)
        self.prior = check_known("prior", prior, PRIORS)
        self.timeouts = check_known("timeouts", timeouts, TIMEOUTS)
        self._stimulus = StimulusEvidence(self.rules)
        self._begin_all()

    def _begin_all(self) -> None:
        lanes = self.lanes
        self._filter: BlockFilter = FILTERS[self.blocks](lanes, self.rules)
        self.stimulus_belief: Floats = np.full(lanes, 0.5)
        self.n_obs: Ints = np.zeros(lanes, np.int64)
        self._total, self._log_ratio = np.zeros((2, lanes))
        self._trial: Ints = np.zeros(lanes, np.int64)
        self._observed: Flags = np.zeros(lanes, np.bool_)
        self._right: Flags = np.zeros(lanes, np.bool_)  # the present stimulus, from infos
        self._favoured: Ints = np.zeros(lanes, np.int64)  # the present block, from infos

    @property
    def block_belief(self) -> Floats:
        """P(the block favours the right), after the last trial's result, (B,)."""
        return self._filter.belief

    def reset(self, lanes: int) -> None:
        """Begin anew, with so many lanes."""
        self.lanes = check_at_least("lanes", lanes, 1, ">= 1 lanes")
        self._begin_all()

    def observe(
        self, observations: Array, resets: Flags, chosen: Ints, infos: Mapping[str, Any] | None = None
    ) -> None:
        """Take in one step.

        Args:
            observations: (B, 3).
            resets: lanes in which a session begins with this observation, bool (B,).
            chosen: actions that were chosen at the observation before, (B,).
            infos: that came with the observations.

        Raises:
            ValueError: there are no infos, and they are asked for.
        """
        late = self.n_obs == self.rules.max_observations
        acted = self._observed & (chosen != WAIT) & ~resets
        results = acted | (self._observed & late & ~resets)
        if results.any():
            self._learn(self._evidence(observations[:, 2], chosen, acted), results)
        self._forget(resets)
        self._read(infos)
        seen = is_shown(observations)
        if self.rules.feedback == "noisy":
            seen &= ~results
        self._watch(observations[:, 1].astype(np.float64) - observations[:, 0], seen)

    def _evidence(self, rewards: Array, chosen: Ints, acted: Flags) -> Floats:
        """Return P(right) of the stimulus whose result is seen, by itself."""
        told = (chosen == RIGHT) == (rewards > 0)
        if self.timeouts == "soft":
            missed = sigmoid(self._log_ratio)
        elif self.timeouts == "revealed":
            missed = self._right.astype(np.float64)
        else:
            missed = (self.stimulus_belief < 0.5).astype(np.float64)
        return np.where(acted, told, missed)

    def _learn(self, evidence: Floats, results: Flags) -> None:
        """Take in the results of some lanes' trials; unbiased ones say nothing of blocks."""
        self._filter.update(evidence, results & (self._trial >= self.rules.unbiased_trials))
        self._trial += results
        for values in (self.n_obs, self._total, self._log_ratio):
            values[results] = 0

    def _forget(self, resets: Flags) -> None:
        """Begin a session in some lanes."""
        if resets.any():
            self._filter.begin(resets)
            for values in (self.n_obs, self._total, self._log_ratio, self._trial):
                values[resets] = 0

    def _read(self, infos: Mapping[str, Any] | None) -> None:
        """Keep what the present trial is, where that is asked for."""
        if self.timeouts != "revealed" and self.blocks != "oracle":
            return
        if infos is None:
            raise ValueError("infos: none given; blocks: oracle and timeouts: revealed read them")
        self._right, self._favoured = infos["side"] > 0, infos["block_side"]

    def _watch(self, difference: Floats, seen: Flags) -> None:
        """Take in what is observed of the present stimulus."""
        self._observed = seen
        self.n_obs += seen
        if self.evidence == "joint":
            self._total += np.where(seen, difference, 0.0)
            self._log_ratio = self._stimulus.log_ratio(self._total, self.n_obs)
        else:
            self._log_ratio += np.where(
                seen, self._stimulus.log_ratio(difference, np.ones_like(difference)), 0.0
            )
        self.stimulus_belief = sigmoid(logit(self.expected_side) + self._log_ratio)

    @property
    def expected_side(self) -> Floats:
        """P(the present stimulus is on the right), before it is observed, (B,)."""
        if self.blocks == "oracle":
            return np.asarray(0.5 + (self.rules.p_s - 0.5) * self._favoured)
        expected = self._filter.side if self.prior == "side" else self._filter.expected
        return np.where(self._trial < self.rules.unbiased_trials, 0.5, expected)
