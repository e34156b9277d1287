"""Attention whose softmax is replaced by a product of features, and which is therefore recurrent.

T time, B lanes, F features, N heads, K key size and V value size per head, C chunks of L steps.

Source: Katharopoulos et al., Transformers are RNNs, 2020, eqs. 7 and 16-20; decay per head as in Sun et al.,
Retentive network, 2023, eqs. 6 and 7 (chunks).
"""

import dataclasses
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from engram.memory.core import Core, CoreOptions, Info, State
from engram.memory.options import integer, numbers

Advance = Callable[[Tensor, Tensor, Tensor, State, Tensor], tuple[Tensor, Tensor, State]]
"""`LinearAttention._chunk`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LinearAttentionOptions(CoreOptions):
    """Options of `linear_attention`."""

    size: int = integer(128, "width of the output: heads times value size", unit="units", high=4096)
    heads: int = integer(4, "heads; they divide the size", unit="heads", high=256)
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

    Inside a chunk of steps, what lies before a reset is multiplied by zero. Where that would let something
    through because it is not finite, all is done again step by step, with masks.
    """

    Options = LinearAttentionOptions
    log_decay: Tensor
    EPSILON: ClassVar[float] = 1e-6
    CHUNK_STEPS: ClassVar[int] = 32
    """Measured on one thread: 16 are as fast; longer chunks spend more on scores, shorter ones on calls."""

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

    @override
    def initial_state(self, lanes: int) -> State:
        memory = self.value.weight.new_zeros(lanes, self.heads, self.key_size, self.value_size)
        return {"memory": memory, "normaliser": memory[..., 0].clone()}

    def unroll(
        self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool
    ) -> tuple[Tensor, State, Info]:
        """Chunk after chunk; info: `normaliser` phi(q)^T z (T, B, N)."""
        if resets is None:
            resets = torch.zeros(inputs.shape[:2], dtype=torch.bool, device=inputs.device)
        in_chunks = len(inputs) > 1
        if in_chunks:
            outputs, below, after = self._run(self._chunk, self.CHUNK_STEPS, inputs, state, resets)
            ends = (outputs, *after.values())
            in_chunks = bool(torch.stack([end.detach().sum() for end in ends]).isfinite().all())
        if not in_chunks:
            outputs, below, after = self._run(self._step, 1, inputs, state, resets)
        return outputs, after, {"normaliser": below} if return_info else {}

    def _run(
        self, advance: Advance, length: int, inputs: Tensor, state: State, resets: Tensor
    ) -> tuple[Tensor, Tensor, State]:
        """Outputs (T, B, N * V), phi(q)^T z (T, B, N) and the state after the last step."""
        maps = (self.query, self.key, self.value)
        weight = torch.cat([part.weight.view(self.heads, -1, self.input_size) for part in maps], 1)
        bias = torch.cat([part.bias.view(self.heads, -1) for part in maps], 1)
        widths = [2 * self.key_size, self.value_size]
        state = {name: leaf.flatten(0, 1) for name, leaf in state.items()}
        outputs, normalisers = [], []
        stretches = zip(torch.split(inputs, length), torch.split(resets, length), strict=True)
        for chunk, starts in stretches:
            columns = functional.linear(chunk, weight.flatten(0, 1), bias.flatten())
            columns = torch.unflatten(columns, -1, (self.heads, -1)).flatten(1, 2)
            looks, value = (part.transpose(0, 1) for part in torch.split(columns, widths, -1))
            query, key = (functional.elu(looks) + 1).chunk(2, -1)
            above, below, state = advance(query, key, value, state, starts)
            outputs.append((above * (below + self.EPSILON).reciprocal().unsqueeze(-1)).transpose(0, 1))
            normalisers.append(below.T)
        state = {name: torch.unflatten(leaf, 0, (-1, self.heads)) for name, leaf in state.items()}
        below = torch.unflatten(torch.cat(normalisers), 1, (-1, self.heads))
        return torch.unflatten(torch.cat(outputs), 1, (-1, self.heads)).flatten(2), below, state

    def _step(
        self, query: Tensor, key: Tensor, value: Tensor, state: State, resets: Tensor
    ) -> tuple[Tensor, Tensor, State]:
        """`_chunk` of a single step, with a mask in place of the products."""
        starts = resets.T.repeat_interleave(self.heads, 0)
        decay = self.log_decay.exp().repeat(resets.shape[1]).unsqueeze(1)
        memory = (state["memory"] * decay.unsqueeze(2)).masked_fill(starts.unsqueeze(2), 0) + key.mT * value
        normaliser = (state["normaliser"] * decay).masked_fill(starts, 0) + key.squeeze(1)
        below = (query.squeeze(1) * normaliser).sum(-1, keepdim=True)
        return query @ memory, below, {"memory": memory, "normaliser": normaliser}

    def _chunk(
        self, query: Tensor, key: Tensor, value: Tensor, state: State, resets: Tensor
    ) -> tuple[Tensor, Tensor, State]:
        """One chunk of L steps.

        Args:
            query: phi(q) (B * N, L, K).
            key: phi(k), likewise.
            value: v (B * N, L, V).
            state: before the chunk; leaves (B * N, ...).
            resets: (L, B).

        Returns:
            phi(q)^T S (B * N, L, V), phi(q)^T z (B * N, L), and the state after the chunk.
        """
        # What each step sees of the earlier ones in its episode, the state before the chunk being step 0.
        episode = functional.pad(resets.cumsum(0), (0, 0, 1, 0)).T[:, None, :, None]
        steps = torch.arange(len(resets) + 1, device=query.device)
        passed = steps[:, None] - steps
        left = (self.log_decay[:, None, None] * passed.clamp(min=0)).exp() * (passed >= 0)
        seen = (left * (episode == episode.mT)).flatten(0, 1)
        scores = (query @ key.mT) * seen[:, 1:, 1:]
        old = query * seen[:, 1:, :1]
        kept = key * seen[:, -1:, 1:].mT
        stays = seen[:, -1:, :1]
        memory, normaliser = state["memory"], state["normaliser"]
        above = torch.baddbmm(scores @ value, old, memory)
        below = scores.sum(-1) + (old * normaliser.unsqueeze(1)).sum(-1)
        memory = torch.baddbmm(memory * stays, kept.mT, value)
        normaliser = normaliser * stays.squeeze(1) + kept.sum(1)
        return above, below, {"memory": memory, "normaliser": normaliser}
