"""The two attentions of RIMs: every RIM to the input, and active RIMs to all RIMs.

T time, B lanes, N input elements, F features of an element, K RIMs, H units of a RIM, G units of all its
gates, n heads, d width of keys and queries per head, v width of values per head. In tensors of RIMs the RIMs
come first, because each has weights of its own.

Source: Goyal et al., Recurrent Independent Mechanisms, arXiv 1909.10893, sections 2.1, 2.2 and 2.4.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from engram.memory.rims.options import RIMsOptions


class InputProjections(NamedTuple):
    """Keys and values of the inputs of one step; of a whole fragment with T in front."""

    keys: Tensor  # (B, N, n, d), or (B, 0) without input attention
    values: Tensor  # (B, N, n, v), or (B, K, G) where the dynamics' weights have been applied already


class Attention(NamedTuple):
    """Attention of the RIMs to the input in one step."""

    weights: Tensor  # (K, B, n, 1 + N): the null input, then the elements
    active: Tensor  # (K, B, 1) bool


class InputAttention(nn.Module):
    """Equations 1 to 4: what each RIM reads of the input, and which RIMs are active.

    A RIM reads the mean of the values of the elements and of a null input, weighted by attention. The
    dynamics' weights are linear: with one element and one head, what they make of the mean is the mean of
    what they make of the values. They are then applied to a whole fragment ahead of the loop over time, in
    one product with the map to the values, in whichever order is cheaper.
    """

    def __init__(self, element_size: int, gate_size: int, options: RIMsOptions) -> None:
        super().__init__()
        self.options = options
        self.heads = options.input_heads
        self.ahead = options.elements == 1 and self.heads == 1 and not self._drops_read
        rims, values, keys = options.num_rims, options.value_size, options.input_key_size
        self.scale = 1 / math.sqrt(keys // self.heads)
        self.value = make_weight(element_size, values, init=options.attention_init)
        self.value_bias = nn.Parameter(torch.zeros(values)) if options.input_bias else None
        self.weight_ih = make_weight(rims, values, gate_size)
        self.bias = nn.Parameter(torch.zeros(rims, 1, gate_size)) if options.bias else None
        self.key = self.key_bias = self.query = None
        if options.input_attention:
            self.key = make_weight(element_size, keys, init=options.attention_init)
            self.key_bias = nn.Parameter(torch.zeros(keys)) if options.input_bias else None
            self.query = make_weight(rims, options.rim_size, keys, init=options.attention_init)

    def look(self, inputs: Tensor) -> InputProjections:
        """Computes the projections of the inputs (T, B, N * F), ahead of the loop over time."""
        fragment, elements = inputs.shape[:2], inputs.reshape(-1, len(self.value))
        shape = *fragment, self.options.elements, self.heads, -1
        keys = inputs.new_zeros(*fragment, 0) if self.key is None else (elements @ self.key).view(shape)
        if not self.ahead:
            return InputProjections(keys, (elements @ self.value).view(shape))
        to_gates = self.weight_ih.transpose(0, 1).flatten(1)
        (features, values), gates = self.value.shape, to_gates.shape[1]
        if len(inputs) > 1 and features * gates < values * (features + gates):
            gated = elements @ (self.value @ to_gates)
        else:
            gated = elements @ self.value @ to_gates
        return InputProjections(keys, gated.view(*fragment, self.options.num_rims, -1))

    def attend(self, queries: Tensor, seen: InputProjections, kept: Tensor | None) -> Attention:
        """Equation 2, and who is active.

        Args:
            queries: (K, B, n * d); (K, B, 0) without input attention.
            seen: one step.
            kept: (K,) bool, RIMs that may be active; None: all.
        """
        if self.key is None:
            return self._attend_all(queries, kept)
        queries = queries.reshape(*queries.shape[:2], self.heads, 1, -1)
        logits = (queries * seen.keys.transpose(1, 2)).sum(-1) * self.scale  # (K, B, n, N)
        null = torch.zeros_like(logits[..., :1])
        if self.key_bias is not None:
            null = (queries * self.key_bias.view(self.heads, 1, -1)).sum(-1) * self.scale
            logits = logits + null
        if self.options.compete == "rims":
            return self._compete(logits, kept)
        weights = torch.softmax(torch.cat([null, logits], -1), -1)
        if self.options.selection == "logit":
            score = logits.detach().amax(-1).mean(-1)
        else:
            # Least attention to the null input, as odds: attention is rounded to 1 long before they are.
            heeded = weights.detach().mean(2)
            score = heeded[..., 1:].sum(-1).log() - heeded[..., 0].log()
        return Attention(weights, most(score, self.options.num_active, kept))

    def _attend_all(self, queries: Tensor, kept: Tensor | None) -> Attention:
        """Without attention: every RIM is active and reads the mean of the values."""
        rims, lanes = queries.shape[:2]
        weights = queries.new_full(
            (rims, lanes, self.heads, 1 + self.options.elements), 1 / self.options.elements
        )
        weights[..., 0] = 0
        return Attention(weights, most(queries.new_zeros(rims, lanes), rims, kept))

    def _compete(self, logits: Tensor, kept: Tensor | None) -> Attention:
        """The RIMs share out one element among them; the largest shares are kept and scaled to sum to one."""
        if kept is not None:
            logits = logits.masked_fill(~kept.view(-1, 1, 1, 1), -math.inf)
        shares = torch.softmax(logits, 0)
        active = most(shares.detach().mean((2, 3)), self.options.num_active, kept)
        if self.options.margin:
            shares = _margins(shares, active.unsqueeze(-1))
        else:
            shares = torch.softmax(logits.masked_fill(~active.unsqueeze(-1), -math.inf), 0)
        return Attention(torch.cat([torch.zeros_like(shares), shares], -1), active)

    @property
    def _drops_read(self) -> bool:
        return self.options.input_dropout > 0 and self.options.input_dropout_on == "output"

    def drive(self, attention: Attention, seen: InputProjections) -> Tensor:
        """Equation 3 behind the dynamics' weights: what the gates get from the input, (K, B, G)."""
        weights = attention.weights
        if self.options.mask_read:
            weights = weights * attention.active.unsqueeze(-1)
        if not self._drops_read:
            weights = functional.dropout(weights, self.options.input_dropout, self.training)
        if self.ahead:
            drive = weights[..., 0, 1:] * seen.values.transpose(0, 1)
        else:
            read = torch.einsum("kbnm,bmnv->kbnv", weights[..., 1:], seen.values)
            if self._drops_read:
                read = functional.dropout(read, self.options.input_dropout, self.training)
            drive = torch.bmm(read.flatten(2), self.weight_ih)
        if self.value_bias is not None:
            read = weights.sum(-1, keepdim=True) * self.value_bias.view(self.heads, -1)
            drive = drive + torch.bmm(read.flatten(2), self.weight_ih)
        return drive if self.bias is None else drive + self.bias


