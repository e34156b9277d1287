"""Pictures of what the network's states hold."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from engram.envs.arrays import Array
from engram.envs.ibl.analyses.evidence import agreement, movements, slope_of
from engram.envs.ibl.analyses.populations import (
    CUTOFF,
    block_means,
    find_populations,
    groups_by_readout,
)
from engram.envs.ibl.analyses.readouts import Readout, decode_block
from engram.envs.ibl.analyses.recording import Steps
from engram.envs.ibl.players import summarise
from engram.train.analyses.material import OBSERVER, Material, block_numbers
from engram.train.analyses.picture import LEFT_COLOUR, RIGHT_COLOUR, Finding, Picture
from engram.train.pictures.canvas import legend_beside, new_figure, share_axis

_DRAWN = 4_000
"""Points of a scatter."""

_EARLY_LATE = "coolwarm"


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
    some = steps.where(_some(len(steps)))
    points = plane.project(some.hidden)
    shown = right.scatter(*points.T, c=some["log_odds"], s=4, cmap=_EARLY_LATE, vmin=-6, vmax=6, linewidths=0)
    figure.colorbar(shown, ax=right, label="log odds of the right side")
    draw_boundaries(right, material, points)
    _name_axes(right)
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


def block_decoding(material: Material) -> Picture:
    """How well the block's side is read from states, by the way of holding data out."""
    import pandas

    plane, seed = material.plane, material.layout.seed
    rows = []
    for moment, steps in {"all steps": material.steps, "ends of trials": material.ends}.items():
        for held, groups in {"steps at random": None, "whole blocks": block_numbers(steps)}.items():
            for space, states in {"all units": steps.hidden, "plane": plane.project(steps.hidden)}.items():
                found = decode_block(states, steps["block_side"], groups, seed=seed)
                rows.append((moment, held, space, True, found.accuracy, found.tested))
    steps = material.steps
    bare = decode_block(steps.hidden, steps["block_side"], intercept=False, seed=seed)
    rows.append(("all steps", "steps at random", "all units", False, bare.accuracy, bare.tested))
    table = pandas.DataFrame(rows, columns=["states", "held_out", "space", "intercept", "accuracy", "tested"])
    ceiling = summarise(dict(material.observer))["block"]
    figure = new_figure(8.5, 3.8)
    axes = figure.subplots()
    labels = [
        f"{row.states}, {row.space}, {row.held_out} held out{'' if row.intercept else ', no intercept'}"
        for row in table.itertuples()
    ]
    axes.barh(labels[::-1], table["accuracy"][::-1], color="0.6")
    axes.axvline(ceiling, color=RIGHT_COLOUR, label=OBSERVER)
    axes.axvline(0.5, color="0.3", linestyle=":", label="chance")
    axes.set_xlim(0.45, 1)
    axes.set_xlabel("right, of states held out")
    axes.grid(visible=False, axis="y")
    legend_beside(axes)
    accuracies = table["accuracy"]
    return Picture(
        "The block, read from states",
        "Logistic regression, 67 % of the data fitted, 33 % held out. Steps of the same block are alike, so "
        "that holding out whole blocks is the fair test; the paper holds out steps at random, and its code "
        "fits no intercept. The observer knows the block after the result of the trial.",
        figure,
        table,
        (
            Finding("all steps, all units, at random", float(accuracies[0]), "0.826"),
            Finding("all steps, plane, at random", float(accuracies[1]), "0.825"),
            Finding("all steps, all units, whole blocks", float(accuracies[2])),
            Finding("ends of trials, all units, whole blocks", float(accuracies[6])),
            Finding("the exact observer, after a trial's result", ceiling),
        ),
    )


