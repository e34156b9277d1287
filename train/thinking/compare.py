"""`rllib compare-thinking`: McNemar's test between two networks that were asked the same puzzles.

Source: McNemar, Note on the sampling error of the difference between correlated proportions, 1947; the exact
test is a sign test on the problems that only one of the two solves.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from rich.table import Table
from scipy import stats

from engram.train.console.errors import ExperimentError
from engram.train.console.screen import print_table
from engram.train.thinking.record import Evaluation, read_evaluation

COMMAND = "compare-thinking"


def compare_thinking(first: str, second: str, as_json: bool) -> dict[str, Any]:
    """Compare, print, and return what was found.

    Args:
        first: A file that `rllib evaluate --thinking-steps N --out FILE` wrote.
        second: Another one, of the same puzzles; the number of iterations may differ.
        as_json: End with one line of JSON.

    Raises:
        ExperimentError: A file that cannot be read, or other puzzles.
    """
    one, other = (read_evaluation(path, COMMAND) for path in (first, second))
    for setting, here, there in _settings(one, other):
        if here != there:
            raise ExperimentError(
                f"{COMMAND}: not the same puzzles: {setting} is {_shown(here)} in {first}, "
                f"{_shown(there)} in {second}"
            )
    test = mcnemar(one.solved, other.solved)
    table = Table("", "checkpoint", "iterations", "solved", "only this one", box=None, pad_edge=False)
    for path, found, alone in zip(
        (first, second), (one, other), (test.first_only, test.second_only), strict=True
    ):
        table.add_row(path, found.checkpoint, f"{found.steps:,}", f"{_share(found):.2%}", f"{alone:,}")
    print(
        f"environment: {one.env} {json.dumps(one.env_config)}, seed {one.seed}, {len(one.solved):,} problems"
    )
    print_table(table)
    print(f"McNemar's exact test, two-sided: p = {test.p_value:.3g}")
    summary = {"first": _told(first, one), "second": _told(second, other), **test._asdict()}
    if as_json:
        print(json.dumps(summary))
    return summary


def _settings(one: Evaluation, other: Evaluation) -> Iterator[tuple[str, Any, Any]]:
    """What decides which puzzles are drawn, by name: in the one and in the other."""
    yield "env", one.env, other.env
    for key in sorted(one.env_config.keys() | other.env_config.keys()):
        yield f"env_config.{key}", one.env_config.get(key), other.env_config.get(key)
    yield "seed", one.seed, other.seed
    yield "the number of problems", len(one.solved), len(other.solved)


def _shown(value: Any) -> str:
    return "left to its default" if value is None else json.dumps(value)


def _share(found: Evaluation) -> float:
    return sum(found.solved) / len(found.solved)


def _told(path: str, found: Evaluation) -> dict[str, Any]:
    return {
        "file": path,
        "checkpoint": found.checkpoint,
        "thinking_steps": found.steps,
        "solved": _share(found),
    }


class McNemar(NamedTuple):
    """What the test says.

    Attributes:
        first_only: problems that only the first one solves.
        second_only: problems that only the second one solves.
        p_value: how probable a difference at least as large is if both are equally good; two-sided, exact.
    """

    first_only: int
    second_only: int
    p_value: float


def mcnemar(first: ArrayLike, second: ArrayLike) -> McNemar:
    """Compares two networks by McNemar's exact test.

    Args:
        first: (P,) bool, which of P problems the first one solves.
        second: (P,) bool, which of the same problems the second one solves.

    Raises:
        ValueError: the two do not tell of the same number of problems.
    """
    one, other = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    if one.shape != other.shape or one.ndim != 1:
        raise ValueError(f"second: expected (P,) as the first, {one.shape}, got {other.shape}")
    first_only, second_only = int((one & ~other).sum()), int((other & ~one).sum())
    differing = first_only + second_only
    p_value = float(stats.binomtest(first_only, differing).pvalue) if differing else 1.0
    return McNemar(first_only, second_only, p_value)
