"""Losses of sequences of answers: what a step costs, and over how many steps that is averaged.

P steps of all lanes, N bits of an answer. Steps that do not count cost nothing.

Source: cross entropy is everybody's; `neg_prob` is what the published code of Schaeffer et al.,
Reverse-engineering recurrent neural network solutions to a hierarchical inference task for mice, 2020,
minimises, where its text says cross entropy.
"""

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from engram.memory.options import Options, choice, parse_options
from engram.memory.registry import choose_class

COUNTED, ALL = "counted", "all"


def _average_over(default: str) -> Any:
    return choice(
        default,
        "what the sum of costs is divided by. counted: the number of answers that count; all: that of all, "
        "those of steps that cost nothing, such as blank ones, too",
        (COUNTED, ALL),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class SequenceLoss(Options, abc.ABC):
    """A training loss of sequences. Subclasses write `cost`."""

    average_over: str = _average_over(COUNTED)

    def __call__(self, logits: Tensor, targets: Tensor, masks: Tensor) -> Tensor:
        """Computes the loss, a scalar; 0 with a gradient of 0 where nothing counts.

        Args:
            logits: (P, K) of labels or (P, N) of bits.
            targets: classes (P,) of labels, 0 or 1 (P, N) of bits.
            masks: bool, the shape of `targets`: what counts.
        """
        costs = self.cost(log_likelihoods(logits, targets)) * masks
        answers = masks.numel() if self.average_over == ALL else masks.sum().clamp(min=1)
        return costs.sum() / answers

    @abc.abstractmethod
    def cost(self, log_likelihoods: Tensor) -> Tensor:
        """Computes what answers cost whose log-likelihoods (in nats, any shape) are given, the same shape."""

    def described(self) -> str:
        """Describes the average in a few words."""
        number = "all answers" if self.average_over == ALL else "these"
        return f"sum over answers that count / number of {number}"


class CrossEntropyLoss(SequenceLoss):
    """The negative log-likelihood of what is right, in nats: -log p(right)."""

    @override
    def cost(self, log_likelihoods: Tensor) -> Tensor:
        return -log_likelihoods


@dataclasses.dataclass(frozen=True, kw_only=True)
class NegProbLoss(SequenceLoss):
    """The negative probability of what is right, -p(right): no more is lost by a mistake that is sure.

    Its least value is at probabilities of 0 and 1, where cross entropy's is at the posterior; a network that
    acts by a threshold becomes ever more decisive (Schaeffer et al., 2020, as their code trains).
    """

    average_over: str = _average_over(ALL)

    @override
    def cost(self, log_likelihoods: Tensor) -> Tensor:
        return -log_likelihoods.exp()


SEQUENCE_LOSSES: dict[str, type[SequenceLoss]] = {
    "cross_entropy": CrossEntropyLoss,
    "neg_prob": NegProbLoss,
}


def make_sequence_loss(options: Mapping[str, Any], path: str = "loss") -> SequenceLoss:
    """Builds a loss of sequences.

    Args:
        options: ``{"type": name, ...}``. A name is a row of `SEQUENCE_LOSSES` or, for a class of your own,
            ``package.module:Class``.
        path: where the options were written, dotted; only used in messages.

    Raises:
        ValueError: no such loss, or an option that it does not have; the message names the key.
    """
    loss, values = choose_class(options, path, SEQUENCE_LOSSES, SequenceLoss)
    return parse_options(loss, values, path)


def log_likelihoods(logits: Tensor, targets: Tensor) -> Tensor:
    """Computes the log-likelihoods of right answers in nats, the shape of `targets`.

    Args:
        logits: (P, K) of labels or (P, N) of bits.
        targets: classes (P,) of labels, 0 or 1 (P, N) of bits.
    """
    if targets.ndim > 1:
        return functional.logsigmoid(torch.where(targets > 0, logits, -logits))
    return -functional.cross_entropy(logits, targets, reduction="none")
