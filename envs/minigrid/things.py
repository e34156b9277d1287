"""Base of levels of one room in which one thing among others is asked for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from typing_extensions import override

from engram.envs.arguments import check_at_least, check_known, listed, shown
from engram.envs.minigrid.cells import SORTED_COLORS, THINGS
from engram.envs.minigrid.draws import Draws
from engram.envs.minigrid.layout import Layout
from engram.envs.minigrid.level import MOST_CELLS, SquareLevel, check_share
from engram.envs.minigrid.mission import named
from engram.envs.minigrid.rooms import LEAST_ROOM, RoomSheet

Thing = tuple[str, str]
"""Kind and colour."""

DRAWN = "drawn"
_CELLS_A_THING, _MOST_THINGS = 3, 64
KNOWN, NOVEL = "known", "novel"


@dataclass(frozen=True)
class ThingsLevel(SquareLevel):
    """Parameters of a room with things in it, checked; see its levels."""

    facts: ClassVar[Mapping[str, Any]] = {"distractors": KNOWN}
    verb: ClassVar[str]
    unique: ClassVar[bool] = True
    """Whether no two things are alike."""

    size: int
    distractors: int
    distractor_colors: Sequence[str] | None = None
    distractor_types: Sequence[str] | None = None
    target: str | Sequence[str] = DRAWN
    novel_colors: Sequence[str] | None = None
    novel_share: float | None = None
    max_steps: int | None = None

    def __post_init__(self) -> None:
        legal = f">= {LEAST_ROOM} cells"
        check_at_least("size", self.size, LEAST_ROOM, legal, MOST_CELLS)
        check_at_least("distractors", self.distractors, 0, ">= 0 things", most_things(self.size) - 1)
        super().__post_init__()
        self._check_novel()
        for name, colors in (("distractor_colors", self.colors), ("novel_colors", self.strange_colors)):
            self._check_enough(name, colors)

    def _check_novel(self) -> None:
        """Refuse what is said of novel distractors if it has no effect."""
        if self.novel_share is not None:
            check_share("novel_share", self.novel_share)
        for name, other in (("novel_colors", "novel_share"), ("novel_share", "novel_colors")):
            if getattr(self, name) is not None and getattr(self, other) is None:
                raise ValueError(f"{name}: has no effect without {other}; legal: both, or neither")
        if self.novel_colors is None:
            return
        if self.targets is None:
            raise ValueError("novel_colors: no effect with target: drawn; legal: a target by name")
        if not self.distractors:
            raise ValueError("novel_colors: no effect with distractors: 0; legal: at least 1 distractor")
        known = [color for color in self.strange_colors if color in self.colors]
        if known:
            said = "" if self.distractor_colors is not None else " (distractor_colors: all, unless set)"
            raise ValueError(
                f"novel_colors: known distractors may have {', '.join(known)}, too{said}; legal: colours "
                "that distractor_colors lacks"
            )

    def _check_enough(self, name: str, colors: Sequence[str]) -> None:
        """Refuse colours of which not enough different things can be made."""
        others = [(kind, color) for kind in self.kinds for color in colors]
        for target in self.targets or [None]:
            most = len(others) - (target in others if target else 1)
            if (self.unique or target) and colors and most < self.distractors:
                raise ValueError(
                    f"distractors: {self.distractors} are too many, there are {most} different ones by "
                    f"distractor_types and {name}; nearest: {most}"
                )

    @cached_property
    def colors(self) -> tuple[str, ...]:
        """Colours of known distractors, in the order in which they are drawn."""
        return check_names("distractor_colors", self.distractor_colors, SORTED_COLORS)

    @cached_property
    def strange_colors(self) -> tuple[str, ...]:
        """Colours of novel distractors, likewise; none without novel ones."""
        names = self.novel_colors
        return () if names is None else check_names("novel_colors", names, SORTED_COLORS)

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of distractors, likewise."""
        return check_names("distractor_types", self.distractor_types, THINGS)

    @cached_property
    def targets(self) -> tuple[Thing, ...] | None:
        """Things to draw the target from; None where it is one of the things that were drawn."""
        return None if isinstance(self.target, str) and self.target == DRAWN else check_targets(self.target)

    @property
    @override
    def group_by(self) -> str | None:
        """Nothing where no distractors are novel."""
        return None if self.novel_colors is None else "distractors"

    @override
    def _draw(self, draws: Draws) -> Layout:
        sheet = RoomSheet(draws, self.size)
        if self.targets is None:
            things, novel = self._fill(sheet, None, self.colors), False
            kind, color = self._describe(draws, draws.choose(things))
        else:
            target = draws.choose(self.targets)
            novel = draws.happens(self.novel_share or 0.0)
            things = self._fill(sheet, target, self.strange_colors if novel else self.colors)
            kind, color = target
        alike = sum(kind in (None, each[0]) and color in (None, each[1]) for each in things)
        one = alike == 1 and (kind, color) != (None, "grey")  # walls are grey objects
        text = f"{self.verb} {'the' if one else 'a'} {named(kind, color)}"
        return sheet.finish(text, self.limit(self.size**2), distractors=NOVEL if novel else KNOWN)

    @abstractmethod
    def _fill(self, sheet: RoomSheet, target: Thing | None, colors: Sequence[str]) -> list[Thing]:
        """Put the agent and all things into the room; return these, the target among them.

        Args:
            sheet: the room.
            target: the target, first of the things; None where it is not known yet.
            colors: those of the distractors.
        """

    def _things(self, sheet: RoomSheet, target: Thing | None, colors: Sequence[str]) -> list[Thing]:
        """Put all things into the room; see `_fill`."""
        if target is None:
            taken = () if self.unique else None
            return sheet.add_distractors(self.distractors + 1, taken, self.kinds, colors)
        sheet.add(0, 0, *target)
        return [target, *sheet.add_distractors(self.distractors, (target,), self.kinds, colors)]

    def _describe(self, draws: Draws, thing: Thing) -> tuple[str | None, str | None]:
        """Return the kind and the colour by which a drawn target is named."""
        return thing


def most_things(size: int) -> int:
    """Return how many things a room of a size may hold: with more, few draws leave all of them in reach."""
    return min((size - 2) ** 2 // _CELLS_A_THING, _MOST_THINGS)


def check_names(name: str, value: Any, known: Sequence[str]) -> tuple[str, ...]:
    """Return some of the known names, in their order; all of them for None.

    Raises:
        ValueError: no name, an unknown one, or one given twice.
    """
    if value is None:
        return tuple(known)
    names = [check_known(name, each, known) for each in listed(value)]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"{name}: {shown(value)}; legal: one or more of {', '.join(known)}, each once")
    return tuple(each for each in known if each in names)


def check_targets(value: Any) -> tuple[Thing, ...]:
    """Return targets given as texts such as "green ball", one or a list of them.

    Raises:
        ValueError: no target, or one of an unknown colour or kind.
    """
    known = {f"{color} {kind}": (kind, color) for kind in THINGS for color in SORTED_COLORS}
    legal = f"{DRAWN}, a thing such as 'green ball', or a list of these"
    names = [check_known("target", each, [*known, DRAWN]) for each in listed(value)]
    if not names or DRAWN in names:
        raise ValueError(f"target: {shown(value)}; legal: {legal}")
    return tuple(known[name] for name in names)
