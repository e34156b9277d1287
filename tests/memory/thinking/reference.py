"""Slow twins, straight from the definitions. B problems, N positions, T iterations."""

import torch
from torch import Tensor

from engram.memory.thinking import Thinker


def entropies(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of every position, (B, N), from logits (B, classes, N)."""
    normaliser = logits.exp().sum(1).log()
    return normaliser - logits.gather(1, targets.long().unsqueeze(1)).squeeze(1)


def losses(thinker: Thinker, problems: Tensor, targets: Tensor, mask: Tensor, iterations: int) -> Tensor:
    """L_t of every problem, (T, B), every answer with a graph; its sum over B is the batch's mean."""
    logits = thinker(problems, iterations).reshape(iterations, len(problems), thinker.classes, -1)
    weights = mask.reshape(len(mask), -1).to(logits) / mask.sum()
    flat = targets.reshape(len(targets), -1)
    return torch.stack([(entropies(step, flat) * weights).sum(1) for step in logits])


def delta(own: Tensor, reduction: str) -> Tensor:
    """Delta of `losses` (T, B): last - first + max."""
    if reduction == "batch":
        own = own.sum(1, keepdim=True)
    return (own[-1] - own[0] + own.max(0).values).sum()
