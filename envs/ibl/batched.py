"""The IBL task in batched form: each lane plays its own session.

B lanes, T trials of the longest session, M steps of a trial that show noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
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

_INTS = ("block", "trial_in_block", "block_side", "side", "target", "concordant")
_TARGET, _CONCORDANT, _KIND = _INTS.index("target"), _INTS.index("concordant"), len(_INTS)
_FLOATS = ("mu", "signed_contrast")
_SESSION = ("accuracy", "success", "delay")
_NAMES = ("trial", *_INTS, *_FLOATS, *TOLD_INTS, *TOLD_FLAGS, *_SESSION)


class _Drawn:
    """Sessions as drawn, trial by trial.

    Attributes:
        ints: facts `_INTS`, and the kinds of trials, see `kinds_of`, (B, T, 7).
        floats: facts `_FLOATS`, (B, T, 2).
        noise: see `Session`, (B, T, M, 2).
        last: number of the last trial, (B,).
        frames: what is seen: nothing, then each stimulus; left, right, and room for a reward,
            (B, T, 1 + M, 3). It follows from what is above.
    """

    def __init__(self, rules: IBLRules, lanes: int) -> None:
        shape = (lanes, rules.most_trials)
        self.ints = np.zeros((*shape, len(_INTS) + 1), np.int64)
        self.floats = np.zeros((*shape, len(_FLOATS)))
        self.noise: Noise = np.zeros((*shape, rules.shown_steps, 2), np.float32)
        self.last = np.zeros(lanes, np.int64)
        self.frames = np.zeros((*shape, 1 + rules.shown_steps, 3), np.float32)

    def write(self, lane: int, session: Session) -> None:
        """Put a session into a lane."""
        trials = len(session.side)
        self.last[lane] = trials - 1
        side, target = session.side, session.side > 0
        kinds = kinds_of(np.arange(trials) == trials - 1, target)
        where = (session.block, session.trial_in_block, session.block_side)
        for place, values in enumerate((*where, side, target, side == session.block_side, kinds)):
            self.ints[lane, :trials, place] = values
        for place, strengths in enumerate((session.mu, session.mu * side)):
            self.floats[lane, :trials, place] = strengths
        self.noise[lane, :trials] = session.noise
        self.show(lane)

    def show(self, lane: int) -> None:
        """Work out what is seen in a lane's session."""
        trials = slice(self.last[lane] + 1)
        target = self.ints[lane, trials, _TARGET]
        mu, noise = self.floats[lane, trials, 0, None], self.noise[lane, trials]
        for place, shown in enumerate((1 - target, target)):
            self.frames[lane, trials, 1:, place] = noise[..., place] + mu * shown[:, None]


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
        self._drawn = _Drawn(self.rules, lanes)
        self._counts = np.zeros((len(COUNTS), lanes), np.int64)
        self._case = np.full(lanes, self._steps.start)  # of the step just taken
        self._accuracy, self._success = np.zeros(lanes), np.zeros(lanes, np.bool_)
        self._delay = np.full(lanes, self.rules.memory_delay)
        self._first_rows = self._lanes * self.rules.most_trials

    @override
    def _lane_bytes(self) -> int:
        """Adds a session as drawn."""
        return super()._lane_bytes() + self.rules.most_trials * self.rules.trial_bytes

    @override
    def hidden_choices(self, lane: int) -> dict[str, Any]:
        drawn, trials = self._drawn, int(self._drawn.last[lane]) + 1
        ints = dict(zip(_INTS, drawn.ints[lane, :trials, :_KIND].T, strict=True))
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
        self._counts[:, lanes] = 0
        self._case[lanes] = self._steps.start
        self._accuracy[lanes] = self._success[lanes] = 0
        self._look()

    def _look(self) -> None:
        """Look up the present trials, and the first case of each lane's next step."""
        self._rows = self._first_rows + self._counts[0]
        self._ints = self._drawn.ints.reshape(-1, _KIND + 1).take(self._rows, axis=0).T
        self._next = self._steps.next.take(self._case) + self._ints[_KIND]

    def _score(self) -> None:
        """Work out what is told of sessions; it changes with each trial that is decided."""
        _, decided, right = self._counts
        self._accuracy = right / np.maximum(decided, 1)
        self._success = (decided > self._drawn.last) & (right >= SUCCESS_SHARE * decided)

    def _advance(self, actions: Ints) -> tuple[Floats, Flags]:
        steps = self._steps
        self._case = case = self._next + actions
        self._counts += steps.counts.take(case, axis=1)
        self._look()
        if np.count_nonzero(steps.decided.take(case)):
            self._score()
        return steps.rewards.take(case), steps.over.take(case)

    def _observe(self, lanes: Lanes) -> Array:
        """Return fresh observations, float32 (lanes, 3): left, right, last reward."""
        frames = self._rows * (1 + self.rules.shown_steps) + self._steps.frame.take(self._case)
        seen: Array = self._drawn.frames.reshape(-1, 3).take(frames, axis=0)
        seen[:, 2] = self._steps.seen.take(self._case)
        return seen[lanes]

    def _boards(self, lanes: Lanes) -> Bytes:
        n_obs, frame = self._steps.ints[1, self._case], self._steps.frame[self._case]
        shown = np.arange(self.rules.shown_steps) < np.maximum(n_obs, frame)[:, None]
        stimuli = self._drawn.frames[self._lanes, self._counts[0], 1:, :2].astype(np.float64)
        rewards = self._steps.seen[self._case]
        return paint(self.look, np.where(shown[..., None], stimuli, 0.0)[lanes], rewards[lanes])

    def _told(self) -> tuple[Array, ...]:
        """Return tables of what `info` tells, (rows, B); all rows together are named `_NAMES`."""
        steps, case = self._steps, self._case
        return (
            self._counts[:1],
            self._ints[:_CONCORDANT],
            self._ints[_CONCORDANT:_KIND].astype(np.bool_),
            self._drawn.floats.reshape(-1, len(_FLOATS)).take(self._rows, axis=0).T,
            steps.ints.take(case, axis=1),
            steps.flags.take(case, axis=1),
            self._accuracy[None],
            self._success[None],
            self._delay[None],
        )

    def _facts(self) -> dict[str, Array]:
        return dict(zip(_NAMES, chain.from_iterable(self._told()), strict=True))

    @override
    def plain_facts(self) -> dict[str, Any]:
        """Reads whole tables, which is faster than fact by fact."""
        tables = [table.ravel().tolist() for table in self._told()]
        return dict(zip(_NAMES, chain.from_iterable(tables), strict=True))

    def _state(self) -> dict[str, Array]:
        drawn = {name: getattr(self._drawn, name) for name in ("ints", "floats", "noise", "last")}
        return drawn | {"counts": self._counts, "case": self._case}

    def _restored(self) -> None:
        for lane in self._lanes.tolist():
            self._drawn.show(lane)
        self._look()
        self._score()
