"""How sure a policy was of what would have been right, where an environment says what that is.

B lanes.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from engram.train.evaluation.policy import Array, Policy


class Measure(NamedTuple):
    """A cross-entropy.

    Attributes:
        key: The info key that says at which steps it is taken.
        steps: Those steps in words.
    """

    key: str
    steps: str


MEASURES = {
    "cross_entropy": Measure("mask", "steps of the loss"),
    "cross_entropy_scored": Measure("scored", "steps that earn reward"),
}
"""Cross-entropies by name."""


class AnswerLog:
    """Cross-entropies of the right answers, summed up step by step.

    Args:
        env: A batched environment; one whose `metadata` does not say that it tells right answers, or whose
            answers are not one of a number of classes, has none.
    """

    def __init__(self, env: Any) -> None:
        self._chance, self._space = getattr(env, "chance", None), env.single_action_space
        told = env.metadata.get("tells", ())
        judged = "target" in told and isinstance(env.single_action_space, gym.spaces.Discrete)
        self._keys = {name: each.key for name, each in MEASURES.items() if judged and each.key in told}
        self._losses: dict[str, float] = defaultdict(float)
        self._counts: dict[str, int] = defaultdict(int)

    def step(self, policy: Policy, infos: Mapping[str, Any], counting: Array) -> None:
        """Takes in the answers to what was seen last.

        Args:
            policy: It has acted.
            infos: Of the observations it acted on.
            counting: Lanes that count, bool (B,).
        """
        rows = {name: counting & infos[key] for name, key in self._keys.items()}
        if not any(each.any() for each in rows.values()):
            return
        counted = np.logical_or.reduce([*rows.values()])
        likelihood = policy.log_likelihood(np.where(counted, infos["target"], self._space.start))
        if likelihood is None:
            return
        for name, each in rows.items():
            self._losses[name] -= float(likelihood[each].sum())
            self._counts[name] += int(each.sum())

    def summary(self) -> dict[str, Any]:
        """Mean cross-entropies, nats, and beside each, under `chance`, that of remembering nothing."""
        means = {name: self._losses[name] / count for name, count in self._counts.items() if count}
        return means | ({"chance": self._chance._asdict()} if means and self._chance is not None else {})
