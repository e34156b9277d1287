"""Which units go together, and how they are connected. H units, N states."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.cluster.hierarchy import fcluster, leaves_list, linkage
from scipy.spatial.distance import squareform

from engram.envs.arrays import Array, Floats, Ints

CUTOFF = 0.15
"""Of an output weight, beyond which the paper's code counts a unit to a side."""


class Populations(NamedTuple):
    """Units in two groups, by their correlations.

    Attributes:
        order: units in the order of the tree, the first group first, (H',); those that never vary are left
            out.
        group: 0 or 1 of each unit in that order, (H',).
        correlations: in that order, (H', H').
    """

    order: Ints
    group: Ints
    correlations: Floats


def find_populations(states: Array) -> Populations:
    """Group units by hierarchical clustering (average linkage) with 1 - correlation for the distance.

    Args:
        states: (N, H).

    Raises:
        ValueError: fewer than three units vary.
    """
    varying = np.flatnonzero(states.std(axis=0) > 0)
    if len(varying) < 3:
        raise ValueError(f"{len(varying)} units vary, of two groups there have to be three or more")
    correlations: Floats = np.asarray(np.corrcoef(np.asarray(states[:, varying], np.float64).T))
    distances = np.clip(1 - correlations, 0.0, None)
    tree = linkage(squareform(distances, checks=False), "average")
    leaves = leaves_list(tree)
    labels = fcluster(tree, 2, "maxclust")[leaves]
    group = (labels != labels[0]).astype(np.int64)
    return Populations(varying[leaves], group, correlations[np.ix_(leaves, leaves)])


def block_means(matrix: Array, group: Array) -> dict[str, float]:
    """Return the mean of a matrix within each of two groups and between them, the diagonal left out.

    Args:
        matrix: (H, H).
        group: 0 or 1, (H,); units of another number belong to neither.
    """
    off = ~np.eye(len(matrix), dtype=np.bool_)

    def mean(rows: Array, columns: Array) -> float:
        cells = matrix[np.outer(rows, columns) & off]
        return float(cells.mean()) if cells.size else float("nan")

    first, second = group == 0, group == 1
    between = [mean(first, second), mean(second, first)]
    return {
        "within first": mean(first, first),
        "within second": mean(second, second),
        "between": float(np.mean(between)),
    }


def groups_by_readout(readout: Array, cutoff: float = CUTOFF) -> Ints:
    """Group units by their output weight, as a later figure of the paper's code does.

    Args:
        readout: weights onto the right side, (H,).
        cutoff: beyond which a unit counts.

    Returns:
        0 where the weight is above the cutoff, 1 where it is below its negative, 2 elsewhere, (H,).
    """
    return np.where(readout > cutoff, 0, np.where(readout < -cutoff, 1, 2))
