"""Encoders of numbers: of a board or picture, and of any observation as one row.

N stands for any number of observations at once, S for the sizes of a board.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import override

from engram.agents.models import spaces
from engram.agents.models.encoder import Encoder, EncoderOptions, by_chunks, run_layers
from engram.agents.models.observations import FlatReader, make_reader
from engram.agents.models.reader import Reader
from engram.agents.models.spaces import AnySpace
from engram.agents.models.symbols import CodeReader, OneHotReader, symbols_of
from engram.memory.options import Options, choice, integer, integers
from engram.memory.windows.mlp import relu_layers

CHUNK = 512
"""Boards that a convolution is at, at a time."""

CELLS = ("raw", "one_hot", "embed")


@dataclass(frozen=True, kw_only=True)
class BoardOptions(EncoderOptions):
    """Options of encoders that read boards of symbols, too."""

    cells: str = choice(
        "raw",
        "what whole numbers are. raw: numbers, as `scale` says; one_hot: symbols, a column for each value "
        "within the bounds of a cell; embed: symbols, a learned vector for each value, summed up in a cell",
        CELLS,
    )
    embedding: int = integer(16, "size of the vectors of cells: embed", unit="features")


class BoardEncoder(Encoder):
    """Base of encoders with the option `cells`.

    Attributes:
        shape: Of what the layers take, cells embedded.
    """

    def __init__(self, reader: Reader, options: BoardOptions) -> None:
        super().__init__(reader, options)
        self.shape, self.vectors = reader.shape, None
        if isinstance(reader, CodeReader):
            self.shape = (*reader.shape[:-1], options.embedding)
            self.vectors = nn.Embedding(reader.symbols, options.embedding)

    def embedded(self, prepared: Tensor) -> Tensor:
        """What was prepared, (N, *S, symbols), with each cell as the sum of its vectors, (N, *shape)."""
        if self.vectors is None:
            return prepared
        summed: Tensor = self.vectors(prepared).sum(-2)
        return summed

    def _planes_first(self, prepared: Tensor) -> Tensor:
        return self.embedded(prepared).permute(0, 3, 1, 2)


def check_board(name: str, shape: tuple[int, ...], reader: Reader) -> tuple[int, int, int]:
    """Returns rows, columns and planes of a board or picture.

    Args:
        name: The encoder's, as options have it.
        shape: Of what its layers take.
        reader: What read it.

    Raises:
        ValueError: It is none.
    """
    if len(shape) != 3:
        nest = isinstance(reader, FlatReader)
        found = "several parts; use 'dict'" if nest else f"{shape}; use 'mlp'"
        raise ValueError(f"type: {name!r} needs observations of shape (rows, columns, planes), got {found}")
    rows, columns, planes = shape
    return rows, columns, planes


@dataclass(frozen=True, kw_only=True)
class ConvEncoderOptions(BoardOptions):
    """Options of `conv`."""

    channels: tuple[int, ...] = integers(
        (16,), "output planes of each 3x3 convolution, first to last", unit="planes"
    )
    size: int = integer(128, "units of the linear layer behind the convolutions", unit="features")


class ConvEncoder(BoardEncoder):
    """3x3 convolutions with ReLU, then one linear layer with ReLU, for boards and small images.

    Observations are (N, rows, columns, planes), planes last as Gymnasium has them.
    """

    Options = ConvEncoderOptions

    def __init__(self, reader: Reader, options: ConvEncoderOptions) -> None:
        super().__init__(reader, options)
        rows, columns, planes = check_board("conv", self.shape, reader)
        layers: list[nn.Module] = []
        for channels in options.channels:
            layers += [nn.Conv2d(planes, channels, kernel_size=3, padding=1), nn.ReLU(inplace=True)]
            planes = channels
        self.convolutions = nn.Sequential(*layers[:-1])
        self.linear = nn.Linear(rows * columns * planes, options.size)
        self.output_size, self.modulated = options.size, options.channels

    def forward(self, prepared: Tensor, modulations: Sequence[Tensor] = ()) -> Tensor:
        """Prepared (N, rows, columns, planes) to (N, size)."""
        if modulations:
            return self._encoded(prepared, modulations)
        return by_chunks(self._encoded, prepared, CHUNK)

    def _encoded(self, prepared: Tensor, modulations: Sequence[Tensor] = ()) -> Tensor:
        images = run_layers(self.convolutions, self._planes_first(prepared), modulations)
        # Planes lie last, so that to flatten is to copy; the ReLU keeps the copy for its gradient.
        return torch.relu(self.linear(torch.relu_(images.flatten(1))))


@dataclass(frozen=True, kw_only=True)
class GridConvEncoderOptions(BoardOptions):
    """Options of `grid_conv`."""

    channels: tuple[int, ...] = integers(
        (16, 32, 64), "output planes of each 2x2 convolution, first to last", unit="planes"
    )


class GridConvEncoder(BoardEncoder):
    """2x2 convolutions with ReLU, a 2x2 maximum behind the first: for grids of 7x7 cells and more.

    Observations are (N, rows, columns, planes); of 7x7 cells, the last convolution sees them all, and there
    are as many features as it has planes.

    Source: the network of rl-starter-files (Willems) for MiniGrid, 10,544 parameters for cells of 3 numbers.
    """

    Options = GridConvEncoderOptions

    def __init__(self, reader: Reader, options: GridConvEncoderOptions) -> None:
        super().__init__(reader, options)
        rows, columns, planes = check_board("grid_conv", self.shape, reader)
        layers: list[nn.Module] = []
        for channels in options.channels:
            layers += [nn.Conv2d(planes, channels, kernel_size=2), nn.ReLU(inplace=True)]
            layers += [] if len(layers) > 2 else [nn.MaxPool2d(2)]
            planes = channels
        rest = [(side - 1) // 2 - (len(options.channels) - 1) for side in (rows, columns)]
        if min(rest) < 1:
            least = 2 * len(options.channels) + 1
            raise ValueError(
                f"channels: {len(options.channels)} of them need boards of {least}x{least} cells or more, "
                f"got {rows}x{columns}; use 'conv' or 'mlp'"
            )
        self.convolutions = nn.Sequential(*layers)
        self.output_size, self.modulated = math.prod(rest) * planes, options.channels

    def forward(self, prepared: Tensor, modulations: Sequence[Tensor] = ()) -> Tensor:
        """Prepared (N, rows, columns, planes) to (N, output_size)."""
        return run_layers(self.convolutions, self._planes_first(prepared), modulations).flatten(1)


@dataclass(frozen=True, kw_only=True)
class MLPEncoderOptions(BoardOptions):
    """Options of `mlp`."""

    hidden: tuple[int, ...] = integers(
        (128,), "units of each layer; the last is the number of features", unit="units"
    )


class MLPEncoder(BoardEncoder):
    """Linear layers with ReLU over the flattened observation.

    Of a `Dict` or `Tuple`, all parts are numbers in one row: symbols and tokens one-hot, boxes as `scale`
    says.
    """

    Options = MLPEncoderOptions

    def __init__(self, reader: Reader, options: MLPEncoderOptions) -> None:
        super().__init__(reader, options)
        self.layers = relu_layers(math.prod(self.shape), options.hidden)
        self.output_size, self.modulated = options.hidden[-1], options.hidden

    def forward(self, prepared: Tensor, modulations: Sequence[Tensor] = ()) -> Tensor:
        """Prepared (N, *shape) to (N, hidden[-1])."""
        return run_layers(self.layers, self.embedded(prepared).flatten(1), modulations)


@dataclass(frozen=True, kw_only=True)
class OneHotEncoderOptions(Options):
    """Options of `one_hot`: there are none."""


class OneHotEncoder(Encoder):
    """Symbols one-hot, in one row, and no layer: `Discrete`, `MultiDiscrete` and boxes of whole numbers.

    Bits and floats stay as they are.
    """

    Options = OneHotEncoderOptions

    def __init__(self, reader: Reader, options: OneHotEncoderOptions) -> None:
        super().__init__(reader, options)
        self.output_size = math.prod(reader.shape)

    @classmethod
    @override
    def read(cls, space: AnySpace, options: Any, path: str) -> Reader:
        if isinstance(space, spaces.Box) and not np.issubdtype(space.dtype, np.floating):
            return OneHotReader(symbols_of(space, path))
        return make_reader(space, "auto", path)

    def forward(self, prepared: Tensor) -> Tensor:
        """Prepared (N, *shape) to (N, output_size)."""
        return prepared.flatten(1)
