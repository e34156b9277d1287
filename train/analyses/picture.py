"""A picture of the report: a figure, the numbers behind it, and what was found beside what the paper says."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from engram.envs.arrays import Flags
from engram.train.analyses.material import BASELINES, MOUSE, NETWORK, OBSERVER
from engram.train.pictures.canvas import COLOURS, DASHES, legend_beside

if TYPE_CHECKING:
    from pandas import DataFrame

RIGHT_COLOUR, LEFT_COLOUR = "#D55E00", "#0072B2"
EARLY_LATE = "coolwarm"
"""Of small numbers to large ones, or of left to right."""

_DRAWN = 4_000
"""Points of a scatter, at most."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """A number that was found.

    Attributes:
        what: Its name, with its unit.
        found: The number.
        paper: What the paper says of it, as text; empty: nothing.
    """

    what: str
    found: float
    paper: str = ""


@dataclasses.dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
        title: Its title.
        text: What is to be seen, and how it was found out.
        figure: The figure.
        numbers: The numbers behind it.
        findings: The numbers that sum it up.
    """

    title: str
    text: str
    figure: Figure
    numbers: DataFrame
    findings: tuple[Finding, ...] = ()


def stacked(tables: dict[str, DataFrame], name: str = "player") -> DataFrame:
    """Return tables one below the other, with a first column that says which each row is of."""
    import pandas

    whole = pandas.concat(tables, names=[name]).reset_index(level=0)
    return whole.reset_index(drop=True)


def player_looks(names: list[str]) -> dict[str, dict[str, Any]]:
    """Choose how players are drawn: the network in black, a mouse in grey, others by colour and dash."""
    looks: dict[str, dict[str, Any]] = {
        name: {
            "color": COLOURS[place % len(COLOURS)],
            "linestyle": DASHES[place // len(COLOURS)],
            "linewidth": 1,
        }
        for place, name in enumerate([OBSERVER, *BASELINES])
    }
    looks[NETWORK] = {"color": "black", "linewidth": 2.2, "marker": "o", "markersize": 4, "zorder": 5}
    looks[MOUSE] = {"color": "0.45", "linewidth": 1.6, "marker": "s", "markersize": 4, "zorder": 4}
    return {name: looks[name] for name in names}


def draw_players(
    axes: Axes, tables: dict[str, DataFrame], across: str, up: str, *, legend: bool = False
) -> None:
    """Draw a line for each player.

    Args:
        axes: Where.
        tables: By player.
        across: Column along the x-axis.
        up: Column along the y-axis; rows without a number are left out.
        legend: Whether to name them beside the panel.
    """
    looks = player_looks(list(tables))
    for name, table in tables.items():
        known = table[table[up].notna()]
        if len(known):
            axes.plot(known[across], known[up], label=name, **looks[name])
    if legend:
        legend_beside(axes)


def evenly(count: int) -> Flags:
    """Return which of so many points are drawn, evenly spread, bool (count,)."""
    chosen = np.zeros(count, np.bool_)
    chosen[np.linspace(0, count - 1, min(count, _DRAWN)).astype(int)] = True
    return chosen
