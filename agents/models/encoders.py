"""Encoders: one observation becomes F features, by the table `ENCODERS`.

N stands for any number of observations at once (T * B in training, B when sampling).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import gymnasium as gym
import torch
from torch import Tensor, nn

from engram.agents.models.observations import SCALES, Reader, make_reader
from engram.memory.options import Options, choice, integer, integers, parse_options
from engram.memory.registry import build_class, check_output_size, choose_class
from engram.memory.windows.mlp import relu_layers


@dataclass(frozen=True, kw_only=True)
class EncoderOptions(Options):
    """Options common to all encoders."""

    scale: str = choice(
        "auto",
        "numbers as floats. auto: whole ones by the bounds of each element to 0..1 (-1..1 where negative), "
        "their logarithm where bounds lie more than 1,000 apart, floats as they are; bounds: all by their "
        "bounds; symlog: sign(x) log(1 + |x|); none: as they are, for codes in a box of bytes",
        SCALES,
    )


class Encoder(nn.Module):
    """Observations (N, *shape) to features (N, output_size), in two steps.

    `prepare` makes floats of observations, see `engram.agents.models.observations`. `forward` encodes what
    was prepared. Preparing a large board takes as long as encoding it, and encoders of the same space may
    share it.

    Attributes:
        Options: The dataclass of this encoder's options.
        reader: Makes floats of observations.
        output_size: F.
    """

    Options: ClassVar[type[EncoderOptions]]
    output_size: int

    def __init__(self, reader: Reader, options: Any) -> None:
        super().__init__()
        self.reader = reader

    def prepare(self, observations: Tensor) -> Tensor:
        """Observations as floats, in the dtype of the encoder's weights, (N, *reader.shape)."""
        prepared: Tensor = self.reader(observations, next(self.parameters()).dtype)
        return prepared


@dataclass(frozen=True, kw_only=True)
class ConvEncoderOptions(EncoderOptions):
    """Options of `conv`."""

    channels: tuple[int, ...] = integers(
        (16,), "output planes of each 3x3 convolution, first to last", unit="planes"
    )
    size: int = integer(128, "units of the linear layer behind the convolutions", unit="features")


class ConvEncoder(Encoder):
    """3x3 convolutions with ReLU, then one linear layer with ReLU, for boards and small images.

    Observations are (N, rows, columns, planes), planes last as Gymnasium has them.
    """

    Options = ConvEncoderOptions

    def __init__(self, reader: Reader, options: ConvEncoderOptions) -> None:
        super().__init__(reader, options)
        if len(reader.shape) != 3:
            raise ValueError(
                "encoder.type: 'conv' needs observations of shape (rows, columns, planes), "
                f"got {reader.shape}; use 'mlp'"
            )
        rows, columns, planes = reader.shape
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
class MLPEncoderOptions(EncoderOptions):
    """Options of `mlp`."""

    hidden: tuple[int, ...] = integers(
        (128,), "units of each layer; the last is the number of features", unit="units"
    )


class MLPEncoder(Encoder):
    """Linear layers with ReLU over the flattened observation."""

    Options = MLPEncoderOptions

    def __init__(self, reader: Reader, options: MLPEncoderOptions) -> None:
        super().__init__(reader, options)
        self.layers = relu_layers(math.prod(reader.shape), options.hidden)
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
        ValueError: Unknown type or key, a value out of range, or a space that cannot be encoded so, named by
            its path.
    """
    encoder_class, parsed = encoder_options(options, path)
    reader = make_reader(space, getattr(parsed, "scale", "auto"), path)
    encoder = build_class(encoder_class, path, options["type"], reader, parsed)
    check_output_size(encoder, path, options["type"])
    return encoder


def encoder_options(
    options: Mapping[str, Any], path: str = "encoder"
) -> tuple[type[Encoder], EncoderOptions]:
    """Checks the options of an encoder without building it; arguments and errors as in `make_encoder`."""
    encoder_class, values = choose_class(options, path, ENCODERS, Encoder)
    return encoder_class, parse_options(encoder_class.Options, values, path)
