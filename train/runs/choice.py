"""Which trial a checkpoint was taken of, where a folder has those of several, said on one line."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from engram.train.console.errors import ExperimentError
from engram.train.console.files import typed_path
from engram.train.environments.ids import written
from engram.train.runs import checkpoints


def newest_checkpoint(path: str) -> Path:
    """The newest whole checkpoint of a run, with a notice where there were several trials to choose from.

    Args:
        path: A checkpoint's folder, which is taken as it is, or a trial's or an experiment's.

    Raises:
        ExperimentError: Nothing there, or no checkpoint of an RLlib algorithm.
    """
    newest, folder = checkpoints.find_checkpoint(path), typed_path(path).absolute()
    if newest != folder:
        tell_choice(folder, newest, "the newest", envs_of(checkpoints.inside(folder)))
    return newest


def envs_of(candidates: Sequence[Path]) -> dict[Path, str]:
    """The environment of each trial that has checkpoints; empty where it does not say."""
    envs = {}
    for checkpoint in candidates:
        if checkpoint.parent not in envs:
            try:
                envs[checkpoint.parent] = written(checkpoints.source(checkpoint).env)
            except ExperimentError:
                envs[checkpoint.parent] = ""
    return envs


def tell_choice(folder: Path, taken: Path, why: str, envs: Mapping[Path, str]) -> None:
    """Say on one line which of several trials a checkpoint is of, and of what the others are."""
    if len(envs) == 1:
        return
    own = envs[taken.parent]
    others = sorted({env for env in envs.values() if env and env != own})
    apart = f"; others play {', '.join(others)}: name a trial's folder for one of them" if others else ""
    in_env = f" in {own}" if own and others else ""
    print(
        f"notice: {folder} has checkpoints of {len(envs)} trials; taken is {taken.relative_to(folder)}, "
        f"{why}{in_env}{apart}",
        file=sys.stderr,
    )
