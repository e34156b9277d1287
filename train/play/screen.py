"""The terminal: draws lines and reads keys, with curses."""

import contextlib
import curses
import locale

from engram.train.play.keys import Keyboard
from engram.train.play.view import Line, Span, nearest, screen

_OWN = -1  # curses' number of the terminal's own background
_REDRAW = "\x0c"  # Ctrl-L
_ESCAPE_WAIT = 25  # ms after Esc, in which the rest of an arrow key's code would come


def run(keyboard: Keyboard, title: str, fps: float | None) -> None:
    """Play until the player quits; the terminal is then as it was before, whatever happens.

    Args:
        keyboard: With the session.
        title: The environment's id.
        fps: Frames per second that pass without a key; None: the game waits.

    Raises:
        curses.error: the terminal cannot do it.
    """
    locale.setlocale(locale.LC_ALL, "")  # curses writes text in the user's encoding
    curses.set_escdelay(_ESCAPE_WAIT)
    with contextlib.suppress(KeyboardInterrupt):
        curses.wrapper(_loop, keyboard, title, fps)


def _loop(window: curses.window, keyboard: Keyboard, title: str, fps: float | None) -> None:
    with contextlib.suppress(curses.error):  # not every terminal can hide its cursor, or has its own colours
        curses.curs_set(0)
        curses.use_default_colors()
    ink = _Ink()
    more = True
    while more:
        _draw(window, screen(keyboard, title, window.getmaxyx()[1]), ink)
        wait = -1 if fps is None or keyboard.session.over else round(1000 / fps)  # ms; -1: for ever
        window.timeout(wait)
        key = _key(window)
        if key == _REDRAW:
            window.clear()
        elif key is not None or wait >= 0:
            more = keyboard.press(key)


def _key(window: curses.window) -> str | None:
    try:
        return window.getkey()
    except curses.error:  # its time ran out
        return None


def _draw(window: curses.window, lines: list[Line], ink: "_Ink") -> None:
    window.erase()
    height, width = window.getmaxyx()
    for row, line in enumerate(lines[:height]):
        column = 0
        for span in line:
            text = span.text[: max(width - 1 - column, 0)]
            attribute = curses.A_REVERSE if span.marked else ink.attribute(span)
            window.addstr(row, column, text, attribute)
            column += len(text)
    window.refresh()


class _Ink:
    """Curses' pairs of colours, made as they are needed."""

    def __init__(self) -> None:
        self._pairs: dict[tuple[int, int], int] = {}

    def attribute(self, span: Span) -> int:
        """How to write a span: in a colour on itself, in one on the terminal's own, or plain."""
        colour = span.colour or span.ink
        if colour is None or not curses.has_colors():
            return curses.A_NORMAL
        number = nearest(colour, curses.COLORS)
        pair = (number, number if span.colour else _OWN)
        if pair not in self._pairs:
            self._pairs[pair] = len(self._pairs) + 1
            curses.init_pair(self._pairs[pair], *pair)
        return curses.color_pair(self._pairs[pair])
