"""Cued Catch's scripted player. B lanes."""

from __future__ import annotations

import numpy as np

from engram.envs.actions import DOWN, STAY, UP
from engram.envs.boards import Bytes
from engram.envs.cued_catch import rules
from engram.envs.oracles.oracle import Ints, split_planes


class CuedCatchOracle:
    """Learns from the lesson which ball each cue stands for, and goes for that ball.

    It catches every ball: with the defaults it earns 60.0, and as many as there are trials that are not
    reward-free in general. Every lesson teaches all four cues anew, so it need not know where an episode
    begins.

    Args:
        lanes: number of lanes (B).
    """

    def __init__(self, lanes: int = 1) -> None:
        self._cue_is_top = np.zeros((lanes, rules.CUES), np.bool_)
        self._actions: Ints = np.full(lanes, STAY)

    def act(self, observations: Bytes) -> Ints:
        """Choose an action per lane.

        Args:
            observations: planes uint8 (B, 7, 12, 5).

        Returns:
            actions (B,): up, down, or in the lesson stay. A cue that is no longer seen still holds.
        """
        signs = split_planes(rules.LOOK, observations)["Q"]
        lesson = signs[(slice(None), *rules.MARKERS[0])].any(axis=(1, 2))
        top_bar = signs[(slice(None), *rules.bar_cells(top=True))].any(axis=(1, 2))
        shown = np.stack(
            [signs[(slice(None), *rules.cue_cells(cue))].any(axis=(1, 2)) for cue in range(rules.CUES)],
            axis=1,
        )
        cue, lanes = shown.argmax(axis=1), np.arange(len(shown))
        self._cue_is_top[lanes[lesson], cue[lesson]] = top_bar[lesson]
        wanted = np.where(self._cue_is_top[lanes, cue], UP, DOWN)
        self._actions = np.select(
            [lesson, shown.any(axis=1)], [np.full_like(wanted, STAY), wanted], self._actions
        )
        return self._actions.copy()
