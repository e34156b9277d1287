"""Pictures of the two-unit network that is distilled from the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engram.envs.arrays import Array
from engram.envs.ibl.analyses.behaviour import prior_gap
from engram.envs.ibl.analyses.distillation import LAGS, TwoUnits, decoherence, run_free
from engram.envs.ibl.radd import INPUT, RECURRENT, TwoUnitActor
from engram.train.analyses.material import Material
from engram.train.analyses.picture import LEFT_COLOUR, RIGHT_COLOUR, Finding, Picture
from engram.train.analyses.trajectories import distil_by_gradient
from engram.train.pictures.canvas import COLOURS, legend_beside, new_figure, share_axis

if TYPE_CHECKING:
    from pandas import DataFrame

GAINS = (1.0, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 8.0)
PAPER_GAIN = 3.0
"""The paper does not print it; a comment in its code does."""

_PLAYED = 300
"""Steps of a session that are drawn."""


def distillation(material: Material) -> Picture:
    """The distilled network's weights, and its beliefs beside those of the network."""
    import pandas

    units, beliefs, steps = material.two_units, material.beliefs, material.steps
    by_gradient = distil_by_gradient(beliefs, steps, units)
    free = run_free(units.recurrent, units.inputs, steps, beliefs)
    figure = new_figure(12, 5)
    panels = figure.subplots(2, 2, width_ratios=(3, 1), sharex="col")
    part = slice(0, _PLAYED)
    for row, (name, colour) in enumerate((("stimulus", RIGHT_COLOUR), ("block", LEFT_COLOUR))):
        panels[row, 0].plot(beliefs[part, row], color=colour, linewidth=1, label="network, projected")
        panels[row, 0].plot(free[part, row], color="black", linewidth=0.9, linestyle="--", label="two units")
        panels[row, 0].set_ylabel(f"belief of the {name}")
        some = np.linspace(0, len(free) - 1, 3000).astype(int)
        panels[row, 1].scatter(beliefs[some, row], free[some, row], s=3, color=colour, linewidths=0)
        panels[row, 1].axline((0, 0), slope=1, color="0.5", linewidth=0.8)
        panels[row, 1].set_ylabel("two units")
    panels[0, 0].legend(loc="upper right", fontsize=7)
    panels[1, 0].set_xlabel("env step of a session")
    panels[1, 1].set_xlabel("network")
    kinds = {
        "regression": units,
        "gradient": by_gradient,
        "paper": TwoUnits(RECURRENT, INPUT, float("nan")),
    }
    rows = [(name, *_numbers(each), each.r2) for name, each in kinds.items()]
    correlations = [float(np.corrcoef(beliefs[:, axis], free[:, axis])[0, 1]) for axis in (0, 1)]
    return Picture(
        "Distillation into two units",
        "z = tanh(A z + B o): beliefs of stimulus and block, the states along both readouts in the plane, "
        "scaled into -1 to 1. A and B by regression of arctanh(z) one step ahead (as the code does; r2 of "
        "steps held out), and by gradient over stretches of 50 steps (as the text says; r2 of those). "
        "Drawn is what the two units of the regression do by themselves, with the network's observations.",
        figure,
        pandas.DataFrame(rows, columns=["fit", *_NAMES, "r2"]),
        (
            *_weight_findings(units),
            Finding("r2 one step ahead, held out", units.r2),
            Finding("r2 over 50 steps, by gradient", by_gradient.r2),
            Finding("correlation of stimulus beliefs, going on by itself", correlations[0]),
            Finding("correlation of block beliefs, going on by itself", correlations[1]),
        ),
    )


_NAMES = (
    *("stimulus from stimulus", "stimulus from block", "block from stimulus", "block from block"),
    *("stimulus from left", "stimulus from right", "stimulus from reward"),
    *("block from left", "block from right", "block from reward"),
)


def _numbers(units: TwoUnits) -> list[float]:
    """Return all weights, in the order of `_NAMES`."""
    return [*map(float, units.recurrent.ravel()), *map(float, units.inputs.ravel())]


def _weight_findings(units: TwoUnits) -> list[Finding]:
    """Return the weights beside those that the paper prints."""
    printed = _numbers(TwoUnits(RECURRENT, INPUT, float("nan")))
    return [
        Finding(name, value, f"{paper:g}")
        for name, value, paper in zip(_NAMES, _numbers(units), printed, strict=True)
    ]


