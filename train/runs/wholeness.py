"""Whether a checkpoint is there to its last byte, found out without loading anything in it."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from engram.train.console.files import is_file, read_bytes, read_json
from engram.train.runs import pickles

MODULE = Path("learner_group/learner/rl_module/default_policy")
ROOT_MARK = "rllib_checkpoint.json"
_PARTS = (*reversed(MODULE.parents[:3]), MODULE)  # every algorithm has these
_MOST_PARTS = 10_000


def fault(checkpoint: Path) -> Path | None:
    """A file of a checkpoint that is missing or cut off; None where it is whole.

    Args:
        checkpoint: Its folder.
    """
    broken = next(_broken(checkpoint), None)
    return None if broken is None else checkpoint / broken


def is_whole(folder: Path) -> bool:
    """Whether all that a restart needs is there to its last byte; a killed process leaves halves behind.

    Nothing is loaded: to load a pickle is to run what it says.

    Args:
        folder: A folder that may be a checkpoint.
    """
    return folder.is_dir() and next(_broken(folder), None) is None


def _broken(folder: Path) -> Iterator[Path]:
    """Files that are missing or cut off, relative to the checkpoint.

    RLlib saves each part of an algorithm as a folder of three files: a description that names the other two,
    how to build the part, and its state. Tune makes all folders of a copy before it fills them.
    """
    if not is_file(folder / ROOT_MARK):
        yield Path(ROOT_MARK)
        return  # any folder, perhaps one that it takes days to walk through
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
