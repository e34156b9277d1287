"""The view of a session: lines of coloured text, without a screen."""

import math
import re
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.envs.forms.boards import BLACK
from engram.train.play.keys import Keyboard
from engram.train.play.session import Session

Rgb = tuple[int, int, int]

_ESCAPE = re.compile(r"\x1b\[([0-9;]*)m")
_TRUE_COLOUR = re.compile(r"38;2;(\d+);(\d+);(\d+)")
_MOST_ROWS = 32  # of a picture made of cells
_LONGEST_LIST = 16  # entries
_CUBE = (0, 95, 135, 175, 215, 255)  # steps of a channel in xterm's 6 x 6 x 6 colours, numbers 16 to 231
_CUBE_FROM, _GRAYS_FROM, _XTERM = 16, 232, 256


class Span(NamedTuple):
    """Text in one style.

    Attributes:
        text: One line or a part of it.
        colour: Of text and background, so that a terminal without colours shows the text; None: plain.
        marked: Stands out, in a way the terminal chooses.
        ink: Of the text alone; None: plain.
    """

    text: str
    colour: Rgb | None = None
    marked: bool = False
    ink: Rgb | None = None


Line = list[Span]


def screen(keyboard: Keyboard, title: str, width: int) -> list[Line]:
    """Return all lines: the picture, and below it the state of the episode.

    Args:
        keyboard: With the session.
        title: The environment's id.
        width: Of the terminal, in characters; longer text is wrapped.
    """
    lines = [*_picture(keyboard.session, width), []]
    for text in _report(keyboard, title):
        lines += [[Span(part)] for part in textwrap.wrap(text, max(width - 1, 1)) or [""]]
    return lines


def _picture(session: Session, width: int) -> list[Line]:
    if session.pixels is not None:
        return mosaic(session.pixels, (width - 1) // 2)
    rows = session.text.strip("\n").split("\n")
    return [_blocks(row, session.game.look.colours) for row in rows] if session.game else list(_marked(rows))


def _blocks(row: str, colours: Mapping[str, Rgb]) -> Line:
    """A row of a board: a cell is two characters wide, which makes it about square."""
    return [Span(2 * "".join(run), colours.get(char, BLACK)) for char, run in groupby(row)]


def mosaic(pixels: NDArray[np.uint8], columns: int) -> list[Line]:
    """A picture (height, width, 3) as cells, each the mean of its pixels.

    There are at most `columns` by `_MOST_ROWS` of them.
    """
    height, width = pixels.shape[:2]
    side = max(1, math.ceil(width / max(1, columns)), math.ceil(height / _MOST_ROWS))
    padded = np.pad(pixels, ((0, -height % side), (0, -width % side), (0, 0)), mode="edge").astype(float)
    cells = padded.reshape(padded.shape[0] // side, side, padded.shape[1] // side, side, 3).mean((1, 3))
    rows = [[tuple(cell) for cell in row] for row in cells.round().astype(int).tolist()]
    return [[Span("  " * len(list(run)), colour) for colour, run in groupby(row)] for row in rows]


def _marked(rows: list[str]) -> Iterator[Line]:
    """Rows in which colour codes mark what matters, as in Gymnasium's own text environments, or colour it."""
    style = Span("")
    for row in rows:
        line: Line = []
        for index, part in enumerate(_ESCAPE.split(row)):
            if index % 2:  # what the pattern's group caught
                style = _style(part)
            elif part:
                line.append(style._replace(text=part))
        yield line


def _style(code: str) -> Span:
    """What an escape code makes of the text behind it."""
    colour = _TRUE_COLOUR.fullmatch(code)
    if colour:
        red, green, blue = map(int, colour.groups())
        return Span("", ink=(red, green, blue))
    return Span("", marked=code not in ("", "0"))


def _report(keyboard: Keyboard, title: str) -> Iterator[str]:
    session = keyboard.session
    reward = "-" if session.reward is None else _brief(session.reward)
    yield f"{title}   frame {session.frame}   return {session.total:.3f}   reward {reward}"
    yield f"info: {facts(session.info)}"
    if keyboard.show_hidden:
        yield f"hidden: {facts({k: v for k, v in session.hidden.items() if k not in session.info})}"
    yield "episode over, r for a new one, q quit" if session.over else keyboard.help


def facts(mapping: Mapping[str, Any]) -> str:
    """Write the names and values of an info dict in one line; long arrays are left out."""
    short = {name: value for name, value in mapping.items() if np.size(value) <= _LONGEST_LIST}
    return ", ".join(f"{name} {_brief(value)}" for name, value in short.items()) or "-"


def _brief(value: Any) -> str:
    plain = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    if isinstance(plain, bool):
        return "yes" if plain else "no"
    if isinstance(plain, list | tuple):
        return f"[{' '.join(map(_brief, plain))}]"
    return f"{plain:.6g}" if isinstance(plain, float) else str(plain)


@cache
def nearest(colour: Rgb, count: int) -> int:
    """Find the number of the terminal colour that is nearest to an RGB colour.

    Of `count` colours, 256 or more mean xterm's; with fewer, the first 8 are used.
    """
    first, palette = (_CUBE_FROM, _xterm()) if count >= _XTERM else (0, _corners())
    return first + int(((palette - np.array(colour)) ** 2).sum(axis=1).argmin())


def _xterm() -> NDArray[np.int64]:
    """RGB of the colours 16 to 255, which, other than the first 16, no theme changes; (240, 3)."""
    cube = [(red, green, blue) for red in _CUBE for green in _CUBE for blue in _CUBE]
    grays = [(8 + 10 * step,) * 3 for step in range(_XTERM - _GRAYS_FROM)]
    return np.array(cube + grays)


def _corners() -> NDArray[np.int64]:
    """RGB of the 8 colours that every colour terminal has, red the lowest bit; (8, 3)."""
    return np.array([[255 * (number >> bit & 1) for bit in range(3)] for number in range(8)])
