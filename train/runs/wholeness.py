"""Whether a checkpoint is whole and as it was saved, found out without loading anything in it."""

import itertools
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

from engram.train.console.files import is_file, read_bytes, read_json, write_whole
from engram.train.runs import pickles

MODULE = Path("learner_group/learner/rl_module/default_policy")
ROOT_MARK = "rllib_checkpoint.json"
_PARTS = (*reversed(MODULE.parents[:3]), MODULE)  # every algorithm has these
CHECKSUMS = "checksums.json"
"""A list of a checkpoint's files with their CRC-32, made when it was saved; older checkpoints have none."""

_MOST_PARTS = 10_000
_CHUNK = 2**20  # bytes


def write_checksums(checkpoint: Path) -> None:
    """Lay the list of checksums beside a checkpoint's files, so that it is whole at every moment.

    Raises:
        OSError: it cannot be read or written.
    """
    files = (path / name for path in _parts(checkpoint) for name in sorted(os.listdir(checkpoint / path)))
    sums = {file.as_posix(): _checksum(checkpoint / file) for file in files if (checkpoint / file).is_file()}
    sums.pop(CHECKSUMS, None)
    write_whole(checkpoint / CHECKSUMS, json.dumps({"crc32": sums}, indent=1) + "\n")


def _checksum(file: Path) -> str:
    """CRC-32 of a file, for what went wrong by chance; nothing is kept from whoever means it."""
    value = 0
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            value = zlib.crc32(chunk, value)
    return f"{value:08x}"


def fault(checkpoint: Path) -> Path | None:
    """A file of a checkpoint that is missing, cut off or not as it was saved; None where it is whole."""
    broken = next(_broken(checkpoint), None)
    return None if broken is None else checkpoint / broken


def is_whole(folder: Path) -> bool:
    """Whether all that a restart needs is there to its last byte and as it was saved.

    A killed process leaves halves behind; a disk or a copy may change single bytes.

    Nothing is loaded: to load a pickle is to run what it says.
    """
    return folder.is_dir() and next(_broken(folder), None) is None


def _broken(folder: Path) -> Iterator[Path]:
    """Files that are missing, cut off or changed, relative to the checkpoint.

    RLlib saves each part of an algorithm as a folder of three files: a description that names the other two,
    how to build the part, and its state. Tune makes all folders of a copy before it fills them.
    """
    if not is_file(folder / ROOT_MARK):
        yield Path(ROOT_MARK)
        return  # any folder, perhaps one that it takes days to walk through
    if is_file(folder / CHECKSUMS):
        yield from _changed(folder)  # first, for a changed description names files that never were
    for part in dict.fromkeys((Path(), *_PARTS, *_parts(folder))):
        description = part / ("metadata.json" if part.parts else ROOT_MARK)
        try:
            names = read_json(folder / description)
            files = [f"{names['class_and_ctor_args_file']}", f"{names['state_file']}.pkl"]
        except (OSError, ValueError, KeyError, TypeError):
            yield description
            continue
        if any(Path(file).name != file for file in files):
            yield description  # it names what lies elsewhere
            continue
        yield from (part / file for file in files if not _is_whole_pickle(folder / part / file))


def _changed(folder: Path) -> Iterator[Path]:
    """Files that are not what the list of checksums says, and the list itself where it says nothing."""
    try:
        sums = dict(read_json(folder / CHECKSUMS)["crc32"])
    except (OSError, ValueError, KeyError, TypeError):
        yield Path(CHECKSUMS)
        return
    for name, expected in sums.items():
        file = Path(name)
        if file.is_absolute() or ".." in file.parts:
            yield Path(CHECKSUMS)  # it names what lies elsewhere
            continue
        try:
            same = is_file(folder / file) and _checksum(folder / file) == expected
        except (OSError, ValueError):
            same = False
        if not same:
            yield file


def _parts(folder: Path) -> Iterator[Path]:
    """The folders inside a checkpoint, relative to it."""
    walk = os.walk(folder)
    for here, inner, _ in itertools.islice(walk, _MOST_PARTS):
        inner.sort()
        yield Path(here).relative_to(folder)


def _is_whole_pickle(file: Path) -> bool:
    try:
        return pickles.is_whole(read_bytes(file))
    except OSError:
        return False
