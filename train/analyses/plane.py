"""Pictures of states in the plane of two principal components."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from engram.envs.arrays import Array
from engram.envs.ibl.analyses.readouts import Readout
from engram.envs.ibl.analyses.recording import Steps
from engram.train.analyses.material import Material, block_numbers
from engram.train.analyses.picture import EARLY_LATE, LEFT_COLOUR, RIGHT_COLOUR, Finding, Picture, evenly
from engram.train.pictures.canvas import legend_beside, new_figure, share_axis


def components(material: Material) -> Picture:
    """Shares of variance of the principal components, and all states in the plane of the first two."""
    import pandas

    plane, steps = material.plane, material.steps
    figure = new_figure(9, 4)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.2))
    places = np.arange(1, len(plane.shares) + 1)
    left.bar(places, plane.shares, color="0.6")
    left.plot(places, np.cumsum(plane.shares), "o-", color="black", markersize=4, label="sum so far")
    share_axis(left)
    left.set_xlabel("principal component")
    left.set_ylabel("share of the variance of states")
    left.legend(loc="center right")
    some = steps.where(evenly(len(steps)))
    points = plane.project(some.hidden)
    shown = right.scatter(*points.T, c=some["log_odds"], s=4, cmap=EARLY_LATE, vmin=-6, vmax=6, linewidths=0)
    figure.colorbar(shown, ax=right, label="log odds of the right side")
    draw_boundaries(right, material, points)
    name_axes(right)
    return Picture(
        "Principal components",
        f"Of {len(steps):,} steps, the first ones of each session left out. A state is the one after the "
        "step's observation.",
        figure,
        pandas.DataFrame({"component": places, "share": plane.shares, "sum": np.cumsum(plane.shares)}),
        (
            Finding("share of two components", float(plane.shares[:2].sum()), "0.8874"),
            Finding(
                "share of the stimulus readout's length in the plane",
                material.readouts.share_in_plane,
                "0.9339",
            ),
        ),
    )


def trajectories(material: Material) -> Picture:
    """States in the plane: ends of trials through a left and a right block, and steps of a trial."""
    import pandas

    figure = new_figure(12.5, 4.2)
    panels = figure.subplots(1, 3, sharex=True, sharey=True)
    rows = []
    cloud = material.plane.project(material.steps.hidden[evenly(len(material.steps))])
    for axes, side, name in ((panels[0], -1, "left block"), (panels[1], 1, "right block")):
        places, points = _example_block(material, side)
        axes.plot(*points.T, color="0.75", linewidth=0.6)
        shown = axes.scatter(*points.T, c=places, s=16, cmap=EARLY_LATE, linewidths=0, zorder=3)
        figure.colorbar(shown, ax=axes, label="trial of the block")
        axes.set_title(f"a {name}, at the ends of trials")
        rows += [(name, int(place), *point) for place, point in zip(places, points, strict=True)]
    for (favoured, stimulus), points in _mean_trials(material).items():
        panels[2].plot(
            *points.T,
            marker="o",
            markersize=3,
            color=RIGHT_COLOUR if stimulus == "right" else LEFT_COLOUR,
            linestyle="-" if favoured == "right" else "--",
            label=f"{stimulus} stimulus, {favoured} block",
        )
        rows += [
            (f"{stimulus} stimulus, {favoured} block", place + 1, *point)
            for place, point in enumerate(points)
        ]
    panels[2].set_title("steps of a trial, mean")
    for axes in panels:
        draw_boundaries(axes, material, cloud)
        name_axes(axes)
    legend_beside(panels[2])
    return Picture(
        "Trajectories",
        "Lines are where the log odds of the sides (stimulus) and those of the blocks (block) are 0. Blue is "
        "early in a block, red late. The panel on the right averages trials of the two largest strengths, "
        "step by step, for as long as at least half of them go on. (Figures 4b and 4c.)",
        figure,
        pandas.DataFrame(rows, columns=["what", "number", "component_1", "component_2"]),
    )


def draw_boundaries(axes: Axes, material: Material, points: Array) -> None:
    """Draw where both readouts are 0 in the plane, within what the points span."""
    low, high = points.min(axis=0), points.max(axis=0)
    room = 0.05 * (high - low)
    axes.set_xlim(low[0] - room[0], high[0] + room[0])
    axes.set_ylim(low[1] - room[1], high[1] + room[1])
    found = material.readouts
    for readout, style, name in (
        (found.stimulus_in_plane, "-", "stimulus"),
        (found.block_in_plane.readout, "--", "block"),
    ):
        axes.axline(*_line(readout), color="black", linewidth=1, linestyle=style, label=f"{name} boundary")


def _line(readout: Readout) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return two points of the line where a readout of the plane is 0."""
    (across, up), offset = readout.vector.tolist(), readout.offset
    foot = -offset / (across**2 + up**2)
    return (foot * across, foot * up), (foot * across - up, foot * up + across)


def name_axes(axes: Axes) -> None:
    """Name the axes of the plane."""
    axes.set_xlabel("component 1")
    axes.set_ylabel("component 2")


def _example_block(material: Material, side: int) -> tuple[Array, Array]:
    """Return trials (K,) and coordinates (K, 2) at their ends, of the longest block of a side.

    Raises:
        ValueError: There is no whole block of the side after a change.
    """
    ends = material.ends
    numbers = block_numbers(ends)
    begun = (ends["block_side"] == side) & (ends["block"] > 0) & (ends["trial_in_block"] == 0)
    if not begun.any():
        raise ValueError("no whole block on either side after a change")
    longest = max(numbers[begun], key=lambda number: (numbers == number).sum())
    block = ends.where(numbers == longest)
    return block["trial_in_block"] + 1, material.plane.project(block.hidden)


def _mean_trials(material: Material) -> dict[tuple[str, str], Array]:
    """Return mean coordinates by step of trials with a strong stimulus, by sides of block and stimulus."""
    steps = material.steps
    strong = steps["mu"] >= sorted(material.rules.strengths)[-2:][0]
    place = _step_of_trial(steps)
    points = material.plane.project(steps.hidden)
    found = {}
    for block in (-1, 1):
        for side in (-1, 1):
            kept = strong & (steps["block_side"] == block) & (steps["side"] == side)
            counts = np.bincount(place[kept])
            if not counts.size:
                continue
            lasting = np.flatnonzero(counts >= counts.max() / 2)
            means = np.stack([points[kept & (place == each)].mean(axis=0) for each in lasting])
            found["right" if block > 0 else "left", "right" if side > 0 else "left"] = means
    return found


def _step_of_trial(steps: Steps) -> Array:
    """Return the number of each step in its trial, from 0, (N,)."""
    new = ~steps.follows | (np.diff(steps["trial"], prepend=-1) != 0)
    starts = np.maximum.accumulate(np.where(new, np.arange(len(steps)), 0))
    return np.asarray(np.arange(len(steps)) - starts)
