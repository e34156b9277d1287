"""Rules of the T-maze, shared by both forms: parameters, hidden choices, map of the world.

World coordinates are (row, col), row 0 on top.
Source: LP-RNN ("Concrete"), arXiv 1805.04955, section 5.2.2 and appendix B.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from engram.envs.arguments import (
    MOST_STEPS,
    check_at_least,
    check_choices,
    check_flag,
    check_keys,
    check_known,
    check_timeout,
    check_whole,
    listed,
    shown,
    spread,
)
from engram.envs.forms.boards import Look
from engram.envs.forms.rules import Rules

Mask = NDArray[np.bool_]

WORLD_ROWS, WORLD_COLS = 77, 191
WORLD = (WORLD_ROWS, WORLD_COLS)
WINDOW_ROWS, WINDOW_COLS = 7, 11
EYE = (3, 5)  # where the window shows the player
NW_MAX = (
    WORLD_ROWS - WINDOW_ROWS,
    WORLD_COLS - WINDOW_COLS,
)  # the window's own corner stays within 0 .. NW_MAX
SIDES = ("left", "right")
SPECKLE_SHARE = 0.6  # of the material cells are painted

STEP_REWARD = -0.001
GOAL_REWARD = 1.0

ROOM_TOP, ROOM_LEFT, ROOM_SIZE = 4, 93, 3  # floor of the teleporter room; the teleporter is its top row
START = (6, 94)
START_CORNER = (START[0] - EYE[0], START[1] - EYE[1])
LIMBO = (4, 140)
MAZE_COL = 94  # where the player enters a maze

MAZE_WALLS = ((84, 104), (79, 109), (72, 116), (59, 129), (39, 151), (3, 187))  # outer wall columns by level
LEVELS = tuple(range(len(MAZE_WALLS)))
SPECKLE_TOP = 10

LOOK = Look(
    rows=WINDOW_ROWS,
    cols=WINDOW_COLS,
    planes="PQ#~ ",
    repaint={"t": "~", "l": "~", "r": "~", "*": "#"},
    colours={"P": (0, 255, 255), "Q": (0, 255, 0), "#": (128, 0, 128), "~": (0, 0, 255)},
)
Z_ORDER = "*#ltrQP"  # back to front

HIDDEN = ("which_goal", "level", "limbo_time", "speckle")

_LEGAL_LEVELS = f"{', '.join(map(str, LEVELS))}, or a list of these"
_LEGAL_LIMBO = "0 (no limbo) or >= 3 env steps, or a list of these"
_LIMBO_ART = (
    "##   #   ##",
    "  ## # ##  ",
    "    ###    ",
    "##### #####",
    "    ###    ",
    "  ## # ##  ",
    "##   #   ##",
)


def maze_top(level: int) -> int:
    """Return the world row of a maze's top wall; its corridor begins in the row below."""
    return 12 + 11 * level


def cue_cells(side: str) -> tuple[slice, slice]:
    """Return screen rows and columns of the cue."""
    return (slice(4, 7), slice(0, 2) if side == "left" else slice(9, 11))


@cache
def world_masks() -> Mapping[str, Mask]:
    """Return cells (77, 191) of walls `#`, speckle `*`, teleporter `t`, goals `l`, `r`; read-only."""
    masks = {glyph: np.zeros(WORLD, dtype=np.bool_) for glyph in "#*tlr"}
    masks["*"][SPECKLE_TOP:] = True
    _carve_room(masks)
    for level in LEVELS:
        _carve_maze(masks, level)
    for mask in masks.values():
        mask.flags.writeable = False
    return masks


def _carve_room(masks: Mapping[str, Mask]) -> None:
    inside = slice(ROOM_LEFT, ROOM_LEFT + ROOM_SIZE)
    masks["#"][ROOM_TOP - 1 : ROOM_TOP + ROOM_SIZE + 1, ROOM_LEFT - 1 : ROOM_LEFT + ROOM_SIZE + 1] = True
    masks["#"][ROOM_TOP : ROOM_TOP + ROOM_SIZE, inside] = False
    masks["t"][ROOM_TOP, inside] = True
    art = np.array([list(line) for line in _LIMBO_ART]) == "#"
    top, left = LIMBO[0] - EYE[0], LIMBO[1] - EYE[1]
    masks["#"][top : top + WINDOW_ROWS, left : left + WINDOW_COLS] = art


def _carve_maze(masks: Mapping[str, Mask], level: int) -> None:
    top, (west, east) = maze_top(level), MAZE_WALLS[level]
    legs = {"l": slice(west + 1, west + 4), "r": slice(east - 3, east)}
    solid = [(slice(top, top + 4), slice(west, east + 1))]
    solid += [(slice(top, top + 8), slice(leg.start - 1, leg.stop + 1)) for leg in legs.values()]
    floor = [(slice(top + 1, top + 3), slice(west + 1, east))]
    floor += [(slice(top + 1, top + 7), leg) for leg in legs.values()]
    for cells in solid:
        masks["#"][cells], masks["*"][cells] = True, False
    for cells in floor:
        masks["#"][cells] = False
    for glyph, leg in legs.items():
        masks[glyph][top + 6, leg] = True


