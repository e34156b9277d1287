"""After how many iterations problems are answered: figure 11 of Thinking Deeply with Recurrence (paper 1)."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from engram.memory.options import Options, boolean
from engram.train.pictures.accuracy_curves import iteration_axis
from engram.train.pictures.canvas import COLOURS, new_figure
from engram.train.pictures.evaluations import NamedCurve, read_curves
from engram.train.pictures.fields import text, texts
from engram.train.pictures.tables import heading, row

SAME_FOR_ALL = ("last", "n_plus_k")
"""Rules that answer all problems after the same number of iterations."""
SHARES = (0.1, 0.5, 0.9)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExitOptions(Options):
    """Options of `exits`."""

    files: tuple[str, ...] = texts("files that `rllib evaluate --thinking-steps N --out FILE` has written")
    rule: str = text("", "an exit rule; none: all in the files that choose when to stop")
    log: bool = boolean(False, "a logarithmic axis of iterations")


@dataclasses.dataclass(frozen=True)
class Exits:
    """How many problems are answered after each iteration.

    Attributes:
        curves: By file and exit rule.
        log: Whether the axis of iterations is logarithmic.
    """

    curves: list[NamedCurve]
    log: bool

    def rows(self) -> Iterator[Sequence[object]]:
        """Lines of a CSV file: the heading, and one for each iteration."""
        yield ("file", "rule", "iteration", "problems")
        for file, rule, _, curve in self.curves:
            for iteration, problems in enumerate(curve.exits, start=1):
                yield file, rule, iteration, problems

    def text(self) -> str:
        """Within how many iterations most problems are answered."""
        shares = (f"{share:.0%} within" for share in SHARES)
        lines = heading("file", "exit rule", "problems", *shares, "of iterations", "solved")
        return "\n".join([*lines, *(_row(curve) for curve in self.curves)])


def _row(named: NamedCurve) -> str:
    curve = named.curve
    return row(
        f"`{named.file}`",
        named.rule,
        f"{sum(curve.exits):,}",
        *(f"{curve.exit_after(share):,}" for share in SHARES),
        f"{len(curve.exits):,}",
        f"{curve.accuracy[-1]:.1%}",
    )


def exits(options: ExitOptions) -> Exits:
    """Read the histograms.

    Args:
        options: Which ones.

    Raises:
        ExperimentError: A file cannot be read, or has no such rule.
    """
    found = read_curves(options.files, options.rule, lambda rule: rule not in SAME_FOR_ALL)
    return Exits(found, options.log)


def draw(found: Exits) -> Figure:
    """Draw a histogram for each file and exit rule.

    Args:
        found: The histograms.
    """
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
        iteration_axis(axes, found.log)
        axes.label_outer()
    panels[-1].set_xlabel("answered after so many iterations")
    return figure
