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
    SUCCESS_SHARE,
    IBLRules,
    make_rules,
)
from engram.envs.ibl.session import Noise, Session, draw_session, read_options
from engram.envs.ibl.steps import COUNTS, TOLD_FLAGS, TOLD_INTS, kinds_of, make_steps

_INTS = ("block", "trial_in_block", "block_side", "side", "target")
_FLOATS = ("mu", "signed_contrast")
_TARGET = _INTS.index("target")


class _Tables:
    """Sessions as drawn, trial by trial.

    `_INTS` (B, T, 5), `_FLOATS` (B, T, 2), noise (B, T, M, 2), last trials (B,); of these are made the kinds
    of trials (B, T), and what is seen (B, T, 1 + M, 3): nothing, then stimuli; the reward is left out.
    """

    def __init__(self, rules: IBLRules, lanes: int) -> None:
        shape = (lanes, rules.most_trials)
        self.ints = np.zeros((*shape, len(_INTS)), np.int64)
        self.floats = np.zeros((*shape, len(_FLOATS)))
        self.noise: Noise = np.zeros((*shape, rules.shown_steps, 2), np.float32)
        self.last = np.zeros(lanes, np.int64)
        self.kinds = np.zeros(shape, np.int64)
        self.frames = np.zeros((*shape, 1 + rules.shown_steps, 3), np.float32)

    def write(self, lane: int, session: Session) -> None:
        """Put a session into a lane."""
        trials = len(session.side)
        self.last[lane] = trials - 1
        where = (session.block, session.trial_in_block, session.block_side)
        for place, values in enumerate((*where, session.side, session.side > 0)):
            self.ints[lane, :trials, place] = values
        for place, strengths in enumerate((session.mu, session.mu * session.side)):
            self.floats[lane, :trials, place] = strengths
        self.noise[lane, :trials] = session.noise
        self.prepare(lane)

    def prepare(self, lane: int) -> None:
        """Make what is made of a lane's session."""
        trials = np.arange(self.last[lane] + 1)
        self.kinds[lane, trials] = kinds_of(trials == self.last[lane], self.ints[lane, trials, _TARGET])
        self.frames[lane, trials, 1:, :2] = self.stimuli(lane, trials)

    def stimuli(self, lanes: Ints | int, trials: Ints) -> Floats:
        """Return all stimuli of some trials, (..., M, 2): left and right, strength and noise."""
        right, mu = self.ints[lanes, trials, _TARGET], self.floats[lanes, trials, 0]
        means = np.stack((mu * (1 - right), mu * right), axis=-1)
        stimuli: Floats = self.noise[lanes, trials] + means[..., None, :]
        return stimuli


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
        self._steps = make_steps(self.rules)
        self._drawn = _Tables(self.rules, lanes)
        self._counts = np.zeros((lanes, len(COUNTS)), np.int64)
        self._case = np.full(lanes, self._steps.start)  # of the step just taken
        self._first_rows = self._lanes * self.rules.most_trials
        self._delay = np.full(lanes, self.rules.memory_delay)

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
        self._counts[lanes] = 0
        self._case[lanes] = self._steps.start
        self._look()

    def _look(self) -> None:
        """Look up the present trials, and the first case of each lane's next step."""
        self._rows = self._first_rows + self._counts[:, 0]
        self._next = self._steps.next.take(self._case) + self._drawn.kinds.take(self._rows)

    def _advance(self, actions: Ints) -> tuple[Floats, Flags]:
        steps = self._steps
        self._case = case = self._next + actions
        self._counts += steps.counts.take(case, axis=0)
        self._look()
        return steps.rewards.take(case), steps.over.take(case)

    def _observe(self, lanes: Lanes) -> Array:
        """Return fresh observations, float32 (lanes, 3): left, right, last reward."""
        frames = self._rows * (1 + self.rules.shown_steps) + self._steps.frame.take(self._case)
        seen = self._drawn.frames.reshape(-1, 3).take(frames, axis=0)
        seen[:, 2] = self._steps.seen.take(self._case)
        return seen[lanes]

    def _boards(self, lanes: Lanes) -> Bytes:
        trial, seen = self._counts[:, 0], self._steps.seen.take(self._case)
        n_obs = self._steps.ints.take(self._case, axis=0)[:, 1]
        shown = np.arange(self.rules.shown_steps) < np.maximum(n_obs, self._steps.frame.take(self._case))[:, None]
        stimuli = self._drawn.stimuli(self._lanes, trial)
        return paint(self.look, np.where(shown[..., None], stimuli, 0.0)[lanes], seen[lanes])

    def _facts(self) -> dict[str, Array]:
        ints = self._drawn.ints.reshape(-1, len(_INTS)).take(self._rows, axis=0)
        floats = self._drawn.floats.reshape(-1, len(_FLOATS)).take(self._rows, axis=0)
        told_ints, told_flags = (each.take(self._case, axis=0) for each in (self._steps.ints, self._steps.flags))
        trial, decided, right = self._counts.T
        facts: dict[str, Array] = {"trial": trial}
        facts.update(zip(_INTS, ints.T, strict=True))
        facts.update(zip(_FLOATS, floats.T, strict=True))
        facts.update(zip(TOLD_INTS, told_ints.T, strict=True))
        facts.update(zip(TOLD_FLAGS, told_flags.T, strict=True))
        facts["concordant"] = facts["side"] == facts["block_side"]
        facts["accuracy"] = right / np.maximum(decided, 1)
        facts["delay"] = self._delay
        facts["success"] = self._steps.done.take(self._case) & (right >= SUCCESS_SHARE * decided)
        return facts

    def _state(self) -> dict[str, Array]:
        drawn = {name: getattr(self._drawn, name) for name in ("ints", "floats", "noise", "last")}
        return drawn | {"counts": self._counts, "case": self._case}

    def _restored(self) -> None:
        for lane in self._lanes.tolist():
            self._drawn.prepare(lane)
        self._look()
