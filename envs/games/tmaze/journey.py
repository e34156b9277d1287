"""Players of the batched T-maze, from room to limbo to maze to goal: moves, rewards, ends.

B lanes. Time is one clock for all lanes; each lane knows the clock of its next event and of its end. Moving
is one table look-up (`engram.envs.games.tmaze.sheet`); only lanes with an event need more.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.envs.arrays import Flags, Floats, Ints
from engram.envs.forms.actions import ACTIONS
from engram.envs.forms.rules import NEVER, timeout_frame
from engram.envs.games.tmaze import rules
from engram.envs.games.tmaze import sheet as sheets
from engram.envs.games.tmaze.rules import TMazeRules
from engram.envs.games.tmaze.sheet import BAND_ROWS, STRIDE


class Part(IntEnum):
    """The part of its episode a lane is in."""

    ROOM = 0
    TAKEN = 1  # stepped on the teleporter
    LIMBO = 2
    HELD = 3  # entered the maze; one more action is ignored
    MAZE = 4
    GOAL = 5  # reached a goal


class Frame(NamedTuple):
    """One step of all lanes, each (B,)."""

    before: Ints  # spots at the end of the frame before
    actions: Ints
    rewards: Floats


class Journey:
    """The players of all lanes.

    Args:
        game: the parameters.
        lanes: number of lanes (B).

    Attributes, each (B,) but the clock:
        clock: frames since the beginning.
        part: see `Part`.
        spot: place of the player; the corner of its window on the canvas is `spot + base`.
        event: clock of the lane's next event; ends: of its last frame; due: of the earlier of the two.
        young: the coming step is the first of the episode.
        level, limbo_time, goal: of the episode; the cued side as an index into SIDES.
        success: the cued goal was reached.
        column: world column of the teleporter cell used.
        eye: screen column of the player.
        scrolled: at a goal, the window's last move, in spots.
        off_centre: whether any lane's player is out of the middle of its window.
    """

    def __init__(self, game: TMazeRules, lanes: int) -> None:
        self._game = game
        self._sheet = sheets.sheet()
        self._handlers = (self._room, self._taken, self._limbo, self._held, self._maze, self._at_goal)
        self.clock = np.zeros((), np.int64)
        self.part, self.spot, self.base, self.column, self.eye, self.scrolled = np.zeros((6, lanes), np.int64)
        self.level, self.limbo_time, self.goal = np.zeros((3, lanes), np.int64)
        self.event, self.ends, self.due = np.full((3, lanes), NEVER)
        self.young, self.success = np.zeros((2, lanes), np.bool_)
        self.off_centre = False

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the arrays (not copies) by name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}

    def look_off_centre(self) -> None:
        """Bring `off_centre` up to date."""
        self.off_centre = bool((self.eye != rules.EYE[1]).any())

    def begin(self, lanes: Ints, levels: Ints, limbo_times: Ints, goals: Ints) -> None:
        """Begin an episode in some lanes: put their players into the room."""
        opens = self._game.teleport_delay - 1
        self.level[lanes], self.limbo_time[lanes], self.goal[lanes] = levels, limbo_times, goals
        self.part[lanes] = Part.ROOM
        self.spot[lanes] = sheets.START_SPOT + (sheets.OPENED if opens <= 0 else 0)
        self.base[lanes] = (1 + goals) * rules.WINDOW_ROWS * STRIDE
        self.eye[lanes] = rules.EYE[1]
        self.success[lanes], self.young[lanes] = False, True
        self.ends[lanes] = self.clock + timeout_frame(self._game.timeout_frames)
        self._schedule(lanes, self.clock + opens if opens > 0 else NEVER)

    def advance(self, actions: Ints) -> tuple[Floats, Flags]:
        """Play one frame; return rewards and terminations, each (B,)."""
        self.clock += 1
        before = self.spot
        self.spot = self._sheet.step[before * ACTIONS + actions]
        rewards = np.full(len(before), rules.STEP_REWARD)
        rewards[self.young] = 0.0
        self.young.fill(False)
        terminated = np.zeros(len(before), np.bool_)
        eventful = self._sheet.hot[self.spot]
        eventful |= self.due <= self.clock
        lanes = np.flatnonzero(eventful)
        if lanes.size:
            self._handle(lanes, Frame(before, actions, rewards))
            over = lanes[self.ends[lanes] <= self.clock]
            terminated[over], rewards[over] = True, 0.0
        return rewards, terminated

    def _handle(self, lanes: Ints, frame: Frame) -> None:
        lanes = lanes[(self.event[lanes] <= self.clock) | self._sheet.hot[self.spot[lanes]]]
        parts = self.part[lanes]
        for part, count in enumerate(np.bincount(parts)):
            if count:
                self._handlers[part](lanes[parts == part], frame)

    def _schedule(self, lanes: Ints, when: Any) -> None:
        self.event[lanes] = when
        self.due[lanes] = np.minimum(when, self.ends[lanes])

    def _room(self, lanes: Ints, frame: Frame) -> None:
        opening = lanes[self.event[lanes] <= self.clock]
        self.spot[opening] += sheets.OPENED
        self._schedule(opening, NEVER)
        taken = lanes[self._sheet.portal[self.spot[lanes]]]
        self.part[taken] = Part.TAKEN
        self._schedule(taken, self.clock + 1)

    def _taken(self, lanes: Ints, frame: Frame) -> None:
        self.column[lanes] = rules.ROOM_LEFT + (self.spot[lanes] - sheets.OPENED) // rules.WINDOW_COLS
        direct = self.limbo_time[lanes] == 0
        if direct.any():
            self._enter_maze(lanes[direct], self.column[lanes[direct]])
            lanes = lanes[~direct]
        self.part[lanes] = Part.LIMBO
        self.spot[lanes] = sheets.LIMBO_SPOT
        if not self._game.cue_after_teleport:
            self.base[lanes] = 0
        self._schedule(lanes, self.clock + self.limbo_time[lanes] - 1)

    def _limbo(self, lanes: Ints, frame: Frame) -> None:
        self._enter_maze(lanes, np.full(lanes.size, rules.MAZE_COL))

    def _enter_maze(self, lanes: Ints, cols: Ints) -> None:
        levels = self.level[lanes]
        row = sheets.maze_row(levels)
        self.part[lanes] = Part.HELD
        self.spot[lanes] = row * STRIDE + cols - sheets.WEST[levels]
        corner_row = sheets.LANES_TOP + lanes * BAND_ROWS + sheets.BAND_ABOVE + 1 - rules.EYE[0]
        self.base[lanes] = (corner_row - row) * STRIDE - rules.EYE[1]
        self._schedule(lanes, self.clock + 1)

    def _held(self, lanes: Ints, frame: Frame) -> None:
        self.spot[lanes] = frame.before[lanes]
        self.part[lanes] = Part.MAZE
        self._schedule(lanes, NEVER)

    def _maze(self, lanes: Ints, frame: Frame) -> None:
        move = self._pan(lanes, self.spot[lanes] - frame.before[lanes])
        arrived = self._sheet.goal[self.spot[lanes]] >= 0
        self.part[lanes[arrived]] = Part.GOAL
        self.scrolled[lanes[arrived]] = move[arrived]
        self._schedule(lanes[arrived], self.clock + 1)

    def _at_goal(self, lanes: Ints, frame: Frame) -> None:
        """Move as the screen of a frame ago allows (see `tmaze.things.Player`), then judge."""
        here = frame.before[lanes]
        there = here + sheets.MOVE_SPOTS[frame.actions[lanes]]
        hidden = self._sheet.goal[there - self.scrolled[lanes]] >= 0
        self.spot[lanes] = np.where(self._sheet.wall[there] & ~hidden, here, there)
        self.scrolled[lanes] = self._pan(lanes, self.spot[lanes] - here)
        judged = lanes[self.ends[lanes] > self.clock]
        right = self._sheet.goal[frame.before[judged]] == self.goal[judged]
        frame.rewards[judged] += np.where(right, rules.GOAL_REWARD, -rules.GOAL_REWARD)
        self.success[judged] = right
        self.ends[judged] = self.clock + 1
        self._schedule(judged, self.clock + 1)

    def _pan(self, lanes: Ints, move: Ints) -> Ints:
        """Let the window follow moves (in spots), unless it would leave its limits; return its own moves.

        The window counts columns from before the jumps, which moved the world by 94 minus the teleporter's
        column.
        """
        start = np.where(self.limbo_time[lanes] > 0, rules.MAZE_COL, self.column[lanes])
        world = self.spot[lanes] % STRIDE + sheets.WEST[self.level[lanes]]
        corner = world + self.column[lanes] - start - self.eye[lanes]
        stuck = (abs(move) == 1) & ((corner < 0) | (corner > rules.NW_MAX[1]))
        halted = lanes[stuck]
        self.base[halted] -= move[stuck]
        self.eye[halted] += move[stuck]
        self.look_off_centre()
        return np.where(stuck, 0, move)
