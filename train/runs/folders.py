"""Choose the folder of a run, and lock it: no two runs train in one.

A new run never writes into a folder that holds something: it gets NAME, or the first free one of NAME_2,
NAME_3, ... While it trains it holds a lock in there, which the system lets go of however the run ends.
"""

import itertools
import os
import sys
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path

import filelock

from engram.train.console.errors import ExperimentError, reason
from engram.train.console.files import naming, subfolders
from engram.train.runs.record import read_record

LOCK = ".lock"
ASKED = "name_in_file"
"""The key in `run.json` under which a numbered run says what its experiment is called."""


class FolderLocks:
    """The folders that this process trains in, locked until the end of a `with` block."""

    def __init__(self) -> None:
        self._held = ExitStack()

    def __enter__(self) -> "FolderLocks":
        """The locks, none yet."""
        return self

    def __exit__(self, *raised: object) -> None:
        """Lets go of all folders."""
        self._held.close()

    def acquire(self, folder: Path) -> bool:
        """Claim a folder, which is made where it is missing.

        Where the file system knows no locks, as some that several machines share, a notice says so.

        Returns:
            False where another process trains in it.

        Raises:
            ExperimentError: it cannot be made or written to.
        """
        with naming(f"storage_path: {folder} cannot be written to"):
            folder.mkdir(parents=True, exist_ok=True)
        try:
            self._held.enter_context(filelock.FileLock(folder / LOCK, timeout=0))
        except filelock.Timeout:
            return False
        except (OSError, NotImplementedError) as error:
            print(
                f"notice: {folder} cannot be locked ({reason(error)}): "
                "whether another run trains in it is not checked",
                file=sys.stderr,
            )
        return True


def is_taken(folder: Path) -> bool:
    """Whether a folder holds anything but a lock: a run, however early it was ended, or something else."""
    try:
        return any(name != LOCK for name in os.listdir(folder))
    except FileNotFoundError:
        return False
    except OSError:
        return True


def free_name(storage: Path, name: str, reserved: Collection[str], locks: FolderLocks | None) -> str:
    """The name of a new run's folder: NAME, or NAME_2, NAME_3, ... where those before hold something.

    Args:
        storage: The folder of all results.
        name: The experiment's.
        reserved: Names that other experiments will want.
        locks: Takes the folder; None: nothing is to be made.
    """
    for number in itertools.count(1):
        candidate = name if number == 1 else f"{name}_{number}"
        folder = storage / candidate
        if (number > 1 and candidate in reserved) or is_taken(folder):
            continue
        # Another run may have come, gone and left its results between the question and the lock.
        if locks is None or (locks.acquire(folder) and not is_taken(folder)):
            return candidate
    raise AssertionError("numbers end")


def runs_of(storage: Path, name: str) -> list[Path]:
    """The folders of an experiment's runs, the newest first: those with numbers, then NAME itself."""
    numbered = {}
    for folder in subfolders(storage):
        stem, _, number = folder.name.rpartition("_")
        if stem == name and number.isdecimal() and (read_record(folder) or {}).get(ASKED) == name:
            numbered[int(number)] = folder
    return [numbered[number] for number in sorted(numbered, reverse=True)] + [storage / name]


def lock_stored(folder: Path, locks: FolderLocks) -> None:
    """Claim the folder of a run that is to go on.

    Raises:
        ExperimentError: another run trains in it.
    """
    if not locks.acquire(folder):
        raise ExperimentError(f"--resume: {folder} is in use: a run is training in it; end that one first")
