"""The T-maze in batched form: the rules of `engram.envs.games.tmaze`, frame for frame, as array operations.

B lanes. `engram.envs.games.tmaze.journey` moves the players, `engram.envs.games.tmaze.canvas` shows what
they see.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from typing_extensions import override

from engram.envs.arrays import Array, Bytes, Flags, Floats, Ints
from engram.envs.forms.batched_env import Lanes
from engram.envs.forms.batched_task import BatchedGame
from engram.envs.forms.parameters import Parametrized
from engram.envs.games.tmaze import rules
from engram.envs.games.tmaze.canvas import Canvas, band_chars, speckle_in_world, speckle_of_world
from engram.envs.games.tmaze.journey import Journey
from engram.envs.games.tmaze.rules import TMazeRules
from engram.envs.games.tmaze.sheet import BAND_ROWS, STRIDE

_CODES = np.arange(256, dtype=np.uint8)[:, None]


class BatchedTMaze(Parametrized, BatchedGame[TMazeRules], task=TMazeRules):
    """`engram.envs.games.tmaze.single.TMaze` in B lanes; see there for the task and its arguments.

    Observation:
        uint8 (B, 7, 11, 5), fresh at each step.
    """

    look = rules.LOOK

    @override
    def _allocate(self) -> None:
        self._levels = np.array(self.rules.levels)
        self._limbo_times = np.array(self.rules.limbo_times)
        self._journey = Journey(self.rules, self.num_envs)
        self._speckle = np.zeros((self.num_envs, BAND_ROWS, rules.WORLD_COLS), np.bool_)
        self._planes = Canvas(self.look.one_hot, self.num_envs)
        self._chars = Canvas(_CODES, self.num_envs)

    @override
    def hidden_choices(self, lane: int) -> dict[str, Any]:
        """The lane's reset options; `speckle` holds what its level can show, False elsewhere."""
        level = int(self._journey.level[lane])
        speckle = speckle_in_world(self._speckle[lane], level)
        return {
            "level": level,
            "limbo_time": int(self._journey.limbo_time[lane]),
            "which_goal": rules.SIDES[self._journey.goal[lane]],
            "speckle": speckle,
        }

    def _facts(self) -> dict[str, Array]:
        now = self._journey
        return {
            "level": now.level,
            "limbo_time": now.limbo_time,
            "delay": self.rules.delays(now.limbo_time),
            "success": now.success,
        }

    def _state(self) -> dict[str, Array]:
        return {"speckle": self._speckle, **self._journey.state()}

    @override
    def _lane_bytes(self) -> int:
        """Adds a band of planes and of characters, and its speckle as drawn."""
        planes = len(self.look.planes)
        return super()._lane_bytes() + BAND_ROWS * (STRIDE * (planes + 1) + 5 * rules.WORLD_COLS)

    def _restored(self) -> None:
        self._journey.look_off_centre()
        self._draw(np.arange(self.num_envs))

    def _begin(self, lanes: Ints, options: Mapping[str, Any]) -> None:
        given = rules.read_hidden(options, lanes.size)
        levels = self._levels[self.np_random.integers(self._levels.size, size=lanes.size)]
        goals = self.np_random.integers(len(rules.SIDES), size=lanes.size)
        speckle = self.np_random.random((lanes.size, *self._speckle.shape[1:]), dtype=np.float32)
        limbo_times = self._limbo_times
        if limbo_times.size > 1:
            limbo_times = limbo_times[self.np_random.integers(limbo_times.size, size=lanes.size)]
        levels = given.get("level", levels)
        self._speckle[lanes] = speckle < rules.SPECKLE_SHARE
        for lane, world, level in zip(lanes, given.get("speckle", ()), levels, strict=False):
            self._speckle[lane] = speckle_of_world(world, level)
        self._journey.begin(
            lanes, levels, given.get("limbo_time", limbo_times), given.get("which_goal", goals)
        )
        self._draw(lanes)

    def _draw(self, lanes: Ints) -> None:
        chars = band_chars(self._journey.level[lanes], self._speckle[lanes])
        self._planes.draw(lanes, chars)
        self._chars.draw(lanes, chars)

    def _advance(self, actions: Ints) -> tuple[Floats, Flags]:
        return self._journey.advance(actions)

    def _observe(self, lanes: Lanes) -> Bytes:
        return self._paint(self._planes, lanes)

    def _boards(self, lanes: Lanes) -> Bytes:
        return self._paint(self._chars, lanes)[..., 0]

    def _paint(self, canvas: Canvas, lanes: Lanes) -> Bytes:
        now = self._journey
        screens = canvas.read((now.spot + now.base)[lanes])
        if now.off_centre:
            screens[np.arange(len(screens)), rules.EYE[0], now.eye[lanes]] = canvas.brush[ord("P")]
        else:
            screens[:, rules.EYE[0], rules.EYE[1]] = canvas.brush[ord("P")]
        if self.rules.cue_after_teleport:
            for index, side in enumerate(rules.SIDES):
                cued = now.goal[lanes] == index
                screens[(cued, *rules.cue_cells(side))] = canvas.brush[ord("Q")]
        return screens
