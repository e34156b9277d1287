"""The picture of how units go together, and act on each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from engram.envs.arrays import Array
from engram.envs.ibl.analyses.populations import (
    CUTOFF,
    Populations,
    block_means,
    find_populations,
    groups_by_readout,
)
from engram.train.analyses.material import Material
from engram.train.analyses.picture import Finding, Picture
from engram.train.pictures.canvas import new_figure

_SIGNS = {"within first": "above 0", "within second": "above 0", "between": "below 0"}


def populations(material: Material) -> Picture:
    """Units in two groups: their correlations, and how they act on each other, within groups and between."""
    import pandas

    found = find_populations(material.steps.hidden)
    panels = {"correlation": _Panel(found.correlations, found.group, _SIGNS)}
    missing = ""
    try:
        panels |= _connections(material, found)
    except ValueError as error:
        missing = f" How they act on each other is left out: {error}."
    figure = new_figure(4.2 * len(panels), 4)
    for axes, (name, panel) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
    ):
        _heat(figure, axes, panel, name)
    means = {name: block_means(panel.matrix, panel.group) for name, panel in panels.items()}
    return Picture(
        "Two populations",
        "Units in the order of a hierarchical clustering (average linkage, distance 1 - correlation), in two "
        "groups; weights lead from columns to rows. By output weight: grouped by their weight onto right, "
        f"above {CUTOFF:g} or below -{CUTOFF:g}, as in a later figure of the paper's code. (Figures 7a and "
        f"7b.){missing}",
        figure,
        pandas.DataFrame(means).T.rename_axis("of").reset_index(),
        tuple(
            Finding(f"{name}, {where}", value, panels[name].signs.get(where, ""))
            for name, by_place in means.items()
            for where, value in by_place.items()
        ),
    )


class _Panel(NamedTuple):
    """A matrix of units by units, their groups, and which signs the paper has for the means."""

    matrix: Array
    group: Array
    signs: Mapping[str, str]


def _connections(material: Material, found: Populations) -> dict[str, _Panel]:
    """Return how units act on each other, in the order of two groupings.

    Raises:
        ValueError: The network cannot say.
    """
    dynamics, states, seen = material.dynamics, material.steps.hidden, material.steps.observations
    weights, kind = dynamics.recurrent_weights, "recurrent weights"
    if weights is None:
        chosen = np.linspace(0, len(states) - 1, 50).astype(int)
        weights, kind = dynamics.jacobian(states[chosen], seen[chosen]).mean(axis=0), "mean Jacobian"
    onto_right = material.readouts.stimulus.vector / 2  # where left mirrors right
    group = groups_by_readout(onto_right)
    order = np.lexsort((-onto_right, group))
    return {
        kind: _Panel(weights[np.ix_(found.order, found.order)], found.group, _SIGNS),
        f"{kind}, by output weight": _Panel(weights[np.ix_(order, order)], group[order], {}),
    }


def _heat(figure: Figure, axes: Axes, panel: _Panel, title: str) -> None:
    """Draw a matrix, white at 0, with lines where a group ends."""
    most = float(np.quantile(np.abs(panel.matrix), 0.99)) or 1.0
    shown = axes.imshow(panel.matrix, cmap="RdBu_r", vmin=-most, vmax=most, interpolation="nearest")
    figure.colorbar(shown, ax=axes, shrink=0.8)
    for place in np.flatnonzero(np.diff(panel.group)) + 0.5:
        axes.axhline(place, color="black", linewidth=1)
        axes.axvline(place, color="black", linewidth=1)
    axes.set_title(title)
    axes.grid(visible=False)
