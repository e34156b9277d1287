"""Learning curves: scores of runs by env steps, the mean over seeds with a band around it.

R trials of one line, G points of the grid.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import EngFormatter
from numpy.typing import NDArray

from engram.memory.options import Options, choice, integer
from engram.train.pictures.canvas import legend_beside, line_looks, new_figure
from engram.train.pictures.curve_runs import METRICS, Line, collect
from engram.train.pictures.fields import text, texts
from engram.train.pictures.tables import table

Floats = NDArray[np.float64]

BANDS = {
    "min-max": "min to max over trials",
    "ci95": "95 % interval of the mean, bootstrap over trials",
    "none": "",
}
RESAMPLES, LEVEL = 2000, (2.5, 97.5)  # of the bootstrap; percentiles


@dataclasses.dataclass(frozen=True, kw_only=True)
class CurveOptions(Options):
    """Options of `curves`.

    Trials of one experiment that differ in their seed only make up a line. Between two reports a trial's
    curve is straight; a report before the first finished episode draws nothing, and where one of its trials
    has nothing, neither does the line.
    """

    runs: tuple[str, ...] = texts("folders of experiments or trials, as `rllib train` leaves them")
    metric: str = text(
        "return", f"{', '.join(METRICS)}, or the path of a number in the reports, such as learners/..."
    )
    band: str = choice("min-max", "what is shaded around the mean", tuple(BANDS))
    points: int = integer(200, "points of the grid on which trials are averaged", low=2, high=100_000)


@dataclasses.dataclass(frozen=True)
class Mean:
    """A line, on a grid.

    Attributes:
        name: Its name.
        trials: Number of trials R.
        steps: Env steps, (G,).
        mean: (G,), NaN where a trial has no value.
        low: Lower end of the band, (G,).
        high: Its upper end.
    """

    name: str
    trials: int
    steps: Floats
    mean: Floats
    low: Floats
    high: Floats


@dataclasses.dataclass(frozen=True)
class Curves:
    """The lines of a picture of learning curves.

    Attributes:
        metric: Path in the reports.
        band: One of `BANDS`.
        means: The lines.
        notes: What is left out, and what to beware of.
    """

    metric: str
    band: str
    means: list[Mean]
    notes: list[str]

    def rows(self) -> Iterator[Sequence[object]]:
        """Yield lines of a CSV file: the heading, and one for each line and point that has a mean."""
        yield ("line", "trials", "env_steps", self.metric, f"low ({self.band})", f"high ({self.band})")
        for line in self.means:
            for values in zip(line.steps, line.mean, line.low, line.high, strict=True):
                if np.isfinite(values).all():
                    yield (line.name, line.trials, *map(float, values))

    def text(self) -> str:
        """Return where each line ends and its best mean, a table in Markdown; below it the notes."""
        heading = ("line", "trials", "env steps", "at the end", "band", "best mean", "at step")
        lines = [f"{self.metric}, means over trials", "", *table(heading, map(_row, self.means))]
        return "\n".join([*lines, *(["", *self.notes] if self.notes else [])])


def _row(line: Mean) -> list[str]:
    known = np.flatnonzero(np.isfinite(line.mean))
    last, best = known[-1], known[np.argmax(line.mean[known])]
    return [
        f"`{line.name}`",
        str(line.trials),
        f"{line.steps[last]:,.0f}",
        f"{line.mean[last]:.4g}",
        f"{line.low[last]:.4g} to {line.high[last]:.4g}",
        f"{line.mean[best]:.4g}",
        f"{line.steps[best]:,.0f}",
    ]


def curves(options: CurveOptions) -> Curves:
    """Read the reports of runs."""
    path = METRICS.get(options.metric, options.metric)
    lines, notes = collect(options.runs, path)
    means = [average(line, options.points, options.band) for line in lines]
    short = [
        f"note: {line.name} ends at {mean.steps[-1]:,.0f} env steps, as its shortest trial; the longest has "
        f"{max(steps[-1] for steps, _ in line.curves):,.0f}"
        for line, mean in zip(lines, means, strict=True)
        if max(steps[-1] for steps, _ in line.curves) > mean.steps[-1]
    ]
    return Curves(path, options.band, means, [*notes, *short])


def average(line: Line, points: int, band: str) -> Mean:
    """The mean over trials, over the env steps that all of them have reports of."""
    first = max(steps[0] for steps, _ in line.curves)
    last = min(steps[-1] for steps, _ in line.curves)
    grid = np.linspace(first, max(first, last), points if last > first else 1)
    values = np.stack([np.interp(grid, steps, curve) for steps, curve in line.curves])  # (R, G)
    low, high = _band(values, band)
    return Mean(line.name, len(values), grid, values.mean(0), low, high)


def _band(values: Floats, band: str) -> tuple[Floats, Floats]:
    """Both ends of the band, each (G,), of the values (R, G) of trials."""
    if band == "none" or len(values) == 1:
        return values.mean(0), values.mean(0)
    if band == "min-max":
        return values.min(0), values.max(0)
    drawn = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    counts = np.stack([(drawn == trial).sum(1) for trial in range(len(values))], axis=1)
    low, high = np.percentile(counts @ values / len(values), LEVEL, axis=0)
    return low, high


def draw(found: Curves) -> Figure:
    """Draw a line for each experiment and setting."""
    figure = new_figure(8, 4.2)
    axes = figure.subplots()
    for line, look in zip(found.means, line_looks(len(found.means)), strict=True):
        _draw_line(axes, line, look)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_xlabel("env steps")
    axes.set_ylabel(found.metric)
    handles, _ = axes.get_legend_handles_labels()
    if BANDS[found.band] and any(line.trials > 1 for line in found.means):
        handles.append(Patch(color="0.5", alpha=0.25, linewidth=0, label=BANDS[found.band]))
    legend_beside(axes, handles=handles)
    axes.set_title("means over trials")
    return figure


def _draw_line(axes: Axes, line: Mean, look: dict[str, Any]) -> None:
    marker = "o" if np.isfinite(line.mean).sum() == 1 else ""
    axes.plot(line.steps, line.mean, label=f"{line.name}, n = {line.trials}", marker=marker, **look)
    if line.trials > 1:
        axes.fill_between(line.steps, line.low, line.high, color=look["color"], alpha=0.2, linewidth=0)