def readouts(material: Material) -> Picture:
    """The readouts of stimulus and block, and the angle between them by definition."""
    import pandas

    found = material.readouts
    angles = found.angles()
    figure = new_figure(9, 4)
    left, right = figure.subplots(1, 2)
    for readout, colour, name in (
        (found.stimulus_in_plane, RIGHT_COLOUR, "stimulus"),
        (found.block_in_plane.readout, LEFT_COLOUR, "block"),
    ):
        left.annotate(
            "", readout.direction, (0, 0), arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2}
        )
        left.text(*(1.25 * readout.direction), f"right {name}", color=colour, ha="center", va="center")
    left.set_xlim(-1.6, 1.6)
    left.set_ylim(-1.6, 1.6)
    left.set_aspect("equal")
    _name_axes(left)
    left.set_title(f"in the plane: {angles['plane']:.1f} degrees")
    names = list(angles)
    right.barh(names[::-1], [angles[name] for name in names[::-1]], color="0.6")
    right.axvline(90, color="0.3", linestyle=":")
    right.set_xlabel("angle between both readouts (degrees)")
    right.grid(visible=False, axis="y")
    return Picture(
        "Readouts",
        "The stimulus readout is what log odds of the right side are read from, by least squares (where they "
        f"are linear in the state, their weights; it explains {found.explained:.4f} of their variance); the "
        "block readout is a logistic classifier. plane: both in the plane. full: both in the full space. lifted: the "
        "plane's block readout brought back to the full space with the mean state added, as the paper's code "
        "does, which is what the paper calls the angle in the full space.",
        figure,
        pandas.DataFrame({"definition": names, "degrees": list(angles.values())}),
        (
            Finding("angle, plane (degrees)", angles["plane"], "68"),
            Finding("angle, lifted (degrees)", angles["lifted"], "73"),
            Finding("angle, full (degrees)", angles["full"]),
        ),
    )


def trajectories(material: Material) -> Picture:
    """States in the plane: ends of trials through a left and a right block, and steps of a trial."""
    import pandas

    ends = material.ends
    figure = new_figure(12.5, 4.2)
    panels = figure.subplots(1, 3, sharex=True, sharey=True)
    rows = []
    cloud = material.plane.project(material.steps.hidden[_some(len(material.steps))])
    for axes, side, name in ((panels[0], -1, "left block"), (panels[1], 1, "right block")):
        block = _example_block(ends, side)
        points = material.plane.project(block.hidden)
        axes.plot(*points.T, color="0.75", linewidth=0.6)
        places = block["trial_in_block"] + 1
        shown = axes.scatter(*points.T, c=places, s=16, cmap=_EARLY_LATE, linewidths=0, zorder=3)
        figure.colorbar(shown, ax=axes, label="trial of the block")
        axes.set_title(f"a {name}, at the ends of trials")
        rows += [(name, int(place), *point) for place, point in zip(places, points, strict=True)]
    for (block, stimulus), points in _mean_trials(material).items():
        panels[2].plot(
            *points.T,
            marker="o",
            markersize=3,
            color=RIGHT_COLOUR if stimulus == "right" else LEFT_COLOUR,
            linestyle="-" if block == "right" else "--",
            label=f"{stimulus} stimulus, {block} block",
        )
        rows += [
            (f"{stimulus} stimulus, {block} block", place + 1, *point) for place, point in enumerate(points)
        ]
    panels[2].set_title("steps of a trial, mean")
    for axes in panels:
        draw_boundaries(axes, material, cloud)
        _name_axes(axes)
    legend_beside(panels[2])
    return Picture(
        "Trajectories",
        "Lines are where the log odds of the sides (stimulus) and those of the blocks (block) are 0. Blue is "
        "early in a block, red late. The panel on the right averages trials of the two largest strengths, "
        "step by step, for as long as at least half of them go on. (Figures 4b and 4c.)",
        figure,
        pandas.DataFrame(rows, columns=["what", "number", "component_1", "component_2"]),
    )


