"""GoToLocal: go to a thing among others, in one room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from engram.envs.forms.parameters import Parametrized
from engram.envs.minigrid.batched import BatchedGrid
from engram.envs.minigrid.objectives import GoTo, Objective
from engram.envs.minigrid.rooms import RoomSheet
from engram.envs.minigrid.single import SingleGrid
from engram.envs.minigrid.things import Thing, ThingsLevel


@dataclass(frozen=True)
class GoToLocalLevel(ThingsLevel):
    """Parameters of GoToLocal, checked, and how its episodes are drawn.

    Args:
        size: cells along a side of the room, its walls included (default 8), at least 4.
        distractors: number of things beside the target (default 7), at least 0; a room holds a thing for
            every three cells at most, and 64 in all.
        distractor_colors: their colours, none (default) for all six: red, green, blue, purple, yellow, grey.
        distractor_types: their kinds, none (default) for all three: key, ball, box.
        target: "drawn" (default): one of the things, as in minigrid, of which two may be alike; or a thing by
            name, such as "green ball", or a list of such to draw from in each episode. Distractors are then
            other things, drawn of the colours and kinds above.
        novel_colors: colours that distractors have in some episodes instead of `distractor_colors`, with a
            target by name; none (default): no such episodes.
        novel_share: share of such episodes, 0 to 1; none (default) without `novel_colors`.
        max_steps: env steps after which an episode is cut short, at least 1; none (default): `size`^2.

    Raises:
        ValueError: a value is not legal.
    """

    verb: ClassVar[str] = "go to"
    unique: ClassVar[bool] = False

    size: int = 8
    distractors: int = 7
    distractor_colors: Sequence[str] | None = None
    distractor_types: Sequence[str] | None = None
    target: str | Sequence[str] = "drawn"
    novel_colors: Sequence[str] | None = None
    novel_share: float | None = None
    max_steps: int | None = None

    @property
    @override
    def objective(self) -> type[Objective]:
        return GoTo

    @override
    def _fill(self, sheet: RoomSheet, target: Thing | None, colors: Sequence[str]) -> list[Thing]:
        sheet.enter()
        things = self._things(sheet, target, colors)
        sheet.check_reachable()
        return things


class BatchedGoToLocal(Parametrized, BatchedGrid[GoToLocalLevel], task=GoToLocalLevel):
    """`GoToLocal` in B lanes; see there for the level."""


class GoToLocal(SingleGrid[BatchedGoToLocal], of=BatchedGoToLocal):
    """A room with things of several kinds and colours; go to the one that the mission names.

    Description:
        To go to a thing is to stand before it and look at it. Where two are alike, either will do. With
        `target` the same thing is asked for in each episode, and with `novel_colors` a share of episodes has
        distractors of colours that the others never have: one evaluation, split by known and novel.

    Reward:
        1 - 0.9 steps / `max_steps` before what was asked for, else 0.

    End:
        Before it, a termination; after `max_steps` steps, a truncation. Both can be true.

    Info:
        `success` (bool) and `distractors` ("known" or "novel"), by which results are split where some are
        novel.

    Source:
        MiniGrid 3.2.0, `BabyAI-GoToLocal-v0` and `BabyAI-GoToLocalS{size}N{distractors + 1}-v0`: by default
        the same draws, frames and rewards under the same seed.
    """
