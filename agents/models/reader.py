"""Reader: the first step of every encoder, from observations to what its layers take.

N stands for any number of observations at once.
"""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


class Reader(nn.Module, ABC):
    """Observations (N, *shape of the space) to floats (N, *shape).

    Attributes:
        shape: Of one observation as floats.
    """

    shape: tuple[int, ...]

    @abstractmethod
    def forward(self, observations: Tensor, dtype: torch.dtype) -> Tensor:
        """The observations as floats of that dtype."""

    @abstractmethod
    def described(self) -> str | None:
        """Describes the conversion in a few words; None where there is none."""

    def remark(self) -> str | None:
        """Returns what a user may want to know about it, or None."""
        return None


def constant(module: nn.Module, name: str, values: NDArray[Any]) -> None:
    """A tensor that follows the module to its device and is no part of its weights."""
    module.register_buffer(name, torch.from_numpy(np.ascontiguousarray(values)), persistent=False)