def integration(material: Material) -> Picture:
    """Movement along both readouts against right minus left of the observation."""
    import pandas

    steps = material.steps
    moved = movements(material.readouts.coordinates(steps.hidden), steps.follows)
    seen = steps["mask"].astype(bool) & ~np.isnan(moved[:, 0])
    difference, moved = steps.difference[seen], moved[seen]
    slopes = [slope_of(difference, moved[:, axis]) for axis in (0, 1)]
    figure = new_figure(8.5, 3.8)
    some = _some(len(moved))
    panels = figure.subplots(1, 2, sharey=True)
    for axes, slope, along, name in zip(panels, slopes, moved.T, ("stimulus", "block"), strict=True):
        axes.scatter(difference[some], along[some], s=3, color="0.6", linewidths=0)
        ends = np.array([difference.min(), difference.max()])
        axes.plot(ends, slope.intercept + slope.slope * ends, color=RIGHT_COLOUR)
        axes.set_title(f"along the {name} readout: slope {slope.slope:.2f}, r {slope.r:.2f}")
        axes.set_xlabel("right minus left, as observed")
    panels[0].set_ylabel("movement of the state in the plane")
    return Picture(
        "How observations move the state",
        "One point a step with a stimulus. Readouts are unit vectors in the plane of two components. "
        "(Figures 5a and 5b.)",
        figure,
        pandas.DataFrame([slope._asdict() for slope in slopes]).assign(readout=["stimulus", "block"]),
        (
            Finding("slope along the stimulus readout", slopes[0].slope, "0.84"),
            Finding("slope along the block readout", slopes[1].slope, "0.18"),
            Finding("ratio of both", slopes[0].slope / slopes[1].slope, "4.7"),
            Finding("p of the slope along the block readout", slopes[1].p, "< 1e-5"),
        ),
    )


def block_belief(material: Material) -> Picture:
    """The state along the block readout, beside the belief of the exact observer."""
    import pandas

    steps = material.steps
    ends = steps.where(np.isin(np.arange(len(steps)), steps.answered))
    belief = steps["block_belief"][steps.answered + 1]
    projected = material.readouts.coordinates(ends.hidden)[:, 1]
    found = agreement(projected, belief)
    table = pandas.DataFrame(
        {
            "block_side": ends["block_side"],
            "trial": ends["trial_in_block"] + 1,
            "network": found.scale * projected,
            "observer": 2 * belief - 1,
            "evidence": ends.difference,
        }
    )
    late = table[(ends["block"] > 0) & (table["trial"] <= 60)]
    means = late.groupby(["block_side", "trial"])[["network", "observer"]].mean().reset_index()
    figure = new_figure(12.5, 3.9)
    panels = figure.subplots(1, 3)
    for side, colour in ((-1, LEFT_COLOUR), (1, RIGHT_COLOUR)):
        part = means[means["block_side"] == side]
        name = "right" if side > 0 else "left"
        panels[0].plot(part["trial"], part["network"], color=colour, label=f"network, {name} blocks")
        panels[0].plot(part["trial"], part["observer"], "--", color=colour, label=f"observer, {name} blocks")
    panels[0].set_xlabel("trial of the block")
    panels[0].set_ylabel("belief of the block, -1 left to 1 right")
    panels[0].legend(fontsize=7)
    some = table[_some(len(table))]
    shown = panels[1].scatter(
        some["observer"],
        some["network"],
        c=some["evidence"],
        s=5,
        cmap=_EARLY_LATE,
        vmin=-4,
        vmax=4,
        linewidths=0,
    )
    figure.colorbar(shown, ax=panels[1], label="right minus left, last observation")
    panels[1].set_xlabel("observer: 2 P(right block) - 1")
    panels[1].set_ylabel("network, along the block readout")
    panels[1].set_title(f"single trials, r {found.r:.2f}")
    first = table[ends["session"] == ends["session"].min()].iloc[:150]
    panels[2].plot(first["network"].to_numpy(), color="black", linewidth=0.9, label="network")
    panels[2].plot(first["observer"].to_numpy(), color="#009E73", linewidth=1.2, label="observer")
    panels[2].plot(first["block_side"].to_numpy(), color="0.7", linewidth=1, label="block")
    panels[2].set_xlabel("trial of a session")
    legend_beside(panels[2])
    return Picture(
        "The belief of the block",
        "The projection of states at the ends of trials, scaled by least squares through the origin, and the "
        "observer's belief after the trial's result. On the average they agree; in single trials the network "
        "is moved by what it last observed. (Figures 5c, 6a and 6b.)",
        figure,
        means,
        (Finding("correlation in single trials", found.r, "on the average closely alike"),),
    )


