"""Populations: the mean of the best three members at each step, with a band over repeated populations.

M members of one population, G points of the grid.
"""

import dataclasses
import json

import numpy as np
from matplotlib.figure import Figure

from engram.memory.options import Options, choice, integer
from engram.train.console.errors import ExperimentError
from engram.train.console.files import mapping_at, typed_path
from engram.train.pictures import curves
from engram.train.pictures.curve_runs import METRICS, Curve, Line, curve_of
from engram.train.pictures.fields import text, texts
from engram.train.population.lineage import Lineage, read_lineage
from engram.train.runs.record import read_record


@dataclasses.dataclass(frozen=True, kw_only=True)
class PopulationOptions(Options):
    """Options of `population`.

    As in figure 5 of the LP-RNN's paper (arXiv 1805.04955): in each population the best members at each step
    are averaged, the curve is smoothed, and the band is one over populations. Runs of one experiment that
    differ in seeds only make up a line. After a copy a member has no return for a while: there its curve is
    straight.
    """

    runs: tuple[str, ...] = texts("folders of experiments with a population")
    metric: str = text("return", f"{', '.join(METRICS)}, or the path of a number in the reports")
    top: int = integer(3, "members that are averaged at each step, the best ones (paper: 3)")
    smooth: int = integer(1, "points of the grid that are averaged, after that; 1: none")
    band: str = choice("ci95", "what is shaded around the mean of populations", tuple(curves.BANDS))
    points: int = integer(200, "points of the grid", low=2, high=100_000)


def populations(options: PopulationOptions) -> curves.Curves:
    """Read the members' reports."""
    path = METRICS.get(options.metric, options.metric)
    groups: dict[str, list[Lineage]] = {}
    for run in options.runs:
        lineage = read_lineage(typed_path(run))
        groups.setdefault(_settings(lineage), []).append(lineage)
    lines = [
        Line(group[0].folder.name, [best_of(lineage, path, options) for lineage in group])
        for group in groups.values()
    ]
    notes = [
        f"note: the mean of the best {options.top} members at each step; n is the number of populations",
        *(f"note: {line.name} is one population: no band" for line in lines if len(line.curves) == 1),
    ]
    return curves.Curves(
        path, options.band, [curves.average(line, options.points, options.band) for line in lines], notes
    )


def _settings(lineage: Lineage) -> str:
    """What a population was started with, but for what repeated ones differ in."""
    stored = mapping_at(read_record(next(iter(lineage.trials.values())).folder) or {}, "experiment")
    config = {key: value for key, value in mapping_at(stored, "config").items() if key != "seed"}
    scheduler = {key: value for key, value in mapping_at(stored, "scheduler").items() if key != "seed"}
    kept = ("env", "run", "stop", "num_samples")
    return json.dumps([{key: stored.get(key) for key in kept}, config, scheduler], sort_keys=True)


def best_of(lineage: Lineage, path: str, options: PopulationOptions) -> Curve:
    """The mean of a population's best members at each step.

    Args:
        lineage: The population.
        path: Of the metric in the reports.
        options: Of the picture.

    Raises:
        ExperimentError: fewer members have a value than are averaged.
    """
    known = [curve for trial in lineage.trials.values() if (curve := curve_of(trial, path)) is not None]
    if len(known) < options.top:
        raise ExperimentError(
            f"{lineage.folder}: {len(known)} members have a number at {path}, of which the best "
            f"{options.top} are averaged"
        )
    first = sorted(steps[0] for steps, _ in known)[options.top - 1]
    last = max(first, min(steps[-1] for steps, _ in known))
    grid = np.linspace(first, last, options.points if last > first else 1)
    values = np.stack([_on(grid, curve) for curve in known])  # (M, G)
    best = np.sort(values, axis=0)[-options.top :].mean(0)
    width = min(options.smooth, len(grid))
    sums, counts = (np.convolve(each, np.ones(width), "same") for each in (best, np.ones(len(grid))))
    return grid, sums / counts


def _on(grid: curves.Floats, curve: Curve) -> curves.Floats:
    """A member's values on the grid, the worst of all before it has any."""
    steps, values = (part[np.isfinite(curve[1])] for part in curve)
    return np.interp(grid, steps, values, left=-np.inf)


def draw(found: curves.Curves) -> Figure:
    """Draw a line for each experiment."""
    figure = curves.draw(found)
    figure.axes[0].set_title("best members of populations")
    return figure
