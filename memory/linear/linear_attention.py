"""Attention whose softmax is replaced by a product of features, and which is therefore recurrent.

T time, B lanes, F features, N heads, K key size and V value size per head, C chunks of L steps.

Source: Katharopoulos et al., Transformers are RNNs, 2020, eqs. 7 and 16-20; decay per head as in Sun et al.,
Retentive network, 2023, eqs. 6 and 7 (chunks).
"""

import dataclasses
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
    heads: int = integer(4, "heads; they divide the size", high=256)
    key_size: int = integer(16, "features of a key", unit="units per head", high=1024)
    decay: tuple[float, ...] = numbers(
        (1.0,), "what a step leaves of the memory, for all heads or for each; 1: the paper", above=0.0, high=1.0
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
    """Per head, with phi(x) = elu(x) + 1, k = W_K x, q = W_Q x, v = W_V x and decay g:

        S_t = g S_{t-1} + phi(k_t) v_t^T,  z_t = g z_{t-1} + phi(k_t)
        y_t = phi(q_t)^T S_t / (phi(q_t)^T z_t + epsilon)

    The heads side by side are the output; without the output map, the normalisation, the MLP and the skips that
    a transformer puts around it. Epsilon is not in the paper: it keeps apart from 0 / 0 keys that all vanish.
    State `memory` (B, N, K, V) and `normaliser` (B, N, K), zero at first.

    Past a reset nothing leaks as long as inputs are finite: inside a chunk, values before a reset are
    multiplied by scores of exactly zero.
    """  # fmt: skip

    Options: ClassVar[type[CoreOptions]] = LinearAttentionOptions
    carries_gradient: ClassVar[bool] = True
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
        self.register_buffer("log_decay", torch.tensor(decay).log())

    def initial_state(self, lanes: int) -> State:
        """Zeros."""
        memory = self.value.weight.new_zeros(lanes, self.heads, self.key_size, self.value_size)
        return {"memory": memory, "normaliser": memory[..., 0].clone()}

    def unroll(
        self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool
    ) -> tuple[Tensor, State, Info]:
        """Chunks of `CHUNK_STEPS` at once, then the rest; info: `normaliser` phi(q)^T z (T, B, N).

        See `Core.unroll`.
        """
        steps = len(inputs)
        # The column of ones makes the normaliser one more value: it comes out of the same products.
        columns = (
            self._heads(_features(self.query(inputs))),
            self._heads(_features(self.key(inputs))),
            functional.pad(self._heads(self.value(inputs)), (0, 1), value=1.0),
        )
        carried = torch.cat([state["memory"], state["normaliser"].unsqueeze(-1)], -1)
        whole = steps - steps % self.CHUNK_STEPS
        pieces = []
        for stretch, length in ((slice(0, whole), self.CHUNK_STEPS), (slice(whole, steps), steps - whole)):
            if stretch.start < stretch.stop:
                part = (column[:, :, stretch] for column in columns)
                read, carried = self._chunks(*part, carried, None if resets is None else resets[stretch], length)
                pieces.append(read)
        read = pieces[0] if len(pieces) == 1 else torch.cat(pieces, 2)
        outputs = read[..., :-1] / (read[..., -1:] + self.EPSILON)
        info = {"normaliser": read[..., -1].permute(2, 0, 1)} if return_info else {}
        after = {"memory": carried[..., :-1], "normaliser": carried[..., -1]}
        return outputs.permute(2, 0, 1, 3).flatten(2).contiguous(), after, info

    def _heads(self, column: Tensor) -> Tensor:
        """(T, B, N * K) as (B, N, T, K)."""
        return column.unflatten(2, (self.heads, -1)).permute(1, 2, 0, 3)

    def _chunks(
        self, query: Tensor, key: Tensor, value: Tensor, before: Tensor, resets: Tensor | None, length: int
    ) -> tuple[Tensor, Tensor]:
        """phi(q)^T S for so many whole chunks, columns (B, N, T, ...), and S after the last."""
        query, key, value = (column.unflatten(2, (-1, length)) for column in (query, key, value))
        steps = torch.arange(length, device=query.device)
        log_decay = self.log_decay[:, None, None]
        sees = steps[:, None] >= steps  # (L, L), or (B, 1, C, L, L): own step and earlier ones of the episode
        alive = fresh = None
        if resets is not None:
            episode = resets.T.unflatten(1, (-1, length)).cumsum(-1)[:, None]  # (B, 1, C, L)
            sees = sees & (episode[..., None] == episode[..., None, :])
            alive, fresh = (episode == 0)[..., None], (episode[..., -1:] == episode)[..., None]
        distance = (steps[:, None] - steps).clamp(min=0)
        within = torch.where(sees, query @ key.mT, 0) * (log_decay * distance).exp()[:, None]
        read = within @ value

        fade = (log_decay * (length - 1 - steps)[:, None]).exp()[:, None]
        kept = key * fade if fresh is None else torch.where(fresh, key * fade, 0)
        written = (kept.mT @ value).permute(2, 0, 1, 3, 4)  # (C, B, N, K, V + 1)
        cut = None if alive is None else ~alive[:, 0, :, -1, 0].T
        reach = (log_decay * length).exp().expand(written.shape[2:])
        states = scan(reach, written, before, cut)
        entries = torch.cat([before.unsqueeze(0), states[:-1]]).permute(1, 2, 0, 3, 4)
        grown = (log_decay * (steps + 1)[:, None]).exp()[:, None]
        carried = (query * grown) @ entries
        read = read + (carried if alive is None else torch.where(alive, carried, 0))
        return read.flatten(2, 3), states[-1]


def _features(x: Tensor) -> Tensor:
    """phi(x) = elu(x) + 1, without the cancellation that would make small values zero."""
    return torch.where(x > 0, x + 1, x.clamp(max=0).exp())
