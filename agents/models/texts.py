"""Encoders of texts: rows of tokens, 0 behind the end of a text.

N stands for any number of observations at once, L for the tokens of the longest text, F features.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from engram.agents.models.encoder import Encoder
from engram.agents.models.reader import Reader
from engram.agents.models.spaces import PADDING, AnySpace
from engram.agents.models.symbols import TokenReader
from engram.memory.options import Options, integer

FACTOR = 0x9E3779B97F4A7C1
"""An odd number whose powers spread over all of 64 bits."""


@dataclass(frozen=True, kw_only=True)
class TextOptions(Options):
    """Options common to encoders of texts."""

    embedding: int = integer(32, "size of the vector of a token", unit="features")


class TextEncoder(Encoder):
    """Base of encoders of texts: each text among N is encoded once, however often it occurs.

    Attributes:
        vectors: That of each token.
    """

    def __init__(self, reader: TokenReader, options: TextOptions) -> None:
        super().__init__(reader, options)
        self.vectors = nn.Embedding(reader.tokens, options.embedding)

    @classmethod
    @override
    def read(cls, space: AnySpace, options: Any, path: str) -> Reader:
        return TokenReader(space, path)

    def forward(self, prepared: Tensor) -> Tensor:
        """Tokens (N, L) to (N, output_size)."""
        if torch.compiler.is_exporting():  # what is exported has no sizes that depend on what it reads
            return self.encode(prepared)
        texts, which = distinct(prepared)
        return self.encode(texts)[which]

    @abstractmethod
    def encode(self, texts: Tensor) -> Tensor:
        """Encodes tokens (N, L) of texts that differ, (N, output_size); an empty text becomes zeros."""


def distinct(texts: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the rows that differ, and which of them each row is: `torch.unique` of rows, in any order.

    Rows are told apart by a number made of their tokens, a tenth of the cost of comparing them one by one;
    where two that differ share theirs, they are compared after all.

    Args:
        texts: Tokens (N, L).
    """
    factors = torch.full((texts.shape[1],), FACTOR, device=texts.device).cumprod(0)  # wraps around
    numbers, which = torch.unique((texts * factors).sum(1), return_inverse=True)
    place = torch.zeros(len(numbers), dtype=torch.int64, device=texts.device)
    place[which] = torch.arange(len(texts), device=texts.device)
    rows = texts[place]
    if torch.equal(rows[which], texts):
        return rows, which
    compared: tuple[Tensor, Tensor] = torch.unique(texts, dim=0, return_inverse=True)
    return compared


@dataclass(frozen=True, kw_only=True)
class GRUEncoderOptions(TextOptions):
    """Options of `gru`."""

    size: int = integer(128, "units of the GRU", unit="features")


class GRUEncoder(TextEncoder):
    """A GRU over the tokens of a text; its state behind the last one."""

    Options = GRUEncoderOptions

    def __init__(self, reader: TokenReader, options: GRUEncoderOptions) -> None:
        super().__init__(reader, options)
        self.gru = nn.GRU(options.embedding, options.size, batch_first=True)
        self.output_size = options.size

    @override
    def encode(self, texts: Tensor) -> Tensor:
        places = torch.arange(1, texts.shape[1] + 1, device=texts.device)
        lengths = (places * (texts != PADDING)).amax(1)
        if not torch.compiler.is_exporting():
            texts = texts[:, : max(1, int(lengths.max()))]
        states, _ = self.gru(self.vectors(texts))
        last: Tensor = states[torch.arange(texts.shape[0]), lengths.clamp(min=1) - 1]
        return last * (lengths > 0).unsqueeze(1)


@dataclass(frozen=True, kw_only=True)
class BagEncoderOptions(TextOptions):
    """Options of `bag`."""


class BagEncoder(TextEncoder):
    """The mean of the vectors of a text's tokens, whatever their order."""

    Options = BagEncoderOptions

    def __init__(self, reader: TokenReader, options: BagEncoderOptions) -> None:
        super().__init__(reader, options)
        self.output_size = options.embedding

    @override
    def encode(self, texts: Tensor) -> Tensor:
        there = (texts != PADDING).unsqueeze(2)
        summed: Tensor = (self.vectors(texts) * there).sum(1)
        return summed / there.sum(1).clamp(min=1)
