"""Pictures of what the network does, beside Bayesian players."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engram.envs.ibl.analyses import behaviour
from engram.envs.ibl.players import summarise
from engram.train.analyses.material import BASELINES, MOUSE, NETWORK, Material
from engram.train.analyses.picture import (
    LEFT_COLOUR,
    RIGHT_COLOUR,
    Finding,
    Picture,
    draw_players,
    player_looks,
    stacked,
)
from engram.train.pictures.canvas import legend_beside, new_figure, share_axis

if TYPE_CHECKING:
    from pandas import DataFrame

_SIDE_COLOURS = {"all": "0.45", "left block": LEFT_COLOUR, "right block": RIGHT_COLOUR}
_FEWEST = 5
"""Trials that a point of a curve is drawn from, at least."""


def accuracy(material: Material) -> Picture:
    """Share of right trials by strength, on the block's side and beside it."""
    tables = {name: behaviour.accuracy_by_strength(table) for name, table in material.everybody().items()}
    figure = new_figure(11, 3.8)
    panels = figure.subplots(1, len(behaviour.SPLITS), sharey=True)
    for axes, part in zip(panels, behaviour.SPLITS, strict=True):
        shown = {name: table[table["trials"] == part] for name, table in tables.items()}
        draw_players(axes, shown, "strength", "accuracy", legend=part == behaviour.SPLITS[-1])
        share_axis(axes)
        axes.set_title(f"{part} trials")
        axes.set_xlabel("strength of the stimulus (sd of the noise)")
    panels[0].set_ylabel("right, of all trials")
    found = summarise(dict(material.trials))
    observed = float(material.observer["correct"].mean())
    return Picture(
        "Accuracy by strength",
        "Timeouts count as wrong; a concordant trial is on the side of its block. The exact "
        "observer sees what the network sees, and decides where it does; the other players act by "
        "themselves, in the same sessions. (Figures 2a and 3a.)",
        figure,
        stacked(tables),
        (
            Finding("right, of all trials", found["accuracy"], "0.8550"),
            Finding("right, of trials with an action", found["accuracy_acted"]),
            Finding("trials with an action", found["acted"]),
            Finding("right, concordant", found["concordant"]),
            Finding("right, discordant", found["discordant"]),
            Finding("the exact observer, where the network acts", observed, "nearly the same"),
            Finding(
                "strength 0: right, concordant minus discordant",
                behaviour.prior_gap(material.trials),
                "about 0.45 (figure 8c)",
            ),
        ),
    )


def psychometric(material: Material) -> Picture:
    """Choices of the right side by signed strength, in left and right blocks, with fitted curves."""
    shown = material.everybody(("exact actor", "code's actor"))
    tables = {name: behaviour.psychometric(table) for name, table in shown.items()}
    figure = new_figure(3.4 * len(tables) + 1, 3.6)
    panels = figure.subplots(1, len(tables), sharey=True, squeeze=False)[0]
    findings = []
    for axes, (name, table) in zip(panels, tables.items(), strict=True):
        axes.set_title(name)
        for part, colour in _SIDE_COLOURS.items():
            points = table[table["trials"] == part]
            if not len(points):
                continue
            curve = behaviour.Curve(*points.iloc[0][list(behaviour.Curve._fields)])
            line = np.linspace(points["signed_strength"].min(), points["signed_strength"].max(), 101)
            axes.plot(line, curve(line), color=colour, linewidth=1.2)
            axes.plot(points["signed_strength"], points["right"], "o", color=colour, markersize=4, label=part)
            if name == NETWORK:
                findings += [
                    Finding(f"{part}: {field}", float(getattr(curve, field))) for field in curve._fields
                ]
        share_axis(axes)
        axes.set_xlabel("strength, right above 0 (sd)")
    panels[0].set_ylabel("right, of choices")
    legend_beside(panels[-1])
    return Picture(
        "Psychometric curves",
        "Points are shares of choices, lines a logistic curve with a lapse rate on either side (low, high), "
        "a bias in strength and a slope. The prior of the block moves the curve sideways.",
        figure,
        stacked(tables),
        tuple(findings),
    )


def chronometric(material: Material) -> Picture:
    """Steps of a trial by strength, for right and wrong trials on and beside the block's side."""
    rules = material.rules
    blank = rules.zero_steps + (rules.feedback == "noisy")
    tables = {
        name: behaviour.chronometric(table, 0 if name == MOUSE else blank)
        for name, table in material.everybody(BASELINES).items()  # the observer acts where the network does
    }
    models = {name: table for name, table in tables.items() if name != MOUSE}
    figure = new_figure(10, 6.4)
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    for axes, (correct, concordant) in zip(
        panels.flat, [(True, True), (True, False), (False, True), (False, False)], strict=True
    ):
        cells = {name: _cell(table, correct, concordant) for name, table in models.items()}
        draw_players(axes, cells, "strength", "steps")
        axes.set_title(f"{'right' if correct else 'wrong'}, {'con' if concordant else 'dis'}cordant")
        if MOUSE in tables:
            seconds = axes.twinx()
            mouse = _cell(tables[MOUSE], correct, concordant)
            seconds.plot(mouse["strength"], mouse["steps"], label=MOUSE, **player_looks([MOUSE])[MOUSE])
            seconds.set_ylabel("mouse: reaction time (as in its file)")
            seconds.grid(visible=False)
    legend_beside(panels[0, 1])
    for axes in panels[1]:
        axes.set_xlabel("strength of the stimulus (sd of the noise)")
    for axes in panels[:, 0]:
        axes.set_ylabel("env steps of a trial")
    observations = float(material.trials["n_obs"].mean())
    network = tables[NETWORK]
    right = network[network["correct"] & network["concordant"]]
    return Picture(
        "Chronometric curves",
        f"Steps are {blank} without a stimulus and the observations up to the action, or timeout. Points "
        f"of fewer than {_FEWEST} trials are left out. (Figures 2b and 2c.)",
        figure,
        stacked(tables),
        (
            Finding("observations of a trial", observations, "1.1 to 1.5 (read from a figure)"),
            Finding("steps, right and concordant, weakest", _at(right, 0), "3.52 (read from a figure)"),
            Finding("steps, right and concordant, strongest", _at(right, -1), "3.07 (read from a figure)"),
        ),
    )


