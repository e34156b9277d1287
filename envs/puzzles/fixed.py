"""A finite set of problems, such as a training set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from typing_extensions import override

from engram.envs.arguments import check_known
from engram.envs.arrays import Array, Bytes, Flags, Floats, Ints
from engram.envs.puzzles.task import Problems, PuzzleTask

ORDERS = ("epochs", "random")


class FixedProblems(PuzzleTask):
    """Draws from a finite set; scores and shows problems as the task that they come from.

    Args:
        task: where the problems come from; scores and shows them.
        problems: the set, or what makes it when it is first needed (a large one may take minutes); to be
            pickled with environments, that is a `functools.partial` or a function of a module.
        order: "epochs" (each problem once, in an order drawn anew for each epoch) or "random" (each draw on
            its own).

    Raises:
        ValueError: no problems, or an unknown order.
    """

    def __init__(
        self, task: PuzzleTask, problems: Problems | Callable[[], Problems], order: str = "epochs"
    ) -> None:
        self.task = task
        self._problems = problems
        if not callable(problems) and problems.size == 0:
            raise ValueError("problems: the set is empty; legal: >= 1 problems")
        self.order = check_known("order", order, ORDERS)
        self.observation_space, self.action_space = task.observation_space, task.action_space
        self.group_by = task.group_by
        self._epoch, self._place = np.empty(0, dtype=np.int64), 0

    @property
    def problems(self) -> Problems:
        """The set."""
        if callable(self._problems):
            self._problems = self._problems()
        return self._problems

    @override
    def draw(self, rng: np.random.Generator, count: int) -> Problems:
        in_epochs = self.order == "epochs"
        rows = self._next(rng, count) if in_epochs else rng.integers(self.problems.size, size=count)
        return self.task.present(rng, self.problems.take(rows))

    def _next(self, rng: np.random.Generator, count: int) -> Ints:
        rows = np.empty(count, dtype=np.int64)
        filled = 0
        while filled < count:
            if self._place == len(self._epoch):
                self._epoch, self._place = rng.permutation(self.problems.size), 0
            part = self._epoch[self._place : self._place + count - filled]
            rows[filled : filled + len(part)] = part
            filled, self._place = filled + len(part), self._place + len(part)
        return rows

    @override
    def solved(self, actions: Array, targets: Array, masks: Flags) -> Flags:
        return self.task.solved(actions, targets, masks)

    @override
    def fraction(self, actions: Array, targets: Array, masks: Flags) -> Floats:
        return self.task.fraction(actions, targets, masks)

    @override
    def picture(self, observation: Array) -> Bytes:
        return self.task.picture(observation)

    def restart(self) -> None:
        """Begin a new epoch with the next draw."""
        self._epoch, self._place = np.empty(0, dtype=np.int64), 0

    def get_state(self) -> dict[str, Any]:
        """Return the order of the present epoch and the place in it."""
        return {"epoch": self._epoch.copy(), "place": self._place}

    @override
    def set_state(self, state: Mapping[str, Any]) -> None:
        self._epoch, self._place = np.copy(state["epoch"]), int(state["place"])
