"""Evaluations on disk, as `rllib evaluate --thinking-steps N --out FILE` writes them."""

import dataclasses
from typing import Annotated, Any, NamedTuple

from pydantic import Field, StrictBool, TypeAdapter, ValidationError

from engram.train.console.errors import ExperimentError
from engram.train.console.files import naming, read_json, typed_path
from engram.train.console.screen import write_json

Share = Annotated[float, Field(ge=0, le=1, strict=True)]
Count = Annotated[int, Field(ge=0, strict=True)]

WRITER = "rllib evaluate --thinking-steps N --out FILE"


class Curve(NamedTuple):
    """Accuracy and exits under one exit rule.

    Attributes:
        accuracy: Share of problems solved within a budget of 1, ..., T iterations.
        exits: How many problems it answers after 1, ..., T iterations, given all T.
        steps_to_best: Iterations until the accuracy is at its maximum.
        drop_after_best: How far the accuracy falls below that afterwards: overthinking.
    """

    accuracy: Annotated[list[Share], Field(min_length=1)]
    exits: list[Count]
    steps_to_best: Count
    drop_after_best: Share

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
    """The puzzles of one environment that a network solved by thinking in iterations.

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
    seed: Count
    curves: Annotated[dict[str, Curve], Field(min_length=1)]
    solved: Annotated[list[StrictBool], Field(min_length=1)]

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
        found = TypeAdapter(Evaluation).validate_python(values)
    except ValidationError:
        raise ExperimentError(f"{option}: {path}: expected what `{WRITER}` writes") from None
    if len({len(column) for curve in found.curves.values() for column in curve[:2]}) != 1:
        raise ExperimentError(f"{option}: {path}: expected curves of one length")
    return found


def budgets(last: int) -> list[int]:
    """Return the iterations that a table shows: 1, 2, 5, 10, 20, 50, ... and the last, at least 1."""
    rounds = [digit * 10**power for power in range(len(str(last))) for digit in (1, 2, 5)]
    return [*(number for number in rounds if number < last), last]
