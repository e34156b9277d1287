"""What all pictures share: figures without a screen, colours that everybody can tell apart, files."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator, PercentFormatter

from engram.train.console.files import naming

SUFFIXES = {".pdf": {"CreationDate": None}, ".png": {"Software": None}, ".svg": {"Date": None}}
"""File types, and metadata that is left out so that the same picture gives the same bytes."""

# Okabe and Ito, https://jfly.uni-koeln.de/color, without yellow, too light for lines, and black.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")

DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)))

STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.color": "0.9",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.hashsalt": "engram",
    "svg.fonttype": "none",
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "text.parse_math": False,  # a $ in the name of a file is a $
}


@contextmanager
def style() -> Iterator[None]:
    """Apply the settings of our figures, without effect on other figures of the process."""
    with mpl.rc_context(STYLE):
        yield


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure of this width and height, inches."""
    figure = Figure((width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, out: Path) -> None:
    """Write a figure; its suffix says how, and the same figure gives the same bytes.

    Args:
        figure: What to write.
        out: Where to, a suffix of `SUFFIXES`.

    Raises:
        ExperimentError: the file cannot be written.
    """
    metadata: dict[str, Any] = SUFFIXES[out.suffix]
    with naming(f"{out}: cannot be written"), style():
        figure.savefig(out, metadata=metadata)


def write_rows(file: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write the numbers behind a picture as CSV.

    Args:
        file: Where to.
        rows: Lines of the file, the heading first.

    Raises:
        ExperimentError: It cannot be written.
    """
    with (
        naming(f"{file}: cannot be written"),
        file.open("w", newline="", encoding="utf-8", errors="backslashreplace") as stream,
    ):
        csv.writer(stream).writerows(rows)


def legend_beside(axes: Axes, **settings: Any) -> None:
    """Add a legend to the right of a panel, with settings of `Axes.legend`."""
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.03), borderaxespad=0, **settings)


def share_axis(axes: Axes) -> None:
    """Make the y-axis one of shares, in percent."""
    axes.set_ylim(-0.02, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1))


def line_looks(count: int) -> list[dict[str, Any]]:
    """Choose the looks of `count` lines: colours for a few, else dark to light, alternately dashed."""
    if count <= len(COLOURS):
        return [{"color": colour} for colour in COLOURS[:count]]
    viridis = mpl.colormaps["viridis"]
    return [
        {"color": viridis(0.85 * index / (count - 1)), "linestyle": DASHES[index % len(DASHES)]}
        for index in range(count)
    ]


def log_lags(axes: Axes, largest: int) -> None:
    """Make the x-axis one of lags: logarithmic, with room for lag 0.

    Args:
        axes: Where.
        largest: Largest lag, steps.
    """
    axes.set_xscale("symlog", linthresh=1, linscale=0.4)
    axes.set_xlim(0, largest)
    axes.set_xticks([0, *(10**power for power in range(len(str(largest))) if 10**power <= largest)])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda lag, _: f"{int(lag):,}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("lag (steps since the input)")
