"""Times to start from, where a memory is to cover many of them."""

import torch
from torch import Tensor


def log_spaced_times(low: float, high: float, count: int) -> Tensor:
    """So many times (count,), spaced evenly on a log scale from `low` to `high`, in steps."""
    return low * torch.logspace(0, 1, count, base=high / low)
