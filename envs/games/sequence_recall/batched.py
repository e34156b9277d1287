"""Sequence Recall in batched form: the rules of the single form, frame for frame, as array operations.

B lanes. A cell is an index into the board, row by row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from typing_extensions import override

from engram.envs.arrays import Array, Bytes, Flags, Floats, Ints
from engram.envs.forms.actions import MOVES
from engram.envs.forms.batched_env import Lanes
from engram.envs.forms.batched_task import BatchedGame
from engram.envs.forms.parameters import Parametrized
from engram.envs.forms.rules import NEVER, timeout_frame
from engram.envs.games.sequence_recall import rules
from engram.envs.games.sequence_recall.rules import NONE, Hidden, SequenceRecallRules

_START_CELL = int(np.ravel_multi_index(rules.START, (rules.ROWS, rules.COLS)))
_CELLS = rules.ROWS * rules.COLS


class BatchedSequenceRecall(Parametrized, BatchedGame[SequenceRecallRules], task=SequenceRecallRules):
    """`engram.envs.games.sequence_recall.single.SequenceRecall` in B lanes; see there for task and arguments.

    Observation:
        uint8 (B, 17, 21, 8), fresh at each step.
    """

    look = rules.LOOK

    @override
    def _allocate(self) -> None:
        boards = _all_boards()
        self._painted_boards = boards.reshape(-1, _CELLS)
        planes = self.look.observe(boards)  # K = 8 bytes of a cell are one number: one copy instead of many
        self._painted_planes = planes.view(np.uint64).reshape(-1, _CELLS)
        self._player_planes = self.look.one_hot[ord("P")].view(np.uint64)[0]
        self._step_to, self._light_at = _moves(), rules.lights_by_cell().ravel()
        lanes, longest = self.num_envs, max(self.rules.choices("sequence_length"))
        self._hidden = Hidden(np.zeros((lanes, longest), np.int64), *np.ones((4, lanes), np.int64))
        self._frame, self._cell, self._lit, self._entered, self._recalled = np.zeros((5, lanes), np.int64)
        self._opening, self._delay = np.zeros((2, lanes), np.int64)
        self._ends = np.full(lanes, NEVER)

    @override
    def hidden_choices(self, lane: int) -> dict[str, Any]:
        return self._hidden.choices(lane)

    def _facts(self) -> dict[str, Array]:
        length = self._hidden.length
        return {
            "sequence_length": length,
            "delay": self._delay,
            "recalled": self._recalled,
            "success": self._recalled == length,
        }

    def _state(self) -> dict[str, Array]:
        return {
            **self._hidden._asdict(),
            "frame": self._frame,
            "cell": self._cell,
            "lit": self._lit,
            "entered": self._entered,
            "recalled": self._recalled,
            "ends": self._ends,
        }

    @override
    def _lane_bytes(self) -> int:
        """Adds the sequence, as drawn and as kept."""
        return super()._lane_bytes() + 24 * max(self.rules.choices("sequence_length"))

    def _restored(self) -> None:
        self._opening[:], self._delay[:] = self._hidden.opening, self._hidden.delay

    def _begin(self, lanes: Ints, options: Mapping[str, Any]) -> None:
        drawn = self.rules.draw(self.np_random, options, lanes.size)
        for live, new in zip(self._hidden, drawn, strict=True):
            live[lanes] = new
        self._opening[lanes], self._delay[lanes] = drawn.opening, drawn.delay
        self._ends[lanes] = timeout_frame(self.rules.timeout_frames)
        self._frame[lanes], self._cell[lanes], self._lit[lanes] = 0, _START_CELL, NONE
        self._entered[lanes], self._recalled[lanes] = 0, 0

    def _advance(self, actions: Ints) -> tuple[Floats, Flags]:
        self._frame += 1
        rewards = np.zeros(self.num_envs)
        free = self._frame >= self._opening
        self._demonstrate(~free)
        roaming = np.flatnonzero(free & (self._entered < self._hidden.length))
        if roaming.size:
            self._roam(roaming, actions[roaming], rewards)
        terminated = self._frame >= self._ends
        rewards[(self._frame > 1) & ~terminated] += rules.STEP_REWARD
        return rewards, terminated

    def _demonstrate(self, penned: Flags) -> None:
        """Switch the lights of the lanes that still watch."""
        hidden = self._hidden
        index, age = np.divmod(self._frame, hidden.on + hidden.off)
        lit = penned & (index < hidden.length) & (age >= hidden.off)
        shown = hidden.sequence[self._lanes, np.minimum(index, hidden.sequence.shape[1] - 1)]
        self._lit[penned] = np.where(lit, shown, NONE)[penned]

    def _roam(self, lanes: Ints, actions: Ints, rewards: Floats) -> None:
        """Move the players that are free, and see which light each has entered or left."""
        cells = self._step_to[self._cell[lanes], actions]
        self._cell[lanes] = cells
        here, inside = self._light_at[cells], self._lit[lanes] != NONE
        self._lit[lanes[inside & (here == NONE)]] = NONE
        came = ~inside & (here != NONE)
        if came.any():
            self._enter(lanes[came], here[came], rewards)

    def _enter(self, lanes: Ints, lights: Ints, rewards: Floats) -> None:
        right = lights == self._hidden.sequence[lanes, self._entered[lanes]]
        rewards[lanes[right]] += rules.LIGHT_REWARD
        self._recalled[lanes] += right
        self._lit[lanes] = lights
        self._entered[lanes] += 1
        last = lanes[self._entered[lanes] == self._hidden.length[lanes]]
        frame, ends = self._frame[last], self._ends[last]
        # A timeout still holds on this frame and on the next one.
        self._ends[last] = np.where(ends > frame + 1, frame + rules.FAREWELL, ends)

    def _observe(self, lanes: Lanes) -> Bytes:
        planes = self._paint(self._painted_planes, self._player_planes, lanes)
        return planes.view(np.uint8).reshape(-1, rules.ROWS, rules.COLS, len(self.look.planes))

    def _boards(self, lanes: Lanes) -> Bytes:
        boards = self._paint(self._painted_boards, np.uint8(ord("P")), lanes)
        return boards.reshape(-1, rules.ROWS, rules.COLS)

    def _paint(self, painted: Array, player: Any, lanes: Lanes) -> Array:
        penned = self._frame[lanes] < self._opening[lanes]
        pictures = np.take(painted, 2 * self._lit[lanes] + penned, axis=0)
        pictures[np.arange(len(pictures)), self._cell[lanes]] = player
        return pictures


def _moves() -> Ints:
    """Return the cell that each action leads to from each cell, (cells, 5); walls stop the player."""
    wall = rules.wall_cells()
    rows, cols = np.divmod(np.arange(_CELLS), rules.COLS)
    targets = []
    for down, right in MOVES:
        there = np.clip(rows + down, 0, rules.ROWS - 1), np.clip(cols + right, 0, rules.COLS - 1)
        targets.append(np.where(wall[there], np.arange(_CELLS), np.ravel_multi_index(there, wall.shape)))
    return np.stack(targets, axis=1)


def _all_boards() -> Bytes:
    """Paint every board without the player, (5 * 2, R, C): by lit light, without and with pen."""
    boards = np.full((len(rules.LIGHTS) + 1, 2, rules.ROWS, rules.COLS), ord(" "), np.uint8)
    boards[:, :, rules.wall_cells()] = ord("#")
    for light, glyph in enumerate(rules.LIGHTS, start=1):
        boards[:, :, rules.light_cells(light)] = ord("M")
        boards[light, :, rules.light_cells(light)] = ord(glyph)
    boards[:, 1, rules.pen_cells()] = ord("%")
    return boards.reshape(-1, rules.ROWS, rules.COLS)