class Communication(nn.Module):
    """Equations 5 to 8: active RIMs read from all RIMs and add what they read to their hidden units."""

    def __init__(self, options: RIMsOptions) -> None:
        super().__init__()
        self.options = options
        size, heads = options.rim_size, options.comm_heads
        self.key_size, self.value_size = options.comm_key_size, options.comm_value_size or size
        self.scale = 1 / math.sqrt(self.key_size)
        width = heads * (2 * self.key_size + self.value_size)
        self.weight = make_weight(options.num_rims, size, width, init=options.attention_init)
        self.out: nn.Parameter | None = None
        if options.gated:
            self.shared_out, self.shared_gate = (nn.Linear(heads * self.value_size, size) for _ in range(2))
        else:
            self.out = make_weight(options.num_rims, heads * self.value_size, size)

    def forward(
        self, hidden: Tensor, candidate: Tensor, active: Tensor, kept: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Computes what the active RIMs read.

        Args:
            hidden: (K, B, H), updated where active.
            candidate: (K, B, H), what every RIM would have become.
            active: (K, B, 1) bool.
            kept: (K,) bool, RIMs that may be read; None: all.

        Returns:
            What active RIMs add to their hidden units (K, B, H), and attention weights (B, n, K, K).
        """
        heard = candidate if self.options.read_candidate else hidden
        if self.options.block_inactive:
            heard = torch.where(active, heard, heard.detach())
        sizes = [self.key_size, self.key_size, self.value_size]
        projected = torch.bmm(heard, self.weight).view(*heard.shape[:2], self.options.comm_heads, -1)
        queries, keys, values = torch.split(projected.permute(1, 2, 0, 3), sizes, -1)  # (B, n, K, d or v)
        logits = queries @ keys.transpose(2, 3) * self.scale
        if kept is not None:
            logits = logits.masked_fill(~kept, -math.inf)
        weights = torch.softmax(logits, -1)
        on_weights = self.options.comm_dropout_on == "weights"
        read = (self._drop(weights, on_weights) @ values).permute(2, 0, 1, 3).flatten(2)
        if self.out is not None:
            return torch.bmm(self._drop(read, not on_weights), self.out), weights
        heard = self._drop(self.shared_out(read), not on_weights)
        return torch.sigmoid(self.shared_gate(read)) * torch.tanh(heard), weights

    def _drop(self, values: Tensor, here: bool) -> Tensor:
        return functional.dropout(values, self.options.comm_dropout, self.training and here)


def make_weight(*shape: int, init: str = "uniform") -> nn.Parameter:
    """A weight (..., fan in, fan out), uniform within 1/sqrt(fan in), or normal with deviation 0.01."""
    weight = torch.empty(shape)
    bound = 1 / math.sqrt(shape[-2])
    return nn.Parameter(weight.normal_(0, 0.01) if init == "normal" else weight.uniform_(-bound, bound))


def _margins(shares: Tensor, kept: Tensor) -> Tensor:
    """By how much shares that are kept exceed the largest one that is not, scaled to sum to one.

    Args:
        shares: (K, B, n, 1).
        kept: (K, B, 1, 1) bool.

    Returns:
        (K, B, n, 1); zeros where all that are kept are equal to it.
    """
    largest = shares.masked_fill(kept, 0).amax(0)
    margins = torch.where(kept, torch.relu(shares - largest), 0)
    total = margins.sum(0)
    return margins / torch.where(total > 0, total, 1)


def most(score: Tensor, count: int, kept: Tensor | None) -> Tensor:
    """The RIMs of largest score, of equal ones the first.

    Args:
        score: (K, B).
        count: how many.
        kept: (K,) bool, RIMs that may be chosen; None: all.

    Returns:
        (K, B, 1) bool.
    """
    if kept is None and count == len(score):
        return torch.ones_like(score, dtype=torch.bool).unsqueeze(-1)
    if kept is not None:
        score = score.masked_fill(~kept.unsqueeze(-1), -math.inf)
    index = torch.arange(len(score), device=score.device)
    earlier = (index.unsqueeze(1) < index).unsqueeze(-1)  # (K, K, 1): row before column
    ahead = (score.unsqueeze(1) > score) | (earlier & (score.unsqueeze(1) == score))
    chosen = ahead.sum(0) < count
    if kept is not None:
        chosen = chosen & kept.unsqueeze(-1)
    return chosen.unsqueeze(-1)
