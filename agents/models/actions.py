"""Actions: drawn from what a network says of them, and converted to what an environment takes.

A distribution counts from 0: its index i of `Discrete(n, start=k)` is the environment's action k + i. What is
sampled, stored, judged and learned are indices, and log-probabilities are theirs; an environment is given
actions of its own space, and tells of them.

B stands for any leading axes, A for the numbers that describe a distribution. A draw is flat, whatever the
shape of the space.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from typing_extensions import override

from engram.agents.models import spaces
from engram.agents.models.spaces import AnySpace, named

LEAST_SHARE = 0.05
"""Of a new policy's draws, that lie within an action's bounds without a word."""

FARTHEST = 100.0
"""Deviations of a new policy's draws that an action's bounds are apart without a word."""


class ActionConverter(ABC):
    """Draws and converts actions of one space.

    Attributes:
        kind: Of the distribution that A numbers for each action describe; see
            `engram.agents.models.distributions`.
        space: The environment's space of one lane.
        size: A.
        choices: Options of each draw that is one of several, `size` in all; empty for other kinds of draws.
        classes: How many there are where a right answer is one of several, counted from 0; else None.
        feature_size: What `features` makes of an action.
    """

    kind: ClassVar[str]
    space: AnySpace
    size: int
    choices: tuple[int, ...] = ()
    classes: int | None = None
    feature_size: int

    def __init__(self, space: AnySpace, size: int, feature_size: int) -> None:
        self.space, self.size, self.feature_size = space, size, feature_size

    @abstractmethod
    def likeliest(self, inputs: Tensor) -> Tensor:
        """Returns the likeliest draws of distributions that are described by (B, A)."""

    @abstractmethod
    def draw(self, inputs: Tensor, generator: Generator) -> Tensor:
        """Draws from distributions that are described by (B, A); as RLlib's do, number for number."""

    @abstractmethod
    def to_env(self, indices: NDArray[Any]) -> NDArray[Any]:
        """Converts draws (B, ...) to actions of the environment, in the dtype of its space."""

    @abstractmethod
    def from_env(self, actions: NDArray[Any]) -> NDArray[Any]:
        """Converts actions (B, ...) of the environment to draws, in the dtype of the distribution."""

    def targets(self, answers: NDArray[Any]) -> NDArray[Any]:
        """Converts what an environment says is right (B, ...) to what a loss compares A numbers with."""
        return self.from_env(answers)

    def certain(self, targets: NDArray[Any]) -> NDArray[Any]:
        """Converts targets (B, ...) to the draws of somebody who is certain of them."""
        return targets

    @abstractmethod
    def features(self, actions: NDArray[Any]) -> NDArray[np.float32]:
        """Converts actions (B, ...) of the environment to numbers for a network, (B, features)."""

    def described(self) -> str | None:
        """Describes in a few words how draws become actions; None where they are the same."""
        return None

    def remark(self) -> str | None:
        """Says what may keep a new policy from most of the actions; None where nothing does."""
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

    kind = "categorical"

    def __init__(self, space: spaces.Discrete) -> None:
        super().__init__(space, int(space.n), int(space.n))
        self._start = np.asarray(space.start, np.int64)
        self.choices, self.classes = (self.size,), self.size

    @override
    def likeliest(self, inputs: Tensor) -> Tensor:
        return inputs.argmax(-1)

    @override
    def draw(self, inputs: Tensor, generator: Generator) -> Tensor:
        return _draw_one(inputs, generator)

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

    kind = "multi_categorical"

    def __init__(self, space: spaces.MultiDiscrete) -> None:
        super().__init__(space, int(space.nvec.sum()), int(space.nvec.sum()))
        self._start = np.asarray(space.start, np.int64).reshape(-1)
        self.choices = tuple(int(count) for count in space.nvec.reshape(-1))

    @override
    def likeliest(self, inputs: Tensor) -> Tensor:
        return torch.stack([each.argmax(-1) for each in torch.split(inputs, list(self.choices), -1)], -1)

    @override
    def draw(self, inputs: Tensor, generator: Generator) -> Tensor:
        each = torch.split(inputs, list(self.choices), -1)
        return torch.stack([_draw_one(one, generator) for one in each], -1)

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

    kind = "bernoulli"

    def __init__(self, space: spaces.MultiBinary) -> None:
        super().__init__(space, math.prod(space.shape), math.prod(space.shape))

    @override
    def likeliest(self, inputs: Tensor) -> Tensor:
        return (inputs > 0).to(torch.int8)

    @override
    def draw(self, inputs: Tensor, generator: Generator) -> Tensor:
        return torch.bernoulli(inputs.sigmoid(), generator=generator).to(torch.int8)

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

    kind = "gaussian"

    def __init__(self, space: spaces.Box) -> None:
        super().__init__(space, 2 * math.prod(space.shape), math.prod(space.shape))
        self._low, self._high = space.low.reshape(-1), space.high.reshape(-1)

    @override
    def likeliest(self, inputs: Tensor) -> Tensor:
        return inputs.chunk(2, -1)[0]

    @override
    def draw(self, inputs: Tensor, generator: Generator) -> Tensor:
        mean, log_deviation = inputs.chunk(2, -1)
        return torch.normal(mean, log_deviation.exp(), generator=generator)

    @override
    def to_env(self, indices: NDArray[Any]) -> NDArray[Any]:
        return self._shaped(np.clip(indices, self._low, self._high))

    @override
    def from_env(self, actions: NDArray[Any]) -> NDArray[Any]:
        return self._flat(actions).astype(np.float32)

    @override
    def features(self, actions: NDArray[Any]) -> NDArray[np.float32]:
        return self._flat(actions).astype(np.float32)

    @override
    def described(self) -> str | None:
        return "draws of a Gaussian, cut at the bounds" if has_bounds(self.space) else None

    @override
    def remark(self) -> str | None:
        low, high = self._low.astype(np.float64), self._high.astype(np.float64)
        share = _normal_share(low, high)
        missed, narrow = share < LEAST_SHARE, np.isfinite(low) & np.isfinite(high) & (high - low > FARTHEST)
        if not (missed | narrow).any():
            return None
        number = int((missed | narrow).argmax())
        what = "hardly any lie within" if missed[number] else "they reach little of what lies within"
        way = "model.squash: true stretches them" if is_bounded(self.space) else "a wrapper may shift them"
        return (
            f"actions: draws of a new policy have mean 0 and deviation 1, and {what} the bounds "
            f"{low[number]:g} and {high[number]:g}; {way}"
        )


