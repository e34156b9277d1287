"""Cued Catch in batched form: the rules of the single form, frame for frame, as array operations.

All boards of the game are painted beforehand; a step picks one per lane. B lanes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from engram.envs.arrays import Array, Bytes, Flags, Floats, Ints
from engram.envs.forms.actions import DOWN, UP
from engram.envs.forms.batched_env import Lanes
from engram.envs.forms.batched_task import BatchedGame
from engram.envs.forms.parameters import Parametrized
from engram.envs.games.cued_catch import rules
from engram.envs.games.cued_catch.rules import CUES, TRIAL_FRAMES, CuedCatchRules, Hidden

_AGES = 1 + TRIAL_FRAMES  # no balls, or frames since they started
_PLAYER_ROWS = len(rules.BALL_ROWS)

# What the Q plane shows: a lesson of a cue for one of two balls, a cue, a cue with its bar, nothing.
_LESSON = 0
_CUE = _LESSON + 2 * CUES
_CUE_WITH_BAR = _CUE + CUES
_NOTHING = _CUE_WITH_BAR + 2 * CUES


class BatchedCuedCatch(Parametrized, BatchedGame[CuedCatchRules], task=CuedCatchRules):
    """`engram.envs.games.cued_catch.single.CuedCatch` in B lanes; see there for the task and its arguments.

    Observation:
        uint8 (B, 7, 12, 5), fresh at each step.
    """

    look = rules.LOOK

    @override
    def _allocate(self) -> None:
        self._signs_at, self._ages = _timetable(self.rules)
        boards = _all_boards()
        self._painted_boards = _as_items(boards)
        self._painted_planes = _as_items(self.look.observe(boards))
        lanes, trials = self.num_envs, self.rules.num_trials
        self._frame, self._row, self._caught, self._free = np.zeros((4, lanes), np.int64)
        self._taught = np.zeros((lanes, CUES), np.bool_)
        self._cues = np.zeros((lanes, trials + 1), np.int8)
        self._noise = np.zeros((lanes, trials))
        self._signs = np.zeros((lanes, CUES + trials + 2), np.int64)

    @override
    def hidden_choices(self, lane: int) -> dict[str, Any]:
        return self._hidden().choices(lane)

    def _hidden(self) -> Hidden:
        return Hidden(self._taught, self._cues, self._noise, self._free)

    def _facts(self) -> dict[str, Array]:
        over = self._frame >= self.rules.last_frame
        return {
            "reward_free_trials": self._free,
            "delay": self.rules.delays(self._free),
            "caught": self._caught,
            "success": over & (self._caught == self.rules.num_trials - self._free),
        }

    def _state(self) -> dict[str, Array]:
        return {
            "frame": self._frame,
            "row": self._row,
            "caught": self._caught,
            "reward_free_trials": self._free,
            "cue_is_top": self._taught,
            "trial_cues": self._cues,
            "noise": self._noise,
        }

    @override
    def _lane_bytes(self) -> int:
        """Adds a cue, a noise value and a sign for each trial, as drawn and as kept."""
        return super()._lane_bytes() + 40 * self.rules.num_trials

    def _restored(self) -> None:
        self._paint_signs(self._lanes)

    def _begin(self, lanes: Ints, options: Mapping[str, Any]) -> None:
        drawn = self.rules.draw(self.np_random, options, lanes.size)
        self._taught[lanes], self._cues[lanes] = drawn.cue_is_top, drawn.trial_cues
        self._noise[lanes], self._free[lanes] = drawn.noise, drawn.reward_free_trials
        self._frame[lanes], self._row[lanes], self._caught[lanes] = 0, 0, 0
        self._paint_signs(lanes)

    def _paint_signs(self, lanes: Ints) -> None:
        """Fill in what the Q plane shows in each lesson, in each trial, and otherwise."""
        taught, cues = self._taught[lanes], self._cues[lanes].astype(np.int64)
        self._signs[lanes, :CUES] = _LESSON + 2 * np.arange(CUES) + taught
        with_bar = _CUE_WITH_BAR + 2 * cues + np.take_along_axis(taught, cues, axis=1)
        self._signs[lanes, CUES:-1] = with_bar if self.rules.always_show_ball_symbol else _CUE + cues
        self._signs[lanes, -1] = _NOTHING

    def _advance(self, actions: Ints) -> tuple[Floats, Flags]:
        self._frame += 1
        np.minimum(self._frame, self.rules.last_frame, out=self._frame)
        self._row[actions == UP], self._row[actions == DOWN] = 0, 1
        rewards = np.zeros(self.num_envs)
        since = self._frame - self.rules.first_trial
        judged = np.flatnonzero((since > 0) & (since % TRIAL_FRAMES == TRIAL_FRAMES - 1))
        if judged.size:
            self._judge(judged, since[judged] // TRIAL_FRAMES, rewards)
        return rewards, self._frame == self.rules.last_frame

    def _judge(self, lanes: Ints, trials: Ints, rewards: Floats) -> None:
        paid = trials >= self._free[lanes]
        lanes, trials = lanes[paid], trials[paid]
        top = self._taught[lanes, self._cues[lanes, trials]]
        caught = top == (self._row[lanes] == 0)
        self._caught[lanes] += caught
        rewards[lanes] = caught + self._noise[lanes, trials]

    def _observe(self, lanes: Lanes) -> Bytes:
        return self._pick(self._painted_planes, lanes, self.look.space.shape)

    def _boards(self, lanes: Lanes) -> Bytes:
        return self._pick(self._painted_boards, lanes, (rules.ROWS, rules.COLS))

    def _pick(self, painted: NDArray[np.void], lanes: Lanes, shape: tuple[int, ...]) -> Bytes:
        frame = self._frame[lanes]
        signs = self._signs[self._lanes[lanes], self._signs_at[frame]]
        which = (signs * _AGES + self._ages[frame]) * _PLAYER_ROWS + self._row[lanes]
        pictures: Bytes = painted[which].view(np.uint8).reshape(-1, *shape)
        return pictures


def _timetable(game: CuedCatchRules) -> tuple[Ints, Ints]:
    """Return, for each frame, the column of `_signs` that the Q plane shows and the age of the balls."""
    signs, ages = [], []
    for frame in range(game.last_frame + 1):
        cue, trial = game.taught_cue(frame), game.shown_trial(frame)
        signs.append(cue if cue is not None else -1 if trial is None else CUES + trial)
        ages.append(game.ball_age(frame) - rules.NO_BALLS)
    return np.array(signs), np.array(ages)


def _all_boards() -> Bytes:
    """Paint every possible board, (signs * ages * player rows, R, C)."""
    boards = np.full((_NOTHING + 1, _AGES, _PLAYER_ROWS, rules.ROWS, rules.COLS), ord(" "), np.uint8)
    for index, row in enumerate(rules.BALL_ROWS):
        boards[:, :, index, row, rules.PLAYER_COL] = ord("P")
    for age in range(TRIAL_FRAMES):
        for glyph, row in zip("ab", rules.BALL_ROWS, strict=True):
            boards[:, age - rules.NO_BALLS, :, row, rules.BALL_START - age] = ord(glyph)
    for cue in range(CUES):
        for top in (False, True):
            bar = rules.bar_cells(top)
            for cells in (*rules.MARKERS, bar, rules.cue_cells(cue)):
                boards[(_LESSON + 2 * cue + top, ..., *cells)] = ord("Q")
            for cells in (bar, rules.cue_cells(cue)):
                boards[(_CUE_WITH_BAR + 2 * cue + top, ..., *cells)] = ord("Q")
        boards[(_CUE + cue, ..., *rules.cue_cells(cue))] = ord("Q")
    return boards.reshape(-1, rules.ROWS, rules.COLS)


def _as_items(pictures: Bytes) -> NDArray[np.void]:
    """View pictures (n, ...) as n items, each copied at once."""
    flat = np.ascontiguousarray(pictures).reshape(len(pictures), -1)
    return flat.view(f"V{flat.shape[1]}")[:, 0]
