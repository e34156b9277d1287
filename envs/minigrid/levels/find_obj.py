"""FindObj: find a thing in one of nine rooms and pick it up."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override

from engram.envs.forms.parameters import Parametrized
from engram.envs.minigrid.batched import BatchedGrid
from engram.envs.minigrid.draws import Draws
from engram.envs.minigrid.layout import Layout
from engram.envs.minigrid.mission import named
from engram.envs.minigrid.nine_rooms import SIDE, NineRoomsLevel
from engram.envs.minigrid.single import SingleGrid


@dataclass(frozen=True)
class FindObjLevel(NineRoomsLevel):
    """Parameters of FindObj, checked, and how its episodes are drawn.

    Args:
        size: cells along a side of a room, its walls included (default 5), at least 4.
        max_steps: env steps after which an episode is cut short, at least 1; none (default): 20 `size`^2.

    Raises:
        ValueError: a value is not legal.
    """

    size: int = 5
    max_steps: int | None = None

    @override
    def _draw(self, draws: Draws) -> Layout:
        sheet = self._rooms(draws)
        kind, _ = sheet.add(draws.below(SIDE), draws.below(SIDE))
        sheet.enter(1, 1)
        sheet.connect()
        return sheet.finish(f"pick up the {named(kind, None)}", self.limit(20 * self.size**2))


class BatchedFindObj(Parametrized, BatchedGrid[FindObjLevel], task=FindObjLevel):
    """`FindObj` in B lanes; see there for the level."""


class FindObj(SingleGrid[BatchedFindObj], of=BatchedFindObj):
    """Nine small rooms, a thing in one of them; find it and pick it up.

    Description:
        The agent begins in the middle room. Doors are closed, none is locked; which rooms were visited is
        to be remembered.

    Reward:
        1 - 0.9 steps / `max_steps` for the thing, else 0.

    End:
        When it is picked up, a termination; after `max_steps` steps, a truncation. Both can be true.

    Info:
        `success` (bool).

    Source:
        MiniGrid 3.2.0, `BabyAI-FindObjS{size}-v0`: the same draws, frames and rewards under the same seed.
    """
