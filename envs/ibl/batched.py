"""The IBL task in batched form: each lane plays its own session.

B lanes, T trials of the longest session, M steps of a trial that show noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from typing_extensions import override

from engram.envs.arrays import Array, Bytes, Flags, Floats, Ints
from engram.envs.forms.batched_env import Lanes
from engram.envs.forms.batched_task import BatchedTask
from engram.envs.forms.parameters import Parametrized
from engram.envs.ibl.picture import make_look, paint
from engram.envs.ibl.rules import (
    ACTIONS,
    LEGAL_ACTIONS,
    MOST_SEEN,
    RIGHT_REWARD,
    SUCCESS_SHARE,
    WAIT,
    WRONG_REWARD,
    IBLRules,
    make_rules,
)
from engram.envs.ibl.session import Noise, Session, draw_session, read_options

_INTS = ("block", "trial_in_block", "block_side", "side", "target", "concordant")
_FLOATS = ("mu", "signed_contrast", "left", "right")
_TARGET, _MEANS = _INTS.index("target"), slice(2, 4)
_OUTCOMES = ("acted", "correct", "timeout", "ignored")


class _Tables:
    """Sessions as drawn: `_INTS` (B, T, 6), `_FLOATS` (B, T, 4), noise (B, T, M, 2), last trials (B,)."""

    def __init__(self, rules: IBLRules, lanes: int) -> None:
        shape = (lanes, rules.most_trials)
        self.ints = np.zeros((*shape, len(_INTS)), np.int64)
        self.floats = np.zeros((*shape, len(_FLOATS)))
        self.noise: Noise = np.zeros((*shape, rules.shown_steps, 2), np.float32)
        self.last = np.zeros(lanes, np.int64)

    def write(self, lane: int, session: Session) -> None:
        """Put a session into a lane."""
        trials = len(session.side)
        self.last[lane] = trials - 1
        side, right = session.side, session.side > 0
        where = (session.block, session.trial_in_block, session.block_side)
        for place, values in enumerate((*where, side, right, side == session.block_side)):
            self.ints[lane, :trials, place] = values
        contrast = session.mu * side
        for place, strengths in enumerate((session.mu, contrast, session.mu * ~right, session.mu * right)):
            self.floats[lane, :trials, place] = strengths
        self.noise[lane, :trials] = session.noise


class BatchedIBL(Parametrized, BatchedTask[IBLRules], task=make_rules):
    """`engram.envs.ibl.single.IBL` in B lanes, each at its own place; see there for the task.

    Observation:
        float32 (B, 3), fresh at each step.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        **BatchedTask.metadata,
        "tells": ("target", "mask"),
        "per_trial": {"accuracy": "correct", "acted": "acted", "observations": "observations"},
    }

    @override
    def _interface(self) -> tuple[gymnasium.spaces.Box, int]:
        self.look = make_look(self.rules)
        return gymnasium.spaces.Box(-MOST_SEEN, MOST_SEEN, (3,), np.float32), len(ACTIONS)

    @property
    @override
    def _legal_actions(self) -> str:
        return LEGAL_ACTIONS

    @override
    def _allocate(self) -> None:
        lanes = self.num_envs
        self._drawn = _Tables(self.rules, lanes)
        self._trial, self._k, self._n_obs, self._decided, self._right = np.zeros((5, lanes), np.int64)
        self._feedback, self._observing = np.zeros((2, lanes), np.bool_)
        self._acted, self._correct, self._timeout, self._ignored = np.zeros((4, lanes), np.bool_)
        self._observations = np.zeros(lanes, np.int64)
        self._seen_reward = np.zeros(lanes)
        self._ints = np.zeros((lanes, len(_INTS)), np.int64)  # of the present trial
        self._floats = np.zeros((lanes, len(_FLOATS)))  # likewise
        self._first_rows = self._lanes * self.rules.most_trials
        self._delay = np.full(lanes, self.rules.memory_delay)
        self._noisy_feedback = self.rules.feedback == "noisy"
        self._feedback_steps = self._noisy_feedback or self.rules.final_feedback_step

    @override
    def _lane_bytes(self) -> int:
        """Adds a session as drawn."""
        return super()._lane_bytes() + self.rules.most_trials * self.rules.trial_bytes

    @override
    def hidden_choices(self, lane: int) -> dict[str, Any]:
        drawn, trials = self._drawn, int(self._drawn.last[lane]) + 1
        ints = dict(zip(_INTS, drawn.ints[lane, :trials].T, strict=True))
        biased = self.rules.unbiased_trials
        _, blocks = np.unique(ints["block"][biased:], return_counts=True)
        return {
            "blocks": blocks.tolist(),
            "first_block": int(ints["block_side"][biased]),
            "sides": ints["side"].tolist(),
            "mus": drawn.floats[lane, :trials, 0].tolist(),
            "noise": drawn.noise[lane, :trials].copy(),
        }

    def _begin(self, lanes: Ints, options: Mapping[str, Any]) -> None:
        for lane, given in zip(lanes.tolist(), read_options(options, self.rules, lanes.size), strict=True):
            self._drawn.write(lane, draw_session(self.np_random, self.rules, given))
        counts = (self._trial, self._k, self._decided, self._right, self._observations, self._seen_reward)
        for values in (*counts, self._feedback, self._acted, self._correct, self._timeout, self._ignored):
            values[lanes] = 0
        self._n_obs[lanes] = self.rules.zero_steps == 0
        self._look()

    def _look(self) -> None:
        """Look up the present trials, and find out which lanes observe what asks for an action."""
        drawn = self._drawn
        self._rows = rows = self._first_rows + self._trial
        self._ints = drawn.ints.reshape(-1, len(_INTS)).take(rows, axis=0)
        self._floats = drawn.floats.reshape(-1, len(_FLOATS)).take(rows, axis=0)
        self._observing = (self._k >= self.rules.zero_steps) & ~self._feedback

    def _advance(self, actions: Ints) -> tuple[Floats, Flags]:
        rules, observing, acts = self.rules, self._observing, actions != WAIT
        self._ignored = acts & ~observing
        self._acted = observing & acts
        self._correct = self._acted & (actions == self._ints[:, _TARGET])
        self._timeout = observing & ~acts & (self._n_obs == rules.max_observations)
        decided = self._acted | self._timeout
        self._observations = self._n_obs * decided
        rewards = np.where(observing, rules.wait_reward, rules.blank_reward)
        if rules.blank_reward:
            rewards[self._feedback] = 0.0
        rewards[decided] = WRONG_REWARD  # a timeout looks alike
        rewards[self._correct] = RIGHT_REWARD
        self._seen_reward = rewards.copy()
        if rules.trial_cost:
            rewards[decided] -= rules.trial_cost
        self._decided += decided
        self._right += self._correct
        return rewards, self._go_on(decided)

    def _go_on(self, decided: Flags) -> Flags:
        """Go to the next step, of the same trial or of the next one; return which sessions are over."""
        last = self._trial == self._drawn.last
        leaving = self._feedback | decided
        if self._feedback_steps:
            stays = decided & self._has_feedback_step(last)
            leaving &= ~stays
        over: Flags = leaving & last
        self._feedback = over | stays if self._feedback_steps else over.copy()  # the last result is seen
        enters = leaving & ~last
        remains = ~enters
        self._trial += enters
        self._k += 1
        self._k *= remains
        self._n_obs *= remains
        self._look()
        self._n_obs += self._observing
        return over

    def _has_feedback_step(self, last: Flags) -> Flags:
        """Return whose present trial ends with a step of its own for the result."""
        final: Flags = last & self.rules.final_feedback_step
        if self._noisy_feedback:
            final |= ~last
        return final

    def _observe(self, lanes: Lanes) -> Array:
        """Return fresh observations, float32 (lanes, 3): left, right, last reward."""
        shows, steps = self._observing, self._n_obs
        if self._noisy_feedback:
            shows, steps = shows | self._feedback, steps + self._feedback
        noise = self._drawn.noise.reshape(-1, 2).take(
            self._rows * self.rules.shown_steps + (steps - 1), axis=0
        )
        seen = np.empty((self.num_envs, 3), np.float32)
        seen[:, :2] = (noise + self._floats[:, _MEANS]) * shows[:, None]
        seen[:, 2] = self._seen_reward
        return seen[lanes]

    def _boards(self, lanes: Lanes) -> Bytes:
        steps = np.arange(self.rules.shown_steps)
        shown = steps < (self._n_obs + (self._feedback & self._noisy_feedback))[:, None]
        stimuli = self._drawn.noise[self._lanes, self._trial] + self._floats[:, None, _MEANS]
        return paint(self.look, np.where(shown[..., None], stimuli, 0.0)[lanes], self._seen_reward[lanes])

    def _facts(self) -> dict[str, Array]:
        block, trial_in_block, block_side, side, target, concordant = self._ints.T
        decided, observing = self._acted | self._timeout, self._observing
        over = self._decided > self._drawn.last
        return {
            "trial": self._trial,
            "block": block,
            "trial_in_block": trial_in_block,
            "block_side": block_side,
            "side": side,
            "mu": self._floats[:, 0],
            "signed_contrast": self._floats[:, 1],
            "concordant": concordant.astype(np.bool_),
            "k": self._k,
            "n_obs": self._n_obs,
            "is_blank": ~(observing | self._feedback) if self._noisy_feedback else ~observing,
            "target": target,
            "mask": observing,
            "trial_end": decided,
            "acted": self._acted,
            "correct": self._correct,
            "timeout": self._timeout,
            "observations": self._observations,
            "ignored": self._ignored,
            "accuracy": self._right / np.maximum(self._decided, 1),
            "delay": self._delay,
            "success": over & (self._right >= SUCCESS_SHARE * self._decided),
        }

    def _state(self) -> dict[str, Array]:
        counts = ("trial", "k", "n_obs", "decided", "right", "observations", "seen_reward", "feedback")
        drawn = {name: getattr(self._drawn, name) for name in ("ints", "floats", "noise", "last")}
        return drawn | {name: getattr(self, f"_{name}") for name in (*counts, *_OUTCOMES)}

    def _restored(self) -> None:
        self._look()
