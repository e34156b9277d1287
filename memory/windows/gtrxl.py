"""Gated Transformer-XL: attention over a sliding window of the past.

T time, B lanes, F features, D size, L layers, W steps of memory.

Source: Parisotto et al., Stabilizing transformers for reinforcement learning, 2019 (GTrXL: section 3.2 and
appendix); relative positions as in Dai et al., Transformer-XL: attentive language models beyond a
fixed-length context, 2019 (section 3.3).
"""

import dataclasses
import math

import torch
from torch import Tensor, nn

from engram.memory.core import Core, CoreOptions, Info, State
from engram.memory.options import integer
from engram.memory.windows.frame_stack import episodes, with_past


@dataclasses.dataclass(frozen=True, kw_only=True)
class GTrXLOptions(CoreOptions):
    """Options of `gtrxl`."""

    size: int = integer(
        64, "width of the layers and of the output; a multiple of heads", unit="units", high=4096
    )
    layers: int = integer(2, "layers of attention", unit="layers", high=64)
    heads: int = integer(4, "attention heads of each layer", unit="heads", high=4096)
    memory: int = integer(64, "past steps that each layer attends to", unit="env steps", high=65536)
    feedforward: int = integer(256, "hidden units of the layers' perceptrons", unit="units", high=65536)

    def __post_init__(self) -> None:
        """Checks the fields, then `heads` against `size`; errors as in `Options`."""
        super().__post_init__()
        if self.size % self.heads:
            raise ValueError(f"heads: expected a divisor of size {self.size}, got {self.heads}")


class GTrXL(Core):
    """Transformer layers with gates, each attending to the present and the last W steps of the episode.

    Every layer of every step sees exactly its own window, inside a fragment as across fragments, so that T
    steps at once equal T single steps. Transformer-XL blocks the gradient into the memory; here it flows as
    far as the state that is handed in, and the caller or `bptt_steps` blocks it, as for any other core.

    State `memory` (B, L, W, D): the inputs of each layer at the last W steps, oldest first; `valid` (B): how
    many of these belong to the episode, a float. The others are zero.

    Past a reset nothing leaks, not even NaN or infinities of the state that is handed in. Those of inputs
    before a reset of the same fragment do reach the steps after it: they are hidden behind attention weights
    of exactly zero, and zero times NaN is NaN.
    """

    Options = GTrXLOptions

    def __init__(self, input_size: int, options: GTrXLOptions) -> None:
        super().__init__(input_size, options)
        self.memory = options.memory
        self.output_size = options.size
        self.embed = nn.Linear(input_size, options.size)
        self.layers = nn.ModuleList(
            GTrXLLayer(options.size, options.heads, options.feedforward) for _ in range(options.layers)
        )

    def initial_state(self, lanes: int) -> State:
        """Zeros, none of them valid."""
        like = self.embed.weight
        memory = like.new_zeros(lanes, len(self.layers), self.memory, self.output_size)
        return {"memory": memory, "valid": like.new_zeros(lanes)}

    def unroll(
        self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool
    ) -> tuple[Tensor, State, Info]:
        """All steps at once, layer by layer."""
        steps = len(inputs)
        if resets is not None:
            state = self.reset_state(state, resets[0])
        episode = with_past(episodes(inputs, resets), self.memory).t()
        age = torch.arange(self.memory, 0, -1, device=inputs.device)
        kept = torch.cat(
            [
                age <= state["valid"].ceil().unsqueeze(1),
                episode.new_ones(episode.shape[0], steps, dtype=torch.bool),
            ],
            1,
        )
        distance = self._distances(steps, inputs.device)
        near = (distance >= 0) & (distance <= self.memory)
        visible = near & kept.unsqueeze(1) & (episode.unsqueeze(1) == episode[:, self.memory :].unsqueeze(2))
        mine = kept & (episode == episode[:, -1:])

        features = self.embed(inputs).transpose(0, 1)
        positions = sinusoids(self.memory + 1, features)
        memories = []
        for layer, memory in zip(self.layers, state["memory"].unbind(1), strict=True):
            window = torch.cat([memory, features], 1)
            memories.append(window[:, steps:].masked_fill(~mine[:, steps:].unsqueeze(2), 0.0))
            features = layer(window, features, positions, distance, visible)
        valid = mine[:, steps:].to(state["valid"].dtype).sum(1)
        outputs = features.transpose(0, 1)
        return outputs, {"memory": torch.stack(memories, 1), "valid": valid}, {}

    def _distances(self, steps: int, device: torch.device) -> Tensor:
        """How many steps every remembered or present step lies before every present one: (T, W + T)."""
        present = torch.arange(self.memory, self.memory + steps, device=device)
        return present.unsqueeze(1) - torch.arange(self.memory + steps, device=device)


