"""Impulse responses of LP-RNN's pools, in a chain and in parallel: figure 2 of arXiv 1805.04955."""

import dataclasses
import itertools

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from engram.memory import make_core
from engram.memory.options import Options, integer, number
from engram.memory.probe import RetentionCurve, retention
from engram.train.pictures.canvas import new_figure
from engram.train.pictures.retention import draw_curves


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImpulseOptions(Options):
    """Options of `impulse-responses`; the defaults are the figure's."""

    pools: int = integer(12, "pools k", unit="pools", high=32)
    base: float = number(2.0, "pool n keeps 1 - base^-n of its contents per step", above=1, high=1000)
    steps: int = integer(10_000, "largest lag", unit="steps", high=10**6)


def draw(options: ImpulseOptions) -> Figure:
    """Draw figures 2a, the chain, and 2b, parallel pools; measured on the core itself."""
    figure = new_figure(7.6, 6.4)
    panels = figure.subplots(2, 1, sharex=True, sharey=True)
    for axes, parallel in zip(panels, (False, True), strict=True):
        _draw_panel(axes, options, parallel)
    panels[0].set_xlabel("")
    return figure


def _draw_panel(axes: Axes, options: ImpulseOptions, parallel: bool) -> None:
    torch.manual_seed(0)
    core = make_core(
        1,
        {
            "type": "low_pass",
            "pools": options.pools,
            "base": options.base,
            "size": 1,
            "viewports": 1,
            "summariser": 1,
            "parallel": parallel,
        },
    )
    memory = retention(core, options.steps, impulses=1).thinned()
    curves = {f"{pool + 1}": memory.curves[_leaf(pool, options.pools)] for pool in range(options.pools)}
    draw_curves(axes, memory.lags.tolist(), curves)
    _number_lines(axes, memory.lags.tolist(), list(curves.values()), at_peaks=not parallel)
    arrangement = "(b) in parallel" if parallel else "(a) in a chain"
    axes.set_title(f"{arrangement}: {options.pools} pools, base {options.base:g}; numbers are pools")
    axes.set_ylabel("response / its maximum")
    axes.set_ylim(0, 1.1)


def _number_lines(axes: Axes, lags: list[int], curves: list[RetentionCurve], at_peaks: bool) -> None:
    """Write the numbers of pools above their peaks, or beside their lines at half height."""
    taken: dict[float, list[str]] = {}
    for pool, curve in enumerate(curves):
        lag = curve.peak_lag if at_peaks else _half_way(lags, curve.values.tolist())
        if lag is not None:
            taken.setdefault(lag, []).append(f"{pool + 1}")
    for lag, numbers in taken.items():
        axes.annotate(
            ", ".join(numbers),
            (lag, 1.0 if at_peaks else 0.5),
            (0 if at_peaks and lag else 3, 3),
            textcoords="offset points",
            color=axes.lines[int(numbers[0]) - 1].get_color(),
            ha="center" if at_peaks and lag else "left",
            va="bottom",
            fontsize=8,
        )


def _half_way(lags: list[int], values: list[float]) -> float | None:
    """The lag at which a falling curve crosses a half."""
    points = list(zip(lags, values, strict=True))
    for (before, high), (after, low) in itertools.pairwise(points):
        if low < 0.5 <= high:
            return before + (after - before) * (high - 0.5) / (high - low)
    return None


def _leaf(pool: int, pools: int) -> str:
    return f"pools[{pool}]" if pools > 1 else "pools"
