"""A window that shows an environment: the render mode "human". It is Tk's, which most Pythons bring along."""

from __future__ import annotations

import os
import sys
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import NDArray

if TYPE_CHECKING:
    import tkinter

SIDE_PIXELS = 640  # pictures are enlarged, by a whole factor, to at most this
_INSTEAD = "the render modes 'rgb_array' and 'ansi' need none"


def can_open() -> bool:
    """Whether there are Tk and a display, as far as one sees without opening a window."""
    has_display = sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY"))
    return has_display and find_spec("_tkinter") is not None


class Window:
    """A window for the pictures of one environment.

    Who closes it by hand sees nothing more, and the environment goes on without waiting. A copy of an open
    window is another one, blank until the next picture.

    Args:
        title: what its title bar says.
        fps: pictures per second at most; `show` waits.

    Raises:
        DependencyNotInstalled: this Python has no Tk, or there is no display.
    """

    def __init__(self, title: str, fps: float) -> None:
        self._title, self._fps = title, fps
        self._root: tkinter.Tk | None = _open()
        self._root.title(title)
        self._root.resizable(False, False)
        self._root.protocol("WM_DELETE_WINDOW", self.close)
        self._label = _blank(self._root)
        self._due = time.monotonic()  # s, when the next picture may be drawn

    def __getstate__(self) -> dict[str, Any]:
        return {"title": self._title, "fps": self._fps, "is_open": self.is_open}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state["is_open"]:
            Window.__init__(self, state["title"], state["fps"])
        else:
            self._title, self._fps, self._root = state["title"], state["fps"], None

    @property
    def is_open(self) -> bool:
        """False once it was closed, by `close` or by hand."""
        return self._root is not None

    def show(self, picture: NDArray[np.uint8]) -> None:
        """Show a picture, then wait until the next one is due.

        Args:
            picture: RGB uint8 (height, width, 3).
        """
        if self._root is None:
            return
        image = _photo(self._root, picture)
        self._label.configure(image=image)
        self._image = image  # Tk keeps no reference of its own
        self._root.update()
        now = time.monotonic()
        self._due = max(self._due + 1.0 / self._fps, now)
        time.sleep(self._due - now)

    def close(self) -> None:
        """Close the window; a second time is harmless."""
        if self._root is not None:
            self._root.destroy()
            self._root = None


def _open() -> tkinter.Tk:
    try:
        import tkinter
    except ImportError:
        raise DependencyNotInstalled(
            "render_mode: 'human' needs Tk, which this Python lacks: install it (Debian: python3-tk, Fedora: "
            f"python3-tkinter, Homebrew: python-tk); {_INSTEAD}"
        ) from None
    try:
        return tkinter.Tk()
    except tkinter.TclError as error:
        raise DependencyNotInstalled(f"render_mode: 'human' needs a display: {error}; {_INSTEAD}") from None


def _blank(root: tkinter.Tk) -> tkinter.Label:
    import tkinter

    label = tkinter.Label(root, borderwidth=0)
    label.pack()
    return label


def _photo(root: tkinter.Tk, picture: NDArray[np.uint8]) -> tkinter.PhotoImage:
    import tkinter

    return tkinter.PhotoImage(master=root, data=ppm(picture), format="ppm")


def ppm(picture: NDArray[np.uint8]) -> bytes:
    """A picture, enlarged, as a PPM file: the format that Tk reads without a decoder.

    Args:
        picture: RGB uint8 (height, width, 3).
    """
    factor = max(1, SIDE_PIXELS // max(picture.shape[:2]))
    enlarged = picture.repeat(factor, axis=0).repeat(factor, axis=1)
    height, width, _ = enlarged.shape
    return b"P6 %d %d 255\n" % (width, height) + enlarged.tobytes()
