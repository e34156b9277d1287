"""Which of the past steps a step may look at. T time, B lanes, W steps of the past that are kept."""

import torch
from torch import Tensor


def episodes(inputs: Tensor, resets: Tensor | None) -> Tensor:
    """Numbers the episodes of each lane within a fragment, 0 being the one that came in: (T, B) integers.

    Args:
        inputs: (T, B, ...), for the shape.
        resets: (T, B) bool, or None: no resets.
    """
    if resets is None:
        return torch.zeros(inputs.shape[:2], dtype=torch.long, device=inputs.device)
    return resets.long().cumsum(0)


def with_past(episode: Tensor, past: int) -> Tensor:
    """Puts `past` steps before the fragment in front, as steps of the episode that came in: (W + T, B)."""
    return torch.cat([episode.new_zeros(past, episode.shape[1]), episode])
