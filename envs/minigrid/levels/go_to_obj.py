"""GoToObj: go to the one thing in a room."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override

from engram.envs.arguments import check_at_least
from engram.envs.forms.parameters import Parametrized
from engram.envs.minigrid.batched import BatchedGrid
from engram.envs.minigrid.draws import Draws
from engram.envs.minigrid.layout import Layout
from engram.envs.minigrid.level import MOST_CELLS, SquareLevel
from engram.envs.minigrid.mission import named
from engram.envs.minigrid.objectives import GoTo, Objective
from engram.envs.minigrid.rooms import LEAST_ROOM, RoomSheet
from engram.envs.minigrid.single import SingleGrid


@dataclass(frozen=True)
class GoToObjLevel(SquareLevel):
    """Parameters of GoToObj, checked, and how its episodes are drawn.

    Args:
        size: cells along a side of the room, its walls included (default 8), at least 4.
        max_steps: env steps after which an episode is cut short, at least 1; none (default): `size`^2.

    Raises:
        ValueError: a value is not legal.
    """

    size: int = 8
    max_steps: int | None = None

    def __post_init__(self) -> None:
        check_at_least("size", self.size, LEAST_ROOM, f">= {LEAST_ROOM} cells", MOST_CELLS)
        super().__post_init__()

    @property
    @override
    def objective(self) -> type[Objective]:
        return GoTo

    @override
    def _draw(self, draws: Draws) -> Layout:
        sheet = RoomSheet(draws, self.size)
        sheet.enter()
        (thing,) = sheet.add_distractors(1)
        return sheet.finish(f"go to the {named(*thing)}", self.limit(self.size**2))


class BatchedGoToObj(Parametrized, BatchedGrid[GoToObjLevel], task=GoToObjLevel):
    """`GoToObj` in B lanes; see there for the level."""


class GoToObj(SingleGrid[BatchedGoToObj], of=BatchedGoToObj):
    """A room with one thing in it; go to it.

    Description:
        To go to a thing is to stand before it and look at it.

    Reward:
        1 - 0.9 steps / `max_steps` before the thing, else 0.

    End:
        Before it, a termination; after `max_steps` steps, a truncation. Both can be true.

    Info:
        `success` (bool).

    Source:
        MiniGrid 3.2.0, `BabyAI-GoToObj-v0`, `BabyAI-GoToObjS4-v0` and `BabyAI-GoToObjS6-v1`: the same draws,
        frames and rewards under the same seed.
    """
