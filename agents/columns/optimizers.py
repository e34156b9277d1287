"""Optimisers and step sizes as the papers have them, of all algorithms that take `optimizer:`."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from engram.memory.options import Options, choice, integer, number, numbers, parse_options

BETAS = (0.9, 0.999)


@dataclass(frozen=True, kw_only=True)
class OptimizerOptions(Options):
    """The `optimizer:` setting; the step size itself is `lr`."""

    type: str = choice("adam", "which optimiser", ("adam", "adamw", "rmsprop", "sgd"))
    momentum: float = number(0.0, "momentum of sgd and rmsprop", low=0.0, high=1.0)
    weight_decay: float = number(0.0, "pull towards zero, per update", low=0.0, high=math.inf)
    eps: float = number(1e-8, "added to the root, by all but sgd", low=0.0, high=math.inf)
    alpha: float = number(0.99, "of rmsprop: what stays of the mean square, per update", low=0.0, high=1.0)


@dataclass(frozen=True, kw_only=True)
class EpochOptions(Options):
    """The `lr_epochs:` setting: how the step size changes from epoch to epoch."""

    size: int | None = integer(None, "one epoch; none: no epochs, the step size is `lr`", unit="env steps")
    warmup: int = integer(0, "exponential rise to the full step size", unit="epochs", low=0)
    decay_at: tuple[float, ...] | None = numbers(
        None, "where the step size drops", unit="epochs", above=0.0, high=math.inf
    )
    decay_factor: float = number(0.1, "what each drop leaves of it", above=0.0, high=1.0)


def optimizer_options(values: Mapping[str, Any]) -> OptimizerOptions:
    """Checks the `optimizer:` setting; raises ValueError naming the key."""
    return parse_options(OptimizerOptions, values, "optimizer")


def epoch_options(values: Mapping[str, Any]) -> EpochOptions:
    """Checks the `lr_epochs:` setting; raises ValueError naming the key."""
    options = parse_options(EpochOptions, values, "lr_epochs")
    if options.size is None and values:
        raise ValueError("lr_epochs.size: missing; how many env steps an epoch has")
    return options


def make_optimizer(
    options: OptimizerOptions,
    parameters: Iterable[nn.Parameter],
    recurrent: Iterable[nn.Parameter] = (),
    recurrent_scale: float = 1.0,
) -> torch.optim.Optimizer:
    """An optimiser with a step size of 0; each group carries the factor on it as `scale`.

    Args:
        options: Which one.
        parameters: All that is trained.
        recurrent: Those among them that every iteration uses again.
        recurrent_scale: Factor on their step size (paper: one over the number of iterations).
    """
    throttled = {id(parameter) for parameter in recurrent}
    groups: list[dict[str, Any]] = [{"params": [], "scale": 1.0}, {"params": [], "scale": recurrent_scale}]
    for parameter in parameters:
        groups[id(parameter) in throttled]["params"].append(parameter)
    return _MAKERS[options.type]([group for group in groups if group["params"]], options)


def _sgd(groups: list[dict[str, Any]], options: OptimizerOptions) -> torch.optim.Optimizer:
    return torch.optim.SGD(groups, lr=0.0, momentum=options.momentum, weight_decay=options.weight_decay)


def _adam(groups: list[dict[str, Any]], options: OptimizerOptions) -> torch.optim.Optimizer:
    return torch.optim.Adam(groups, lr=0.0, betas=BETAS, eps=options.eps, weight_decay=options.weight_decay)


def _adamw(groups: list[dict[str, Any]], options: OptimizerOptions) -> torch.optim.Optimizer:
    return torch.optim.AdamW(groups, lr=0.0, betas=BETAS, eps=options.eps, weight_decay=options.weight_decay)


def _rmsprop(groups: list[dict[str, Any]], options: OptimizerOptions) -> torch.optim.Optimizer:
    return torch.optim.RMSprop(
        groups,
        lr=0.0,
        alpha=options.alpha,
        eps=options.eps,
        momentum=options.momentum,
        weight_decay=options.weight_decay,
    )


_MAKERS: dict[str, Callable[[list[dict[str, Any]], OptimizerOptions], torch.optim.Optimizer]] = {
    "adam": _adam,
    "adamw": _adamw,
    "rmsprop": _rmsprop,
    "sgd": _sgd,
}


def lr_factor(options: EpochOptions, env_steps: int) -> float:
    """Computes the factor on the step size after `env_steps`.

    It rises by 1 - exp(-(e + 1) / W) in epoch e < W - 1, is 1 from then on, and drops at each milestone.
    """
    if options.size is None:
        return 1.0
    epoch = env_steps // options.size
    rising = epoch < options.warmup - 1
    warmup = 1.0 - math.exp(-(epoch + 1) / options.warmup) if rising else 1.0
    drops = sum(epoch >= milestone for milestone in options.decay_at or ())
    return warmup * float(options.decay_factor**drops)
