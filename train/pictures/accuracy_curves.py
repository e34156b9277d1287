"""Accuracy against iterations: figure 1 of the Delta paper (paper 2), figure 12 of paper 1.

T the budget: iterations that were run.
"""

import dataclasses

import numpy as np
from matplotlib.figure import Figure
from typing_extensions import override

from engram.memory.options import boolean
from engram.train.pictures.canvas import legend_beside, line_looks, new_figure, share_axis
from engram.train.pictures.evaluations import EvaluationCurves, FileOptions, read_curves
from engram.train.pictures.fields import text
from engram.train.thinking.record import Curve

BROAD, NARROW = 3.0, 1.2
"""Widths of the first and the last line: those below show from under those above."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AccuracyOptions(FileOptions):
    """Options of `accuracy-curves`."""

    rule: str = text("", "an exit rule; none: all rules in the files")
    log: bool = boolean(True, "a logarithmic axis of iterations")


class AccuracyCurves(EvaluationCurves):
    """Accuracies for every budget of 1, ..., T iterations."""

    COLUMNS = ("iterations", "accuracy")
    HEADING = ("best", "after iterations", "at the end", "falls by")

    @override
    def numbers(self, curve: Curve) -> list[float]:
        return curve.accuracy

    @override
    def cells(self, curve: Curve) -> list[str]:
        return [
            f"{max(curve.accuracy):.1%}",
            f"{curve.steps_to_best:,}",
            f"{curve.accuracy[-1]:.1%} ({len(curve.accuracy):,})",
            f"{curve.drop_after_best:.1%}",
        ]


def curves(options: AccuracyOptions) -> AccuracyCurves:
    """Read the curves."""
    return AccuracyCurves(read_curves(options.files, options.rule, lambda rule: True), options.log)


def draw(found: AccuracyCurves) -> Figure:
    """Draw a line for each file and exit rule."""
    figure = new_figure(8, 4.2)
    axes = figure.subplots()
    count = len(found.curves)
    widths = np.linspace(BROAD, NARROW, count).tolist()
    for (_, _, label, curve), look, width in zip(found.curves, line_looks(count), widths, strict=True):
        axes.plot(range(1, len(curve.accuracy) + 1), curve.accuracy, label=label, linewidth=width, **look)
    found.scale_iterations(axes)
    share_axis(axes)
    axes.set_ylabel("problems solved")
    axes.set_title("answers given within so many iterations")
    legend_beside(axes)
    return figure
