"""Pictures of where the network goes under constant inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from engram.envs.ibl.analyses.dynamics import (
    INPUTS,
    TOLERANCE,
    Field,
    FixedPoint,
    field_of_transitions,
    fixed_points,
    grid_inside,
    vector_field,
)
from engram.train.analyses.material import Material
from engram.train.analyses.picture import Finding, Picture, stacked
from engram.train.analyses.plane import draw_boundaries
from engram.train.pictures.canvas import legend_beside, new_figure

_STARTS = 48
"""Visited states from which fixed points are looked for."""

_MOST_UNITS = 160
"""Of a state whose Jacobian is inverted many times."""

_TITLES = {
    "strong left": "strong left stimulus",
    "weak": "weak stimulus",
    "strong right": "strong right stimulus",
    "wrong": "no stimulus, it was wrong",
    "nothing": "no stimulus",
    "right": "no stimulus, it was right",
}
_WORDS = "One panel for each input (left, right, reward) of figure 7c. "


def vector_fields(material: Material) -> Picture:
    """Movement over one step from points of the plane, under six inputs."""
    step, plane = material.dynamics.step, material.plane
    grid = grid_inside(plane.project(material.steps.hidden))
    fields = {name: vector_field(step, plane, grid, given) for name, given in INPUTS.items()}
    return _picture(
        material,
        "Vector fields",
        f"{_WORDS}Points of a grid inside the hull of visited states, lifted into the space of states, moved "
        "on by one step, and projected back.",
        fields,
    )


def transitions(material: Material) -> Picture:
    """Mean movement of real steps, by place in the plane, under six inputs."""
    steps = material.steps
    points = material.plane.project(steps.hidden)
    fields = {
        name: field_of_transitions(points, steps.observations, steps.follows, given)
        for name, given in INPUTS.items()
    }
    return _picture(
        material,
        "Vector fields of real steps",
        f"{_WORDS}Means of all steps whose observation was within {TOLERANCE:g} of the input, by cells of a "
        "grid: no state is looked at that was not visited.",
        fields,
    )


def _picture(material: Material, title: str, text: str, fields: dict[str, Field]) -> Picture:
    import pandas

    figure = new_figure(11, 7)
    panels = figure.subplots(2, 3, sharex=True, sharey=True)
    cloud = material.plane.project(material.steps.hidden)
    for axes, (name, field) in zip(panels.flat, fields.items(), strict=True):
        _draw_field(axes, field)
        draw_boundaries(axes, material, cloud)
        axes.set_title(_title(name))
    _name_outer(panels)
    legend_beside(panels[0, -1])
    tables = {
        name: pandas.DataFrame(
            np.concatenate([field.points, field.moves], axis=1),
            columns=["component_1", "component_2", "move_1", "move_2"],
        )
        for name, field in fields.items()
    }
    slow = fields["nothing"].speed.mean() if len(fields["nothing"].points) else float("nan")
    strong = [
        fields[name].speed.mean() for name in ("strong left", "strong right") if len(fields[name].points)
    ]
    return Picture(
        title,
        text,
        figure,
        stacked(tables, "input"),
        (
            Finding("mean movement, strong stimulus", float(np.mean(strong)) if strong else float("nan")),
            Finding("mean movement, no stimulus", float(slow)),
        ),
    )


def _draw_field(axes: Axes, field: Field) -> None:
    if len(field.points):
        shown = axes.quiver(
            *field.points.T,
            *field.moves.T,
            field.speed,
            angles="xy",
            scale_units="xy",
            scale=1,
            cmap="viridis",
        )
        shown.set_clim(0, None)


def fixed_point_spectra(material: Material) -> Picture:
    """Fixed points under six inputs, and the eigenvalues of the Jacobian there."""
    import pandas

    dynamics, states = material.dynamics, material.steps.hidden
    units = states.shape[1]
    if units > _MOST_UNITS:
        raise ValueError(
            f"{units} numbers of a state are too many to look for fixed points; at most {_MOST_UNITS}"
        )
    starts = states[np.linspace(0, len(states) - 1, _STARTS).astype(int)].astype(np.float64)
    found = {
        name: fixed_points(dynamics.step, dynamics.jacobian, starts, given) for name, given in INPUTS.items()
    }
    figure = new_figure(12, 8.4)
    grid = figure.add_gridspec(2, 1, height_ratios=(2.3, 1))
    places: Any = grid[0].subgridspec(2, 3).subplots(sharex=True, sharey=True)
    cloud = material.plane.project(states)
    for axes, (name, points) in zip(places.flat, found.items(), strict=True):
        axes.plot(*cloud[:: max(1, len(cloud) // 3000)].T, ".", color="0.88", markersize=2, zorder=0)
        _draw_points(axes, material, points)
        draw_boundaries(axes, material, cloud)
        axes.set_title(_title(name))
    _name_outer(places)
    legend_beside(places[0, -1])
    spectra: Any = grid[1].subgridspec(1, len(INPUTS)).subplots(sharex=True, sharey=True)
    for axes, (name, points) in zip(spectra, found.items(), strict=True):
        _draw_spectra(axes, points)
        axes.set_title(name)
        axes.set_xlabel("real part")
    spectra[0].set_ylabel("imaginary part")
    rows = [
        (name, point.stable, point.share, *material.plane.project(point.state[None])[0], *_largest(point))
        for name, points in found.items()
        for point in points
    ]
    columns = ["input", "stable", "share_of_starts", "component_1", "component_2", "largest", "second"]
    return Picture(
        "Fixed points",
        f"From {_STARTS} visited states: those where they end after 500 steps of the same input (filled: "
        "stable), and those that Newton's method finds from the same states (open: unstable). Below, the "
        "eigenvalues of the Jacobian at each, in the unit circle: a mode near 1 is slow, and holds what was "
        "seen. (The paper reads a line attractor, or two attractors, from figure 7c.)",
        figure,
        pandas.DataFrame(rows, columns=columns),
        _fixed_findings(found),
    )


def _fixed_findings(found: dict[str, list[FixedPoint]]) -> tuple[Finding, ...]:
    """Return how many attractors there are, and how slow the slowest mode of each is."""
    said = {"strong left": "1", "strong right": "1", "nothing": "2, or a line"}
    counts = [
        Finding(f"stable fixed points, {name}", sum(point.stable for point in points), said.get(name, ""))
        for name, points in found.items()
    ]
    at_rest = [abs(point.eigenvalues[0]) for point in found["nothing"] if point.stable]
    slow = float(np.mean(at_rest)) if at_rest else float("nan")
    return (*counts, Finding("largest eigenvalue at rest, mean over stable ones", slow))


def _largest(point: FixedPoint) -> tuple[float, float]:
    """Return the sizes of the two largest eigenvalues."""
    sizes = np.abs(point.eigenvalues)
    return float(sizes[0]), float(sizes[1]) if len(sizes) > 1 else float("nan")


def _draw_points(axes: Axes, material: Material, points: list[FixedPoint]) -> None:
    for point in points:
        place = material.plane.project(point.state[None])[0]
        axes.plot(
            *place, "o", color="#D55E00", markersize=9, markerfacecolor="#D55E00" if point.stable else "white"
        )


def _draw_spectra(axes: Axes, points: list[FixedPoint]) -> None:
    turn = np.linspace(0, 2 * np.pi, 200)
    axes.plot(np.cos(turn), np.sin(turn), color="0.7", linewidth=1)
    for point in points:
        filled = "#D55E00" if point.stable else "none"
        axes.scatter(
            point.eigenvalues.real, point.eigenvalues.imag, s=10, facecolors=filled, edgecolors="#D55E00"
        )
    axes.set_aspect("equal")


def _title(name: str) -> str:
    """Return what an input is, in words and numbers."""
    return f"{_TITLES[name]} ({', '.join(f'{value:g}' for value in INPUTS[name])})"


def _name_outer(panels: Any) -> None:
    """Name the axes of the outer panels of a grid."""
    for axes in panels[-1]:
        axes.set_xlabel("component 1")
    for axes in panels[:, 0]:
        axes.set_ylabel("component 2")
