"""The paper's action rule: act where the probability of a side is above a threshold, else wait. B lanes."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from engram.envs.arguments import check_number
from engram.envs.arrays import Array, Ints
from engram.envs.ibl.rules import LEFT, RIGHT, WAIT

THRESHOLD = 0.9


def act_above(right: Array, threshold: Array | float = THRESHOLD, left: Array | None = None) -> Ints:
    """Return the actions: a side whose probability is above the threshold, not at it, else wait, (...).

    Args:
        right: probability of the right side, (...).
        threshold: 0.5 to 1.
        left: probability of the left side; without it what `right` leaves.
    """
    left = 1.0 - right if left is None else left
    return np.where(right > threshold, RIGHT, np.where(left > threshold, LEFT, WAIT))


class ThresholdAction(gymnasium.ActionWrapper[Any, Any, Any]):
    """Takes the probabilities of left and right as an action, `Box(0, 1, (2,))`.

    Args:
        env: single, with actions left, right, wait.
        threshold: probability above which a side is chosen, 0.5 to 1.

    Raises:
        ValueError: a threshold that is none.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], threshold: float = THRESHOLD) -> None:
        super().__init__(env)
        self.threshold = check_number("threshold", threshold, 0.5, 1.0)
        self.action_space = gymnasium.spaces.Box(0.0, 1.0, (2,), np.float64)

    def action(self, action: Array) -> int:
        """Return the action of probabilities (2,)."""
        left, right = action
        return int(act_above(right, self.threshold, left))


class BatchedThresholdAction(gymnasium.vector.VectorActionWrapper):
    """`ThresholdAction` around lanes: probabilities (B, 2).

    Args:
        env: batched, with actions left, right, wait.
        threshold: probability above which a side is chosen, 0.5 to 1.

    Raises:
        ValueError: a threshold that is none.
    """

    def __init__(self, env: gymnasium.vector.VectorEnv[Any, Any, Any], threshold: float = THRESHOLD) -> None:
        super().__init__(env)
        self.threshold = check_number("threshold", threshold, 0.5, 1.0)
        self.single_action_space = gymnasium.spaces.Box(0.0, 1.0, (2,), np.float64)
        self.action_space = gymnasium.vector.utils.batch_space(self.single_action_space, self.num_envs)

    def actions(self, actions: Any) -> Any:
        """Return the actions of probabilities (B, 2)."""
        return act_above(actions[:, 1], self.threshold, actions[:, 0])
