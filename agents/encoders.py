"""Encoders: one observation becomes F features, by the table `ENCODERS`.

N stands for any number of observations at once (T * B in training, B when sampling).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn

from engram.memory.options import Options, integer, integers, parse_options
from engram.memory.registry import build_class, check_output_size, choose_class
from engram.memory.windows.mlp import relu_layers


class Encoder(nn.Module):
    """Observations (N, *shape) to features (N, output_size), in two steps.

    `prepare` makes floats of observations; those of whole numbers (boards, pixels) are scaled to at most 1 by
    the upper bound of their space. `forward` encodes what was prepared. Preparing a large board takes as long
    as encoding it, and encoders of the same space may share it.
    """

    Options: ClassVar[type[Options]]
    output_size: int

    def __init__(self, space: gym.spaces.Box, options: Any) -> None:
        super().__init__()
        whole = np.issubdtype(space.dtype, np.integer)
        self.scale = 1.0 / max(1.0, float(np.max(space.high))) if whole else 1.0

    def prepare(self, observations: Tensor) -> Tensor:
        """Observations as scaled floats, in the dtype of the encoder's weights."""
        dtype = next(self.parameters()).dtype
        scaled = observations.to(dtype)
        return scaled if self.scale == 1.0 else scaled * self.scale


@dataclass(frozen=True, kw_only=True)
class ConvOptions(Options):
    """Options of `conv`."""

    channels: tuple[int, ...] = integers((16,), "output planes of each 3x3 convolution, first to last")
    size: int = integer(128, "units of the linear layer behind the convolutions", unit="features")


class ConvEncoder(Encoder):
    """3x3 convolutions with ReLU, then one linear layer with ReLU, for boards and small images.

    Observations are (N, rows, columns, planes), planes last as Gymnasium has them.
    """

    Options: ClassVar[type[Options]] = ConvOptions

    def __init__(self, space: gym.spaces.Box, options: ConvOptions) -> None:
        super().__init__(space, options)
        if len(space.shape) != 3:
            raise ValueError(
                "encoder.type: 'conv' needs observations of shape (rows, columns, planes), "
                f"got {space.shape}; use 'mlp'"
            )
        rows, columns, planes = space.shape
        layers: list[nn.Module] = []
        for channels in options.channels:
            layers += [nn.Conv2d(planes, channels, kernel_size=3, padding=1), nn.ReLU()]
            planes = channels
        self.convolutions = nn.Sequential(*layers)
        self.linear = nn.Linear(rows * columns * planes, options.size)
        self.output_size = options.size

    def forward(self, prepared: Tensor) -> Tensor:
        """Prepared (N, rows, columns, planes) to (N, size)."""
        images = prepared.permute(0, 3, 1, 2)
        return torch.relu(self.linear(self.convolutions(images).flatten(1)))


@dataclass(frozen=True, kw_only=True)
class MLPOptions(Options):
    """Options of `mlp`."""

    hidden: tuple[int, ...] = integers((128,), "units of each layer; the last is the number of features")


class MLPEncoder(Encoder):
    """Linear layers with ReLU over the flattened observation."""

    Options: ClassVar[type[Options]] = MLPOptions

    def __init__(self, space: gym.spaces.Box, options: MLPOptions) -> None:
        super().__init__(space, options)
        self.layers = relu_layers(int(np.prod(space.shape)), options.hidden)
        self.output_size = options.hidden[-1]

    def forward(self, prepared: Tensor) -> Tensor:
        """Prepared (N, *shape) to (N, hidden[-1])."""
        features: Tensor = self.layers(prepared.flatten(1))
        return features


ENCODERS: dict[str, type[Encoder]] = {"conv": ConvEncoder, "mlp": MLPEncoder}
"""Encoder name to class; one row makes an encoder exist."""


def make_encoder(space: gym.Space[Any], options: Mapping[str, Any], path: str = "encoder") -> Encoder:
    """Builds an encoder; the only place where an encoder's name becomes a class.

    Args:
        space: The observation space of one lane.
        options: `{"type": name, ...}`, the `encoder:` section of an experiment. A name is a row of `ENCODERS`
            or, for a class of your own, `package.module:Class`.
        path: Where the options were written, dotted; only used in messages.

    Raises:
        ValueError: Unknown type or key, or a value out of range, named by its path.
    """
    if not isinstance(space, gym.spaces.Box):
        raise ValueError(f"{path}: cannot encode the observation space {space}; known: Box")
    encoder_class, parsed = encoder_options(options, path)
    encoder = build_class(encoder_class, path, options["type"], space, parsed)
    check_output_size(encoder, path, options["type"])
    return encoder


def encoder_options(options: Mapping[str, Any], path: str = "encoder") -> tuple[type[Encoder], Options]:
    """Checks the options of an encoder without building it; arguments and errors as in `make_encoder`."""
    encoder_class, values = choose_class(options, path, ENCODERS, Encoder)
    return encoder_class, parse_options(encoder_class.Options, values, path)
