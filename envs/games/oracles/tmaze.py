"""The T-maze's scripted player. B lanes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engram.envs.arrays import Bytes, Ints
from engram.envs.forms.actions import DOWN, LEFT, UP
from engram.envs.games.oracles.oracle import player_cells, split_planes
from engram.envs.games.tmaze.rules import LOOK


class TMazeOracle:
    """Waits under the teleporter, remembers the cue, walks the shortest way to the cued goal.

    With the T-maze's defaults it earns 0.613 where the goal is on the left and 0.611 where it is on the
    right. It keeps nothing but the side, which the first observation of an episode shows anew, so it needs
    no reset.

    Args:
        lanes: number of lanes (B).
    """

    def __init__(self, lanes: int = 1) -> None:
        self._sides: Ints = np.zeros(lanes, np.int64)

    def act(self, observations: Bytes, sides: Ints | None = None) -> Ints:
        """Choose an action per lane.

        Args:
            observations: planes uint8 (B, 7, 11, 5).
            sides: which goal to go for, 0 left, 1 right, (B,); without it, the one of the cue last seen.

        Returns:
            actions (B,), 0 up, 1 down, 2 left, 3 right.
        """
        planes = split_planes(LOOK, observations)
        self._remember(planes["Q"])
        wanted = self._sides if sides is None else sides
        lanes = np.arange(len(observations))
        rows, cols = player_cells(planes["P"])

        def ahead(plane: str, distance: int, down: int, across: Ints | int) -> NDArray[np.bool_]:
            there: NDArray[np.bool_] = planes[plane][lanes, rows + down * distance, cols + across * distance]
            return there

        free = [~ahead("#", distance, 1, 0) for distance in (1, 2, 3)]
        goal_below = ahead("~", 1, 1, 0) | (free[0] & ahead("~", 2, 1, 0))
        in_leg = free[0] & free[1] & free[2]
        toward = 2 * wanted - 1
        open_side = ~(ahead("#", 1, 0, toward) | ahead("#", 2, 0, toward) | ahead("#", 3, 0, toward))
        return np.select([goal_below | in_leg, open_side], [np.full_like(wanted, DOWN), LEFT + wanted], UP)

    def _remember(self, cue: NDArray[np.bool_]) -> None:
        on_side = np.stack([cue[:, :, :2].any(axis=(1, 2)), cue[:, :, -2:].any(axis=(1, 2))], axis=1)
        self._sides = np.where(on_side.any(axis=1), on_side.argmax(axis=1), self._sides)
