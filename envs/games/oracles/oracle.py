"""Interface of scripted players."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from engram.envs.arrays import Bytes, Flags, Ints
from engram.envs.forms.boards import Look


class Oracle(Protocol):
    """A player of B lanes that sees observations alone, from the first one of an episode on.

    It is made with the number of lanes. Lanes may begin new episodes at any time; it notices by itself.
    """

    def act(self, observations: Bytes) -> Ints:
        """Choose an action per lane.

        Args:
            observations: planes uint8 (B, R, C, K).

        Returns:
            actions (B,), see `engram.envs.forms.actions`.
        """


def split_planes(look: Look, observations: Bytes) -> dict[str, Flags]:
    """Split observations (B, R, C, K) into planes by character, bool (B, R, C)."""
    planes = np.moveaxis(observations, -1, 0).astype(np.bool_)
    return dict(zip(look.planes, planes, strict=True))


def player_cells(player: Flags) -> tuple[Ints, Ints]:
    """Return row and column of the player in each lane, from its plane (B, R, C)."""
    rows, cols = np.divmod(player.reshape(len(player), -1).argmax(axis=1), player.shape[-1])
    return rows, cols