class GTrXLLayer(nn.Module):
    """Attention and a perceptron, each behind a layer norm and merged by a gate."""

    def __init__(self, size: int, heads: int, feedforward: int) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(size)
        self.attention = RelativeAttention(size, heads)
        self.gate_attention = GRUGate(size)
        self.norm_feedforward = nn.LayerNorm(size)
        self.feedforward = nn.Sequential(
            nn.Linear(size, feedforward), nn.ReLU(), nn.Linear(feedforward, size)
        )
        self.gate_feedforward = GRUGate(size)

    def forward(
        self, window: Tensor, features: Tensor, positions: Tensor, distance: Tensor, visible: Tensor
    ) -> Tensor:
        """Memory and present (B, W + T, D), the present alone (B, T, D) -> (B, T, D)."""
        attended = self.attention(self.norm_attention(window), positions, distance, visible)
        features = self.gate_attention(features, attended.relu())
        merged: Tensor = self.gate_feedforward(
            features, self.feedforward(self.norm_feedforward(features)).relu()
        )
        return merged


class RelativeAttention(nn.Module):
    """Attention whose scores depend on contents and distances (Dai et al., section 3.3).

    The score of key j for query i is ((q_i + u) k_j + (q_i + v) r_(i - j)) / sqrt(D / heads), where r is a
    linear function of the sinusoids of the distance.
    """

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.position = (
            nn.Linear(size, size, bias=False) for _ in range(4)
        )
        self.content_bias = nn.Parameter(torch.zeros(heads, size // heads))
        self.position_bias = nn.Parameter(torch.zeros(heads, size // heads))
        self.output = nn.Linear(size, size, bias=False)

    def forward(self, window: Tensor, positions: Tensor, distance: Tensor, visible: Tensor) -> Tensor:
        """What every present step reads.

        Args:
            window: memory and present, (B, W + T, D).
            positions: sinusoids of the distances 0 to W, (W + 1, D).
            distance: of every key from every query, (T, W + T); those outside 0 to W are never visible.
            visible: whether a query may see a key, (B, T, W + T).

        Returns:
            (B, T, D).
        """
        query = self._heads(self.query(window[:, -len(distance) :]))
        key, value = self._heads(self.key(window)), self._heads(self.value(window))
        position = self._heads(self.position(positions))
        by_content = (query + self.content_bias.unsqueeze(1)) @ key.transpose(-1, -2)
        by_distance = (query + self.position_bias.unsqueeze(1)) @ position.transpose(-1, -2)
        index = distance.clamp(0, len(positions) - 1).expand(*by_content.shape)
        scores = (by_content + by_distance.gather(-1, index)) / math.sqrt(query.shape[-1])
        weights = scores.masked_fill(~visible.unsqueeze(1), -math.inf).softmax(-1)
        read: Tensor = self.output((weights @ value).transpose(-2, -3).flatten(-2))
        return read

    def _heads(self, features: Tensor) -> Tensor:
        """(..., T, D) to (..., heads, T, D / heads)."""
        return features.view(*features.shape[:-1], self.heads, -1).transpose(-2, -3)


class GRUGate(nn.Module):
    """Merges a submodule's output into its input as a GRU would (Parisotto et al., section 3.2).

    r = sigmoid(W_r y + U_r x), z = sigmoid(W_z y + U_z x - b), h = tanh(W_h y + U_h (r x)); (1 - z) x + z h.
    The bias b starts at 2, so that at first a layer passes its input on.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.from_output = nn.Linear(size, 3 * size, bias=False)
        self.from_input = nn.Linear(size, 2 * size, bias=False)
        self.from_reset = nn.Linear(size, size, bias=False)
        self.bias = nn.Parameter(torch.full((size,), 2.0))

    def forward(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """What goes into a submodule and what comes out of it, (..., D) each -> (..., D)."""
        reset, update, candidate = self.from_output(outputs).chunk(3, -1)
        reset_input, update_input = self.from_input(inputs).chunk(2, -1)
        reset = torch.sigmoid(reset + reset_input)
        update = torch.sigmoid(update + update_input - self.bias)
        candidate = torch.tanh(candidate + self.from_reset(reset * inputs))
        return torch.lerp(inputs, candidate, update)


def sinusoids(count: int, like: Tensor) -> Tensor:
    """Sines, then cosines, of 0 .. count - 1 at wavelengths from 2 pi to 20000 pi, as wide as `like`."""
    size = like.shape[-1]
    exponents = torch.arange(0, size, 2, device=like.device, dtype=like.dtype) / size
    angles = torch.arange(count, device=like.device, dtype=like.dtype).unsqueeze(1) / 10000.0**exponents
    return torch.cat([angles.sin(), angles.cos()], 1)[:, :size]
