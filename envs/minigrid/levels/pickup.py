"""Pickup: pick up a thing somewhere in nine rooms."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override

from engram.envs.arguments import check_at_least
from engram.envs.forms.parameters import Parametrized
from engram.envs.minigrid.batched import BatchedGrid
from engram.envs.minigrid.draws import Draws
from engram.envs.minigrid.layout import Layout
from engram.envs.minigrid.mission import named
from engram.envs.minigrid.nine_rooms import ROOMS, NineRoomsLevel
from engram.envs.minigrid.single import SingleGrid

_CELLS_A_THING, _MOST_THINGS = 6, 100  # where there are more, few draws leave all of them in reach


@dataclass(frozen=True)
class PickupLevel(NineRoomsLevel):
    """Parameters of Pickup, checked, and how its episodes are drawn.

    Args:
        size: cells along a side of a room, its walls included (default 8), at least 4.
        distractors: number of things beside the target (default 17), at least 0 and at most what leaves most
            rooms open, 53 with the default `size`; they may be like it.
        max_steps: env steps after which an episode is cut short, at least 1; none (default): 9 `size`^2.

    Raises:
        ValueError: a value is not legal.
    """

    size: int = 8
    distractors: int = 17
    max_steps: int | None = None

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        most = min(ROOMS * (self.size - 2) ** 2 // _CELLS_A_THING, _MOST_THINGS) - 1
        check_at_least("distractors", self.distractors, 0, ">= 0 things", most)

    @override
    def _draw(self, draws: Draws) -> Layout:
        sheet = self._rooms(draws)
        sheet.enter()
        sheet.connect()
        things = sheet.add_distractors(self.distractors + 1)
        sheet.check_reachable()
        target = draws.choose(things)
        article = "the" if things.count(target) == 1 else "a"
        return sheet.finish(f"pick up {article} {named(*target)}", self.limit(ROOMS * self.size**2))


class BatchedPickup(Parametrized, BatchedGrid[PickupLevel], task=PickupLevel):
    """`Pickup` in B lanes; see there for the level."""


class Pickup(SingleGrid[BatchedPickup], of=BatchedPickup):
    """Nine rooms with doors between them and things in them; pick up the one that the mission names.

    Description:
        Doors are closed, none is locked, and nothing bars the way to a thing. Where two are alike, either
        will do.

    Reward:
        1 - 0.9 steps / `max_steps` for the thing, else 0.

    End:
        When it is picked up, a termination; after `max_steps` steps, a truncation. Both can be true.

    Info:
        `success` (bool).

    Source:
        MiniGrid 3.2.0, `BabyAI-Pickup-v0`: the same draws, frames and rewards under the same seed.
    """
