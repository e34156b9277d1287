"""Accuracy against iterations: figure 1 of the Delta paper (paper 2), figure 12 of paper 1.

T the budget: iterations that were run.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator, PercentFormatter

from engram.memory.options import Options, boolean
from engram.train.pictures.canvas import line_looks, new_figure
from engram.train.pictures.evaluations import NamedCurve, read_curves
from engram.train.pictures.fields import text, texts
from engram.train.pictures.tables import heading, row

BROAD, NARROW = 3.0, 1.2
"""Widths of the first and the last line: those below show from under those above."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AccuracyOptions(Options):
    """Options of `accuracy-curves`."""

    files: tuple[str, ...] = texts("files that `rllib evaluate --thinking-steps N --out FILE` has written")
    rule: str = text("", "an exit rule; none: all rules in the files")
    log: bool = boolean(True, "a logarithmic axis of iterations")


@dataclasses.dataclass(frozen=True)
class AccuracyCurves:
    """Accuracies for every budget.

    Attributes:
        curves: By file and exit rule.
        log: Whether the axis of iterations is logarithmic.
    """

    curves: list[NamedCurve]
    log: bool

    def rows(self) -> Iterator[Sequence[object]]:
        """Lines of a CSV file: the heading, and one for each budget."""
        yield ("file", "rule", "iterations", "accuracy")
        for file, rule, _, curve in self.curves:
            for iterations, accuracy in enumerate(curve.accuracy, start=1):
                yield file, rule, iterations, accuracy

    def text(self) -> str:
        """How good each gets, when, and how much of that is lost again."""
        lines = heading("file", "exit rule", "best", "after iterations", "at the end", "falls by")
        return "\n".join([*lines, *(_row(curve) for curve in self.curves)])


def _row(named: NamedCurve) -> str:
    curve = named.curve
    return row(
        f"`{named.file}`",
        named.rule,
        f"{max(curve.accuracy):.1%}",
        f"{curve.steps_to_best:,}",
        f"{curve.accuracy[-1]:.1%} ({len(curve.accuracy):,})",
        f"{curve.drop_after_best:.1%}",
    )


def curves(options: AccuracyOptions) -> AccuracyCurves:
    """Read the curves.

    Args:
        options: Which ones.

    Raises:
        ExperimentError: A file cannot be read, or has no such rule.
    """
    return AccuracyCurves(read_curves(options.files, options.rule, lambda rule: True), options.log)


def draw(found: AccuracyCurves) -> Figure:
    """Draw a line for each file and exit rule.

    Args:
        found: The curves.
    """
    figure = new_figure(8, 4.2)
    axes = figure.subplots()
    count = len(found.curves)
    widths = np.linspace(BROAD, NARROW, count).tolist()
    for (_, _, label, curve), look, width in zip(found.curves, line_looks(count), widths, strict=True):
        axes.plot(range(1, len(curve.accuracy) + 1), curve.accuracy, label=label, linewidth=width, **look)
    iteration_axis(axes, found.log)
    axes.set_ylim(-0.02, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_ylabel("problems solved")
    axes.set_title("answers given within so many iterations")
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.03), borderaxespad=0)
    return figure


def iteration_axis(axes: Axes, log: bool) -> None:
    """Make the x-axis one of iterations, from 1.

    Args:
        axes: Where.
        log: Whether it is logarithmic.
    """
    axes.set_xlabel("iterations")
    if log:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:,.10g}"))
