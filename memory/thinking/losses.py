"""Training losses of networks that answer after each iteration.

B problems, N positions (1 for labels), T iterations in training. L_t is the cross-entropy after iteration t,
averaged over all positions of the whole batch that count.

Source: A Simple Loss Function for Convergent Algorithm Synthesis using RNNs, 2023 (Delta, and Progressive as
it is used there).
"""

import abc
import contextlib
import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional
from typing_extensions import override

from engram.memory.options import Options, choice, integer, number, parse_options
from engram.memory.registry import choose_class
from engram.memory.thinking.thinker import Thinker

Diagnostics = dict[str, Tensor]
"""Diagnostics, detached: ``logits`` (B, classes, ...) of the last iteration, and scalars."""

UNCOUNTED = -100
"""Target of a position that does not count."""


@dataclasses.dataclass(frozen=True)
class Batch:
    """Problems and their answers.

    Attributes:
        problems: (B, C, *S), as the network likes them.
        targets: (B, N) int64, `UNCOUNTED` where a position does not count.
    """

    problems: Tensor
    targets: Tensor


@dataclasses.dataclass(frozen=True, kw_only=True)
class Loss(Options, abc.ABC):
    """A training loss. Subclasses write `compute`."""

    iterations: int | None = integer(
        None, "iterations T; none: the network's thinking_steps", unit="iterations", high=10_000
    )

    def __call__(
        self,
        thinker: Thinker,
        problems: Tensor,
        targets: Tensor,
        mask: Tensor,
        generator: Generator | None = None,
    ) -> tuple[Tensor, Diagnostics]:
        """Computes the loss of a batch.

        Args:
            thinker: the network.
            problems: (B, C, *S).
            targets: classes, (B, N) or (B, *S), or (B,) labels; any integer dtype.
            mask: bool, of the same shape: the positions that count, at least one.
            generator: draws numbers of iterations, on the CPU; None: PyTorch's own.

        Returns:
            The loss, a scalar with a graph, and the diagnostics: always ``loss_last``, the cross-entropy
            after the last iteration, its ``logits``, and ``iterations``, how many led to them. Some losses
            add more.

        Raises:
            ValueError: targets or mask do not fit the problems, or too few iterations for this loss.
        """
        if targets.shape != mask.shape or len(targets) != len(problems):
            shapes = f"targets {tuple(targets.shape)}, mask {tuple(mask.shape)}"
            raise ValueError(f"targets: expected {len(problems)}, in the shape of their mask, got {shapes}")
        counted = torch.where(mask, targets.long(), UNCOUNTED).reshape(len(targets), -1)
        batch = Batch(thinker.prepare(problems), counted)
        return self.compute(thinker, batch, self.iterations or thinker.thinking_steps, generator)

    @abc.abstractmethod
    def compute(
        self, thinker: Thinker, batch: Batch, iterations: int, generator: Generator | None
    ) -> tuple[Tensor, Diagnostics]:
        """Computes what `__call__` returns, for a batch that was checked."""


class FinalLoss(Loss):
    """L_T: the loss of the last iteration alone (paper 1)."""

    @override
    def compute(
        self, thinker: Thinker, batch: Batch, iterations: int, generator: Generator | None
    ) -> tuple[Tensor, Diagnostics]:
        logits = thinker.answer(_think_for(thinker, batch, iterations))
        loss = cross_entropy(logits, batch.targets)
        return loss, _diagnostics(logits, iterations, loss_last=loss)


