"""Converts actions between what a distribution draws and what an environment takes.

A distribution counts from 0: its index i of `Discrete(n, start=k)` is the environment's action k + i. What is
sampled, stored, judged and learned are indices, and log-probabilities are theirs; an environment is given
actions of its own space, and tells of them.

B stands for any leading axes, A for the numbers that describe a distribution.
"""

from abc import ABC, abstractmethod
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from ray.rllib.core.distribution.distribution import Distribution
from ray.rllib.core.distribution.torch.torch_distribution import (
    TorchCategorical,
    TorchDiagGaussian,
    TorchMultiCategorical,
)
from typing_extensions import override

from engram.agents.models.distributions import TorchBernoulli


class ActionConverter(ABC):
    """Converts actions of one space.

    Attributes:
        space: The environment's space of one lane.
        size: A.
        distribution: Made of A numbers for each action; it draws indices.
    """

    space: Any
    size: int
    distribution: type[Distribution]

    def __init__(self, space: Any) -> None:
        self.space = space

    @abstractmethod
    def to_env(self, indices: NDArray[Any]) -> NDArray[Any]:
        """Converts draws (B, ...) to actions of the environment, in the dtype of its space."""

    @abstractmethod
    def from_env(self, actions: NDArray[Any]) -> NDArray[Any]:
        """Converts actions (B, ...) of the environment to draws, in the dtype of the distribution."""


class _DiscreteConverter(ActionConverter):
    """`Discrete(n, start)`, or several of them at once: `MultiDiscrete(nvec, start)` of one dimension."""

    def __init__(self, space: spaces.Discrete[Any] | spaces.MultiDiscrete) -> None:
        super().__init__(space)
        self._start = np.asarray(space.start, np.int64)
        if isinstance(space, spaces.Discrete):
            self.size, self.distribution = int(space.n), TorchCategorical
        else:
            choices = [int(n) for n in space.nvec]
            self.size = sum(choices)
            self.distribution = TorchMultiCategorical.get_partial_dist_cls(input_lens=choices)

    @override
    def to_env(self, indices: NDArray[Any]) -> NDArray[Any]:
        return (indices + self._start).astype(self.space.dtype, copy=False)

    @override
    def from_env(self, actions: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(actions, np.int64) - self._start


class _MultiBinaryConverter(ActionConverter):
    """`MultiBinary(n)`."""

    def __init__(self, space: spaces.MultiBinary) -> None:
        super().__init__(space)
        self.size, self.distribution = int(space.shape[0]), TorchBernoulli

    @override
    def to_env(self, indices: NDArray[Any]) -> NDArray[Any]:
        return indices.astype(self.space.dtype, copy=False)

    @override
    def from_env(self, actions: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(actions, np.int8)


class _BoxConverter(ActionConverter):
    """`Box` of floats, of one dimension; a Gaussian's draws may lie outside the bounds, and are cut."""

    def __init__(self, space: spaces.Box) -> None:
        super().__init__(space)
        self.size, self.distribution = 2 * int(space.shape[0]), TorchDiagGaussian

    @override
    def to_env(self, indices: NDArray[Any]) -> NDArray[Any]:
        cut: NDArray[Any] = np.clip(indices, self.space.low, self.space.high)
        return cut.astype(self.space.dtype, copy=False)

    @override
    def from_env(self, actions: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(actions, np.float32)


_KINDS: dict[type[gym.Space[Any]], type[ActionConverter]] = {
    spaces.Discrete: _DiscreteConverter,
    spaces.MultiDiscrete: _DiscreteConverter,
    spaces.MultiBinary: _MultiBinaryConverter,
    spaces.Box: _BoxConverter,
}


def action_converter(space: gym.Space[Any]) -> ActionConverter:
    """Makes the converter of the actions of one lane.

    Raises:
        ValueError: A space without a distribution.
    """
    kind = next((row for known, row in _KINDS.items() if isinstance(space, known)), None)
    flat = isinstance(space, spaces.Discrete) or len(space.shape or ()) == 1
    drawable = not isinstance(space, spaces.Box) or np.issubdtype(space.dtype, np.floating)
    if kind is None or not flat or not drawable:
        raise ValueError(
            f"cannot act in the action space {named(space)}; known: Discrete, and of one dimension "
            "MultiDiscrete, MultiBinary and Box of floats"
        )
    return kind(space)


def named(space: gym.Space[Any]) -> str:
    """Returns a space in one line, for messages."""
    return " ".join(str(space).split())


def counted_from_zero(space: Any) -> Any:
    """Returns the space of a distribution's draws: that of the environment, without its `start`.

    Raises:
        ValueError: There is a `start` inside of a `Dict` or `Tuple`.
    """
    untyped: Any = space
    if isinstance(space, spaces.Discrete):
        return spaces.Discrete(untyped.n, dtype=untyped.dtype) if untyped.start else space
    if isinstance(space, spaces.MultiDiscrete):
        return spaces.MultiDiscrete(untyped.nvec, dtype=untyped.dtype) if untyped.start.any() else space
    parts: Any = ()
    if isinstance(space, spaces.Dict | spaces.Tuple):
        parts = space.spaces.values() if isinstance(space, spaces.Dict) else space.spaces
    if any(counted_from_zero(part) is not part for part in parts):
        raise ValueError(f"cannot act in {named(space)}: its parts must count from 0, without start")
    return space
