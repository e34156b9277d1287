"""From runs to lines of a picture: which trials belong together, and what each reported by env steps."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from ray.tune.utils.util import flatten_dict

from engram.train.console.errors import ExperimentError, unknown
from engram.train.runs.labels import label, short_keys
from engram.train.runs.record import read_record
from engram.train.runs.results import Trial, differing_settings, env_steps, lookup, number_at, read_trials

METRICS = {
    "return": "env_runners/episode_return_mean",
    "success": "env_runners/success_rate",
    "length": "env_runners/episode_len_mean",
    "evaluation": "evaluation/env_runners/episode_return_mean",
    "evaluation-success": "evaluation/env_runners/success_rate",
}
"""Short names of the usual metrics."""

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Env steps, rising, and values at them; NaN where there is none."""


@dataclasses.dataclass(frozen=True)
class Line:
    """Trials that belong together.

    Attributes:
        name: The experiment, and the settings that tell it from other lines.
        curves: One for each trial; each begins and ends with a value.
    """

    name: str
    curves: list[Curve]


def collect(runs: Sequence[str], path: str) -> tuple[list[Line], list[str]]:
    """Collect the lines of runs, and notes about what is left out.

    Args:
        runs: Folders of experiments or trials.
        path: Where the metric stands in a report.

    Raises:
        ExperimentError: No trial in any of them, or none that ever reported the metric.
    """
    trials: dict[Path, Trial] = {}
    notes = []
    for run in runs:
        try:
            trials |= {trial.folder: trial for trial in trials_of(Path(run).expanduser().resolve())}
        except ExperimentError as error:
            notes.append(f"left out: {error}")
    if not trials:
        raise ExperimentError("; ".join(note.removeprefix("left out: ") for note in notes))
    lines = []
    for name, group in grouped(list(trials.values())).items():
        curves = []
        for trial in group:
            curve = curve_of(trial, path)
            if curve is None:
                notes.append(f"left out: {trial.name}: no report with {path}")
            else:
                curves.append(curve)
        lines += [Line(name, curves)] if curves else []
    if not lines:
        known = {name for trial in trials.values() for name in reported(trial)}
        if path in known:
            raise ExperimentError(
                f"--options.metric: {path} was never a number: no episode had ended, it seems"
            )
        raise unknown("--options.metric: never reported", path, [*METRICS, *known], limit=len(METRICS))
    return lines, notes


def trials_of(folder: Path) -> list[Trial]:
    """The trials of an experiment, or the one whose folder it is."""
    if isinstance((read_record(folder) or {}).get("trial_config"), dict):
        return [trial for trial in read_trials(folder.parent) if trial.folder == folder]
    return read_trials(folder)


def grouped(trials: list[Trial]) -> dict[str, list[Trial]]:
    """Name of a line -> its trials: those of one experiment that differ in nothing but the seed."""
    folders = list(dict.fromkeys(trial.folder.parent for trial in trials))
    names = short_keys((folder.parts for folder in folders), "/")
    found: dict[str, list[Trial]] = {}
    for folder in folders:
        own = [trial for trial in trials if trial.folder.parent == folder]
        settings = [
            {tuple(path.split(".")): value for path, value in each.items()}
            for each in differing_settings(own)
        ]
        keys = short_keys(dict.fromkeys(place for each in settings for place in each))
        for trial, each in zip(own, settings, strict=True):
            name = " ".join([names[folder.parts], *label(each, keys)])
            found.setdefault(name, []).append(trial)
    return found


def curve_of(trial: Trial, path: str) -> Curve | None:
    """The reports of a trial; None where the metric was never a number.

    A report that does not have the metric at all, such as one between two evaluations, says nothing; one in
    which it is not a number breaks the curve.
    """
    points: dict[int, float] = {}
    for report in trial.reports:
        if lookup(report, path) is not None:
            value = number_at(report, path)
            points[env_steps(report)] = math.nan if value is None else value
    steps, values = np.array(sorted(points), float), np.array([points[step] for step in sorted(points)])
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return None
    within = slice(known[0], known[-1] + 1)
    return steps[within], values[within]


def reported(trial: Trial) -> list[str]:
    """Paths of the numbers in the newest report of a trial."""
    flat = flatten_dict(trial.reports[-1], delimiter="/") if trial.reports else {}
    return [path for path, value in flat.items() if isinstance(value, int | float)]
