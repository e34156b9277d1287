"""Parameters of the IBL task, its presets, and the actions.

Source: Schaeffer, Khona, Meshulam, International Brain Laboratory and Fiete, Reverse-engineering recurrent
neural network solutions to a hierarchical inference task for mice, 2020, sections 2.1 and 2.2; what its text
leaves open follows its published code.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from typing_extensions import override

from engram.envs.arguments import (
    check_at_least,
    check_fits,
    check_flag,
    check_known,
    check_number,
    listed,
    shown,
)
from engram.envs.arrays import Floats
from engram.envs.forms.rules import Rules
from engram.envs.ibl.blocks import LAWS, length_odds, longest_block

LEFT, RIGHT, WAIT = range(3)
ACTIONS = ("left", "right", "wait")
LEGAL_ACTIONS = "0 left, 1 right, 2 wait"

RIGHT_REWARD, WRONG_REWARD = 1.0, -1.0
SUCCESS_SHARE = 0.8
"""Share of a session's trials that have to be right for the session to be a success."""

FEEDBACK = ("blank", "noisy")
MOST_TRIALS = 10_000  # of a block
MOST_BLOCKS = 10_000
MOST_OBSERVATIONS = 1_000
MOST_STRENGTH = 1_000.0  # standard deviations of the noise
MOST_SEEN = 2 * MOST_STRENGTH  # of a side: strength and noise
TRIAL_BYTES = 84  # what a trial takes beside its noisy steps
STEP_BYTES = 20  # of a noisy step: the noise, and what is seen