def _cell(table: DataFrame, correct: bool, concordant: bool) -> DataFrame:
    """Return the rows of one kind of trials that are drawn."""
    rows = table[(table["correct"] == correct) & (table["concordant"] == concordant)]
    return rows[rows["count"] >= _FEWEST]


def _at(table: DataFrame, place: int) -> float:
    """Return the steps at a strength by its place, NaN where there is none."""
    return float(table["steps"].iloc[place]) if len(table) else float("nan")


def block_change(material: Material) -> Picture:
    """Accuracy and belief of the block by the trial after a change of blocks."""
    tables = {name: behaviour.after_change(table) for name, table in material.everybody().items()}
    figure = new_figure(12.5, 4)
    panels = figure.subplots(1, 3)
    for axes, (column, title) in zip(
        panels,
        {
            "accuracy": "right, of all trials",
            "accuracy_zero": "right, of trials without a stimulus",
            "belief_in_block": "mean belief in the true block",
        }.items(),
        strict=True,
    ):
        draw_players(axes, tables, "trial", column, legend=column == "accuracy_zero")
        axes.set_title(title)
        axes.set_xlabel("trial of the block")
        share_axis(axes)
    panels[1].get_legend().remove()
    handles, labels = panels[0].get_legend_handles_labels()
    panels[2].legend(handles, labels, loc="upper left", bbox_to_anchor=(1.01, 1.03), borderaxespad=0)
    network = tables[NETWORK].set_index("trial")
    return Picture(
        "After a change of blocks",
        "First blocks of a session are left out. The network's belief of the block is that of a logistic "
        "classifier of its states at the ends of trials; that of other players includes the trial's result. "
        "(Figure 3b.)",
        figure,
        stacked(tables),
        tuple(
            Finding(f"right, trial {trial} of a block", float(network["accuracy"].get(trial, np.nan)))
            for trial in (1, 2, 5, 10, 20)
        ),
    )


def rewards(material: Material) -> Picture:
    """Reward of a trial by its observations, and reward per step and per trial."""
    everybody = material.everybody(BASELINES)
    earning = {name: table for name, table in everybody.items() if name != MOUSE}
    tables = {
        name: behaviour.reward_by_observations(table, material.rules.wait_reward)
        for name, table in earning.items()
    }
    rates = {name: summarise(dict(table)) for name, table in earning.items()}
    figure = new_figure(12, 3.8)
    panels = figure.subplots(1, 3, width_ratios=(1.4, 1, 1))
    draw_players(
        panels[0],
        {name: table[table["count"] >= _FEWEST] for name, table in tables.items()},
        "n_obs",
        "reward",
    )
    panels[0].set_xlabel("observations of the trial")
    panels[0].set_ylabel("mean reward of the trial")
    looks = player_looks(list(rates))
    for axes, (column, title) in zip(
        panels[1:],
        {"reward_per_trial": "reward per trial", "reward_per_step": "reward per env step"}.items(),
        strict=True,
    ):
        names = list(rates)[::-1]
        axes.barh(
            names, [rates[name][column] for name in names], color=[looks[name]["color"] for name in names]
        )
        axes.set_xlabel(title)
        axes.grid(visible=False, axis="y")
    numbers = stacked(tables).merge(_rates_table(rates), on="player", how="left")
    return Picture(
        "Rewards",
        "Reward as earned. The column reward_paper of the numbers counts one more penalty of waiting, as the "
        "paper's figure 3c does. No player earns more per trial, or per step, than the best ones.",
        figure,
        numbers,
        (
            Finding("reward per trial", rates[NETWORK]["reward_per_trial"]),
            Finding("the best possible per trial, here", rates["best per trial"]["reward_per_trial"]),
            Finding("reward per env step", rates[NETWORK]["reward_per_step"]),
            Finding("the best possible per env step, here", rates["best per step"]["reward_per_step"]),
        ),
    )


def _rates_table(rates: dict[str, dict[str, float]]) -> DataFrame:
    """Return the rates of each player as a table."""
    import pandas

    table = pandas.DataFrame(rates).T[["reward_per_trial", "reward_per_step"]]
    return table.rename_axis("player").reset_index()
