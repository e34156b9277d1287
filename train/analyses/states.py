"""Pictures of what states say of stimulus and block, and of what moves them."""

from __future__ import annotations

import numpy as np

from engram.envs.ibl.analyses.evidence import agreement, movements, slope_of
from engram.envs.ibl.analyses.readouts import angle, decode_block
from engram.envs.ibl.players import summarise
from engram.train.analyses.material import OBSERVER, Material, block_numbers
from engram.train.analyses.picture import EARLY_LATE, LEFT_COLOUR, RIGHT_COLOUR, Finding, Picture, evenly
from engram.train.analyses.plane import name_axes
from engram.train.pictures.canvas import legend_beside, new_figure


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
    stimulus = found.stimulus_in_plane.vector
    angles = found.angles() | {
        f"plane, {moment}": angle(stimulus, block.vector)
        for moment, block in material.block_by_moment.items()
    }
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
    name_axes(left)
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
        "block readout is a logistic classifier. plane: both in the plane. full: both in the full space. "
        "lifted: the plane's block readout brought back to the full space with the mean state added, as the "
        "paper's code does, which is what the paper calls the angle in the full space. Below, the block "
        "classifier is fitted to steps of one kind alone: the angle depends on them.",
        figure,
        pandas.DataFrame({"definition": names, "degrees": list(angles.values())}),
        (
            Finding("angle, plane (degrees)", angles["plane"], "68"),
            Finding("angle, lifted (degrees)", angles["lifted"], "73"),
            Finding("angle, full (degrees)", angles["full"]),
            *(
                Finding(f"angle, plane, {moment} (degrees)", angles[f"plane, {moment}"])
                for moment in material.block_by_moment
            ),
        ),
    )


def integration(material: Material) -> Picture:
    """Movement along both readouts against right minus left of the observation."""
    import pandas

    steps = material.steps
    moved = movements(material.readouts.coordinates(steps.hidden), steps.follows)
    seen = steps["mask"].astype(bool) & ~np.isnan(moved[:, 0])
    difference, moved = steps.difference[seen], moved[seen]
    slopes = [slope_of(difference, moved[:, axis]) for axis in (0, 1)]
    points = movements(material.plane.project(steps.hidden), steps.follows)[seen]
    by_moment = {
        moment: slope_of(difference, points @ block.direction)
        for moment, block in material.block_by_moment.items()
    }
    figure = new_figure(8.5, 3.8)
    some = evenly(len(moved))
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
        "One point a step with a stimulus. Readouts are unit vectors in the plane of two components; those "
        "of the block are fitted to all steps, or to those of one kind. (Figures 5a and 5b.)",
        figure,
        pandas.DataFrame([slope._asdict() for slope in (*slopes, *by_moment.values())]).assign(
            readout=["stimulus", "block", *(f"block, {moment}" for moment in by_moment)]
        ),
        (
            Finding("slope along the stimulus readout", slopes[0].slope, "0.84"),
            Finding("slope along the block readout", slopes[1].slope, "0.18"),
            Finding("ratio of both", slopes[0].slope / slopes[1].slope, "4.7"),
            *(
                Finding(f"slope along the block readout, {moment}", slope.slope)
                for moment, slope in by_moment.items()
            ),
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
    some = table[evenly(len(table))]
    shown = panels[1].scatter(
        some["observer"],
        some["network"],
        c=some["evidence"],
        s=5,
        cmap=EARLY_LATE,
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
