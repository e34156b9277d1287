"""From logits to answers. B problems, N positions (1 for labels)."""

import torch
from torch import Tensor


def predict(logits: Tensor, mask: Tensor, top: int | None = None) -> Tensor:
    """The answer that logits stand for.

    Args:
        logits: (B, classes, *S), or (B, classes) for labels.
        mask: (B, *S), (B, N) or (B,) bool; positions that do not count, such as walls, are answered by 0.
        top: number of the positions that count, those with the largest logits of class 1, answered by 1, all
            others by 0 (the two squares of a chess move); None: the most likely class everywhere.

    Returns:
        Classes (B, N), int64.
    """
    flat, counts = logits.reshape(*logits.shape[:2], -1), mask.reshape(len(mask), -1)
    if top is None:
        return flat.argmax(1) * counts
    scores = flat[:, 1].masked_fill(~counts, -torch.inf)
    return torch.zeros_like(scores, dtype=torch.int64).scatter(1, scores.topk(top, 1).indices, 1)


def exact(predictions: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Which problems are solved, (B,) bool: every position that counts is right.

    Args:
        predictions: (B, N).
        targets: (B, *S), (B, N) or (B,), integers.
        mask: of the same shape, bool.
    """
    wrong = (predictions != targets.reshape(len(targets), -1)) & mask.reshape(len(mask), -1)
    return ~wrong.any(1)


def confidence(logits: Tensor, mask: Tensor) -> Tensor:
    """How sure the answers are, (B,): the mean over positions that count of the largest probability.

    Args:
        logits: (B, classes, *S), or (B, classes) for labels.
        mask: (B, *S), (B, N) or (B,) bool.
    """
    flat = logits.reshape(*logits.shape[:2], -1)
    likely = flat.to(torch.promote_types(flat.dtype, torch.float32)).softmax(1).amax(1)
    counts = mask.reshape(len(mask), -1)
    return (likely * counts).sum(1) / counts.sum(1)