_CODE: dict[str, Any] = {
    "strengths": (0.0, 0.5, 1.0, 1.5, 2.0, 2.5),
    "weights": (1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
    "p_s": 0.8,
    "block_law": "rejection",
    "hazard": 0.02,
    "min_block": 20,
    "max_block": 100,
    "blocks_per_session": 4,
    "unbiased_trials": 0,
    "zero_steps": 2,
    "max_observations": 10,
    "feedback": "blank",
    "final_feedback_step": False,
    "wait_reward": -0.05,
    "blank_reward": 0.0,
    "trial_cost": 0.0,
}
PRESETS: Mapping[str, dict[str, Any]] = {
    "code": _CODE,
    "paper": _CODE
    | {
        "block_law": "hazard",
        "zero_steps": 1,
        "feedback": "noisy",
        "final_feedback_step": True,
        "blank_reward": -0.05,
    },
    "mouse": _CODE
    | {
        "strengths": (0.0, 0.5, 0.75, 1.0, 1.5),
        "weights": (0.5, 1.0, 1.0, 1.0, 1.0),
        "hazard": 1 / 60,
        "unbiased_trials": 90,
        "blocks_per_session": 10,
    },
}


@dataclasses.dataclass(frozen=True)
class IBLRules(Rules):
    """Parameters of the IBL task, checked; `make_rules` makes them from a preset and says what each means."""

    strengths: tuple[float, ...]
    weights: tuple[float, ...]
    p_s: float
    block_law: str
    hazard: float
    min_block: int
    max_block: int
    blocks_per_session: int
    unbiased_trials: int
    zero_steps: int
    max_observations: int
    feedback: str
    final_feedback_step: bool
    wait_reward: float
    blank_reward: float
    trial_cost: float

    def __post_init__(self) -> None:
        check_number("p_s", self.p_s, 0.0, 1.0)
        check_known("block_law", self.block_law, LAWS)
        if check_number("hazard", self.hazard, 0.0, 1.0) == 0:
            raise ValueError("hazard: 0 would never end a block; legal: 0 to 1, 0 excluded")
        check_at_least("max_block", self.max_block, 1, ">= min_block trials", MOST_TRIALS)
        check_at_least("min_block", self.min_block, 1, ">= 1 trials, no more than max_block", self.max_block)
        check_at_least("blocks_per_session", self.blocks_per_session, 1, ">= 1 blocks", MOST_BLOCKS)
        check_at_least("unbiased_trials", self.unbiased_trials, 0, ">= 0 trials", MOST_TRIALS)
        check_at_least("zero_steps", self.zero_steps, 0, ">= 0 env steps", MOST_OBSERVATIONS)
        check_at_least("max_observations", self.max_observations, 1, ">= 1 env steps", MOST_OBSERVATIONS)
        check_known("feedback", self.feedback, FEEDBACK)
        check_flag("final_feedback_step", self.final_feedback_step)
        for name in ("wait_reward", "blank_reward", "trial_cost"):
            check_number(name, getattr(self, name), -MOST_STRENGTH, MOST_STRENGTH)
        each = self.longest_block * self.trial_bytes
        check_fits("blocks_per_session", self.blocks_per_session, each, "blocks")

    @property
    @override
    def group_by(self) -> None:
        return None

    @property
    @override
    def memory_delay(self) -> int:
        return self.zero_steps + (self.feedback == "noisy")

    @property
    def longest_block(self) -> int:
        """Trials of the longest block."""
        return longest_block(self.block_law, self.max_block)

    @property
    def most_trials(self) -> int:
        """Trials that a session may have at most."""
        return self.unbiased_trials + self.blocks_per_session * self.longest_block

    @property
    def shown_steps(self) -> int:
        """Noisy steps that a trial may have: observations, and a feedback step that shows one more."""
        return self.max_observations + (self.feedback == "noisy")

    @property
    def trial_bytes(self) -> int:
        """Bytes that a trial takes, its noisy steps included."""
        return TRIAL_BYTES + STEP_BYTES * self.shown_steps

    @cached_property
    def length_odds(self) -> Floats:
        """How likely each length of a block is, see `engram.envs.ibl.blocks.length_odds`."""
        return length_odds(self.block_law, self.hazard, self.min_block, self.max_block)

    @cached_property
    def strength_odds(self) -> Floats:
        """How likely each strength is, (strengths,)."""
        return np.array(self.weights) / sum(self.weights)

    @cached_property
    def strength_values(self) -> Floats:
        """The strengths, (strengths,)."""
        return np.array(self.strengths, np.float64)

    @cached_property
    def right_odds(self) -> Floats:
        """How likely a stimulus is on the right: in blocks of the left, in unbiased trials, in the others."""
        return np.array([1 - self.p_s, 0.5, self.p_s])


def make_rules(
    preset: str = "code",
    strengths: Sequence[float] | None = None,
    weights: Sequence[float] | None = None,
    p_s: float | None = None,
    block_law: str | None = None,
    hazard: float | None = None,
    min_block: int | None = None,
    max_block: int | None = None,
    blocks_per_session: int | None = None,
    unbiased_trials: int | None = None,
    zero_steps: int | None = None,
    max_observations: int | None = None,
    feedback: str | None = None,
    final_feedback_step: bool | None = None,
    wait_reward: float | None = None,
    blank_reward: float | None = None,
    trial_cost: float | None = None,
) -> IBLRules:
    """Make the parameters of the task: those of a preset, but for the ones that are given.

    Args:
        preset: "code" (default; what the paper's published code does), "paper" (what its text says) or
            "mouse" (contrasts and blocks of the laboratory's own task).
        strengths: stimulus strengths to draw from in each trial, in standard deviations of the noise, each at
            least 0; default 0, 0.5, 1, 1.5, 2, 2.5 (mouse: 0, 0.5, 0.75, 1, 1.5 for contrasts 0, 0.0625,
            0.125, 0.25, 1).
        weights: how often each strength is drawn, relative to the others, each at least 0; default all alike
            (mouse: 0.5, 1, 1, 1, 1).
        p_s: probability that the stimulus is on the side of its block, 0 to 1; default 0.8.
        block_law: how block lengths are drawn: "rejection" (code, mouse): geometric, drawn anew until
            `min_block` to `max_block`; "hazard" (paper): from `min_block` on the block ends with probability
            `hazard` after each trial, and surely after `max_block` + 1 trials.
        hazard: probability that a block ends after a trial, 0 to 1, 0 excluded; default 0.02 (mouse: 1/60).
        min_block: trials of the shortest block, at least 1; default 20.
        max_block: trials after which a block ends, at least `min_block`; default 100. See `block_law`.
        blocks_per_session: blocks of a session, which is an episode, at least 1; default 4 (mouse: 10).
        unbiased_trials: trials at the start of a session that favour no side, at least 0; default 0
            (mouse: 90).
        zero_steps: env steps at the start of a trial that show no stimulus and ignore the action, at least
            0; default 2 (paper: 1). With `feedback` "blank" the first one shows the result of the trial
            before.
        max_observations: env steps with a stimulus after which a trial ends by itself, a timeout, at least 1;
            default 10.
        feedback: where the result of a trial is seen: "blank" (code, mouse): on the first step of the next
            trial; "noisy" (paper): on a step of its own after the action, which still shows the stimulus and
            ignores the action.
        final_feedback_step: whether the result of a session's last trial is seen on a step of its own, and
            the session ends one step later; default False (paper: True).
        wait_reward: reward of waiting on a step with a stimulus, at least -1000; default -0.05. Not for the
            step that acts, or times out.
        blank_reward: reward of each of the `zero_steps`, at least -1000; default 0 (paper: -0.05).
        trial_cost: what each trial costs, at least -1000; default 0. It is taken from the reward of the step
            that decides a trial, and not seen in the observation. A session has as many trials whatever is
            done, so what earns most per trial stays the same. At what a good player earns per trial, trials
            to come are worth about 0: values stay small, and a discount does not make a learner hasty.

    Raises:
        ValueError: a value is not legal.
    """
    given = dict(locals())
    check_known("preset", given.pop("preset"), list(PRESETS))
    values = PRESETS[preset] | {name: value for name, value in given.items() if value is not None}
    if strengths is not None and weights is None:
        values["weights"] = (1.0,) * len(tuple(listed(strengths)))
    values["strengths"] = _check_numbers("strengths", values["strengths"])
    values["weights"] = _check_numbers("weights", values["weights"])
    if len(values["weights"]) != len(values["strengths"]):
        raise ValueError(
            f"weights: {len(values['weights'])} numbers; legal: one per strength, {len(values['strengths'])}"
        )
    if not sum(values["weights"]):
        raise ValueError("weights: all are 0; legal: at least one above 0")
    return IBLRules(**values)


def _check_numbers(name: str, value: Any) -> tuple[float, ...]:
    """Return a list of numbers from 0 on."""
    lists = isinstance(value, Sequence | np.ndarray) and not isinstance(value, str | bytes)
    numbers = tuple(listed(value)) if lists else ()
    if not numbers:
        raise ValueError(f"{name}: {shown(value)} is no list of numbers; legal: numbers, each at least 0")
    return tuple(check_number(name, each, 0.0, MOST_STRENGTH) for each in numbers)
