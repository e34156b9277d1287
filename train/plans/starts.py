"""`init_from`: the weights that a new run starts from, found and checked before anything starts."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from engram.train.console.errors import ExperimentError
from engram.train.console.files import typed_path
from engram.train.experiments.experiment import Experiment
from engram.train.experiments.search import LISTS, kind_of
from engram.train.runs.choice import newest_checkpoint
from engram.train.runs.wholeness import is_whole

WHERE = "config.model.init_from"

Start = Mapping[str, Any]
"""What a trial starts from, as `run.json` has it: `from` (null: random weights), `copied` and `new`."""


def with_checkpoints(experiment: Experiment, resume: bool) -> Experiment:
    """Name the checkpoint for each run that `init_from` names.

    Args:
        experiment: As written.
        resume: Whether it goes on from its own checkpoints: what it once started from may be gone.

    Raises:
        ExperimentError: there is no whole checkpoint, or the run is also to be restored.
    """
    found: dict[str, str] = {}

    def named(path: str) -> str:
        if path not in found:
            found[path] = str(typed_path(path).absolute()) if resume else _checkpoint(path)
        return found[path]

    model = _each(experiment.config.get("model"), named)
    if found and experiment.restore is not None and not resume:
        raise ExperimentError(f"{WHERE}: --restore {experiment.restore} brings all weights; keep one of them")
    return (
        experiment.model_copy(update={"config": experiment.config | {"model": model}})
        if found
        else experiment
    )


def _checkpoint(path: str) -> str:
    try:
        return str(newest_checkpoint(path))
    except ExperimentError as error:
        raise ExperimentError(*(f"{WHERE}: {line}" for line in error.lines)) from None


def _each(section: Any, change: Callable[[str], str], inside: bool = False) -> Any:
    """A copy of a section with each text at `init_from`, in search spaces too, changed."""
    if isinstance(section, dict):
        return {
            key: _each(value, change, key == "init_from" or (inside and kind_of(section) in LISTS))
            for key, value in section.items()
        }
    if isinstance(section, list):
        return [_each(value, change, inside) for value in section]
    return change(section) if inside and isinstance(section, str) and section else section


def as_stored(now: Any, stored: Any, inside: bool = False) -> Any:
    """A section with the checkpoint that a stored run has taken, where the same folder is named again.

    Args:
        now: `config.model` as it is asked for, paths absolute.
        stored: The stored run's.
        inside: Whether both are the value of `init_from`.
    """
    if isinstance(now, dict) and isinstance(stored, dict):
        return {
            key: as_stored(value, stored.get(key), inside or key == "init_from") for key, value in now.items()
        }
    if isinstance(now, list) and isinstance(stored, list) and len(now) == len(stored):
        return [as_stored(one, other, inside) for one, other in zip(now, stored, strict=True)]
    same = inside and isinstance(now, str) and isinstance(stored, str) and Path(stored).is_relative_to(now)
    return stored if same else now


def check_still_there(starts: Iterable[Start]) -> None:
    """Raises ExperimentError where a checkpoint that trials of a stored run are to start from is gone."""
    for start in starts:
        if start["from"] is not None and not is_whole(Path(start["from"])):
            raise ExperimentError(f"--resume: {start['from']}: gone, and trials have yet to start from it")


def distinct(starts: Iterable[Start]) -> tuple[Start, ...]:
    """The different starts of an experiment's variants; none where all start from random weights."""
    found: list[Start] = []
    for start in starts:
        if start not in found:
            found.append(start)
    return tuple(found) if any(start["from"] is not None for start in found) else ()


def worded(start: Start) -> str:
    """Say what is copied and what not: `CHECKPOINT: encoder 12 weights, core 4; new: heads`."""
    if start["from"] is None:
        return "random weights"
    counts = [f"{part} {count}" for part, count in start["copied"].items()]
    counts[0] += " weights"
    new = f"; new: {', '.join(start['new'])}" if start["new"] else ""
    return f"{start['from']}: {', '.join(counts)}{new}"


def idle_init(experiment: Experiment) -> list[str]:
    """A notice where `init` says what to take over, and nothing says from where."""
    model = experiment.config.get("model")
    without = isinstance(model, dict) and model.get("init") and model.get("init_from") is None
    return ["config.model.init has no effect without init_from"] if without else []
