"""How long a core remembers, as `rllib probe-core` found it."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from engram.memory.probe import OUTPUT, GradientReach, Retention, RetentionCurve, log_spaced
from engram.train.pictures.canvas import legend_beside, line_looks, log_lags, new_figure

LEGEND_ROWS = 20


def draw_curves(axes: Axes, lags: list[int], curves: Mapping[str, RetentionCurve]) -> None:
    """Draw curves of what is left of an input.

    Args:
        axes: Where.
        lags: Steps since the input.
        curves: By label, as long as `lags`.
    """
    looks = iter(line_looks(len(curves.keys() - {OUTPUT})))
    for label, curve in curves.items():
        # The output is often one of the state's leaves: a broad line shows from under another.
        look = {"color": "0.7", "linewidth": 4} if label == OUTPUT else {"linewidth": 1.4, **next(looks)}
        axes.plot(lags, curve.values.tolist(), label=label, **look)
    log_lags(axes, lags[-1])
    axes.set_ylim(0, 1.04)
    axes.set_ylabel("share of the largest difference")


def draw(memory: Retention, reach: GradientReach, title: str) -> Figure:
    """Draw retention, and under it how far gradients reach; after figure 2 of LP-RNN, arXiv 1805.04955.

    Args:
        memory: What is left of an input.
        reach: How strongly an output pulls at older inputs.
        title: Of the whole picture.
    """
    figure = new_figure(8, 6.4)
    upper, lower = figure.subplots(2, 1, sharex=True)
    thinned = memory.thinned()
    draw_curves(upper, thinned.lags.tolist(), thinned.curves)
    columns = -(-len(thinned.curves) // LEGEND_ROWS)
    legend_beside(upper, ncols=columns)
    upper.set_title(f"{title}: what is left of one input, by component")
    upper.set_xlabel("")
    kept = log_spaced(len(reach.lags), 400)
    seen = [
        (lag, value) for lag, value in zip(kept.tolist(), reach.values[kept].tolist(), strict=True) if value
    ]
    if seen:
        lower.plot(*zip(*seen, strict=True), color="black", linewidth=1.4)
        lower.set_yscale("log")
        lower.yaxis.set_minor_locator(NullLocator())
        largest = max(value for _, value in seen)
        lower.set_ylim(largest * 1e-9, largest * 3)
    else:
        lower.text(0.5, 0.5, "no gradient reaches the inputs", ha="center", transform=lower.transAxes)
        lower.set_yticks([])
    largest_lag = max(int(memory.lags[-1]), int(reach.lags[-1]))
    lower.axvspan(int(reach.lags[-1]), largest_lag, color="0.94", zorder=0)
    lower.set_ylabel("gradient of an output\nwith respect to the input")
    lower.set_title("how far gradients reach back inside one fragment (grey: not measured)")
    log_lags(lower, largest_lag)
    return figure
