"""Finds the line of a user's own file that an error comes from."""

import sysconfig
import traceback
from collections.abc import Iterable
from pathlib import Path

_HERE = Path(__file__).parent.parent
_LIBRARY = tuple(str(_HERE / folder) + "/" for folder in ("agents", "envs", "memory", "policy", "train"))
_STANDARD = sysconfig.get_path("stdlib")


def is_library(file: str) -> bool:
    """Returns whether a source file belongs to Python, to an installed package or to this one."""
    installed = "site-packages" in file or "dist-packages" in file
    return installed or file.startswith(("<", _STANDARD, *_LIBRARY))


def place(error: BaseException) -> str:
    """`my_core.py:12`: the innermost line of a user's own code that an error came through; empty: none.

    Args:
        error: as it was caught.
    """
    while True:
        if isinstance(error, SyntaxError) and error.filename and error.lineno:
            return f"{_short(error.filename)}:{error.lineno}"
        frames = traceback.extract_tb(error.__traceback__)
        found = innermost((frame.filename, frame.lineno or 0) for frame in reversed(frames))
        behind = (
            error.__cause__ or error.__context__
        )  # what was raised first, where this one only tells of it
        if found or behind is None:
            return found
        error = behind


def innermost(frames: Iterable[tuple[str, int]]) -> str:
    """`my_core.py:12`: the first of some frames that is a user's own; empty: none.

    Args:
        frames: file and line of each, the innermost one first.
    """
    return next((f"{_short(file)}:{line}" for file, line in frames if not is_library(file)), "")


def explain(error: BaseException) -> str:
    """Describes an error in a user's own code and its place: `KeyError: 'size' (my_core.py:12)`.

    Args:
        error: as it was caught.
    """
    text = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
    where = place(error)
    return f"{type(error).__name__}{f': {text}' if text else ''}{f' ({where})' if where else ''}"


def _short(file: str) -> str:
    """Returns the path relative to the working directory, or the whole path outside of it."""
    try:
        return str(Path(file).relative_to(Path.cwd()))
    except (ValueError, OSError):
        return file
