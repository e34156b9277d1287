"""When to stop thinking: exit rules. A rule judges one iteration after the other, in constant memory.

B problems of a batch, N positions (1 for labels), T the budget: iterations that may be run.

Source: Schwarzschild et al., Thinking Deeply with Recurrence, 2021, section 5.
"""

import abc
import dataclasses
import functools
import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from engram.memory.options import Options, integer, number, parse_options
from engram.memory.registry import choose_class
from engram.memory.thinking.predictions import confidence, predict

SHORT = 10
"""The longest budget, in iterations, that counts as short."""
SAME_IF_SHORT, SAME = 0.999, 0.9999
"""Shares of equal positions above which answers are the same in paper 1: for short budgets, for others."""


class Moment:
    """The answers after one iteration."""

    def __init__(self, logits: Tensor, mask: Tensor, iteration: int, top: int | None) -> None:
        self.logits = logits
        self.mask = mask
        self.iteration = iteration
        self.top = top

    @functools.cached_property
    def predictions(self) -> Tensor:
        """Classes (B, N)."""
        return predict(self.logits, self.mask, self.top)

    @functools.cached_property
    def confidence(self) -> Tensor:
        """(B,)."""
        return confidence(self.logits, self.mask)


Judge = Callable[[Moment], Tensor | bool]
"""Told of a batch's iterations one by one: which problems, (B,), give the answer of this one from now on."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExitRule(Options, abc.ABC):
    """Decides after which of T iterations a problem's answer is given. Subclasses write `judge`."""

    @abc.abstractmethod
    def judge(self, budget: int) -> Judge:
        """What judges the iterations of one batch, of which there will be `budget`."""


class Last(ExitRule):
    """The answer after the last iteration of the budget."""

    @override
    def judge(self, budget: int) -> Judge:
        return lambda moment: True


@dataclasses.dataclass(frozen=True, kw_only=True)
class NPlusK(ExitRule):
    """The answer after N + k iterations, N being the trained number, or after the budget if that is less."""

    trained: int = integer(30, "iterations in training, N", unit="iterations")
    extra: int = integer(0, "iterations beyond these, k", unit="iterations", low=0)

    @override
    def judge(self, budget: int) -> Judge:
        return lambda moment: moment.iteration < self.trained + self.extra


@dataclasses.dataclass(frozen=True, kw_only=True)
class Agreement(ExitRule):
    """The first answer that was given before; the last of the budget if none was.

    Two answers are the same if more than a share `same` of all positions, counting or not, are equal; without
    it, it is paper 1's: 0.999 for budgets of up to 10 iterations, 0.9999 for longer ones.
    """

    same: float | None = number(None, "share of equal positions that is not enough", low=0, high=1)
    window: int = integer(64, "how many of the last answers are remembered", unit="iterations")

    @override
    def judge(self, budget: int) -> Judge:
        papers = SAME_IF_SHORT if budget <= SHORT else SAME
        return _Agreeing(papers if self.same is None else self.same, self.window)


class _Agreeing:
    """Looks for a problem's answer among its earlier ones, as long as it did not find one.

    Attributes:
        earlier: the last answers, each (U, N), of the U problems that have not agreed yet.
        undecided: these problems, (U,); None before the first iteration.
    """

    def __init__(self, same: float, window: int) -> None:
        self.same = same
        self.earlier: deque[Tensor] = deque(maxlen=window)
        self.undecided: Tensor | None = None

    def __call__(self, moment: Moment) -> Tensor:
        answers = moment.predictions.to(torch.int16)  # enough for labels, and there may be many of them
        problems, positions = answers.shape
        if self.undecided is None:
            self.undecided = torch.arange(problems, device=answers.device)
        given = torch.zeros(problems, dtype=torch.bool, device=answers.device)
        given[self.undecided] = True
        answers = answers[self.undecided]
        if self.earlier and len(answers):
            equal = torch.stack([(answers == before).sum(1) for before in self.earlier])
            new = ~(equal > math.floor(self.same * positions)).any(0)
            if not new.all():
                self.undecided, answers = self.undecided[new], answers[new]
                self.earlier = deque((before[new] for before in self.earlier), self.earlier.maxlen)
        self.earlier.append(answers)
        return given


class Confidence(ExitRule):
    """The answer that the network is surest of; of equally sure ones the first.

    How sure it is, is the mean over the positions that count of the largest probability. As a running maximum
    it gives the answer for every budget at once.
    """

    @override
    def judge(self, budget: int) -> Judge:
        return _Surer()


class _Surer:
    """Remembers how sure the surest answers so far are, (B,)."""

    def __init__(self) -> None:
        self.best: Tensor | None = None

    def __call__(self, moment: Moment) -> Tensor:
        sure = moment.confidence
        if self.best is None:
            self.best = torch.full_like(sure, -torch.inf)
        surer = sure > self.best
        self.best = torch.where(surer, sure, self.best)
        return surer


EXIT_RULES: dict[str, type[ExitRule]] = {
    "agreement": Agreement,
    "confidence": Confidence,
    "last": Last,
    "n_plus_k": NPlusK,
}


def make_exit_rule(options: Mapping[str, Any], path: str = "exit_rule") -> ExitRule:
    """Builds an exit rule.

    Args:
        options: ``{"type": name, ...}``, the rest being the options of that rule. A name is a row of
            `EXIT_RULES` or, for a class of your own, ``package.module:Class``.
        path: where the options were written, dotted; only used in messages.

    Raises:
        ValueError: no such rule, unknown option, wrong type or out of range; the message names the key.
    """
    rule, values = choose_class(options, path, EXIT_RULES, ExitRule)
    return parse_options(rule, values, path)
