"""What a core gains over another one in each Atari game: after figure 6 of arXiv 1909.10893."""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from engram.memory.options import Options, choice
from engram.train.console.files import typed_path
from engram.train.pictures.canvas import COLOURS, new_figure
from engram.train.pictures.curve_runs import METRICS, trials_of
from engram.train.pictures.fields import text, texts
from engram.train.pictures.improvements import Improvement, Improvements, compare


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScoreOptions(Options):
    """Options of `scores`.

    A score is the mean over trials of a core in a game, each over the last tenth of its reports (rounded up).
    Improvement over the baseline has two readings, and both are drawn: (score - baseline) / |baseline|, and
    (score - baseline) / (max(human, baseline) - random). Beside them stand human-normalised scores, (score -
    random) / (human - random), with the published scores of random actions and of people.
    """

    runs: tuple[str, ...] = texts("folders of experiments or trials, of two cores or more")
    baseline: str = text("lstm", "the core that others are compared with, as the table calls it")
    metric: str = choice("return", "scores of training, or of evaluations", ("return", "evaluation"))


def scores(options: ScoreOptions) -> Improvements:
    """Read the scores of runs."""
    trials = {trial.folder: trial for run in options.runs for trial in trials_of(typed_path(run).resolve())}
    return compare(list(trials.values()), options.baseline, METRICS[options.metric])


class _Panel(NamedTuple):
    title: str
    values: Mapping[str, float | None]  # by game
    beside: Mapping[str, float]  # of the baseline, by game


def draw(found: Improvements) -> Figure:
    """Draw a row for each core: both readings and human-normalised scores, the best game on top."""
    rows = found.by_core()
    heights = [1.2 + 0.17 * len(games) for games in rows.values()]
    figure = new_figure(12, sum(heights))
    every = figure.subplots(len(rows), 3, squeeze=False, height_ratios=heights)
    for line, (core, games) in zip(every, rows.items(), strict=True):
        for axes, panel in zip(line, _panels(found.baseline, games), strict=True):
            _draw_panel(axes, panel)
        line[0].set_ylabel(core)
    return figure


def _panels(base: str, games: list[Improvement]) -> list[_Panel]:
    second = f"reading 2: over max(human, {base}) - random"
    return [
        _Panel(f"reading 1: over |{base}|", {each.game: each.over_baseline for each in games}, {}),
        _Panel(second, {each.game: each.over_better for each in games}, {}),
        _Panel(
            f"human-normalised; dots: {base}",
            {each.game: each.normalised for each in games},
            {each.game: each.baseline_normalised for each in games},
        ),
    ]


def _draw_panel(axes: Axes, panel: _Panel) -> None:
    """Draw bars, the largest on top; linear up to 100 % and logarithmic beyond."""
    known = {game: value for game, value in panel.values.items() if value is not None}
    order = sorted(known, key=lambda game: known[game])
    colours = [COLOURS[0] if known[game] >= 0 else COLOURS[1] for game in order]
    axes.barh(order, [known[game] for game in order], color=colours)
    dots = [game for game in order if game in panel.beside]
    axes.plot([panel.beside[game] for game in dots], dots, "o", color="0.2", markersize=3)
    axes.axvline(0, color="0.5", linewidth=0.8)
    axes.set_xscale("symlog", linthresh=1)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:,.0%}"))
    axes.margins(y=0.01)
    axes.tick_params("y", labelsize=7)
    axes.set_title(panel.title)
    axes.set_xlabel("linear up to 100 %, then logarithmic")
