"""After how many iterations problems are answered: figure 11 of Thinking Deeply with Recurrence (paper 1)."""

import dataclasses

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from typing_extensions import override

from engram.memory.options import boolean
from engram.train.pictures.canvas import COLOURS, new_figure
from engram.train.pictures.evaluations import EvaluationCurves, FileOptions, read_curves
from engram.train.pictures.fields import text
from engram.train.thinking.record import Curve

SAME_FOR_ALL = ("last", "n_plus_k")
"""Rules that answer all problems after the same number of iterations."""
SHARES = (0.1, 0.5, 0.9)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExitOptions(FileOptions):
    """Options of `exits`."""

    rule: str = text("", "an exit rule; none: all in the files that choose when to stop")
    log: bool = boolean(False, "a logarithmic axis of iterations")


class Exits(EvaluationCurves):
    """How many problems are answered after each iteration."""

    COLUMNS = ("iteration", "problems")
    HEADING = ("problems", *(f"{share:.0%} within" for share in SHARES), "of iterations", "solved")

    @override
    def numbers(self, curve: Curve) -> list[int]:
        return curve.exits

    @override
    def cells(self, curve: Curve) -> list[str]:
        within = [f"{curve.exit_after(share):,}" for share in SHARES]
        return [f"{sum(curve.exits):,}", *within, f"{len(curve.exits):,}", f"{curve.accuracy[-1]:.1%}"]


def exits(options: ExitOptions) -> Exits:
    """Read the histograms."""
    found = read_curves(options.files, options.rule, lambda rule: rule not in SAME_FOR_ALL)
    return Exits(found, options.log)


def draw(found: Exits) -> Figure:
    """Draw a histogram for each file and exit rule."""
    figure = new_figure(8, 0.8 + 1.5 * len(found.curves))
    panels = figure.subplots(len(found.curves), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (_, _, label, curve) in zip(panels, found.curves, strict=True):
        shares = np.trim_zeros(np.divide(curve.exits, sum(curve.exits)), "b")
        axes.stairs(shares, np.arange(len(shares) + 1) + 0.5, fill=True, color=COLOURS[0])
        median = curve.exit_after(0.5)
        axes.axvline(median, color=COLOURS[1], linewidth=1)
        axes.set_title(f"{label}: median {median:,}")
        axes.set_ylabel("problems")
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        found.scale_iterations(axes)
        axes.label_outer()
    panels[-1].set_xlabel("answered after so many iterations")
    return figure
