"""What `rllib evaluate --thinking-steps N --out FILE` writes and others read."""

import dataclasses
import json
from typing import Any, NamedTuple

from engram.train.console.errors import ExperimentError
from engram.train.console.files import naming, read_json, typed_path

WRITER = "rllib evaluate --thinking-steps N --out FILE"


class Curve(NamedTuple):
    """What an exit rule comes to.

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
        """Iterations within which this share of the problems, or more, was answered."""
        wanted, answered = share * sum(self.exits), 0
        for iteration, count in enumerate(self.exits, start=1):
            answered += count
            if answered >= wanted:
                return iteration
        return len(self.exits)


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A network, what it was asked, and how it did.

    Attributes:
        checkpoint: The network.
        env: The environment's id.
        env_config: Its settings.
        seed: Its seed.
        curves: Exit rule to what it comes to.
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

    def write(self, path: str) -> None:
        """Writes all of it.

        Args:
            path: Where to.

        Raises:
            ExperimentError: It cannot be written.
        """
        curves = {rule: curve._asdict() for rule, curve in self.curves.items()}
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        write_json(path, values | {"curves": curves})


def write_json(path: str, values: Any) -> None:
    """Writes what `--out` asks for.

    Args:
        path: Where to.
        values: Numbers, texts, lists and mappings of them.

    Raises:
        ExperimentError: It cannot be written.
    """
    with naming(f"--out: {path} cannot be written"):
        typed_path(path).write_text(json.dumps(values), encoding="utf-8")


def read_evaluation(path: str, option: str) -> Evaluation:
    """Reads what `Evaluation.write` wrote.

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
