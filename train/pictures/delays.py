"""At which delay does a core stop learning: scores of finished runs; after appendix F of arXiv 1805.04955."""

import dataclasses
import os
import statistics
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from engram.memory.options import Options, choice
from engram.train.console.errors import ExperimentError
from engram.train.console.files import naming, typed_path
from engram.train.pictures.canvas import legend_beside, line_looks, new_figure
from engram.train.pictures.delay_scores import AUTO, METRICS, SUCCESS, DelayScores, shown
from engram.train.pictures.fields import Points, number_or_points, text, texts

MAX_TICKS = 12
BEST, CHANCE = "best possible", "chance"
DASHES = {BEST: "-", CHANCE: "--"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class DelayOptions(Options):
    """Options of `delays`.

    A trial's score is the mean of the metric over the last tenth of its reports (rounded up), each of which
    looks back over `metrics_num_episodes_for_smoothing` episodes. A trial that draws the delay anew for every
    episode has a score for each delay, from the metric's groups. Trials that have not finished have none.
    """

    runs: tuple[str, ...] = texts("folders of experiments, as `rllib train` leaves them")
    delay: str = text(
        "", "the setting to draw over, dotted; none: the number in env_config by which trials differ"
    )
    metric: str = choice(
        AUTO,
        "auto: success_rate where all trials have it (and not Cued Catch), else the return",
        (AUTO, *METRICS),
    )
    chance: Points | None = number_or_points(  # noqa: RUF009
        "what guessing earns: a number, or [[delay, number], ...] with straight lines between"
    )
    best: Points | None = number_or_points("the best possible, in the form of `chance`")  # noqa: RUF009


def scores(options: DelayOptions) -> DelayScores:
    """Read the scores of runs."""
    from engram.train.pictures.delay_runs import collect  # here, because it imports Ray
    from engram.train.runs.results import damaged_trials, read_trials

    try:
        with naming(", ".join(options.runs)):
            folders = dict.fromkeys(Path(os.path.realpath(typed_path(run))) for run in options.runs)
            trials = [trial for folder in folders for trial in read_trials(folder)]
            damaged = [f"left out: {fault}" for folder in folders for fault in damaged_trials(folder)]
    except ExperimentError as error:
        raise ExperimentError(f"--options.runs: {error}") from None
    references = {BEST: options.best, CHANCE: options.chance}
    given = {name: points for name, points in references.items() if points is not None}
    found = collect(trials, options.delay, options.metric, given)
    return dataclasses.replace(found, left_out=[*found.left_out, *damaged])


def draw(found: DelayScores) -> Figure:
    """Draw a line through the means of each experiment, and a dot for every trial."""
    figure = new_figure(8, 4.2)
    axes = figure.subplots()
    experiments = found.by_experiment()
    for (experiment, values), look in zip(experiments.items(), line_looks(len(experiments)), strict=True):
        _draw_experiment(axes, experiment, values, look)
    for name, points in found.references.items():
        _draw_reference(axes, name, points)
    if len(found.delays) <= MAX_TICKS:
        axes.set_xticks(found.delays, [shown(delay) for delay in found.delays])
    axes.set_xlabel(found.axis_label)
    axes.set_ylabel(METRICS[found.metric][0])
    if found.metric == SUCCESS:
        axes.set_ylim(-0.04, 1.04)
    missing = f"; {len(found.left_out)} left out" if found.left_out else ""
    axes.set_title(f"end of training; a dot is a trial, lines join means{missing}")
    legend_beside(axes)
    return figure


def _draw_experiment(axes: Axes, name: str, values: dict[float, list[float]], look: dict[str, Any]) -> None:
    axes.plot(list(values), [statistics.fmean(trials) for trials in values.values()], label=name, **look)
    dots = [(delay, value) for delay, trials in values.items() for value in trials]
    dot_delays, dot_values = zip(*dots, strict=True)
    axes.scatter(dot_delays, dot_values, color=look["color"], s=18, alpha=0.7, linewidths=0, zorder=3)


def _draw_reference(axes: Axes, name: str, points: Points) -> None:
    look: dict[str, Any] = {"color": "0.45", "linewidth": 1.0, "linestyle": DASHES[name], "zorder": 1}
    if isinstance(points, tuple):
        axes.plot(*zip(*points, strict=True), label=name, **look)
    else:
        axes.axhline(points, label=name, **look)
