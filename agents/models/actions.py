"""Converts actions between what a distribution draws and what an environment takes.

A distribution counts from 0: its index i of `Discrete(n, start=k)` is the environment's action k + i. What is
sampled, stored, judged and learned are indices, and log-probabilities are theirs; an environment is given
actions of its own space, and tells of them.

B stands for any leading axes, A for the numbers that describe a distribution. A draw is flat, whatever the
shape of the space.
"""

import math
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

from engram.agents.models.distributions import TorchBernoulli, TorchTanhGaussian


class ActionConverter(ABC):
    """Converts actions of one space.

    Attributes:
        space: The environment's space of one lane.
        draws: The space of the draws of one lane.
        size: A.
        distribution: Made of A numbers for each action; it draws indices.
        choices: Options of each draw that is one of several, `size` in all; empty for other kinds of draws.
    """

    space: Any
    draws: Any
    size: int
    distribution: type[Distribution]
    choices: tuple[int, ...] = ()

    def __init__(self, space: Any) -> None:
        self.space = space

    @abstractmethod
    def to_env(self, indices: NDArray[Any]) -> NDArray[Any]:
        """Converts draws (B, ...) to actions of the environment, in the dtype of its space."""

    @abstractmethod
    def from_env(self, actions: NDArray[Any]) -> NDArray[Any]:
        """Converts actions (B, ...) of the environment to draws, in the dtype of the distribution."""

    @abstractmethod
    def features(self, actions: NDArray[Any]) -> NDArray[np.float32]:
        """Converts actions (B, ...) of the environment to numbers for a network, (B, features)."""

    def described(self) -> str | None:
        """Describes in a few words how draws become actions; None where they are the same."""
        return None

    def _flat(self, actions: NDArray[Any]) -> NDArray[Any]:
        """One axis in place of those of the space."""
        actions = np.asarray(actions)
        return actions.reshape(*actions.shape[: actions.ndim - len(self.space.shape)], -1)

    def _shaped(self, flat: NDArray[Any]) -> NDArray[Any]:
        """The axes of the space in place of the last one, in its dtype."""
        return flat.reshape(*flat.shape[:-1], *self.space.shape).astype(self.space.dtype, copy=False)


