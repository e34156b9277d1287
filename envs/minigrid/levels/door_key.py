"""DoorKey: take the key, open the door, reach the goal."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override

from engram.envs.arguments import check_at_least
from engram.envs.forms.parameters import Parametrized
from engram.envs.minigrid.batched import BatchedGrid
from engram.envs.minigrid.cells import code_of
from engram.envs.minigrid.draws import Draws
from engram.envs.minigrid.layout import Layout, Sheet
from engram.envs.minigrid.level import MOST_CELLS, SquareLevel
from engram.envs.minigrid.single import SingleGrid

MISSION = "use the key to open the door and then get to the goal"

_LEAST = 5  # cells of the smallest grid
_GOAL, _DOOR = code_of("goal", "green"), code_of("door", "yellow", "locked")
_KEY = code_of("key", "yellow")


@dataclass(frozen=True)
class DoorKeyLevel(SquareLevel):
    """Parameters of DoorKey, checked, and how its episodes are drawn.

    Args:
        size: cells along a side of the grid (default 8), at least 5.
        max_steps: env steps after which an episode is cut short, at least 1; none (default): 10 `size`^2.

    Raises:
        ValueError: a value is not legal.
    """

    size: int = 8
    max_steps: int | None = None

    def __post_init__(self) -> None:
        check_at_least("size", self.size, _LEAST, f">= {_LEAST} cells", MOST_CELLS)
        super().__post_init__()

    @override
    def _draw(self, draws: Draws) -> Layout:
        sheet, size = Sheet(draws, self.size, self.size), self.size
        sheet.put(size - 2, size - 2, _GOAL)
        wall = draws.between(2, size - 2)
        sheet.put_column(wall, 0, size)
        sheet.place_agent(size=(wall, size))
        sheet.put(wall, draws.between(1, size - 2), _DOOR)
        sheet.place(_KEY, size=(wall, size))
        return sheet.finish(MISSION, self.limit(10 * self.size**2))


class BatchedDoorKey(Parametrized, BatchedGrid[DoorKeyLevel], task=DoorKeyLevel):
    """`DoorKey` in B lanes; see there for the level."""


class DoorKey(SingleGrid[BatchedDoorKey], of=BatchedDoorKey):
    """A wall with a locked door, the key on this side, the goal on the other.

    Description:
        Pick the key up, open the door by "toggle" while carrying it, and step onto the goal in the right
        lower corner. Where the wall, the door, the key and the agent are is drawn in each episode.

    Reward:
        1 - 0.9 steps / `max_steps` at the goal, else 0.

    End:
        At the goal, a termination; after `max_steps` steps, a truncation. Both can be true.

    Info:
        `success` (bool).

    Source:
        MiniGrid 3.2.0, `MiniGrid-DoorKey-{size}x{size}-v0`: the same draws, frames and rewards under the same
        seed.
    """
