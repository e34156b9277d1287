"""What all pictures share: figures without a screen, colours that everybody can tell apart, files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from engram.train.console.files import check_out, naming

SUFFIXES = {".pdf": {"CreationDate": None}, ".png": {"Software": None}, ".svg": {"Date": None}}
"""File types, and what is left out of them so that the same picture is the same file."""

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
    """Settings of a figure while it is made; without effect on other figures of the process."""
    with mpl.rc_context(STYLE):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure.

    Args:
        width: Inches.
        height: Inches.
    """
    figure = Figure((width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def check_file(out: Path, option: str) -> None:
    """Check, before any work, that a picture can be written.

    Args:
        out: File to be written.
        option: What the user wrote it behind.

    Raises:
        ExperimentError: an unknown suffix, no such folder, a folder instead of a file, no right to write.
    """
    check_out(str(out), option, SUFFIXES)


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


def line_looks(count: int) -> list[dict[str, Any]]:
    """Colours and dashes of so many lines: named colours for a few, else dark to light, alternately dashed.

    Args:
        count: Number of lines.
    """
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
