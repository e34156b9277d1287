"""Exit rules compared for every budget of iterations in one run.

B problems of a batch, N positions (1 for labels), T the budget: iterations that are run.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from engram.memory.thinking.exits import ExitRule, Moment
from engram.memory.thinking.predictions import exact


class ExitSweep:
    """Counts how many problems each exit rule solves within every budget of iterations up to T.

    Batch after batch: `start`, then `observe` the logits of T iterations. Between iterations only numbers per
    problem are kept, and what the rules remember.

    Attributes:
        budget: T.
        problems: how many were counted.
    """

    def __init__(self, rules: Mapping[str, ExitRule], budget: int, top: int | None = None) -> None:
        """Starts counting.

        Args:
            rules: the rules, under the names that results go by.
            budget: iterations that will be run on every batch, T.
            top: how logits become answers, see `predict`.

        Raises:
            ValueError: no iterations.
        """
        if budget < 1:
            raise ValueError(f"budget: expected an integer >= 1, got {budget!r}")
        self.rules = dict(rules)
        self.budget = budget
        self.top = top
        self.problems = 0
        self._iteration = budget
        self._solved = {name: torch.zeros(budget, dtype=torch.int64) for name in self.rules}
        self._exits = {name: torch.zeros(budget, dtype=torch.int64) for name in self.rules}

    def start(self, targets: Tensor, mask: Tensor) -> None:
        """Begins a batch.

        Args:
            targets: (B, N), (B, *S) or (B,), integers.
            mask: of the same shape, bool.

        Raises:
            ValueError: the batch before has seen fewer than T iterations.
        """
        if self._iteration != self.budget:
            raise ValueError(f"start: expected {self.budget} iterations before, got {self._iteration}")
        self._targets, self._mask = targets, mask
        self._iteration = 0
        self._judges = {name: rule.judge(self.budget) for name, rule in self.rules.items()}
        self._right = {name: mask.new_zeros(len(mask)) for name in self.rules}
        self._exit = {name: targets.new_zeros(len(mask), dtype=torch.int64) for name in self.rules}
        self._counts = {name: targets.new_zeros(self.budget, dtype=torch.int64) for name in self.rules}

    def observe(self, logits: Tensor) -> None:
        """Takes the logits of the next iteration, (B, classes, *S) or (B, classes).

        Raises:
            ValueError: the batch has seen T iterations, or none was started.
        """
        if self._iteration == self.budget:
            raise ValueError(f"observe: expected start before more than {self.budget} iterations")
        moment = Moment(logits, self._mask, self._iteration, self.top)
        right = exact(moment.predictions, self._targets, self._mask)
        for name, judge in self._judges.items():
            given = judge(moment)
            if isinstance(given, bool):
                given = torch.full_like(right, given)
            self._right[name] = torch.where(given, right, self._right[name])
            self._exit[name].masked_fill_(given, self._iteration)
            self._counts[name][self._iteration] = self._right[name].sum()
        self._iteration += 1
        if self._iteration == self.budget:
            self._add_batch()

    def _add_batch(self) -> None:
        self.problems += len(self._mask)
        for name in self.rules:
            self._solved[name] += self._counts[name].cpu()
            self._exits[name] += self._exit[name].bincount(minlength=self.budget).cpu()

    def accuracy(self, name: str) -> Tensor:
        """Share of problems that a rule solves, for every budget 1, ..., T: (T,) float64."""
        return self._solved[name].double() / self.problems

    def exits(self, name: str) -> Tensor:
        """How many problems a rule, given all T iterations, answers after 1, ..., T of them: (T,) int64."""
        return self._exits[name].clone()


def steps_to_best(accuracy: Tensor) -> int:
    """Iterations until an accuracy for every budget (T,) reaches its maximum for the first time, from 1."""
    return int(accuracy.argmax()) + 1


def drop_after_best(accuracy: Tensor) -> float:
    """How far an accuracy for every budget (T,) falls below its maximum after having reached it."""
    return float(accuracy.max() - accuracy[accuracy.argmax() :].min())