def populations(material: Material) -> Picture:
    """Units ordered by their correlations: correlations, and the weights or mean Jacobian, in that order."""
    import pandas

    steps = material.steps
    found = find_populations(steps.hidden)
    weights, kind = _connections(material)
    figure = new_figure(12.5, 4)
    panels = figure.subplots(1, 3)
    _heat(figure, panels[0], found.correlations, "correlation of units")
    rows = {"correlation": block_means(found.correlations, found.group)}
    if weights is not None:
        ordered = weights[np.ix_(found.order, found.order)]
        _heat(figure, panels[1], ordered, f"{kind}, same order")
        rows[kind] = block_means(ordered, found.group)
        vector = material.readouts.stimulus.vector / 2  # of two outputs that mirror each other, one
        group = groups_by_readout(vector)
        order = np.lexsort((-vector, group))
        _heat(figure, panels[2], weights[np.ix_(order, order)], f"{kind}, by output weight")
        panels[2].set_xlabel(f"above {CUTOFF:g}, below -{CUTOFF:g}, the rest: {_counts(group)} units")
        rows[f"{kind}, by output weight"] = block_means(weights, group)
    table = pandas.DataFrame(rows).T.rename_axis("of").reset_index()
    return Picture(
        "Two populations",
        "Units in the order of a hierarchical clustering (average linkage, distance 1 - correlation), in "
        "two groups. The panel on the right groups units by their output weight onto right, as a later "
        f"figure of the paper's code does. {kind.capitalize()}: onto rows. (Figures 7a and 7b.)",
        figure,
        table,
        tuple(
            Finding(
                f"{of}, {where}",
                float(value),
                _SIGNS.get(where, "") if of == "correlation" or of == kind else "",
            )
            for of, means in rows.items()
            for where, value in means.items()
        ),
    )


_SIGNS = {"within first": "above 0", "within second": "above 0", "between": "below 0"}


def _connections(material: Material) -> tuple[Array | None, str]:
    """Return how units act on each other, (H, H), and what that is: weights, or a mean Jacobian."""
    try:
        dynamics = material.dynamics
    except ValueError as error:
        return None, f"connections do not apply: {error}"
    weights = dynamics.recurrent_weights
    if weights is not None:
        return weights, "recurrent weights"
    chosen = np.linspace(0, len(material.steps) - 1, 50).astype(int)
    jacobians = dynamics.jacobian(material.steps.hidden[chosen], material.steps.observations[chosen])
    return jacobians.mean(axis=0), "mean Jacobian"


def _heat(figure: Figure, axes: Axes, matrix: Array, title: str) -> None:
    """Draw a matrix, white at 0."""
    most = float(np.quantile(np.abs(matrix), 0.99)) or 1.0
    shown = axes.imshow(matrix, cmap="RdBu_r", vmin=-most, vmax=most, interpolation="nearest")
    figure.colorbar(shown, ax=axes, shrink=0.8)
    axes.set_title(title)
    axes.grid(visible=False)


def _counts(group: Array) -> str:
    return ", ".join(str(int((group == each).sum())) for each in (0, 1, 2))


def _some(count: int) -> Array:
    """Return which of so many points are drawn, evenly spread, bool (count,)."""
    chosen = np.zeros(count, np.bool_)
    chosen[np.linspace(0, count - 1, min(count, _DRAWN)).astype(int)] = True
    return chosen


def _name_axes(axes: Axes) -> None:
    axes.set_xlabel("component 1")
    axes.set_ylabel("component 2")


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
        foot, along = _line(readout)
        axes.axline(foot, foot + along, color="black", linewidth=1, linestyle=style, label=f"{name} boundary")


def _line(readout: Readout) -> tuple[Array, Array]:
    """Return a point of the line where a readout of the plane is 0, and a direction along it."""
    vector, offset = readout
    return -offset * vector / (vector @ vector), np.array([-vector[1], vector[0]])


def _example_block(ends: Steps, side: int) -> Steps:
    """Return the ends of trials of the longest whole block of a side that follows another."""
    numbers = block_numbers(ends)
    begun = (ends["block_side"] == side) & (ends["block"] > 0) & (ends["trial_in_block"] == 0)
    candidates = numbers[begun]
    if not len(candidates):
        raise ValueError("no whole block on either side after a change")
    longest = max(candidates, key=lambda number: (numbers == number).sum())
    return ends.where(numbers == longest)


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
