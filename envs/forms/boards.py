"""Boards of characters: what an agent sees of them (planes) and what a person sees (text, colours).

A *board* is uint8 (..., R, C), one ASCII code per cell, as painted by the game. R rows, C columns, K planes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import gymnasium
import numpy as np

from engram.envs.arguments import check_known
from engram.envs.arrays import Bytes

RENDER_MODES = ("ansi", "rgb_array")
BLACK = (0, 0, 0)
CELL_PIXELS = 16
_CODES = 256


@dataclass(frozen=True)
class Look:
    """Appearance of a game's boards: planes for the agent, text and colours for people.

    Args:
        rows: height of a board (R), cells.
        cols: width of a board (C), cells.
        planes: one character per feature plane, the blank one last; a cell is 1 in exactly one plane.
        repaint: characters that are shown as another one (before planes and colours).
        colours: RGB of each plane's character; what is not named is black.
    """

    rows: int
    cols: int
    planes: str
    repaint: Mapping[str, str] = field(default_factory=dict)
    colours: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)

    @cached_property
    def repainted(self) -> Bytes:
        """Table from painted to shown codes, (256,)."""
        table = np.arange(_CODES, dtype=np.uint8)
        for painted, shown in self.repaint.items():
            table[ord(painted)] = ord(shown)
        return table

    @cached_property
    def one_hot(self) -> Bytes:
        """Table from painted codes to the planes of a cell, (256, K)."""
        planes = np.frombuffer(self.planes.encode(), np.uint8)
        return np.equal(self.repainted[:, None], planes).astype(np.uint8)

    @cached_property
    def palette(self) -> Bytes:
        """Table from painted codes to RGB, (256, 3)."""
        shown = (self.colours.get(chr(code), BLACK) for code in self.repainted)
        return np.array(list(shown), dtype=np.uint8)

    @property
    def space(self) -> gymnasium.spaces.Box:
        """Space of one observation: uint8 {0, 1}, (R, C, K)."""
        return gymnasium.spaces.Box(0, 1, (self.rows, self.cols, len(self.planes)), np.uint8)

    def observe(self, board: Bytes) -> Bytes:
        """Return the feature planes (..., R, C, K) of boards (..., R, C)."""
        return np.take(self.one_hot, board, axis=0)

    def text(self, board: Bytes) -> str:
        """Return one board as lines of shown characters."""
        return "\n".join(bytes(row).decode("ascii") for row in self.repainted[board])

    def image(self, board: Bytes) -> Bytes:
        """Return one board as RGB pixels, (16 R, 16 C, 3)."""
        return self.palette[board].repeat(CELL_PIXELS, axis=0).repeat(CELL_PIXELS, axis=1)

    def render(self, board: Bytes, mode: str | None) -> str | Bytes | None:
        """Render one board in one of `RENDER_MODES`; None in another mode, or without one."""
        if mode == "ansi":
            return self.text(board)
        return self.image(board) if mode == "rgb_array" else None


def check_render_mode(mode: str | None, modes: Sequence[str] = RENDER_MODES) -> str | None:
    """Return the mode if boards can be rendered in it.

    Raises:
        ValueError: neither None nor one of `modes`.
    """
    if isinstance(mode, str) and mode == "human":
        raise ValueError(
            "render_mode: 'human' is a window that gymnasium.make(id, render_mode='human') adds; legal here: "
            f"{', '.join(modes)}"
        )
    return None if mode is None else check_known("render_mode", mode, modes)
