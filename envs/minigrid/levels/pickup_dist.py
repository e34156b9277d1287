"""PickupDist: pick up a thing among others, in one room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from engram.envs.arguments import check_flag
from engram.envs.forms.parameters import Parametrized
from engram.envs.minigrid.batched import BatchedGrid
from engram.envs.minigrid.draws import Draws
from engram.envs.minigrid.objectives import Objective, PickUp, PickUpNoOther
from engram.envs.minigrid.rooms import RoomSheet
from engram.envs.minigrid.single import SingleGrid
from engram.envs.minigrid.things import Thing, ThingsLevel

_BY = ("type", "color", "both")


@dataclass(frozen=True)
class PickupDistLevel(ThingsLevel):
    """Parameters of PickupDist, checked, and how its episodes are drawn.

    Args:
        size: cells along a side of the room, its walls included (default 7), at least 4.
        distractors: number of things beside the target (default 4), at least 0; a room holds a thing for
            every three cells at most, and 64 in all.
        distractor_colors: their colours, none (default) for all six: red, green, blue, purple, yellow, grey.
        distractor_types: their kinds, none (default) for all three: key, ball, box.
        target: "drawn" (default): one of the things, named by its kind, its colour, or both, as in minigrid;
            or a thing by name, such as "green ball", or a list of such to draw from in each episode, named by
            both. Distractors are other things, drawn of the colours and kinds above.
        novel_colors: colours that distractors have in some episodes instead of `distractor_colors`, with a
            target by name; none (default): no such episodes.
        novel_share: share of such episodes, 0 to 1; none (default) without `novel_colors`.
        max_steps: env steps after which an episode is cut short, at least 1; none (default): `size`^2.
        wrong_pickup_ends: whether picking up another thing ends the episode (default false).

    Raises:
        ValueError: a value is not legal.
    """

    verb: ClassVar[str] = "pick up"

    size: int = 7
    distractors: int = 4
    distractor_colors: Sequence[str] | None = None
    distractor_types: Sequence[str] | None = None
    target: str | Sequence[str] = "drawn"
    novel_colors: Sequence[str] | None = None
    novel_share: float | None = None
    max_steps: int | None = None
    wrong_pickup_ends: bool = False

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        check_flag("wrong_pickup_ends", self.wrong_pickup_ends)

    @property
    @override
    def objective(self) -> type[Objective]:
        return PickUpNoOther if self.wrong_pickup_ends else PickUp

    @override
    def _fill(self, sheet: RoomSheet, target: Thing | None, colors: Sequence[str]) -> list[Thing]:
        things = self._things(sheet, target, colors)
        sheet.enter(0, 0)
        return things

    @override
    def _describe(self, draws: Draws, thing: Thing) -> tuple[str | None, str | None]:
        by, (kind, color) = draws.choose(_BY), thing
        return (None if by == "color" else kind), (None if by == "type" else color)


class BatchedPickupDist(Parametrized, BatchedGrid[PickupDistLevel], task=PickupDistLevel):
    """`PickupDist` in B lanes; see there for the level."""


class PickupDist(SingleGrid[BatchedPickupDist], of=BatchedPickupDist):
    """A room with things of several kinds and colours; pick up the one that the mission names.

    Description:
        The mission names kind, colour or both, "pick up a grey object"; all that fits will do. With `target`
        the same thing is asked for in each episode, and with `novel_colors` a share of episodes has
        distractors of colours that the others never have: one evaluation, split by known and novel.

    Reward:
        1 - 0.9 steps / `max_steps` for picking up what was asked for, else 0. Picking up one of all things
        at random is right in a fifth of the episodes with one target and the default `distractors`.

    End:
        When it is picked up, or anything is with `wrong_pickup_ends`, a termination; after `max_steps` steps,
        a truncation. Both can be true.

    Info:
        `success` (bool) and `distractors` ("known" or "novel"), by which results are split where some are
        novel.

    Source:
        MiniGrid 3.2.0, `BabyAI-PickupDist-v0`, and `...Debug-v0` with `wrong_pickup_ends`: by default the
        same draws, frames and rewards under the same seed. RIMs, arXiv 1909.10893, has distractors that are
        new at the test.
    """
