"""Running mean and variance, of observations and of returns: part of a module, so that they go where it goes.

T time, B lanes, N rows of what is measured.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from engram.agents.models import spaces
from engram.agents.models.nests import leaves_of, with_leaves
from engram.agents.models.spaces import AnySpace, leaf_spaces, named

NORMALIZATION = "normalization"
"""Entry of a module's `model_config`, set by the algorithm: what a `Normalization` is made from, or None."""

EPSILON = 1e-8  # of a variance, so that what never changes stays 0; Gymnasium's


class RunningMoments(nn.Module):
    """Mean and variance of everything seen in training mode, element by element.

    They are merged batch by batch, as if all had been seen at once. A row is seen in full precision, and the
    result kept in single precision, which is what RLlib's weights travel in.

    Source: Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm for computing sample
    variances, 1979, equations 2.1.

    Attributes:
        count: Rows seen.
        mean: Before any row 0.
        var: Of the population; before any row 1.
    """

    count: Tensor
    mean: Tensor
    var: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("count", torch.tensor(0))
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("var", torch.ones(shape))

    @torch.no_grad()
    def observe(self, rows: Tensor) -> None:
        """Adds rows (N, *shape), and where there are several learners those of all of them."""
        if not self.training:
            return
        rows = rows.to(torch.float64)
        count = torch.tensor(float(len(rows)), dtype=torch.float64, device=rows.device)
        total = _over_learners(count)
        if not total:
            return
        mean = _over_learners(rows.sum(0)) / total
        squares = _over_learners((rows - mean).square().sum(0))
        seen = float(self.count)
        share = total / (seen + total)
        before = self.var.to(torch.float64) * (seen / (seen + total))
        shift = mean - self.mean
        self.var.copy_(before + squares / (seen + total) + shift.square() * share * (1 - share))
        self.mean.copy_(self.mean + shift * share)
        self.count += int(total)

    def scale(self) -> Tensor:
        """One over the standard deviation."""
        return (self.var + EPSILON).rsqrt()


def _over_learners(value: Tensor) -> Tensor:
    """The sum over all learners."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(value)
    return value


def normalized_by(weights: Iterable[str]) -> dict[str, bool]:
    """Returns the settings of an algorithm that its network tells of, by the names of its weights."""
    names = list(weights)
    kinds = {"normalize_observations": "parts", "normalize_rewards": "returns"}
    return {
        setting: any(name.startswith(f"normalization.{kind}.") for name in names)
        for setting, kind in kinds.items()
    }


class NormalizationOptions(NamedTuple):
    """What is normalised.

    Attributes:
        observations: Whether observations are.
        rewards: Whether rewards are.
        clip: Largest magnitude of what was normalised; None: any.
    """

    observations: bool
    rewards: bool
    clip: float | None


class Normalization(nn.Module):
    """Observations less their mean, over their deviation; rewards over the deviation of the return.

    Observations are those parts of `Dict` and `Tuple` spaces that are a `Box` of floats; all others stay as
    they are. Statistics stand still within an update: the policy that learns is the one that acted. A run's
    first observations are met by no statistics, and only clipped; see `unseen`.

    Attributes:
        names: Of the parts of an observation that are normalised, such as `observation['position']`.
        parts: Moments of the parts of an observation that are normalised, by their place in the nest.
        returns: Moments of the discounted return so far, whose deviation divides rewards; None: they stay.
    """

    def __init__(self, space: AnySpace, options: NormalizationOptions) -> None:
        super().__init__()
        leaves = leaf_spaces(space) if options.observations else {}
        places = {place: name for place, (name, leaf) in enumerate(leaves.items()) if _is_float(leaf)}
        if options.observations and not places:
            raise ValueError(
                f"normalize_observations: no part of {named(space)} is a Box of floats, and others stay as "
                "they are"
            )
        self.names = list(places.values())
        self.parts = nn.ModuleDict(
            {str(place): RunningMoments(tuple(leaves[name].shape or ())) for place, name in places.items()}
        )
        self.returns = RunningMoments(()) if options.rewards else None
        self._clip = options.clip

    @property
    def unseen(self) -> bool:
        """Whether observations are to be normalised of which nothing has been seen yet."""
        return any(moments.training and not moments.count for _, moments in self._placed())

    def forward(self, observations: Any) -> Any:
        """Normalises observations, a nest of (T, B, ...)."""
        if not self.parts:
            return observations
        leaves = leaves_of(observations)
        for place, moments in self._placed():
            leaf = leaves[place]
            # As the difference of two floats is computed here, no precision of float64 is lost before it.
            normal = (leaf - moments.mean).to(moments.mean.dtype) * moments.scale()
            leaves[place] = self._clipped(normal)
        return with_leaves(observations, iter(leaves))

    def rewards(self, rewards: Tensor) -> Tensor:
        """Normalises rewards (T, B)."""
        if self.returns is None:
            return rewards
        return self._clipped(rewards * self.returns.scale().to(rewards.dtype))

    def observe(self, observations: Any) -> None:
        """Adds observations, a nest of (T, B, ...), to what was seen."""
        leaves = leaves_of(observations)
        for place, moments in self._placed():
            moments.observe(leaves[place].flatten(0, 1))

    def observe_returns(self, returns: Tensor) -> None:
        """Adds discounted returns so far, of any shape, to what was seen."""
        if self.returns is not None:
            self.returns.observe(returns.flatten())

    def _placed(self) -> Iterator[tuple[int, RunningMoments]]:
        """Each place in a nest that is normalised, and its moments."""
        for place, moments in self.parts.items():
            yield int(place), cast(RunningMoments, moments)

    def _clipped(self, values: Tensor) -> Tensor:
        return values if self._clip is None else values.clamp(-self._clip, self._clip)


def _is_float(space: AnySpace) -> bool:
    return isinstance(space, spaces.Box) and np.issubdtype(space.dtype, np.floating)
