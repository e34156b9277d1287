"""Attention whose softmax is replaced by a product of features, and which is therefore recurrent.

T time, B lanes, F features, N heads, K key size and V value size per head, C chunks of L steps.

Source: Katharopoulos et al., Transformers are RNNs, 2020, eqs. 7 and 16-20; decay per head as in Sun et al.,
Retentive network, 2023, eqs. 6 and 7 (chunks).
"""

import dataclasses
import itertools
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from engram.memory.core import Core, CoreOptions, Info, State
from engram.memory.linear.scan import scan
from engram.memory.options import integer, numbers


@dataclasses.dataclass(frozen=True, kw_only=True)
class LinearAttentionOptions(CoreOptions):
    """Options of `linear_attention`."""

    size: int = integer(128, "width of the output: heads times value size", unit="units", high=4096)
    heads: int = integer(2, "heads; they divide the size", high=256)
    key_size: int = integer(16, "features of a key", unit="units per head", high=1024)
    decay: tuple[float, ...] = numbers(
        (1.0,),
        "what a step leaves of the memory, for all or for each head; 1: the paper",
        above=0.0,
        high=1.0,
    )

    def __post_init__(self) -> None:
        """Checks what concerns two options.

        Raises:
            ValueError: the heads do not divide the size, or the number of decays is neither 1 nor the heads'.
        """
        super().__post_init__()
        if self.size % self.heads:
            raise ValueError(f"size: expected a multiple of heads ({self.heads}), got {self.size}")
        if len(self.decay) not in (1, self.heads):
            raise ValueError(f"decay: expected 1 or heads ({self.heads}) entries, got {len(self.decay)}")


