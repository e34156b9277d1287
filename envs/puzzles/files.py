"""Sets of problems from the user's files; nothing is ever downloaded.

P problems.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.envs.data.files.tensors import read_tensor
from engram.envs.data.splits import ONLINE, SETS, check_split_sizes, split_rng
from engram.envs.puzzles.fixed import FixedProblems
from engram.envs.puzzles.task import Problems, PuzzleTask

TRAIN_SHARE = 0.8  # 8 000 of 10 000 strings, 40 000 of 50 000 mazes, 480 000 of 600 000 chess puzzles


def read_binary(path: Path) -> NDArray[np.uint8]:
    """Read zeros and ones from a `.npy` file of any dtype, problems first, as uint8.

    Where there is none, a tensor file of the same name, `.pth`, will do.

    Raises:
        ValueError: there is no such file, or it holds something else.
    """
    tensor = path.with_suffix(".pth")
    if path.is_file():
        values = _read_array(path)
    elif tensor.is_file():
        values = read_tensor(tensor)
    else:
        raise ValueError(f"path: there is no file {path}; legal: a folder that holds it")
    if values.size == 0:
        raise ValueError(f"path: {path} is empty")
    if values.dtype.kind not in "biuf":
        raise ValueError(f"path: {path} holds {values.dtype}; legal: numbers")
    with np.errstate(invalid="ignore"):  # of what is no number, which is refused below
        small: NDArray[np.uint8] = values.astype(np.uint8)
    if small.max() > 1 or (small != values).any():
        raise ValueError(f"path: {path} holds other values than 0 and 1")
    return small


def _read_array(path: Path) -> NDArray[Any]:
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, EOFError, ValueError, MemoryError) as error:
        raise ValueError(f"path: {path} is no whole .npy file: {error}") from None
    if not isinstance(values, np.ndarray):
        raise ValueError(f"path: {path} holds several arrays; legal: one, as np.save writes it")
    return values


def load_set(
    task: PuzzleTask,
    problems: Problems,
    split: str,
    data_seed: int,
    split_sizes: Mapping[str, int] | None = None,
) -> FixedProblems:
    """Take a split of problems that were read from one file.

    "test" is all of them, in a file of its own. "train" and "valid" share a file, drawn from `data_seed`,
    80 % and 20 % of it where `split_sizes` says nothing else.

    Raises:
        ValueError: "online", or more problems are asked for than there are.
    """
    if split == ONLINE:
        raise ValueError(f"split: {ONLINE!r} does not read files; with path, legal: {', '.join(SETS)}")
    there = problems.size
    train = int(TRAIN_SHARE * there)
    sizes = check_split_sizes(split_sizes, {"train": train, "valid": there - train, "test": there})
    if split == "test":
        begins, needed, rows = 0, sizes["test"], np.arange(there)
    else:
        begins, needed = (0 if split == "train" else sizes["train"]), sizes["train"] + sizes["valid"]
        rows = split_rng(data_seed, ONLINE).permutation(there)
    if needed > there:
        raise ValueError(f"split_sizes: {needed} problems asked for; legal: at most {there}, as path holds")
    return FixedProblems(task, problems.take(rows[begins : begins + sizes[split]]))
