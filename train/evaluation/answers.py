"""Cross-entropies of the right answers, where an environment says what these are.

B lanes.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from engram.train.evaluation.policy import Array, Policy


class Where(NamedTuple):
    """The steps at which a cross-entropy is taken.

    Attributes:
        key: The info key that marks them.
        steps: Those steps in words.
    """

    key: str
    steps: str


CROSS_ENTROPIES = {
    "cross_entropy": Where("mask", "steps of the loss"),
    "cross_entropy_scored": Where("scored", "steps that earn reward"),
}
"""Name in the summary -> where it is taken."""


class AnswerLog:
    """Sums up cross-entropies of the right answers, step by step.

    Args:
        env: A batched environment. Nothing is summed up where its `metadata` names no right answers, or where
            an answer is not one of a number of classes.
    """

    def __init__(self, env: Any) -> None:
        self._chance, self._space = getattr(env, "chance", None), env.single_action_space
        keys = env.metadata.get("tells", ())
        judged = "target" in keys and isinstance(env.single_action_space, gym.spaces.Discrete)
        self._keys = {name: each.key for name, each in CROSS_ENTROPIES.items() if judged and each.key in keys}
        self._losses: dict[str, float] = defaultdict(float)
        self._counts: dict[str, int] = defaultdict(int)

    def step(self, policy: Policy, infos: Mapping[str, Any], counting: Array) -> None:
        """Add the answers to what was seen last.

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
        """Return mean cross-entropies in nats and, under `chance`, those of a policy without a memory."""
        means = {name: self._losses[name] / count for name, count in self._counts.items() if count}
        return means | ({"chance": self._chance._asdict()} if means and self._chance is not None else {})