class _SquashedConverter(_BoxConverter):
    """`Box` of floats with bounds; a Gaussian's draws in -1 to 1, by tanh, stand for low to high."""

    kind = "tanh_gaussian"

    def __init__(self, space: spaces.Box) -> None:
        super().__init__(space)
        low, high = (bound.astype(np.float64) for bound in (self._low, self._high))
        self._middle, self._reach = (low + high) / 2, (high - low) / 2

    @override
    def likeliest(self, inputs: Tensor) -> Tensor:
        return super().likeliest(inputs).tanh()

    @override
    def draw(self, inputs: Tensor, generator: Generator) -> Tensor:
        return super().draw(inputs, generator).tanh()

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

    @override
    def remark(self) -> None:
        return None


class _SoftmaxConverter(_BoxConverter):
    """`Box` from 0 to 1 with a number for each of K classes; an action is the K probabilities themselves."""

    kind = "softmax"

    def __init__(self, space: spaces.Box) -> None:
        super().__init__(space)
        self.size = self.classes = self.feature_size

    @override
    def likeliest(self, inputs: Tensor) -> Tensor:
        return inputs.softmax(-1)

    @override
    def draw(self, inputs: Tensor, generator: Generator) -> Tensor:
        return self.likeliest(inputs)

    @override
    def targets(self, answers: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(answers, np.int64)

    @override
    def certain(self, targets: NDArray[Any]) -> NDArray[Any]:
        return _one_hot(targets, self.size)

    @override
    def described(self) -> str:
        return f"the probabilities of {self.classes} classes (softmax)"


def rescaled(draws: NDArray[Any], box: spaces.Box) -> NDArray[Any]:
    """Converts draws (B, ...) as RLlib does: of a `Box` with bounds, -1 to 1 stand for low to high."""
    shaped = draws.reshape(*draws.shape[:-1], *box.shape)
    if is_bounded(box):
        shaped = np.clip(box.low + (shaped + 1.0) * (box.high - box.low) / 2.0, box.low, box.high)
    actions: NDArray[Any] = shaped.astype(box.dtype, copy=False)
    return actions


def _draw_one(logits: Tensor, generator: Generator) -> Tensor:
    """Draws one of A for each row of logits (B, A)."""
    probabilities = (logits - logits.logsumexp(-1, keepdim=True)).softmax(-1)
    drawn = torch.multinomial(probabilities.reshape(-1, logits.shape[-1]), 1, True, generator=generator)
    return drawn.reshape(logits.shape[:-1])


def _one_hot(columns: NDArray[Any], size: int) -> NDArray[np.float32]:
    rows: NDArray[np.float32] = np.eye(size, dtype=np.float32)[columns]
    return rows


_KINDS: dict[type[spaces.Space], type[ActionConverter]] = {
    spaces.Discrete: _DiscreteConverter,
    spaces.MultiDiscrete: _MultiDiscreteConverter,
    spaces.MultiBinary: _MultiBinaryConverter,
    spaces.Box: _BoxConverter,
}


def _normal_share(low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much of a standard normal distribution lies between bounds."""
    below = torch.special.ndtr(torch.from_numpy(np.stack([low, high])))
    share: NDArray[np.float64] = (below[1] - below[0]).numpy()
    return share


def has_bounds(box: spaces.Box) -> bool:
    """Whether any number has a lower or an upper bound."""
    return bool(np.isfinite(box.low).any() or np.isfinite(box.high).any())


def is_bounded(box: spaces.Box) -> bool:
    """Whether every number has a lower and an upper bound."""
    return bool(np.isfinite(box.low).all() and np.isfinite(box.high).all())


def model_actions(space: AnySpace, model: Mapping[str, Any]) -> ActionConverter:
    """Makes the converter that a `model:` section asks for; arguments and errors as in `action_converter`."""
    return action_converter(space, bool(model.get("squash")), bool(model.get("softmax")))


def action_converter(space: AnySpace, squash: bool = False, softmax: bool = False) -> ActionConverter:
    """Makes the converter of the actions of one lane.

    Args:
        space: Of the environment.
        squash: Whether actions of a `Box` are squashed to its bounds by tanh, and not cut there.
        softmax: Whether an action of a `Box` is the probabilities of classes.

    Raises:
        ValueError: A space without a distribution, or one that cannot be squashed, or holds no probabilities.
    """
    kind: Any = next((row for known, row in _KINDS.items() if isinstance(space, known)), None)
    drawable = not isinstance(space, spaces.Box) or np.issubdtype(space.dtype, np.floating)
    if kind is not None and not math.prod(space.shape or ()):
        raise ValueError(f"cannot act in the action space {named(space)}: it holds no numbers")
    if kind is None or not drawable:
        raise ValueError(
            f"cannot act in the action space {named(space)}; known: Discrete, MultiDiscrete, MultiBinary and "
            "Box of floats"
        )
    if squash:
        if not (isinstance(space, spaces.Box) and is_bounded(space)):
            raise ValueError(f"squash: true is for the action space Box with bounds, got {named(space)}")
        kind = _SquashedConverter
    if softmax:
        if squash:
            raise ValueError("softmax: true and squash: true contradict each other; legal: one of them")
        if not _holds_probabilities(space):
            raise ValueError(
                "softmax: true is for the action space Box from 0 to 1 with one number for each of 2 or more "
                f"classes, got {named(space)}"
            )
        kind = _SoftmaxConverter
    converter: ActionConverter = kind(space)
    return converter


def _holds_probabilities(space: AnySpace) -> bool:
    """Whether a space is a row of two or more numbers from 0 to 1."""
    if not isinstance(space, spaces.Box) or len(space.shape) != 1 or space.shape[0] < 2:
        return False
    return bool((space.low == 0).all() and (space.high == 1).all())