@dataclass(frozen=True)
class TMazeRules(Rules):
    """Parameters of the T-maze, checked; the defaults are the paper's.

    Args:
        level: maze size 0 to 5 (default 4), or a list to draw from uniformly in each episode; corridor
            lengths from the start to a leg are 7 to 90 cells.
        teleport_delay: observations until the teleporter appears (default 50), at least 0.
        limbo_time: env steps from the teleport to the maze (default 280), or a list to draw from uniformly in
            each episode; 0 for no limbo, else at least 3. This is what the memory is tested by: the one bit
            of the cue must outlive `limbo_time` + 1 steps, nearly all of which look alike, so a longer limbo
            asks for a longer memory, not for a larger one.
        timeout_frames: env steps (default 1000); -1 for never.
        cue_after_teleport: keep the cue in sight to the end (default False).

    Raises:
        ValueError: a value is not legal.
    """

    level: int | Sequence[int] = 4
    teleport_delay: int = 50
    limbo_time: int | Sequence[int] = 280
    timeout_frames: int = 1000
    cue_after_teleport: bool = False

    def __post_init__(self) -> None:
        check_levels("level", self.level)
        check_at_least("teleport_delay", self.teleport_delay, 0, ">= 0 env steps", MOST_STEPS)
        check_limbo_times("limbo_time", self.limbo_time)
        check_timeout("timeout_frames", self.timeout_frames)
        check_flag("cue_after_teleport", self.cue_after_teleport)

    @property
    def levels(self) -> tuple[int, ...]:
        """The levels an episode's level is drawn from."""
        return check_levels("level", self.level)

    @property
    def limbo_times(self) -> tuple[int, ...]:
        """The limbo times an episode's limbo time is drawn from."""
        return check_limbo_times("limbo_time", self.limbo_time)

    @property
    def group_by(self) -> str:
        """The info key by which results are split: what is drawn anew in each episode."""
        return "limbo_time" if len(self.limbo_times) > 1 else "level"

    @property
    @override
    def memory_delay(self) -> int:
        return int(self.delays(max(self.limbo_times)))

    def delays(self, limbo_times: Any) -> Any:
        """Return env steps from the last sight of the cue to the first action that counts.

        Args:
            limbo_times: of one episode, or of each lane's (B,).
        """
        if self.cue_after_teleport:
            return np.zeros_like(limbo_times)
        return np.where(np.asarray(limbo_times) > 0, np.asarray(limbo_times) + 1, 2)


def check_levels(name: str, value: Any) -> tuple[int, ...]:
    """Return one level or a sequence of levels as a tuple.

    Raises:
        ValueError: empty, or something that is no level.
    """
    return check_choices(name, value, _LEGAL_LEVELS, _check_level)


def _check_level(name: str, value: Any) -> int:
    level = check_whole(name, value, _LEGAL_LEVELS)
    if level not in LEVELS:
        nearest = min(max(level, LEVELS[0]), LEVELS[-1])
        raise ValueError(
            f"{name}: there is no level {shown(level)}; legal: {_LEGAL_LEVELS}; nearest: {nearest}"
        )
    return level


def check_limbo_times(name: str, value: Any) -> tuple[int, ...]:
    """Return one limbo time or a sequence of limbo times as a tuple.

    Raises:
        ValueError: empty, or something that is no limbo time.
    """
    return check_choices(name, value, _LEGAL_LIMBO, _check_limbo_time)


def _check_limbo_time(name: str, value: Any) -> int:
    time = check_at_least(name, value, 0, _LEGAL_LIMBO, MOST_STEPS)
    if time in (1, 2):
        raise ValueError(f"{name}: {time} is too short; legal: {_LEGAL_LIMBO}; nearest: 3")
    return time


def read_hidden(options: Mapping[str, Any], lanes: int) -> dict[str, NDArray[Any]]:
    """Read hidden choices from reset options and spread them over the lanes.

    Args:
        options: any of `level`, `limbo_time`, `which_goal` ("left", "right") and `speckle` (bool (77, 191)).
        lanes: how many episodes begin (B).

    Returns:
        those given: `level` and `limbo_time` int (B,), `which_goal` index into `SIDES` (B,), `speckle` bool
        (B, 77, 191).

    Raises:
        ValueError: an unknown option or an illegal value.
    """
    check_keys("options", options, HIDDEN)
    found: dict[str, Any] = {}
    if "level" in options:
        found["level"] = check_levels("options.level", options["level"])
    if "limbo_time" in options:
        found["limbo_time"] = check_limbo_times("options.limbo_time", options["limbo_time"])
    if "which_goal" in options:
        goals = listed(options["which_goal"])
        found["which_goal"] = [SIDES.index(check_known("options.which_goal", goal, SIDES)) for goal in goals]
    if "speckle" in options:
        found["speckle"] = np.asarray(options["speckle"]).astype(np.bool_)
    shapes = {"speckle": (lanes, *WORLD)}
    return {name: spread(name, values, shapes.get(name, (lanes,))) for name, values in found.items()}
