"""Fetch: pick up the right thing, and no other."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override

from engram.envs.arguments import check_at_least
from engram.envs.forms.parameters import Parametrized
from engram.envs.minigrid.batched import BatchedGrid
from engram.envs.minigrid.cells import SORTED_COLORS
from engram.envs.minigrid.draws import Draws
from engram.envs.minigrid.layout import Layout, Sheet
from engram.envs.minigrid.level import MOST_CELLS, SquareLevel
from engram.envs.minigrid.mission import named
from engram.envs.minigrid.objectives import Objective, PickUpNoOther
from engram.envs.minigrid.rooms import CODE_OF_THING
from engram.envs.minigrid.single import SingleGrid

_KINDS = ("key", "ball")
_ORDERS = ("get a", "go get a", "fetch a", "go fetch a", "you must fetch a")
_LEAST = 4  # cells of the smallest grid


@dataclass(frozen=True)
class FetchLevel(SquareLevel):
    """Parameters of Fetch, checked, and how its episodes are drawn.

    Args:
        size: cells along a side of the grid (default 8), at least 4.
        distractors: number of things beside the target (default 2), at least 0; they may be like it.
        max_steps: env steps after which an episode is cut short, at least 1; none (default): 5 `size`^2.

    Raises:
        ValueError: a value is not legal.
    """

    through_walls = True

    size: int = 8
    distractors: int = 2
    max_steps: int | None = None

    def __post_init__(self) -> None:
        check_at_least("size", self.size, _LEAST, f">= {_LEAST} cells", MOST_CELLS)
        most = (self.size - 2) ** 2 - 2  # the target and the agent need a cell each
        check_at_least("distractors", self.distractors, 0, ">= 0 things", most)
        super().__post_init__()

    @property
    @override
    def objective(self) -> type[Objective]:
        return PickUpNoOther

    @override
    def _draw(self, draws: Draws) -> Layout:
        sheet, things = Sheet(draws, self.size, self.size), []
        for _ in range(self.distractors + 1):
            things.append((draws.choose(_KINDS), draws.choose(SORTED_COLORS)))
            sheet.place(CODE_OF_THING[things[-1]])
        sheet.place_agent()
        target = draws.choose(things)
        return sheet.finish(f"{draws.choose(_ORDERS)} {named(*target)}", self.limit(5 * self.size**2))


class BatchedFetch(Parametrized, BatchedGrid[FetchLevel], task=FetchLevel):
    """`Fetch` in B lanes; see there for the level."""


class Fetch(SingleGrid[BatchedFetch], of=BatchedFetch):
    """Keys and balls of several colours lie about; fetch the one that the mission names.

    Description:
        The first thing that is picked up ends the episode. The mission is said in one of five ways. Walls do
        not hide anything.

    Reward:
        1 - 0.9 steps / `max_steps` for the right thing, else 0.

    End:
        When anything is picked up, a termination; after `max_steps` steps, a truncation. Both can be true.

    Info:
        `success` (bool).

    Source:
        MiniGrid 3.2.0, `MiniGrid-Fetch-{size}x{size}-N{distractors + 1}-v0`: the same draws, frames and
        rewards under the same seed.
    """