class _DiscreteConverter(ActionConverter):
    """`Discrete(n, start)`."""

    def __init__(self, space: spaces.Discrete[Any]) -> None:
        super().__init__(space)
        self._start = np.asarray(space.start, np.int64)
        self.size, self.distribution = int(space.n), TorchCategorical
        self.choices, self.draws = (self.size,), spaces.Discrete(self.size)

    @override
    def to_env(self, indices: NDArray[Any]) -> NDArray[Any]:
        return (indices + self._start).astype(self.space.dtype, copy=False)

    @override
    def from_env(self, actions: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(actions, np.int64) - self._start

    @override
    def features(self, actions: NDArray[Any]) -> NDArray[np.float32]:
        return _one_hot(self.from_env(actions), self.size)


class _MultiDiscreteConverter(ActionConverter):
    """`MultiDiscrete(nvec, start)` of any shape."""

    def __init__(self, space: spaces.MultiDiscrete) -> None:
        super().__init__(space)
        self._start = np.asarray(space.start, np.int64).reshape(-1)
        self.choices = tuple(int(count) for count in space.nvec.reshape(-1))
        self.size, self.draws = sum(self.choices), spaces.MultiDiscrete(list(self.choices))
        self.distribution = TorchMultiCategorical.get_partial_dist_cls(input_lens=list(self.choices))

    @override
    def to_env(self, indices: NDArray[Any]) -> NDArray[Any]:
        return self._shaped(indices + self._start)

    @override
    def from_env(self, actions: NDArray[Any]) -> NDArray[Any]:
        return self._flat(actions).astype(np.int64) - self._start

    @override
    def features(self, actions: NDArray[Any]) -> NDArray[np.float32]:
        columns = self.from_env(actions) + np.cumsum(self.choices) - self.choices
        several: NDArray[np.float32] = _one_hot(columns, self.size).sum(-2)
        return several


class _MultiBinaryConverter(ActionConverter):
    """`MultiBinary` of any shape."""

    def __init__(self, space: spaces.MultiBinary) -> None:
        super().__init__(space)
        self.size, self.distribution = math.prod(space.shape), TorchBernoulli
        self.draws = spaces.MultiBinary(self.size)

    @override
    def to_env(self, indices: NDArray[Any]) -> NDArray[Any]:
        return self._shaped(indices)

    @override
    def from_env(self, actions: NDArray[Any]) -> NDArray[Any]:
        return self._flat(actions).astype(np.int8)

    @override
    def features(self, actions: NDArray[Any]) -> NDArray[np.float32]:
        return self._flat(actions).astype(np.float32)


class _BoxConverter(ActionConverter):
    """`Box` of floats, of any shape; a Gaussian's draws may lie outside the bounds, and are cut."""

    def __init__(self, space: spaces.Box) -> None:
        super().__init__(space)
        numbers = math.prod(space.shape)
        self.size, self.distribution = 2 * numbers, TorchDiagGaussian
        low, high = (bound.reshape(-1) for bound in (space.low, space.high))
        kind: Any = space.dtype
        self.draws = spaces.Box(low, high, (numbers,), kind)

    @override
    def to_env(self, indices: NDArray[Any]) -> NDArray[Any]:
        return self._shaped(np.clip(indices, self.draws.low, self.draws.high))

    @override
    def from_env(self, actions: NDArray[Any]) -> NDArray[Any]:
        return self._flat(actions).astype(np.float32)

    @override
    def features(self, actions: NDArray[Any]) -> NDArray[np.float32]:
        return self._flat(actions).astype(np.float32)

    @override
    def described(self) -> str | None:
        return "draws of a Gaussian, cut at the bounds" if self.space.is_bounded("both") else None


class _SquashedConverter(_BoxConverter):
    """`Box` of floats with bounds; a Gaussian's draws in -1 to 1, by tanh, stand for low to high."""

    def __init__(self, space: spaces.Box) -> None:
        super().__init__(space)
        self.distribution = TorchTanhGaussian
        low, high = (bound.astype(np.float64) for bound in (self.draws.low, self.draws.high))
        self._middle, self._reach = (low + high) / 2, (high - low) / 2
        self.draws = spaces.Box(-1.0, 1.0, self.draws.shape)

    @override
    def to_env(self, indices: NDArray[Any]) -> NDArray[Any]:
        actions = self._shaped(self._middle + self._reach * np.asarray(indices, np.float64))
        inside: NDArray[Any] = np.clip(actions, self.space.low, self.space.high)
        return inside

    @override
    def from_env(self, actions: NDArray[Any]) -> NDArray[Any]:
        reach = np.where(self._reach > 0, self._reach, 1.0)
        draws: NDArray[Any] = (self._flat(actions) - self._middle) / reach
        return draws.astype(np.float32)

    @override
    def described(self) -> str:
        return "draws of a Gaussian, squashed by tanh to the bounds"


def _one_hot(columns: NDArray[Any], size: int) -> NDArray[np.float32]:
    rows: NDArray[np.float32] = np.eye(size, dtype=np.float32)[columns]
    return rows


_KINDS: dict[type[gym.Space[Any]], type[ActionConverter]] = {
    spaces.Discrete: _DiscreteConverter,
    spaces.MultiDiscrete: _MultiDiscreteConverter,
    spaces.MultiBinary: _MultiBinaryConverter,
    spaces.Box: _BoxConverter,
}


def action_converter(space: gym.Space[Any], squash: bool = False) -> ActionConverter:
    """Makes the converter of the actions of one lane.

    Args:
        space: Of the environment.
        squash: Whether actions of a `Box` are squashed to its bounds by tanh, and not cut there.

    Raises:
        ValueError: A space without a distribution, or one that cannot be squashed.
    """
    kind: Any = next((row for known, row in _KINDS.items() if isinstance(space, known)), None)
    drawable = not isinstance(space, spaces.Box) or np.issubdtype(space.dtype, np.floating)
    if kind is None or not drawable or not math.prod(space.shape or ()):
        raise ValueError(
            f"cannot act in the action space {named(space)}; known: Discrete, MultiDiscrete, MultiBinary and "
            "Box of floats"
        )
    if squash:
        if not (isinstance(space, spaces.Box) and space.is_bounded("both")):
            raise ValueError(f"squash: true is for the action space Box with bounds, got {named(space)}")
        kind = _SquashedConverter
    converter: ActionConverter = kind(space)
    return converter


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
