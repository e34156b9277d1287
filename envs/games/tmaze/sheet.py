"""Tables of the batched T-maze: the places a player can be in, and where each action leads.

A *spot* is a place of the player: an index into a sheet of STRIDE columns. Row 0 of the sheet holds the
places outside the mazes, one every 11 columns (room with the teleporter closed, the same open, limbo); then
come 14 rows per level, the band of world rows that a player in that maze can see. The cells of a canvas
(`engram.envs.games.tmaze.canvas`) are laid out alike, so that the corner of a lane's window is `spot + base`,
with a `base` that changes only when the player is carried elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from engram.envs.arrays import Bytes, Ints
from engram.envs.forms.actions import MOVES
from engram.envs.games.tmaze import rules

BAND_ROWS = 14  # world rows T-2 .. T+11 around a maze with top wall T
BAND_ABOVE, BAND_LEFT = 2, 6  # rows above the top wall, columns left of the outer wall
ROOM_SPOTS = rules.ROOM_SIZE**2
VIEWS = 2 * ROOM_SPOTS + 1
STRIDE = VIEWS * rules.WINDOW_COLS
OPENED = ROOM_SPOTS * rules.WINDOW_COLS  # from a place in the closed room to the same place in the open one
LIMBO_SPOT = STRIDE - rules.WINDOW_COLS
STRIPS = 1 + len(rules.SIDES)
LANES_TOP = STRIPS * rules.WINDOW_ROWS  # canvas row where the lanes' bands begin

MOVE_SPOTS = np.array([row * STRIDE + col for row, col in MOVES])
WEST = np.array([west for west, _ in rules.MAZE_WALLS]) - BAND_LEFT  # world column of a band's first column


@dataclass(frozen=True)
class Sheet:
    """What each of S spots holds.

    Args:
        step: spot after an action, flat (S * 5,); goals and the open teleporter hold the player.
        wall: (S,) bool.
        goal: (S,) int8: index into SIDES, -1 where there is none.
        portal: (S,) bool, the open teleporter.
        hot: (S,) bool: arriving here needs more than a step: portal, goal, or near the end of the world.
        bands: characters of each level's band with all its speckle, (6, 14, STRIDE).
        views: ready-made views of the room and limbo without, with left and with right cue, (3, 7, STRIDE).
    """

    step: Ints
    wall: NDArray[np.bool_]
    goal: NDArray[np.int8]
    portal: NDArray[np.bool_]
    hot: NDArray[np.bool_]
    bands: Bytes
    views: Bytes

    def __reduce__(self) -> tuple[Callable[[], Sheet], tuple[()]]:
        """A copy is the same: there is one sheet."""
        return sheet, ()


def room_spot(row: NDArray[np.int64] | int, col: NDArray[np.int64] | int) -> int:
    """Return the spot of a floor cell of the closed room, counted from its corner."""
    return int(rules.WINDOW_COLS * (rules.ROOM_SIZE * row + col))


START_SPOT = room_spot(rules.START[0] - rules.ROOM_TOP, rules.START[1] - rules.ROOM_LEFT)


def band_rows(level: int) -> Ints:
    """Return the world rows of a level's band (14,)."""
    return (rules.maze_top(level) - BAND_ABOVE + np.arange(BAND_ROWS)) % rules.WORLD_ROWS


def maze_row(levels: Ints) -> Ints:
    """Return the sheet row where the player enters the maze."""
    return 1 + BAND_ROWS * levels + BAND_ABOVE + 1


@cache
def sheet() -> Sheet:
    """Build the tables, once."""
    bands = _bands()
    world = np.concatenate([np.full((1, STRIDE), ord(" "), np.uint8), *bands]).ravel()
    wall = world == ord("#")
    goal = np.select([world == ord("l"), world == ord("r")], [0, 1], -1).astype(np.int8)
    spots = np.arange(world.size)
    targets = (spots[:, None] + MOVE_SPOTS) % world.size
    step = np.where(wall[targets] | (goal >= 0)[:, None], spots[:, None], targets)
    step[:STRIDE] = spots[:STRIDE, None]
    portal = np.zeros(world.size, np.bool_)
    for row, col in np.ndindex(rules.ROOM_SIZE, rules.ROOM_SIZE):
        spot = room_spot(row, col)
        portal[spot + OPENED] = row == 0
        for action, (down, right) in enumerate(MOVES):
            there = room_spot(*np.clip((row + down, col + right), 0, rules.ROOM_SIZE - 1))
            step[spot, action] = there
            step[spot + OPENED, action] = spot + OPENED if row == 0 else there + OPENED
    hot = portal | (goal >= 0) | _far_ends()
    return Sheet(step.ravel(), wall, goal, portal, hot, bands, _views())


def _bands() -> Bytes:
    chars = np.full(rules.WORLD, ord(" "), np.uint8)
    for glyph in "*#lr":
        chars[rules.world_masks()[glyph]] = ord(glyph)
    cols = [(WEST[level] + np.arange(STRIDE)) % rules.WORLD_COLS for level in rules.LEVELS]
    return np.stack([chars[np.ix_(band_rows(level), cols[level])] for level in rules.LEVELS])


def _far_ends() -> NDArray[np.bool_]:
    """Return spots near the world's first or last column, where the window may have to stop."""
    cols = (WEST[:, None] + np.arange(STRIDE)).repeat(BAND_ROWS, axis=0)
    margin = 2 * rules.EYE[1] - 1
    far = (cols < margin) | (cols >= rules.WORLD_COLS - margin)
    return np.concatenate([np.zeros(STRIDE, np.bool_), far.ravel()])


def _views() -> Bytes:
    room = [(rules.ROOM_TOP + row, rules.ROOM_LEFT + col) for row, col in np.ndindex(3, 3)]
    places = [(at, False) for at in room] + [(at, True) for at in room] + [(rules.LIMBO, False)]
    strip = np.concatenate([_view(at, opened) for at, opened in places], axis=1)
    strips = np.stack([strip] * STRIPS)
    for index, side in enumerate(rules.SIDES, start=1):
        rows, cols = rules.cue_cells(side)
        strips[index].reshape(rules.WINDOW_ROWS, VIEWS, rules.WINDOW_COLS)[rows, :, cols] = ord("Q")
    return strips


def _view(player: tuple[int, int], opened: bool) -> Bytes:
    top, left = player[0] - rules.EYE[0], player[1] - rules.EYE[1]
    here = (slice(top, top + rules.WINDOW_ROWS), slice(left, left + rules.WINDOW_COLS))
    view = np.full((rules.WINDOW_ROWS, rules.WINDOW_COLS), ord(" "), np.uint8)
    for glyph in "#t" if opened else "#":
        view[rules.world_masks()[glyph][here]] = ord(glyph)
    return view
