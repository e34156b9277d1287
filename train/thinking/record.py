"""What `rllib evaluate --thinking-steps N --out FILE` writes and others read."""

import dataclasses
from typing import Any, NamedTuple

from engram.train.console.errors import ExperimentError
from engram.train.console.files import naming, read_json, typed_path
from engram.train.console.screen import write_json

WRITER = "rllib evaluate --thinking-steps N --out FILE"


class Curve(NamedTuple):
    """Accuracy and exits under one exit rule.

    Attributes:
        accuracy: Share of problems solved within a budget of 1, ..., T iterations.
        exits: How many problems it answers after 1, ..., T iterations, given all T.
        steps_to_best: Iterations until the accuracy is at its maximum.
        drop_after_best: How far the accuracy falls below that afterwards: overthinking.
    """

    accuracy: list[float]
    exits: list[int]
    steps_to_best: int
    drop_after_best: float

    def exit_after(self, share: float) -> int:
        """Return the iterations within which at least this share of the problems was answered."""
        wanted, answered = share * sum(self.exits), 0
        for iteration, count in enumerate(self.exits, start=1):
            answered += count
            if answered >= wanted:
                return iteration
        return len(self.exits)


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What a network that thinks in iterations solved of one environment's puzzles.

    Attributes:
        checkpoint: Where the network was loaded from.
        env: The environment's id.
        env_config: Its settings.
        seed: Its seed.
        curves: By exit rule.
        solved: Which problems are solved after T iterations, in the order in which they were drawn.
    """

    checkpoint: str
    env: str
    env_config: dict[str, Any]
    seed: int
    curves: dict[str, Curve]
    solved: list[bool]

    @property
    def steps(self) -> int:
        """Iterations that were run, T."""
        return len(next(iter(self.curves.values())).accuracy)

    @property
    def accuracy(self) -> float:
        """Share of problems solved after T iterations."""
        return sum(self.solved) / len(self.solved)

    def write(self, path: str) -> str:
        """Write all of it; arguments and the like as in `write_json`."""
        curves = {rule: curve._asdict() for rule, curve in self.curves.items()}
        return write_json(path, vars(self) | {"curves": curves})


def read_evaluation(path: str, option: str) -> Evaluation:
    """Read what `Evaluation.write` wrote.

    Args:
        path: The file.
        option: Where the user named it; only used in messages.

    Raises:
        ExperimentError: No such file, or something else is in it.
    """
    with naming(f"{option}: {path}: cannot be read"):
        values = read_json(typed_path(path))
    try:
        curves = {rule: Curve(**curve) for rule, curve in values["curves"].items()}
        found = Evaluation(**{**values, "curves": curves})
        whole = _is_whole(found)
    except (KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise ExperimentError(f"{option}: {path}: expected what `{WRITER}` writes")
    return found


def _is_whole(found: Evaluation) -> bool:
    """Whether everything is of its kind, curves are equally long and shares are shares."""
    curves = found.curves.values()
    lengths = {len(column) for curve in curves for column in (curve.accuracy, curve.exits)}
    shares = [share for curve in curves for share in (*curve.accuracy, curve.drop_after_best)]
    counts = [count for curve in curves for count in (*curve.exits, curve.steps_to_best)]
    return (
        len(lengths) == 1
        and 0 not in lengths
        and all(isinstance(share, int | float) and 0 <= share <= 1 for share in shares)
        and all(isinstance(count, int) and count >= 0 for count in counts)
        and isinstance(found.checkpoint, str)
        and isinstance(found.env, str)
        and isinstance(found.env_config, dict)
        and isinstance(found.seed, int)
        and isinstance(found.solved, list)
        and len(found.solved) > 0
        and all(isinstance(each, bool) for each in found.solved)
    )


def budgets(last: int) -> list[int]:
    """Return the iterations that a table shows: 1, 2, 5, 10, 20, 50, ... and the last.

    Args:
        last: At least 1.
    """
    rounds = [digit * 10**power for power in range(len(str(last))) for digit in (1, 2, 5)]
    return [*(number for number in rounds if number < last), last]
