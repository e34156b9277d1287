"""The contract of an encoder: one observation becomes F features.

N stands for any number of observations at once (T * B in training, B when sampling), P for the planes or
units of a layer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from engram.agents.models.observations import SCALES, make_reader
from engram.agents.models.reader import Reader
from engram.agents.models.spaces import AnySpace
from engram.memory.options import Options, choice
from engram.memory.registry import build_class, check_output_size


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
        modulated: P of each layer that `forward` can modulate, first to last; see `Modulation`. An encoder
            that has such layers takes as many modulations as a second argument.
    """

    Options: ClassVar[type[Options]]
    output_size: int
    modulated: tuple[int, ...] = ()

    def __init__(self, reader: Reader, options: Any) -> None:
        super().__init__()
        self.reader = reader

    @classmethod
    def build(cls, space: AnySpace, options: Any, path: str, name: str) -> Self:
        """Builds the encoder of a space.

        Args:
            space: Of one lane.
            options: An instance of `Options`.
            path: Where the options were written, dotted; only used in messages.
            name: What was written there as `type`.

        Raises:
            ValueError: The space cannot be encoded so, or the constructor raised something.
        """
        encoder = build_class(cls, path, name, cls.read(space, options, path), options)
        check_output_size(encoder, path, name)
        return encoder

    @classmethod
    def read(cls, space: AnySpace, options: Any, path: str) -> Reader:
        """Makes the reader of a space; arguments and errors as in `build`."""
        return make_reader(space, getattr(options, "scale", "auto"), path, getattr(options, "cells", "raw"))

    def named_parts(self) -> dict[str, str]:
        """Returns how the weights of its parts begin: as they are numbered, to the same by name."""
        return {}

    def prepare(self, observations: Any) -> Any:
        """Observations as floats, in the dtype of the encoder's weights, (N, *reader.shape).

        Those of a `Dict` or `Tuple` are a nest of (N, ...).
        """
        weight = next(self.parameters(), None)
        return self.reader(observations, torch.get_default_dtype() if weight is None else weight.dtype)


class Modulation(nn.Module):
    """Scales and shifts the planes of a layer as something else says: FiLM.

    gamma = 1 + G c, beta = B c, where c are features and G, B are learned, with biases.

    Source: Perez et al., FiLM: visual reasoning with a general conditioning layer, arXiv 1709.07871,
    equations 1 and 2, and section 7.2 for the 1.
    """

    def __init__(self, features: int, planes: int) -> None:
        """Builds it for P planes and `features` features that say how."""
        super().__init__()
        self.layer = nn.Linear(features, 2 * planes)

    def forward(self, conditions: Tensor) -> Tensor:
        """Gamma and beta, (2, N, P), of features (N, features)."""
        gamma, beta = self.layer(conditions).chunk(2, dim=1)
        return torch.stack([1.0 + gamma, beta])


def run_layers(layers: nn.Sequential, inputs: Tensor, modulations: Sequence[Tensor] = ()) -> Tensor:
    """Runs layers one after the other; each convolution or linear layer is modulated, before its ReLU.

    Args:
        layers: Convolutions over (N, P, ...) or linear layers over (N, P), and others between them.
        inputs: What the first one takes.
        modulations: Gamma and beta (2, N, P) of each convolution or linear layer; empty: of none.
    """
    if not modulations:
        outputs: Tensor = layers(inputs)
        return outputs
    waiting = iter(modulations)
    for layer in layers:
        inputs = layer(inputs)
        if isinstance(layer, nn.Conv2d | nn.Linear):
            gamma, beta = next(waiting).reshape(2, *inputs.shape[:2], *[1] * (inputs.ndim - 2))
            inputs = gamma * inputs + beta
    return inputs


def by_chunks(encode: Callable[[Tensor], Tensor], observations: Tensor, most: int) -> Tensor:
    """Encodes observations a few at a time, so that what layers hand on is in the processor's cache.

    Args:
        encode: Makes (N, F) of (N, ...).
        observations: Any number of them.
        most: How many at a time.
    """
    # An exported network takes any number of them at once.
    if torch.compiler.is_compiling() or len(observations) <= most:
        return encode(observations)
    return torch.cat([encode(chunk) for chunk in torch.split(observations, most)])
