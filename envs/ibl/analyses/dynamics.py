"""Where a network goes from any state under a constant input: vector fields, fixed points, their spectra.

N states, H units, G points of a grid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import Delaunay, QhullError

from engram.envs.arrays import Array, Flags, Floats
from engram.envs.ibl.analyses.plane import Plane

Step = Callable[[Array, Array], Array]
"""States (N, H) and inputs (N, 3) -> the states one step later, (N, H)."""

Jacobian = Callable[[Array, Array], Array]
"""The same -> how the next state changes with the state, (N, H, H)."""

INPUTS: Mapping[str, tuple[float, float, float]] = {
    "strong left": (1.2, 0.2, -0.05),
    "weak": (0.2, 0.2, -0.05),
    "strong right": (0.2, 1.2, -0.05),
    "wrong": (0.0, 0.0, -1.0),
    "nothing": (0.0, 0.0, 0.0),
    "right": (0.0, 0.0, 1.0),
}
"""Left, right and reward of figure 7c; the last three are blank steps, after a wrong action, later, and after
a right one."""

GRID = 15
TOLERANCE = 0.15
"""How far an observation may be from one of `INPUTS` to count as it."""

_MOST_IN_HULL = 5_000


class Field(NamedTuple):
    """Movements in the plane.

    Attributes:
        points: coordinates, (G, 2).
        moves: over one step, (G, 2).
    """

    points: Floats
    moves: Floats

    @property
    def speed(self) -> Floats:
        """Length of the movements, (G,)."""
        return np.asarray(np.linalg.norm(self.moves, axis=1))


def grid_inside(points: Array, size: int = GRID) -> Floats:
    """Return a grid of points that lie inside the hull of others.

    Args:
        points: (N, 2).
        size: points of the grid along each axis, before those outside are left out.

    Raises:
        ValueError: the points lie on a line.
    """
    some = points[:: max(1, len(points) // _MOST_IN_HULL)]
    low, high = points.min(axis=0), points.max(axis=0)
    axes = [np.linspace(*ends, size) for ends in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    try:
        return np.asarray(grid[Delaunay(some).find_simplex(grid) >= 0])
    except QhullError:
        raise ValueError("the states lie on a line") from None


def vector_field(step: Step, plane: Plane, grid: Array, given: ArrayLike) -> Field:
    """Compute where a step leads from points of the plane; what leaves the plane is not seen.

    Args:
        step: of the network.
        plane: the plane.
        grid: (G, 2).
        given: the input, (3,).
    """
    inputs = np.broadcast_to(np.asarray(given), (len(grid), 3))
    return Field(grid, plane.project(step(plane.lift(grid), inputs)) - grid)


def field_of_transitions(
    points: Array, observations: Array, follows: Flags, given: ArrayLike, size: int = GRID
) -> Field:
    """Average the movements of real steps whose observation was near an input, by cells of a grid.

    Args:
        points: coordinates of the states, (N, 2).
        observations: that led to them, (N, 3).
        follows: whether the row before is the step before, (N,).
        given: the input, (3,).
        size: cells along each axis.

    Returns:
        Of each cell with a step, the mean place before, and the mean movement.
    """
    near = follows & (np.abs(observations - np.asarray(given)) <= TOLERANCE).all(axis=1)
    rows = np.flatnonzero(near)
    before, moves = points[rows - 1], points[rows] - points[rows - 1]
    low, width = points.min(axis=0), np.ptp(points, axis=0) / size
    cells = np.minimum((before - low) // width, size - 1).astype(np.int64) @ np.array([size, 1])
    known, where, counts = np.unique(cells, return_inverse=True, return_counts=True)
    sums = np.zeros((len(known), 4))
    np.add.at(sums, where, np.concatenate([before, moves], axis=1))
    means = sums / counts[:, None]
    return Field(means[:, :2], means[:, 2:])


class FixedPoint(NamedTuple):
    """A state that a step under a constant input leaves as it is.

    Attributes:
        state: (H,).
        eigenvalues: of the Jacobian there, the largest first, complex (H,).
        share: of the starts, those that ended here by themselves; 0 for one that only Newton's method finds.
    """

    state: Floats
    eigenvalues: Array
    share: float

    @property
    def stable(self) -> bool:
        """Whether states nearby come back."""
        return bool(abs(self.eigenvalues[0]) < 1)


def fixed_points(
    step: Step,
    jacobian: Jacobian,
    starts: Array,
    given: ArrayLike,
    *,
    iterations: int = 500,
    newton: int = 40,
    residual: float = 1e-6,
    apart: float = 1e-2,
) -> list[FixedPoint]:
    """Find fixed points from visited states: attractors by going on, others by Newton's method.

    Args:
        step: of the network.
        jacobian: of the network.
        starts: (N, H).
        given: the input, (3,).
        iterations: steps that each start goes on.
        newton: iterations of Newton's method.
        residual: most that a step may move a fixed point, relative to the root of H.
        apart: least distance of two fixed points, likewise.

    Returns:
        Attractors, those of most starts first; then the others.
    """
    inputs = np.broadcast_to(np.asarray(given), (len(starts), 3))
    settled = starts
    for _ in range(iterations):
        settled = step(settled, inputs)
    scale = np.sqrt(starts.shape[1])
    by_newton = _newton(step, jacobian, np.concatenate([settled, starts]), given, newton)
    found: list[FixedPoint] = []
    for place, state in enumerate(by_newton):
        moved = np.linalg.norm(step(state[None], inputs[:1])[0] - state) / scale
        known = any(np.linalg.norm(each.state - state) / scale < apart for each in found)
        if not np.isfinite(moved) or moved > residual or known:
            continue
        values = np.linalg.eigvals(jacobian(state[None], inputs[:1])[0])
        near = np.linalg.norm(settled - state, axis=1) / scale < apart
        ordered = values[np.argsort(-np.abs(values))]
        found.append(FixedPoint(state, ordered, float(near.mean()) if place < len(starts) else 0.0))
    return sorted(found, key=lambda each: -each.share)


def _newton(step: Step, jacobian: Jacobian, states: Array, given: ArrayLike, iterations: int) -> Floats:
    """Iterate Newton's method on step(x) - x = 0; where it runs away, states are not finite or stay off."""
    inputs = np.broadcast_to(np.asarray(given), (len(states), 3))
    identity = np.eye(states.shape[1])
    for _ in range(iterations):
        residues = step(states, inputs) - states
        change = np.linalg.solve(jacobian(states, inputs) - identity, residues[..., None])[..., 0]
        states = states - np.clip(change, -1.0, 1.0)
    return np.asarray(states)