def gain(material: Material) -> Picture:
    """Accuracy of the distilled network in the task, by the gain of its readout."""
    import pandas

    units, network = material.two_units, material.trials
    swept = {each: _play(material, units.recurrent, units.inputs, each) for each in GAINS}
    printed = _play(material, RECURRENT, INPUT, PAPER_GAIN)
    table = pandas.DataFrame(
        {
            "gain": GAINS,
            "accuracy": [float(trials["correct"].mean()) for trials in swept.values()],
            "acted": [float(trials["acted"].mean()) for trials in swept.values()],
            "n_obs": [float(trials["n_obs"].mean()) for trials in swept.values()],
            "prior_gap": [prior_gap(trials) for trials in swept.values()],
        }
    )
    figure = new_figure(9.5, 3.6)
    left, right = figure.subplots(1, 2)
    left.plot(table["gain"], table["accuracy"], "o-", color=COLOURS[0], label="two units")
    left.plot(table["gain"], table["acted"], "o:", color=COLOURS[0], label="two units, acted")
    left.axhline(float(network["correct"].mean()), color="black", label="network")
    left.plot(
        PAPER_GAIN,
        float(printed["correct"].mean()),
        "*",
        color=COLOURS[1],
        markersize=11,
        label="paper's weights",
    )
    share_axis(left)
    left.set_ylabel("right, of all trials")
    right.plot(table["gain"], table["n_obs"], "o-", color=COLOURS[0])
    right.axhline(float(network["n_obs"].mean()), color="black")
    right.set_ylabel("observations of a trial")
    for axes in (left, right):
        axes.set_xlabel("gain of the readout")
    handles, labels = left.get_legend_handles_labels()
    right.legend(handles, labels, loc="upper left", bbox_to_anchor=(1.01, 1.03), borderaxespad=0)
    best = table.loc[table["accuracy"].idxmax()]
    return Picture(
        "The two units in the task",
        "The distilled network plays the same sessions by itself; the gain, by which its belief of the "
        "stimulus becomes log odds, is free. The star is the paper's printed two-unit network.",
        figure,
        table,
        (
            Finding("right, gain 3", float(table.set_index("gain")["accuracy"][PAPER_GAIN]), "0.8687"),
            Finding("right, best gain", float(best["accuracy"])),
            Finding("best gain", float(best["gain"])),
            Finding("right, the network", float(network["correct"].mean()), "0.8550"),
            Finding("right, the paper's weights, gain 3", float(printed["correct"].mean()), "0.8687"),
            Finding("strength 0: right, concordant minus discordant, best gain", float(best["prior_gap"])),
        ),
    )


def _play(material: Material, recurrent: Array, inputs: Array, gain: float) -> DataFrame:
    """Let two units play, and return the trials."""
    lanes = material.layout.lanes
    return material.play(TwoUnitActor(lanes, gain=gain, recurrent=recurrent, inputs=inputs))


def decoherence_by_lag(material: Material) -> Picture:
    """How far states are from themselves some steps later: network, its projections, two units, a control."""
    import pandas

    steps, units, beliefs = material.steps, material.two_units, material.beliefs
    rng = np.random.default_rng(material.layout.seed)
    free = run_free(units.recurrent, units.inputs, steps, beliefs)
    control = run_free(
        rng.normal(0, np.sqrt(0.5), (2, 2)), rng.normal(0, np.sqrt(1 / 3), (2, 3)), steps, beliefs
    )
    lanes = steps.lanes()
    curves = {
        "all units": decoherence(steps.hidden, lanes),
        "plane": decoherence(material.plane.project(steps.hidden), lanes),
        "both readouts": decoherence(beliefs, lanes),
        "two units": decoherence(free, lanes),
        "two units, random weights": decoherence(control, lanes),
    }
    table = pandas.DataFrame({"lag": np.arange(LAGS), **curves})
    figure = new_figure(9.5, 3.6)
    panels = figure.subplots(1, 2)
    for place, (name, curve) in enumerate(curves.items()):
        panels[0].plot(table["lag"], curve, label=name, color=COLOURS[place])
        panels[1].plot(table["lag"], curve / curve[-1], label=name, color=COLOURS[place])
    panels[0].set_ylabel("mean distance / root of the dimensions")
    panels[1].set_ylabel(f"relative to that of lag {LAGS - 1}")
    for axes in panels:
        axes.set_xlabel("lag (env steps)")
    legend_beside(panels[1])
    relative = {name: curve / curve[-1] for name, curve in curves.items()}
    return Picture(
        "Decoherence",
        "How far a state is from itself, by lag, for the network, its projections, the distilled two units "
        "driven by the same observations, and two units with random weights. (Figure 8a; the paper's code "
        "takes differences of an order that rises with the lag, which is another thing.)",
        figure,
        table,
        tuple(
            Finding(
                f"most that {name} differ from all units, relative curves",
                float(np.abs(relative[name] - relative["all units"]).max()),
                "nearly 0" if name != "two units, random weights" else "",
            )
            for name in list(curves)[1:]
        ),
    )
