"""A two-unit network as a player: the paper's, distilled from its trained one, or another.

B lanes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engram.envs.arguments import check_at_least, check_number
from engram.envs.arrays import Array, Flags, Floats, Ints
from engram.envs.ibl.bayes.stimulus import is_shown, sigmoid
from engram.envs.ibl.rules import WAIT, IBLRules
from engram.envs.ibl.threshold import THRESHOLD, act_above

RECURRENT = np.array([[0.54, 0.31], [0.19, 0.84]])
"""Onto the beliefs of stimulus and block, from them."""

INPUT = np.array([[-0.19, 0.20, 0.005], [-0.04, 0.04, 0.021]])
"""Onto the same, from left, right and reward."""

MOST_GAIN = 1000.0


def run_two_units(recurrent: Array, inputs: Array, before: Array, observations: Array) -> Floats:
    """Return the beliefs after one more observation, (..., 2).

    Args:
        recurrent: weights onto the beliefs, from them, (2, 2).
        inputs: likewise from left, right and reward, (2, 3).
        before: beliefs before it, (..., 2).
        observations: (..., 3).
    """
    return np.asarray(np.tanh(before @ recurrent.T + observations @ inputs.T))


class TwoUnitActor:
    """Two tanh units, beliefs of stimulus and block, carried from trial to trial.

    Source: Schaeffer et al. 2020, section 3.3.2; the gain of its readout is not printed there.

    Args:
        lanes: number of lanes (B).
        rules: of the task; not looked at.
        gain: of the readout (default 3): the logits of left and right are -gain and gain times the belief of
            the stimulus.
        threshold: probability above which it acts, 0.5 to 1 (default 0.9).
        recurrent: weights of its own in place of `RECURRENT`, (2, 2).
        inputs: likewise of `INPUT`, (2, 3).

    Attributes:
        beliefs: of stimulus and block, -1 left to 1 right, (B, 2).

    Raises:
        ValueError: an argument is not legal.
    """

    def __init__(
        self,
        lanes: int = 1,
        rules: IBLRules | None = None,
        *,
        gain: float = 3.0,
        threshold: float = THRESHOLD,
        recurrent: Any = RECURRENT,
        inputs: Any = INPUT,
    ) -> None:
        self.recurrent = _weights("recurrent", recurrent, RECURRENT.shape)
        self.inputs = _weights("inputs", inputs, INPUT.shape)
        self.gain = check_number("gain", gain, 0.0, MOST_GAIN)
        self.threshold = check_number("threshold", threshold, 0.5, 1.0)
        self.reset(lanes)

    def reset(self, lanes: int) -> None:
        """Begin anew, with so many lanes."""
        self.beliefs: Floats = np.zeros((check_at_least("lanes", lanes, 1, ">= 1 lanes"), 2))

    @property
    def stimulus_belief(self) -> Floats:
        """Probability of the right side, (B,)."""
        return sigmoid(2 * self.gain * self.beliefs[:, 0])

    @property
    def block_belief(self) -> Floats:
        """Belief of the block, scaled to 0 .. 1, (B,)."""
        return 0.5 + 0.5 * self.beliefs[:, 1]

    def act(self, observations: Array, resets: Flags, infos: Mapping[str, Any] | None = None) -> Ints:
        """Choose an action per lane.

        Args:
            observations: (B, 3).
            resets: lanes in which a session begins with this observation, bool (B,).
            infos: not looked at.

        Returns:
            actions (B,); wait on steps without a stimulus.
        """
        self.beliefs[resets] = 0.0
        self.beliefs = run_two_units(self.recurrent, self.inputs, self.beliefs, observations)
        return np.where(is_shown(observations), act_above(self.stimulus_belief, self.threshold), WAIT)


def _weights(name: str, values: Any, shape: tuple[int, ...]) -> Floats:
    """Return weights as an array of their shape."""
    weights = np.asarray(values, np.float64)
    if weights.shape != shape:
        raise ValueError(f"{name}: shape {weights.shape} does not fit; legal: {shape}")
    return weights