class MeanLoss(Loss):
    """(L_1 + ... + L_T) / T."""

    def compute(
        self, thinker: Thinker, batch: Batch, iterations: int, generator: Generator | None
    ) -> tuple[Tensor, Diagnostics]:
        """Adds ``loss_first`` and ``worst_iteration`` (counted from 0) too."""
        logits = [thinker.answer(thought) for thought in thinker.thoughts(batch.problems, iterations)]
        losses = torch.stack([cross_entropy(answer, batch.targets) for answer in logits])
        return losses.mean(), _diagnostics(
            logits[-1],
            iterations,
            loss_first=losses[0],
            loss_last=losses[-1],
            worst_iteration=losses.argmax().float(),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeltaLoss(Loss):
    """L_T - L_1 + max_t L_t = L_T + max(0, max_t L_t - L_1): no iteration may be worse than the first.

    The worst iteration is found without a graph; at most three answers have one, those after the last, the
    worst and the first iteration. Of equally bad iterations the first counts as the worst.

    With the reduction ``batch``, the paper's, a batch has one worst iteration. With ``sample`` each problem
    has its own; problems weigh as much as they have positions that count, as in L_t.
    """

    reduction: str = choice("batch", "what has a worst iteration", ("batch", "sample"))

    def compute(
        self, thinker: Thinker, batch: Batch, iterations: int, generator: Generator | None
    ) -> tuple[Tensor, Diagnostics]:
        """Adds ``loss_first``, ``worst_iteration`` and ``worst_is_first`` too.

        These are the mean number (counted from 0) of the worst iteration, and how often it is the first.
        """
        # The graph holds every thought anyway, so that a list of them takes no memory.
        thoughts = list(thinker.thoughts(batch.problems, iterations))
        logits = thinker.answer(thoughts[-1])
        last = _sums(logits, batch.targets)
        with torch.no_grad():
            answers = (thinker.answer(thought) for thought in thoughts[:-1])
            sums = torch.stack([*(_sums(answer, batch.targets) for answer in answers), last.detach()])
        if self.reduction == "batch":
            worst = sums.sum(1).argmax(0, keepdim=True).expand(sums.shape[1])
        else:
            worst = sums.argmax(0)
        counted = (batch.targets != UNCOUNTED).sum()
        loss = (last.sum() + _hinge(thinker, thoughts, batch.targets, worst)) / counted
        return loss, _diagnostics(
            logits,
            iterations,
            loss_first=sums[0].sum() / counted,
            loss_last=sums[-1].sum() / counted,
            worst_iteration=worst.float().mean(),
            worst_is_first=(worst == 0).float().mean(),
        )


class DeltaRandomLoss(DeltaLoss):
    """`DeltaLoss` over T_b ~ U{2, ..., T} iterations, drawn for each batch; the others are not run."""

    @override
    def compute(
        self, thinker: Thinker, batch: Batch, iterations: int, generator: Generator | None
    ) -> tuple[Tensor, Diagnostics]:
        if iterations < 2:
            raise ValueError(f"iterations: expected at least 2 to draw from, got {iterations}")
        return super().compute(thinker, batch, _uniform(2, iterations, generator), generator)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProgressiveLoss(FinalLoss):
    """(1 - alpha) L_T + alpha L_{n + k}, where the first n of the n + k iterations pass no gradient.

    n ~ U{0, ..., T - 1} and k ~ U{1, ..., T - n} are drawn for each batch. The second term reaches what makes
    the first thought only if n = 0. A term of weight 0 is not computed.
    """

    alpha: float = number(1.0, "weight of the loss after n + k iterations", low=0, high=1)

    def compute(
        self, thinker: Thinker, batch: Batch, iterations: int, generator: Generator | None
    ) -> tuple[Tensor, Diagnostics]:
        """With alpha > 0 adds ``loss_progressive``, ``detached`` n, ``tracked`` k too.

        With alpha = 1 there is no iteration T: the logits, loss and number are those of iteration n + k.
        """
        if self.alpha == 0:
            return super().compute(thinker, batch, iterations, generator)
        detached = _uniform(0, iterations - 1, generator)
        tracked = _uniform(1, iterations - detached, generator)
        with torch.no_grad() if detached else contextlib.nullcontext():
            thought = _think_for(thinker, batch, detached)
        thought = _think_for(thinker, batch, tracked, thought, first=detached)
        logits = thinker.answer(thought)
        progressive = cross_entropy(logits, batch.targets)
        scalars = {"loss_progressive": progressive.detach(), **_numbers(detached=detached, tracked=tracked)}
        if self.alpha == 1:
            run = detached + tracked
            return progressive, _diagnostics(logits, run, loss_last=progressive) | scalars
        final, diagnostics = super().compute(thinker, batch, iterations, generator)
        return (1 - self.alpha) * final + self.alpha * progressive, diagnostics | scalars


LOSSES: dict[str, type[Loss]] = {
    "delta": DeltaLoss,
    "delta_random": DeltaRandomLoss,
    "final": FinalLoss,
    "mean": MeanLoss,
    "progressive": ProgressiveLoss,
}


def make_loss(options: Mapping[str, Any], path: str = "loss") -> Loss:
    """Builds a loss.

    Args:
        options: ``{"type": name, ...}``, the rest being the options of that loss. A name is a row of `LOSSES`
            or, for a class of your own, ``package.module:Class``.
        path: where the options were written, dotted; only used in messages.

    Raises:
        ValueError: no such loss, unknown option, wrong type or out of range; the message names the key.
    """
    loss, values = choose_class(options, path, LOSSES, Loss)
    return parse_options(loss, values, path)


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean over all positions that count, a scalar of at least single precision.

    Args:
        logits: (B, classes, *S), or (B, classes).
        targets: (B, N), N the product of *S; `UNCOUNTED` where a position does not count.
    """
    return functional.cross_entropy(_flat(logits), targets, ignore_index=UNCOUNTED)


def _sums(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of each problem, (B,): the sum over its positions that count."""
    losses = functional.cross_entropy(_flat(logits), targets, ignore_index=UNCOUNTED, reduction="none")
    return losses.sum(1)


def _flat(logits: Tensor) -> Tensor:
    """The logits as (B, classes, N), in at least single precision."""
    return logits.reshape(*logits.shape[:2], -1).to(torch.promote_types(logits.dtype, torch.float32))


def _hinge(thinker: Thinker, thoughts: list[Tensor], targets: Tensor, worst: Tensor) -> Tensor | float:
    """The sum over problems of loss after the worst minus loss after the first iteration; `worst` is (B,).

    Problems that were never worse than after the first iteration add nothing, and are not looked at again.
    """
    iterations = worst.tolist()
    rows = {later: [row for row, own in enumerate(iterations) if own == later] for later in set(iterations)}
    rows.pop(0, None)
    if not rows:
        return 0.0
    order = [row for group in rows.values() for row in group]
    late = torch.cat([_rows(thoughts[later], group) for later, group in rows.items()])
    answers = thinker.answer(torch.cat((_rows(thoughts[0], order), late)))
    first, later = _sums(answers, _rows(targets, order).repeat(2, 1)).chunk(2)
    return (later - first).sum()


def _rows(batch: Tensor, rows: list[int]) -> Tensor:
    """Some problems of a batch, or the batch itself if they are all of them."""
    if rows == list(range(len(batch))):
        return batch
    return batch.index_select(0, torch.tensor(rows, device=batch.device))


def _think_for(
    thinker: Thinker, batch: Batch, iterations: int, thought: Tensor | None = None, first: int = 0
) -> Tensor:
    """Returns the last thought alone; arguments as in `Thinker.forward`."""
    thought = thinker.begin(batch.problems) if thought is None else thought
    for later in thinker.thoughts(batch.problems, iterations, thought, first):
        thought = later
    return thought


def _uniform(low: int, high: int, generator: Generator | None) -> int:
    """A random integer in [low, high]."""
    return int(torch.randint(low, high + 1, (), generator=generator))


def _diagnostics(logits: Tensor, iterations: int, **scalars: Tensor) -> Diagnostics:
    tensors = {"logits": logits, **scalars}
    return {name: tensor.detach() for name, tensor in tensors.items()} | _numbers(iterations=iterations)


def _numbers(**numbers: int) -> Diagnostics:
    return {name: torch.tensor(number) for name, number in numbers.items()}
