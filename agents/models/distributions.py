"""Action distributions that RLlib lacks. B stands for any leading axes, N for the bits of an action."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import torch
from ray.rllib.core.distribution.torch.torch_distribution import TorchDeterministic, TorchDistribution
from torch import Tensor
from torch.distributions import Bernoulli, kl_divergence


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
