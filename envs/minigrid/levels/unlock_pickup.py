"""UnlockPickup: take the key, open the door, pick up the box."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override

from engram.envs.arguments import check_at_least
from engram.envs.forms.parameters import Parametrized
from engram.envs.minigrid.batched import BatchedGrid
from engram.envs.minigrid.cells import SORTED_COLORS, THINGS
from engram.envs.minigrid.draws import Draws
from engram.envs.minigrid.layout import Layout
from engram.envs.minigrid.level import GridLevel
from engram.envs.minigrid.mission import named
from engram.envs.minigrid.objectives import Objective, PickUp
from engram.envs.minigrid.rooms import RoomSheet, cells_along
from engram.envs.minigrid.single import SingleGrid

SIZE, ROOMS = 6, 2
_RIGHT = 0  # the wall between the rooms, seen from the left one
_MOST = len(THINGS) * len(SORTED_COLORS) - 2  # no two things are alike, the box and the key included


@dataclass(frozen=True)
class UnlockPickupLevel(GridLevel):
    """Parameters of UnlockPickup, checked, and how its episodes are drawn.

    Args:
        distractors: number of things beside the box and the key (default 0), at least 0, in either room; no
            two things are alike.
        max_steps: env steps after which an episode is cut short, at least 1; none (default): 72, BabyAI's.
            MiniGrid's own `UnlockPickup` has 288.

    Raises:
        ValueError: a value is not legal.
    """

    distractors: int = 0
    max_steps: int | None = None

    def __post_init__(self) -> None:
        check_at_least("distractors", self.distractors, 0, ">= 0 things", _MOST)
        super().__post_init__()

    @property
    @override
    def shape(self) -> tuple[int, int]:
        return SIZE, cells_along(SIZE, ROOMS)

    @property
    @override
    def objective(self) -> type[Objective]:
        return PickUp

    @override
    def _draw(self, draws: Draws) -> Layout:
        sheet = RoomSheet(draws, SIZE, 1, ROOMS)
        box = sheet.add(1, 0, "box")
        color = draws.choose(SORTED_COLORS)
        sheet.add_door(0, 0, _RIGHT, color, locked=True)
        key = sheet.add(0, 0, "key", color)
        sheet.add_distractors(self.distractors, (box, key))
        sheet.enter(0, 0)
        return sheet.finish(f"pick up the {named(*box)}", self.limit(ROOMS * SIZE**2))


class BatchedUnlockPickup(Parametrized, BatchedGrid[UnlockPickupLevel], task=UnlockPickupLevel):
    """`UnlockPickup` in B lanes; see there for the level."""


class UnlockPickup(SingleGrid[BatchedUnlockPickup], of=BatchedUnlockPickup):
    """Two rooms, a locked door between them; pick up the box in the other one.

    Description:
        Pick up the key, open the door by "toggle" while carrying it, put the key down and pick up the box.

    Reward:
        1 - 0.9 steps / `max_steps` for the box, else 0.

    End:
        When it is picked up, a termination; after `max_steps` steps, a truncation. Both can be true.

    Info:
        `success` (bool).

    Source:
        MiniGrid 3.2.0, `BabyAI-UnlockPickup-v0`, `BabyAI-UnlockPickupDist-v0` (4 `distractors`) and
        `MiniGrid-UnlockPickup-v0` (288 `max_steps`): the same draws, frames and rewards under the same seed.
    """
