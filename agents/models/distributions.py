"""Action distributions: RLlib's, and those that it lacks.

B stands for any leading axes, N for the bits of an action.
"""

from __future__ import annotations

import math
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from ray.rllib.core.distribution.distribution import Distribution
from ray.rllib.core.distribution.torch.torch_distribution import (
    TorchCategorical,
    TorchDeterministic,
    TorchDiagGaussian,
    TorchDistribution,
    TorchMultiCategorical,
)
from torch import Tensor
from torch.distributions import Bernoulli, kl_divergence
from torch.nn import functional

from engram.agents.models.actions import ActionConverter


class TorchBernoulli(TorchDistribution):  # type: ignore[misc]
    """Independent bits, for `MultiBinary(N)`: the logits (B, N) say how much likelier 1 is than 0."""

    def __init__(self, logits: Tensor) -> None:
        self._logits = logits
        super().__init__(logits=logits)

    def _get_torch_distribution(self, logits: Tensor) -> Bernoulli:
        return Bernoulli(logits=logits, validate_args=False)

    def logp(self, value: Tensor, **_: Any) -> Tensor:
        """Log-probability of whole actions (B, N), (B,)."""
        logp: Tensor = self._dist.log_prob(value.to(self._logits.dtype))
        return logp.sum(-1)

    def entropy(self) -> Tensor:
        """Entropy of whole actions in nats, (B,)."""
        entropy: Tensor = self._dist.entropy()
        return entropy.sum(-1)

    def kl(self, other: TorchBernoulli, **_: Any) -> Tensor:
        """Divergence of whole actions from another distribution, (B,)."""
        divergence: Tensor = kl_divergence(self._dist, other._dist)
        return divergence.sum(-1)

    def sample(self, *, sample_shape: Any = (), **_: Any) -> Tensor:
        """Actions int8 (*sample_shape, B, N), as the space has them."""
        bits: Tensor = self._dist.sample(torch.Size(sample_shape))
        return bits.to(torch.int8)

    @classmethod
    def from_logits(cls, logits: Tensor, **_: Any) -> TorchBernoulli:
        """The distribution of logits (B, N)."""
        return cls(logits=logits)

    @staticmethod
    def required_input_dim(space: gym.Space[Any], **_: Any) -> int:
        """N."""
        if not isinstance(space, gym.spaces.MultiBinary):
            raise ValueError(f"cannot act in the action space {space}; known: MultiBinary")
        return int(space.n)

    def to_deterministic(self) -> TorchDeterministic:
        """The likeliest action."""
        return TorchDeterministic(loc=(self._logits > 0).to(torch.int8))


class TorchTanhGaussian(TorchDiagGaussian):  # type: ignore[misc]
    """Independent numbers (B, N) in -1 to 1: the hyperbolic tangents of a Gaussian's.

    Densities are those of the tangents: with u = atanh(y), log p(y) = log N(u) - log(1 - y^2).

    Source: Haarnoja et al., Soft actor-critic, arXiv 1801.01290, appendix C, equation 21.
    """

    def logp(self, value: Tensor, **_: Any) -> Tensor:
        """Log-density of whole actions (B, N), (B,)."""
        drawn = torch.atanh(value.clamp(-_NEAREST, _NEAREST))
        logp: Tensor = super().logp(drawn)
        return logp - _log_slope(drawn).sum(-1)

    def entropy(self) -> Tensor:
        """Entropy of whole actions in nats, (B,): the Gaussian's, and the mean logarithm of tanh's slope.

        That mean is an integral over each number's Gaussian (Gauss-Hermite quadrature).
        """
        gaussian: Tensor = super().entropy()
        places, weights = (torch.as_tensor(each, dtype=self.loc.dtype) for each in _QUADRATURE)
        places, weights = places.to(self.loc.device), weights.to(self.loc.device)
        slopes = _log_slope(self.loc.unsqueeze(-1) + self._dist.scale.unsqueeze(-1) * places)
        return gaussian + (slopes * weights).sum(-1).sum(-1)

    def sample(self, *, sample_shape: Any = None, **_: Any) -> Tensor:
        """Actions (*sample_shape, B, N)."""
        return torch.tanh(super().sample(sample_shape=sample_shape))

    def rsample(self, *, sample_shape: Any = None, **_: Any) -> Tensor:
        """Actions (*sample_shape, B, N), through which gradients flow."""
        return torch.tanh(super().rsample(sample_shape=sample_shape))

    def to_deterministic(self) -> TorchDeterministic:
        """The tangent of the Gaussian's mean."""
        return TorchDeterministic(loc=torch.tanh(self.loc))


class TorchProbabilities(TorchDeterministic):  # type: ignore[misc]
    """The probabilities of K classes as an action, by their logits (B, K): nothing is drawn."""

    @classmethod
    def from_logits(cls, logits: Tensor, **_: Any) -> TorchProbabilities:
        """The distribution of logits (B, K)."""
        return cls(loc=logits.softmax(-1))

    @staticmethod
    def required_input_dim(space: gym.Space[Any], **_: Any) -> int:
        """K."""
        return int(np.prod(space.shape or ()))

    def to_deterministic(self) -> TorchProbabilities:
        """The same."""
        return self


_NEAREST = 1.0 - 1e-6  # to the bounds, where atanh is infinite

_POINTS, _WEIGHTS = np.polynomial.hermite_e.hermegauss(32)
_QUADRATURE = (_POINTS, _WEIGHTS / _WEIGHTS.sum())
"""Where a function is taken, in standard deviations, and how much it counts: its mean under a Gaussian."""


def _log_slope(values: Tensor) -> Tensor:
    """log(1 - tanh(x)^2), also where that is 0 in the numbers of a computer."""
    return 2.0 * (math.log(2.0) - values - functional.softplus(-2.0 * values))


_KINDS: dict[str, type[Distribution]] = {
    "bernoulli": TorchBernoulli,
    "categorical": TorchCategorical,
    "gaussian": TorchDiagGaussian,
    "softmax": TorchProbabilities,
    "tanh_gaussian": TorchTanhGaussian,
}


def distribution_of(actions: ActionConverter) -> type[Distribution]:
    """Returns the class that is made of A numbers for each action, and draws what `actions` converts."""
    if actions.kind == "multi_categorical":
        several: type[Distribution] = TorchMultiCategorical.get_partial_dist_cls(
            input_lens=list(actions.choices)
        )
        return several
    return _KINDS[actions.kind]
