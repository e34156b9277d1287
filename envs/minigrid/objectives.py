"""What ends an episode beside time, and whether that is a success.

B lanes.

Source:
    MiniGrid 3.2.0, the `step` of its levels, and BabyAI's `verifier`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from typing_extensions import override

from engram.envs.arrays import Array, Flags, Ints
from engram.envs.minigrid.cells import EMPTY, codes_where
from engram.envs.minigrid.mission import MATCHES
from engram.envs.minigrid.rules import CARRIED, DROP, OPEN_DOOR, PICKUP, TOGGLE
from engram.envs.minigrid.world import Step, World

_GOAL, _LAVA = codes_where(("goal",)), codes_where(("lava",))

Verdict = tuple[Flags, Flags]
"""Which lanes succeeded, and which failed, in a step, each (B,)."""


class Objective(ABC):
    """What is to be done in all lanes.

    Args:
        world: the grids of all lanes.

    Attributes:
        target: number of what each mission asks for, a place in `MATCHES`, (B,).
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.target = np.zeros(len(world.agent), np.int64)

    @abstractmethod
    def judge(self, step: Step) -> Verdict:
        """Judge the step that was just played; both arrays are fresh."""

    def begin(self, lanes: Ints, targets: Ints) -> None:
        """Take notice of new episodes, whose grids are there already, and of what is asked for in them."""
        self.target[lanes] = targets

    def state(self) -> dict[str, Array]:
        """Return the arrays (not copies) that are the state."""
        return {"target": self.target}


class ReachGoal(Objective):
    """Step onto a goal; lava is the end."""

    @override
    def judge(self, step: Step) -> Verdict:
        return step.moved & _GOAL[step.ahead], step.moved & _LAVA[step.ahead]


class PickUp(Objective):
    """Pick up a thing of the description."""

    @override
    def judge(self, step: Step) -> Verdict:
        success = (step.actions == PICKUP) & (step.held == EMPTY) & MATCHES[self.target, self.world.carried]
        return success, np.zeros_like(success)


class PickUpNoOther(PickUp):
    """Pick up a thing of the description; any other ends the episode."""

    @override
    def judge(self, step: Step) -> Verdict:
        success, _ = super().judge(step)
        return success, (self.world.carried != EMPTY) & ~success


class GoTo(Objective):
    """Look at a thing of the description from the cell before it.

    Where things are is noted at the beginning and whenever the agent drops, or tries to: the place from which
    one was taken counts until then.
    """

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.places = np.zeros(world.cells.shape, np.bool_)

    @override
    def begin(self, lanes: Ints, targets: Ints) -> None:
        super().begin(lanes, targets)
        self._note(lanes)

    def _note(self, lanes: Ints) -> None:
        self.places[lanes] = MATCHES[self.target[lanes, None], self.world.cells[lanes]]

    @override
    def judge(self, step: Step) -> Verdict:
        dropped = np.flatnonzero(step.actions == DROP)
        if dropped.size:
            self._note(dropped)
        success = self.places.reshape(-1)[self.world.front()]
        return success, np.zeros_like(success)

    @override
    def state(self) -> dict[str, Array]:
        return super().state() | {"places": self.places}


class Open(Objective):
    """Open a door of the description."""

    @override
    def judge(self, step: Step) -> Verdict:
        ahead = self.world.cells.reshape(-1)[self.world.front()]
        success = (step.actions == TOGGLE) & MATCHES[self.target, ahead] & OPEN_DOOR[ahead]
        return success, np.zeros_like(success)


_THINGS = 3


class GoToMatch(Objective):
    """Step beside the one of two things that is like the cue; beside the other one is the end.

    A grid holds three things: the two, one above the other with the way between them, and the cue, in a row
    in between.
    """

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.right, self.wrong = np.zeros((2, len(world.agent)), np.int64)

    @override
    def begin(self, lanes: Ints, targets: Ints) -> None:
        super().begin(lanes, targets)
        cells = self.world.cells
        rows, places = np.nonzero(CARRIED[cells[lanes]])
        if rows.size != _THINGS * lanes.size:
            raise ValueError(
                f"options.layout: {rows.size} things in {lanes.size} grids; legal: three in each"
            )
        places += lanes[rows] * cells.shape[1]
        upper, cue, lower = places.reshape(-1, _THINGS).T
        flat, down = cells.reshape(-1), self.world.stride
        ends = np.stack([upper + down, lower - down])
        alike = flat[upper] == flat[cue]
        self.right[lanes] = np.where(alike, *ends)
        self.wrong[lanes] = np.where(alike, *ends[::-1])

    @override
    def judge(self, step: Step) -> Verdict:
        return self.world.agent == self.right, self.world.agent == self.wrong

    @override
    def state(self) -> dict[str, Array]:
        return super().state() | {"right": self.right, "wrong": self.wrong}
