"""Paths as typed, files that may be broken, and places to write to."""

import json
import os
import stat
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engram.train.console.errors import ExperimentError, reason, unknown

_MOST_DIGITS = 300  # of a whole number that a float can hold


def typed_path(text: str) -> Path:
    """A path as the user typed it; `~` is the home folder, and stays where there is none."""
    return Path(os.path.expanduser(text))


@contextmanager
def naming(what: str) -> Iterator[None]:
    """Turns what the file system, or an impossible name, raises into one line that starts with `what`.

    Args:
        what: Such as the path, or the option and the path.

    Raises:
        ExperimentError: in place of OSError and ValueError.
    """
    try:
        yield
    except ExperimentError:
        raise
    except OSError as error:
        raise ExperimentError(f"{what}: {error.strerror or reason(error)}") from None
    except ValueError as error:  # a NUL inside a path; letters that are no UTF-8
        raise ExperimentError(f"{what}: {reason(error)}") from None


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file system can hold is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def read_bytes(file: Path) -> bytes:
    """All of a plain file; pipes and devices, which may never end, are refused.

    Raises:
        OSError: it is missing, no plain file, or cannot be read.
    """
    if not stat.S_ISREG(file.stat().st_mode):
        raise OSError(f"{file}: not a plain file")
    return file.read_bytes()


def read_json(file: Path) -> Any:
    """What a JSON file holds.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds no JSON.
    """
    return parse_json(read_bytes(file))


def parse_json(text: bytes) -> Any:
    """What a JSON text says; a number too large for a float is infinite.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        return json.loads(text, parse_int=_whole)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) < _MOST_DIGITS else float(digits)


ABSENT = object()


def find(section: Any, place: Iterable[str], default: Any = None) -> Any:
    """Return the value deep inside a section, the default where there is none."""
    for key in place:
        if not isinstance(section, Mapping) or key not in section:
            return default
        section = section[key]
    return section


def mapping_at(data: Any, *keys: str) -> dict[str, Any]:
    """Return the mapping deep inside nested mappings; empty where there is none, or something else."""
    value = find(data, keys)
    return dict(value) if isinstance(value, Mapping) else {}


def as_mapping(value: Any, path: str) -> dict[str, Any]:
    """Return a section of a file that must be a mapping; null counts as an empty one.

    Raises:
        ExperimentError: it is something else; `path` says where it stands, dotted.
    """
    if value is not None and not isinstance(value, dict):
        raise ExperimentError(f"{path}: expected a mapping, got {value!r}")
    return value or {}


def subfolders(folder: Path, most: int = 100_000) -> list[Path]:
    """The folders inside a folder, by name; none where it cannot be looked into.

    Args:
        folder: The folder.
        most: More entries than these are not looked at.
    """
    found = []
    try:
        with os.scandir(folder) as entries:
            for _, entry in zip(range(most), entries, strict=False):
                if entry.is_dir():
                    found.append(folder / entry.name)
    except (OSError, ValueError):
        pass
    return sorted(found)


def write_whole(file: Path, text: str) -> None:
    """Write a text file so that it is whole at every moment, however the process ends."""
    half = file.with_name(f"{file.name}.half")
    half.write_text(text, encoding="utf-8")
    half.replace(file)


def check_out(text: str, option: str, suffixes: Collection[str] = ()) -> Path:
    """Refuse, before any work, a file that could not be written in the end; writes nothing.

    Args:
        text: The file to be written, as typed.
        option: What the user wrote it behind.
        suffixes: The legal ones; none: any.

    Returns:
        The file.

    Raises:
        ExperimentError: an unknown suffix, no such folder, a folder instead of a file, no right to write.
    """
    out = typed_path(text)
    if suffixes and out.suffix not in suffixes:
        raise unknown(f"{option} {out}: suffix", out.suffix, suffixes)
    with naming(f"{option} {out}: cannot be written"):
        if not out.absolute().parent.is_dir():
            raise ExperimentError(f"{option} {out}: no such folder: {out.parent}")
        if out.is_dir():
            raise ExperimentError(f"{option} {out}: is a folder, expected a file")
        if out.exists():
            with out.open("ab"):
                pass
        else:
            check_folder(out.absolute().parent)
    return out


def check_folder(folder: Path) -> None:
    """Ask the file system itself whether a file can be made in a folder: root may write, `/proc` not.

    Raises:
        OSError: it cannot.
    """
    with tempfile.TemporaryFile(dir=folder):
        pass
