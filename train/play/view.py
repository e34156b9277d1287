"""The view of a session: lines of coloured text, without a screen."""

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
_LONGEST_LIST = 16  # entries
_CUBE = (0, 95, 135, 175, 215, 255)  # steps of a channel in xterm's 6 x 6 x 6 colours, numbers 16 to 231
_CUBE_FROM, _GRAYS_FROM, _XTERM = 16, 232, 256


class Span(NamedTuple):
    """Text in one style.

    Attributes:
        text: One line or a part of it.
        colour: Of text and background, so that a terminal without colours shows the text; None: plain.
        marked: Stands out, in a way the terminal chooses.
    """

    text: str
    colour: Rgb | None = None
    marked: bool = False


Line = list[Span]


def screen(keyboard: Keyboard, title: str, width: int) -> list[Line]:
    """Return all lines: the picture, and below it the state of the episode.

    Args:
        keyboard: With the session.
        title: The environment's id.
        width: Of the terminal, in characters; longer text is wrapped.
    """
    lines = [*_picture(keyboard.session), []]
    for text in _report(keyboard, title):
        lines += [[Span(part)] for part in textwrap.wrap(text, max(width - 1, 1)) or [""]]
    return lines


def _picture(session: Session) -> list[Line]:
    rows = session.text.strip("\n").split("\n")
    return [_blocks(row, session.game.look.colours) for row in rows] if session.game else list(_marked(rows))


def _blocks(row: str, colours: Mapping[str, Rgb]) -> Line:
    """A row of a board: a cell is two characters wide, which makes it about square."""
    return [Span(2 * "".join(run), colours.get(char, BLACK)) for char, run in groupby(row)]


def _marked(rows: list[str]) -> Iterator[Line]:
    """Rows that mark what matters by colour codes, as Gymnasium's own text environments do."""
    marked = False
    for row in rows:
        line: Line = []
        for index, part in enumerate(_ESCAPE.split(row)):
            if index % 2:  # what the pattern's group caught
                marked = part not in ("", "0")
            elif part:
                line.append(Span(part, marked=marked))
        yield line


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
