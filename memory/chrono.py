"""Chrono initialisation: gates that start out remembering for as long as the task may ask.

Source: Tallec and Ollivier, Can recurrent neural networks warp time?, 2018, equations 15 and 16.
"""

from typing import Any

import torch
from torch import Tensor

from engram.memory.options import integer


def horizon_option() -> Any:
    """The field `horizon` of a gated core."""
    return integer(
        None,
        "gates start as if delays up to this long were to be bridged (chrono initialisation)",
        unit="env steps",
        low=3,
    )


def chrono_bias(units: int, horizon: int) -> Tensor:
    """Biases (units,) of gates that keep a memory for times spread evenly over 1 to `horizon` steps.

    log(u) with u uniform in [1, horizon - 1]: a gate sigmoid(log u) forgets 1 / (1 + u) per step.
    """
    return torch.empty(units).uniform_(1, horizon - 1).log_()
