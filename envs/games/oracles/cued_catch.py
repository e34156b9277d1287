"""Cued Catch's scripted player. B lanes."""

from __future__ import annotations

import numpy as np

from engram.envs.arrays import Bytes, Flags, Ints
from engram.envs.forms.actions import DOWN, UP
from engram.envs.games.cued_catch import rules
from engram.envs.games.oracles.oracle import split_planes


class CuedCatchOracle:
    """Learns from the lesson which ball each cue stands for, and goes for that ball.

    It catches every ball: with the defaults it earns 60.0, and as many as there are trials that are not
    reward-free in general. Every lesson teaches all four cues anew, so it need not know where an episode
    begins.

    Args:
        lanes: number of lanes (B).
    """

    def __init__(self, lanes: int = 1) -> None:
        self._cue_is_top: Flags = np.zeros((lanes, rules.CUES), np.bool_)
        self._actions: Ints = np.full(lanes, UP)

    def act(self, observations: Bytes) -> Ints:
        """Choose an action per lane.

        Args:
            observations: planes uint8 (B, 7, 12, 5).

        Returns:
            actions (B,), up or down: where the cue sends the player, until the next cue is seen.
        """
        signs = split_planes(rules.LOOK, observations)["Q"]
        lesson, top_bar = _seen(signs, rules.MARKERS[0]), _seen(signs, rules.bar_cells(top=True))
        shown = np.stack([_seen(signs, rules.cue_cells(cue)) for cue in range(rules.CUES)], axis=1)
        np.copyto(self._cue_is_top, top_bar[:, None], where=shown & lesson[:, None])
        wanted = np.where((shown & self._cue_is_top).any(axis=1), UP, DOWN)
        self._actions = np.where(shown.any(axis=1), wanted, self._actions)
        return self._actions.copy()


def _seen(signs: Flags, cells: tuple[slice, slice]) -> Flags:
    """Whether there is a sign on given cells of each lane, (B,)."""
    rows, cols = cells
    return np.asarray(signs[:, rows, cols].any(axis=(1, 2)))