class LinearAttention(Core):
    """Keys and values summed into a matrix per head, read by queries.

    With phi(x) = elu(x) + 1, k = W_K x, q = W_Q x, v = W_V x (with biases) and decay g, per head:

        S_t = g S_{t-1} + phi(k_t) v_t^T,  z_t = g z_{t-1} + phi(k_t)
        y_t = phi(q_t)^T S_t / (phi(q_t)^T z_t + epsilon)

    The heads side by side are the output; without the output map, the normalisation, the MLP and the skips
    that a transformer puts around it. Epsilon is not in the paper: it keeps keys that all vanish from giving
    0 / 0. State `memory` (B, N, K, V) and `normaliser` (B, N, K), zero at first.

    Past a reset nothing leaks as long as inputs are finite: inside a chunk, values before a reset are
    multiplied by scores of exactly zero.
    """

    Options: ClassVar[type[CoreOptions]] = LinearAttentionOptions
    carries_gradient: ClassVar[bool] = True
    log_decay: Tensor
    EPSILON: ClassVar[float] = 1e-6
    CHUNK_STEPS: ClassVar[int] = 16
    """Measured on one core: with more, scores cost more; with fewer, states between the chunks do."""

    def __init__(self, input_size: int, options: LinearAttentionOptions) -> None:
        super().__init__(input_size, options)
        self.output_size = options.size
        self.heads, self.key_size = options.heads, options.key_size
        self.value_size = options.size // options.heads
        self.query = nn.Linear(input_size, self.heads * self.key_size)
        self.key = nn.Linear(input_size, self.heads * self.key_size)
        self.value = nn.Linear(input_size, options.size)
        decay = options.decay if len(options.decay) == self.heads else options.decay * self.heads
        self.decays = min(decay) < 1
        self.register_buffer("log_decay", torch.tensor(decay).log())

    def initial_state(self, lanes: int) -> State:
        """Zeros."""
        memory = self.value.weight.new_zeros(lanes, self.heads, self.key_size, self.value_size)
        return {"memory": memory, "normaliser": memory[..., 0].clone()}

    def unroll(
        self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool
    ) -> tuple[Tensor, State, Info]:
        """Chunk after chunk; info: `normaliser` phi(q)^T z (T, B, N). See `Core.unroll`."""
        memory = torch.cat([state["memory"], state["normaliser"].unsqueeze(-1)], -1)
        outputs, below, after = self._chunks(inputs, memory, resets, self.CHUNK_STEPS)
        if resets is not None and len(inputs) > 1 and not outputs.detach().sum().isfinite():
            # Inside a chunk, values before a reset are multiplied by zero, which inf and nan survive.
            outputs, below, after = self._chunks(inputs, memory, resets, 1)
        state = {"memory": after[..., :-1], "normaliser": after[..., -1]}
        return outputs, state, {"normaliser": below} if return_info else {}

    def _chunks(
        self, inputs: Tensor, memory: Tensor, resets: Tensor | None, length: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs (T, B, N * V), phi(q)^T z (T, B, N) and the memory after the last step."""
        weight, bias = self._maps()
        outputs, normalisers = [], []
        starts = itertools.repeat(None) if resets is None else resets.split(length)
        for chunk, start in zip(inputs.split(length), starts, strict=False):
            columns = functional.linear(chunk, weight, bias)
            columns = columns.view(*chunk.shape[:2], self.heads, -1).permute(1, 2, 0, 3)  # (B, N, L, ...)
            looks, value = columns.split([2 * self.key_size, self.value_size + 1], -1)
            query, key = (functional.elu(looks) + 1).chunk(2, -1)
            read, memory = self._chunk(query, key, value, memory, start)
            above, below = read.permute(2, 0, 1, 3).split([self.value_size, 1], -1)
            outputs.append(above * (below + self.EPSILON).reciprocal())
            normalisers.append(below)
        return torch.cat(outputs).flatten(2), torch.cat(normalisers).squeeze(-1), memory

    def _maps(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of one map to what each head takes: query, key, value and a 1.

        A value that is always 1 makes the normaliser one more column of the memory, from the same products.
        """
        maps = (self.query, self.key, self.value)
        weight = torch.cat([part.weight.view(self.heads, -1, self.input_size) for part in maps], 1)
        bias = torch.cat([part.bias.view(self.heads, -1) for part in maps], 1)
        weight, bias = functional.pad(weight, (0, 0, 0, 1)), functional.pad(bias, (0, 1), value=1.0)
        return weight.flatten(0, 1), bias.flatten()

    def _chunk(
        self, query: Tensor, key: Tensor, value: Tensor, before: Tensor, resets: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Reads phi(q)^T S (B, N, L, V + 1) of one chunk, and the memory after it."""
        length = query.shape[2]
        steps = torch.arange(length, device=query.device)
        sees = steps[:, None] >= steps  # every step itself and those before it ...
        old = query  # the queries that see the memory from before the chunk ...
        kept = key  # and the keys that the memory after the chunk holds,
        left = before  # beside what is left of the one before:
        if resets is not None:
            episode = resets.cumsum(0).T[:, None]  # (B, 1, L)
            last = episode[..., -1:]
            sees = sees & (episode[..., None] == episode[..., None, :])  # ... in the same episode
            old = torch.where((episode == 0)[..., None], old, 0)
            kept = torch.where((episode == last)[..., None], kept, 0)
            left = torch.where((last == 0)[..., None], left, 0)
        scores = torch.where(sees, query @ key.mT, 0)
        if self.decays:
            passed = (steps[:, None] - steps).clamp(min=0)
            scores = scores * self._left(passed)
            old = old * self._left(steps[:, None] + 1)
            kept = kept * self._left(length - 1 - steps[:, None])
            left = left * self._left(steps[-1:, None] + 1)
        read = scores @ value + old @ before
        return read, left + kept.mT @ value

    def _left(self, steps: Tensor) -> Tensor:
        """What is left of a memory after so many steps, per head (N, ...)."""
        return (self.log_decay[(..., *(None,) * steps.ndim)] * steps).exp()

