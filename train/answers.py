"""How sure a policy was of what would have been right, where an environment says what that is.

B lanes.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import gymnasium as gym

from engram.train.policy import Array, Policy

COUNTED = {"cross_entropy": "mask", "cross_entropy_scored": "scored"}
"""Measure -> the info key that says at which steps it is taken: those of a loss, those that earn reward."""


class AnswerLog:
    """Cross-entropies of the right answers, summed up step by step.

    Args:
        env: A batched environment; one that does not say what would be right, or whose answers are not one
            of a number of classes, has none.
    """

    def __init__(self, env: Any) -> None:
        self._chance = getattr(env, "chance", None)
        self._classes = isinstance(env.single_action_space, gym.spaces.Discrete)
        self._losses: dict[str, float] = defaultdict(float)
        self._counts: dict[str, int] = defaultdict(int)

    def step(self, policy: Policy, infos: Mapping[str, Any], counting: Array) -> None:
        """Takes in the answers to what was seen last.

        Args:
            policy: It has acted.
            infos: Of the observations it acted on.
            counting: Lanes that count, bool (B,).
        """
        if not self._classes or "target" not in infos:
            return
        losses = -policy.log_likelihood(infos["target"])
        for measure, key in COUNTED.items():
            if key in infos:
                rows = counting & infos[key]
                self._losses[measure] += float(losses[rows].sum())
                self._counts[measure] += int(rows.sum())

    def summary(self) -> dict[str, Any]:
        """Mean cross-entropies, nats, and beside each, under `chance`, that of remembering nothing."""
        means = {name: self._losses[name] / count for name, count in self._counts.items() if count}
        return means | ({"chance": self._chance._asdict()} if means and self._chance is not None else {})
