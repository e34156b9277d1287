"""Encoders of large pictures, such as the screens of Atari games.

They take whole numbers as they come: floats are made a few pictures at a time, planes last in memory, scaled
by the first convolution. N stands for any number of observations at once, P for the planes of a layer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from typing_extensions import override

from engram.agents.models.boards import check_board
from engram.agents.models.encoder import Encoder, EncoderOptions, by_chunks
from engram.agents.models.observations import BoxReader
from engram.agents.models.reader import Reader
from engram.memory.options import choice, integer, integers

CHUNK = 128
"""Pictures that are floats at the same time."""


class _Scaled(torch.autograd.Function):
    """A convolution of pictures that are kept as they came: floats are made anew for the gradient."""

    @staticmethod
    def forward(ctx: Any, pictures: Tensor, layer: "PictureConv", weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(pictures, weight)
        ctx.layer = layer
        return layer.convolve(pictures, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        pictures, weight = ctx.saved_tensors
        layer: PictureConv = ctx.layer
        sizes = (list(layer.bias.shape), layer.stride, layer.padding, layer.dilation, False, [0, 0], 1)
        _, of_weight, of_bias = torch.ops.aten.convolution_backward(
            gradient, _floats(pictures, weight.dtype), weight, *sizes, [False, True, True]
        )
        return None, None, of_weight * layer.factor, of_bias


def _floats(pictures: Tensor, dtype: torch.dtype) -> Tensor:
    """Pictures (N, rows, columns, P) as floats (N, P, rows, columns), planes last in memory."""
    return pictures.permute(0, 3, 1, 2).to(dtype, memory_format=torch.channels_last)


class PictureConv(nn.Conv2d):
    """A convolution over pictures (N, rows, columns, P) of any dtype, times a factor."""

    bias: nn.Parameter

    def __init__(
        self, planes: int, channels: int, kernel_size: int, stride: int, padding: int, factor: float
    ) -> None:
        super().__init__(planes, channels, kernel_size, stride, padding)
        self.factor = factor

    def convolve(self, pictures: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Computes it, with a weight and a bias."""
        floats = _floats(pictures, weight.dtype)
        return functional.conv2d(floats, weight * self.factor, bias, self.stride, self.padding)  # type: ignore[arg-type]

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (N, rows, columns, P) to (N, channels, ...)."""
        if not torch.is_grad_enabled() or pictures.requires_grad:
            return self.convolve(pictures, self.weight, self.bias)
        convolved: Tensor = _Scaled.apply(pictures, self, self.weight, self.bias)  # type: ignore[no-untyped-call]
        return convolved


@dataclass(frozen=True, kw_only=True)
class PictureEncoderOptions(EncoderOptions):
    """Options common to encoders of pictures."""

    init: str = choice(
        "orthogonal",
        "what weights start from. orthogonal: matrices of such columns times the root of 2, biases of 0, as "
        "in public codes of PPO; torch: PyTorch's own, whose features hardly tell pictures apart at first",
        ("orthogonal", "torch"),
    )


class PictureEncoder(Encoder):
    """Base of encoders that make floats of pictures inside: convolutions, one linear layer, ReLU.

    A subclass makes `convolutions` in its constructor, the first of them a `PictureConv`, and calls `finish`.
    """

    convolutions: nn.Sequential

    def __init__(self, reader: Reader, options: Any) -> None:
        super().__init__(reader, options)
        # What is only multiplied is so by the first convolution; anything else its reader makes floats of.
        self.orthogonal = options.init == "orthogonal"
        factor = reader.factor if isinstance(reader, BoxReader) else None
        self.inside, self.factor = factor is not None, 1.0 if factor is None else factor

    def finish(self, sizes: tuple[int, int], planes: int, size: int) -> None:
        """Adds the linear layer over `planes` of those sizes, and draws all weights."""
        self.linear = nn.Linear(sizes[0] * sizes[1] * planes, size)
        self.output_size = size
        if self.orthogonal:
            self.apply(_make_orthogonal)

    @override
    def prepare(self, observations: Any) -> Any:
        return observations if self.inside else super().prepare(observations)

    def forward(self, prepared: Tensor) -> Tensor:
        """Pictures (N, rows, columns, planes) to (N, output_size)."""
        return by_chunks(self._encoded, prepared, CHUNK)

    def _encoded(self, pictures: Tensor) -> Tensor:
        images: Tensor = self.convolutions(pictures)
        return torch.relu(self.linear(images.flatten(1)))


def _make_orthogonal(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.orthogonal_(layer.weight, nn.init.calculate_gain("relu"))
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


class _Layer(NamedTuple):
    """Of a convolution, pixels."""

    kernel: int
    stride: int

    def side(self, side: int) -> int:
        """Returns how many pixels it makes of so many."""
        return (side - self.kernel) // self.stride + 1


LATER = (_Layer(4, 2), _Layer(3, 1))
"""Convolutions behind the first one of `nature`."""

LARGE = 64
"""Pixels of a side from which the first convolution of `nature` is 8x8 with stride 4."""


@dataclass(frozen=True, kw_only=True)
class NatureEncoderOptions(PictureEncoderOptions):
    """Options of `nature`."""

    channels: tuple[int, ...] = integers(
        (32, 64, 64),
        "planes of the convolutions (8x8/4, 4x4/2, 3x3/1), or of the first of them",
        unit="planes",
    )
    first_stride: int | None = integer(
        None,
        "stride of the first convolution, whose kernel is twice as wide; null: 4, or 2 where a side is "
        f"shorter than {LARGE} pixels, so that layers of 42x42 pixels are as large as those of 84x84",
        unit="pixels",
        high=64,
    )
    size: int = integer(512, "units of the linear layer behind the convolutions", unit="features")


class NatureEncoder(PictureEncoder):
    """Convolutions 8x8 with stride 4, 4x4 with stride 2, 3x3, then a linear layer, all with ReLU.

    Of 84x84 pixels with 4 planes 1,684,128 parameters. Of small pictures the first convolution is half as
    wide: a ball of one pixel would be lost in strides of 4.

    Source: Mnih et al., Human-level control through deep reinforcement learning, Nature 518, 2015.
    """

    Options = NatureEncoderOptions

    def __init__(self, reader: Reader, options: NatureEncoderOptions) -> None:
        super().__init__(reader, options)
        rows, columns, planes = check_board("nature", reader.shape, reader)
        stride = options.first_stride or (4 if min(rows, columns) >= LARGE else 2)
        convolutions = (_Layer(2 * stride, stride), *LATER)
        if len(options.channels) > len(convolutions):
            raise ValueError(
                f"channels: there are {len(convolutions)} convolutions, got {len(options.channels)}"
            )
        layers: list[nn.Module] = []
        for channels, layer in zip(options.channels, convolutions, strict=False):
            if not layers:
                layers += [PictureConv(planes, channels, *layer, 0, self.factor)]
            else:
                layers += [nn.Conv2d(planes, channels, *layer)]
            layers += [nn.ReLU(inplace=True)]
            planes, rows, columns = channels, layer.side(rows), layer.side(columns)
            if min(rows, columns) < 1:
                raise ValueError(
                    f"channels: pictures of {reader.shape[0]}x{reader.shape[1]} are too small for "
                    f"{len(options.channels)} convolutions, the first with first_stride {stride}; leave some "
                    "out, take a smaller stride, or use 'conv' or 'mlp'"
                )
        self.convolutions = nn.Sequential(*layers)
        self.finish((rows, columns), planes, options.size)


@dataclass(frozen=True, kw_only=True)
class DQNEncoderOptions(NatureEncoderOptions):
    """Options of `dqn`."""

    channels: tuple[int, ...] = integers(
        (16, 32), "planes of the convolutions (8x8/4, 4x4/2, 3x3/1), or of the first of them", unit="planes"
    )
    size: int = integer(256, "units of the linear layer behind the convolutions", unit="features")


class DQNEncoder(NatureEncoder):
    """The small network: convolutions 8x8 with stride 4 and 4x4 with stride 2, then a linear layer.

    Of 42x42 pixels with 4 planes 673,072 parameters; of small pictures as in `nature`.

    Source: Mnih et al., Playing Atari with deep reinforcement learning, arXiv 1312.5602.
    """

    Options = DQNEncoderOptions


@dataclass(frozen=True, kw_only=True)
class ImpalaEncoderOptions(PictureEncoderOptions):
    """Options of `impala`."""

    channels: tuple[int, ...] = integers((16, 32, 32), "planes of each section, first to last", unit="planes")
    size: int = integer(256, "units of the linear layer behind the sections", unit="features")


class ImpalaEncoder(PictureEncoder):
    """Residual network: in each section a 3x3 convolution, a 3x3/2 maximum and two residual blocks.

    A block adds two convolutions, each behind a ReLU, to what comes in. Of 84x84 pixels with 4 planes
    1,089,232 parameters.

    Source: Espeholt et al., IMPALA, arXiv 1802.01561, figure 3, without its LSTM.
    """

    Options = ImpalaEncoderOptions

    def __init__(self, reader: Reader, options: ImpalaEncoderOptions) -> None:
        super().__init__(reader, options)
        rows, columns, planes = check_board("impala", reader.shape, reader)
        sections: list[nn.Module] = []
        for channels in options.channels:
            if not sections:
                sections += [PictureConv(planes, channels, 3, 1, 1, self.factor)]
            else:
                sections += [nn.Conv2d(planes, channels, 3, padding=1)]
            sections += [nn.MaxPool2d(3, stride=2, padding=1), _Residual(channels), _Residual(channels)]
            planes, rows, columns = channels, (rows + 1) // 2, (columns + 1) // 2
        self.convolutions = nn.Sequential(*sections, nn.ReLU(inplace=True))
        self.finish((rows, columns), planes, options.size)


class _Residual(nn.Module):
    """Adds two convolutions, each behind a ReLU, to what comes in."""

    def __init__(self, planes: int) -> None:
        super().__init__()
        first, second = (nn.Conv2d(planes, planes, 3, padding=1) for _ in range(2))
        self.layers = nn.Sequential(nn.ReLU(), first, nn.ReLU(inplace=True), second)

    def forward(self, images: Tensor) -> Tensor:
        """(N, P, rows, columns) to the same."""
        added: Tensor = images + self.layers(images)
        return added


def suiting(sizes: Sequence[int]) -> str:
    """Returns the type of the encoder that suits pictures of so many rows, columns and planes."""
    side = min(sizes[:2])
    return "nature" if side >= 64 else "dqn" if side >= 20 else "mlp"
