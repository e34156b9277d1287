"""Grids as a person sees them: text, or tiles of 16 pixels; what the agent sees is lit.

R rows, C columns.
"""

from __future__ import annotations

import functools

import numpy as np

from engram.envs.arrays import Bytes, Flags, Floats
from engram.envs.forms.boards import CELL_PIXELS
from engram.envs.minigrid.cells import CELLS, UNSEEN, Cell
from engram.envs.minigrid.world import World

_RGB = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "purple": (112, 39, 195),
    "yellow": (255, 255, 0),
    "grey": (100, 100, 100),
}
_AGENT_RGB, _LAVA_RGB, _LINE_RGB = (255, 0, 0), (255, 128, 0), (60, 60, 60)
_LIT = 0.3  # share of white that is added to what the agent sees
_ARROWS = (">", "v", "<", "^")
_SIGNS = {"floor": "_", "key": "K", "ball": "O", "box": "B", "goal": "G", "lava": "~"}
_DOOR_SIGNS = {"open": "/", "closed": "D", "locked": "L"}


def text(world: World, lane: int) -> str:
    """Return the grid of a lane as text, two signs a cell: what it is, and the first letter of its colour.

    Walls are `##`, the agent an arrow; doors are `/` open, `D` closed, `L` locked. A last line names what is
    carried.
    """
    rows = [[_signs(code) for code in row] for row in world.grids[lane].tolist()]
    x, y = world.position(lane)
    rows[y][x] = _ARROWS[world.direction[lane]] * 2
    held = CELLS[world.carried[lane]]
    hand = "nothing" if held.kind == "empty" else f"{held.color} {held.kind}"
    return "\n".join([*("".join(row) for row in rows), f"carries {hand}"])


def _signs(code: int) -> str:
    cell = CELLS[code]
    if cell.kind == "wall":
        return "##"
    if cell.kind in ("empty", "unseen"):
        return "  "
    sign = _DOOR_SIGNS[cell.state] if cell.kind == "door" else _SIGNS[cell.kind]
    return sign + cell.color[0].upper()


def image(world: World, lane: int, through_walls: bool) -> Bytes:
    """Return the grid of a lane as RGB pixels, (16 R, 16 C, 3)."""
    tiles: Bytes = _tiles()[world.grids[lane]]  # (R, C, 16, 16, 3)
    x, y = world.position(lane)
    tiles[y, x][_arrow(int(world.direction[lane]))] = _AGENT_RGB
    lit = _seen(world, lane, through_walls)
    tiles[lit] = (tiles[lit] * (1 - _LIT) + 255 * _LIT).astype(np.uint8)
    rows, cols = tiles.shape[:2]
    return tiles.swapaxes(1, 2).reshape(rows * CELL_PIXELS, cols * CELL_PIXELS, 3)


def _seen(world: World, lane: int, through_walls: bool) -> Flags:
    """Return the cells that the agent of a lane sees, (R, C)."""
    lanes = np.array([lane])
    seen = world.look(lanes, through_walls).reshape(-1) != UNSEEN
    return world.cells_of(lane, world.view_places(lanes)[0][seen])


def _pixels() -> tuple[Floats, Floats]:
    """Return x and y of the middle of each pixel of a tile, from 0 to 1."""
    steps = (np.arange(CELL_PIXELS) + 0.5) / CELL_PIXELS
    across, down = np.meshgrid(steps, steps)
    return across, down


def _box(left: float, right: float, top: float, bottom: float) -> Flags:
    x, y = _pixels()
    return (x >= left) & (x <= right) & (y >= top) & (y <= bottom)


def _disc(centre_x: float, centre_y: float, radius: float) -> Flags:
    x, y = _pixels()
    inside: Flags = (x - centre_x) ** 2 + (y - centre_y) ** 2 <= radius**2
    return inside


@functools.cache
def _arrow(direction: int) -> Flags:
    """Return the pixels of an agent that looks right, down, left or up."""
    x, y = _pixels()
    right: Flags = (x > 0.12) & (abs(y - 0.5) < 0.36 * (0.92 - x) / 0.8)
    return np.rot90(right, -direction)


@functools.cache
def _tiles() -> Bytes:
    """Return the tile of every code, (N, 16, 16, 3)."""
    return np.stack([_tile(cell) for cell in CELLS])


def _tile(cell: Cell) -> Bytes:
    tile = np.zeros((CELL_PIXELS, CELL_PIXELS, 3), np.uint8)
    tile[0], tile[:, 0] = _LINE_RGB, _LINE_RGB
    color = np.array(_LAVA_RGB if cell.kind == "lava" else _RGB[cell.color])
    for where, share in _strokes(cell):
        tile[where] = color * share
    return tile


def _strokes(cell: Cell) -> list[tuple[Flags, float]]:
    """Return the parts of a picture, each with the share of the cell's colour in which it is painted."""
    whole, frame = _box(0, 1, 0, 1), _box(0.1, 0.9, 0.1, 0.9)
    if cell.kind == "door":
        return {
            "open": [(_box(0.85, 1, 0, 1), 1.0)],
            "closed": [
                (whole, 1.0),
                (frame, 0.0),
                (_box(0.18, 0.82, 0.18, 0.82), 1.0),
                (_disc(0.7, 0.5, 0.1), 0.0),
            ],
            "locked": [(whole, 1.0), (frame, 0.45), (_box(0.5, 0.75, 0.44, 0.56), 1.0)],
        }[cell.state]
    if cell.kind == "key":
        ring = [(_disc(0.55, 0.3, 0.2), 1.0), (_disc(0.55, 0.3, 0.08), 0.0)]
        return [
            *ring,
            (_box(0.5, 0.62, 0.45, 0.88), 1.0),
            (_box(0.36, 0.5, 0.6, 0.68), 1.0),
            (_box(0.36, 0.5, 0.78, 0.88), 1.0),
        ]
    if cell.kind == "box":
        held = [(_disc(0.5, 0.3, 0.08), 1.0)] if cell.contents else []
        slit = _box(0.16, 0.84, 0.44, 0.56)
        return [(_box(0.12, 0.88, 0.12, 0.88), 1.0), (_box(0.22, 0.78, 0.22, 0.78), 0.0), (slit, 1.0), *held]
    return {
        "wall": [(whole, 1.0)],
        "goal": [(whole, 1.0)],
        "floor": [(_box(0.05, 1, 0.05, 1), 0.5)],
        "ball": [(_disc(0.5, 0.5, 0.31), 1.0)],
        "lava": [(whole, 1.0), (_box(0.1, 0.9, 0.3, 0.4), 0.0), (_box(0.1, 0.9, 0.6, 0.7), 0.0)],
    }.get(cell.kind, [])
