"""Players that act where they are sure enough. B lanes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engram.envs.arguments import check_known, check_number
from engram.envs.arrays import Array, Flags, Ints
from engram.envs.ibl.bayes.observer import Observer
from engram.envs.ibl.rules import LEFT, RIGHT, WAIT, IBLRules
from engram.envs.ibl.threshold import THRESHOLD, act_above

DEADLINES = ("wait", "guess")


class BayesianActor(Observer):
    """Acts where the probability of a side is above a threshold.

    Args:
        lanes: number of lanes (B).
        rules: of the task; without them those of its defaults.
        threshold: probability above which it acts, 0.5 to 1 (default 0.9).
        deadline: what it does at a trial's last observation: "wait" (like before) or "guess" (the likelier
            side).
        beliefs: see `Observer`.

    Raises:
        ValueError: an argument is not legal.
    """

    def __init__(
        self,
        lanes: int = 1,
        rules: IBLRules | None = None,
        *,
        threshold: float = THRESHOLD,
        deadline: str = "wait",
        **beliefs: str,
    ) -> None:
        super().__init__(lanes, rules, **beliefs)
        self.threshold = check_number("threshold", threshold, 0.5, 1.0)
        self.deadline = check_known("deadline", deadline, DEADLINES)

    def _begin_all(self) -> None:
        super()._begin_all()
        self._actions: Ints = np.full(self.lanes, WAIT)

    def act(self, observations: Array, resets: Flags, infos: Mapping[str, Any] | None = None) -> Ints:
        """Choose an action per lane.

        Args:
            observations: (B, 3).
            resets: lanes in which a session begins with this observation, bool (B,).
            infos: that came with the observations; see `Observer` for who looks at them.

        Returns:
            actions (B,); wait on steps without a stimulus.
        """
        self.observe(observations, resets, self._actions, infos)
        self._actions = np.where(self._observed, self._decide(), WAIT)
        return self._actions.copy()

    def _decide(self) -> Ints:
        """Return the actions of lanes that observe a stimulus, (B,)."""
        actions = act_above(self.stimulus_belief, self.threshold)
        if self.deadline == "guess":
            late = (self.n_obs == self.rules.max_observations) & (actions == WAIT)
            actions = np.where(late, self._likelier(), actions)
        return actions

    def _likelier(self) -> Ints:
        """Return the likelier side, (B,)."""
        return np.where(self.stimulus_belief > 0.5, RIGHT, LEFT)


class ExactActor(BayesianActor):
    """Knows the task exactly: semi-Markov blocks, one strength a trial, timeouts as what was observed."""


class MarkovActor(BayesianActor):
    """The paper's formulas: Markov blocks; the side of a trial is known even after a timeout."""

    def __init__(self, lanes: int = 1, rules: IBLRules | None = None, **options: Any) -> None:
        super().__init__(lanes, rules, **{"blocks": "markov", "timeouts": "revealed"} | options)


class LegacyActor(BayesianActor):
    """The actor of the paper's published code, which its figures show.

    Its strengths are drawn anew for each observation, the probability of the block stands for that of the
    side, and a timeout is taken for a wrong choice.
    """

    def __init__(self, lanes: int = 1, rules: IBLRules | None = None, **options: Any) -> None:
        legacy = {"blocks": "markov", "evidence": "redrawn", "prior": "block", "timeouts": "opposite"}
        super().__init__(lanes, rules, **legacy | options)


class BlocklessActor(BayesianActor):
    """Takes either side for as likely before each trial."""

    def __init__(self, lanes: int = 1, rules: IBLRules | None = None, **options: Any) -> None:
        super().__init__(lanes, rules, **{"blocks": "none"} | options)


class OracleBlockActor(BayesianActor):
    """Is told which side the block favours: what can be had at best from following blocks."""

    def __init__(self, lanes: int = 1, rules: IBLRules | None = None, **options: Any) -> None:
        super().__init__(lanes, rules, **{"blocks": "oracle"} | options)


class ExponentialAverageActor(BayesianActor):
    """Takes an exponential average of the sides so far, with decay 0.9 a trial, for the next one's odds."""

    def __init__(self, lanes: int = 1, rules: IBLRules | None = None, **options: Any) -> None:
        super().__init__(lanes, rules, **{"blocks": "average"} | options)


class GuessingActor(BayesianActor):
    """Knows the task exactly, and guesses at a trial's last observation: it has no timeouts."""

    def __init__(self, lanes: int = 1, rules: IBLRules | None = None, **options: Any) -> None:
        super().__init__(lanes, rules, **{"deadline": "guess"} | options)
