"""Updates that take turns: where trials share cores, no more of them update at once than there are cores.

An update takes several times the memory that its process needs between two of them, and more updates than
cores end no sooner. So each has its turn, and gives its memory back to the system at the end.
"""

import contextlib
import ctypes
import functools
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ray

if sys.platform != "win32":
    import fcntl

WAIT = (0.005, 0.02)
"""Seconds between two looks for a free place, at random: nobody is always the last to look."""

_DRAWN = random.Random()  # of its own: how long one waited changes nothing that is drawn elsewhere


@contextlib.contextmanager
def turn(file: Path, places: int) -> Iterator[None]:
    """Holds one of the places while the body runs, and waits for one first.

    The system frees the place of a process that is killed.

    Args:
        file: Whose bytes, locked one by one, are the places; made where it is not there.
        places: How many there are.
    """
    with file.open("ab") as places_file:
        while not any(_takes(places_file.fileno(), place) for place in range(places)):
            time.sleep(_DRAWN.uniform(*WAIT))
        yield  # to close the file is to free the place


def _takes(file: int, place: int) -> bool:
    """Takes a place if it is free, or where the file system has no locks: then nobody waits."""
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
    except (BlockingIOError, PermissionError):  # another process holds it
        return False
    except OSError:
        return True
    return True


@contextlib.contextmanager
def taking_turns(cpus: float) -> Iterator[None]:
    """Runs the body, an update, in its turn where its process has but a share of a core.

    Args:
        cpus: What Ray was asked for.
    """
    if not 0 < cpus < 1 or sys.platform == "win32" or not ray.is_initialized():
        yield
        return
    context = ray.get_runtime_context()
    session, node = Path(context.get_temp_dir()) / context.get_session_name(), context.get_node_id()
    in_turn = turn(session / f"turns-{node}", _cores(node)) if session.is_dir() else contextlib.nullcontext()
    with in_turn:
        try:
            yield
        finally:
            give_back()


@functools.cache
def _cores(node: str) -> int:
    """How many CPUs Ray may use on a node."""
    resources: dict[str, float] = next(
        (each["Resources"] for each in ray.nodes() if each["NodeID"] == node), {}
    )
    return max(1, int(resources.get("CPU", 1)))


def give_back() -> None:
    """Returns freed memory to the system, where the C library has a way to; else it is kept for later."""
    library = None if sys.platform == "win32" else ctypes.CDLL(None)
    trim: Callable[[int], Any] | None = getattr(library, "malloc_trim", None)
    if trim is not None:
        trim(0)
