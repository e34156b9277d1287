"""The loop over time of the plain RIMs cell, with its backward pass written out.

A step of RIMs is many small operations, and autograd would make a node of each. Here a whole fragment is one
node, with about half the calls, and the gradients of the weights are added up in place.

T time, B lanes, K RIMs, H units of a RIM, d width of keys, n heads of communication, e width of its keys, v
of its values. RIMs come before lanes.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from engram.memory.rims.attention import most


class Sizes(NamedTuple):
    """Numbers that cannot be read off the shapes of the arrays."""

    num_active: int
    heads: int  # of communication
    key_size: int  # of each of them
    input_scale: float  # of the logits of attention to the input
    comm_scale: float  # of the logits of attention between RIMs


class Weights(NamedTuple):
    """The weights inside the loop, or their gradients; without communication its two are empty."""

    recurrent: Tensor  # (K, H, 4H + d), gates and queries side by side
    bias: Tensor  # (K, 1, 4H)
    comm: Tensor  # (K, H, n (2e + v)), queries, keys and values between RIMs
    out: Tensor  # (K, n v, H)


class Step(NamedTuple):
    """What one step leaves for its backward pass; the last four only with communication."""

    hidden: Tensor  # (K, B, H), before the step
    cell: Tensor  # (K, B, H), before the step
    queries: Tensor  # (K, B, d)
    heed: Tensor  # (K, B, 1), attention to the input
    active: Tensor  # (K, B, 1) bool
    gates: Tensor  # (K, B, 4H): input, forget, output, candidate, each behind its nonlinearity
    squashed: Tensor  # (K, B, H), tanh of the new cell
    updated: Tensor  # (K, B, H), hidden units before communication
    projected: Tensor  # (B, n, K, 2e + v), what RIMs ask, show and say
    attention: Tensor  # (B, n, K, K)
    read: Tensor  # (K, B, n v)


class FusedRIMs(torch.autograd.Function):
    """Equations 1 to 8 for LSTM dynamics, one input element, one input head; `RIMs` has the other forms."""

    @staticmethod
    def forward(
        ctx: Any,
        keys: Tensor,
        values: Tensor,
        hidden: Tensor,
        cell: Tensor,
        resets: Tensor | None,
        sizes: Sizes,
        *weights: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Runs a fragment.

        Args:
            ctx: autograd's.
            keys: (T, B, d) of the inputs.
            values: (T, B, K, 4H) of the inputs, behind the dynamics' weights.
            hidden: (K, B, H) before the first step.
            cell: (K, B, H) before the first step.
            resets: (T, B) bool, to zero before the step; None: nowhere.
            sizes: see `Sizes`.
            weights: as in `Weights`.

        Returns:
            Hidden units of all steps (T, K, B, H) and the last cell (K, B, H).
        """
        own = Weights(*weights)
        outputs, steps = [], []
        for t, (key, value) in enumerate(zip(keys, values, strict=True)):
            if resets is not None:
                start = resets[t].unsqueeze(1)
                hidden, cell = hidden.masked_fill(start, 0), cell.masked_fill(start, 0)
            step, hidden, cell = _forward(key, value.transpose(0, 1), hidden, cell, own, sizes)
            steps.append(step)
            outputs.append(hidden)
        ctx.sizes = sizes
        ctx.save_for_backward(keys, values, resets, *weights, *(leaf for step in steps for leaf in step))
        return torch.stack(outputs), cell

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad_outputs: Tensor, grad_cell: Tensor) -> tuple[Any, ...]:
        """Gradients of keys, values, hidden, cell and weights."""
        keys, values, resets, *rest = ctx.saved_tensors
        weights, leaves = Weights(*rest[:4]), rest[4:]
        grads = Weights(*(torch.zeros_like(weight) for weight in weights))
        grad_keys, grad_values = torch.empty_like(keys), torch.empty_like(values)
        grad_hidden = torch.zeros_like(grad_cell)
        width = len(Step._fields)
        for t in reversed(range(len(keys))):
            step = Step(*leaves[t * width : (t + 1) * width])
            grad_hidden = grad_hidden + grad_outputs[t]
            if len(weights.comm):
                grad_hidden = _backward_communication(step, grad_hidden, weights, grads, ctx.sizes)
            grad_hidden, grad_gates, grad_cell = _backward_dynamics(step, grad_hidden, grad_cell)
            value, grad_value = values[t].transpose(0, 1), grad_values[t].transpose(0, 1)
            torch.mul(step.heed, grad_gates, out=grad_value)
            grad_logits = (grad_gates * value).sum(-1, keepdim=True) * step.heed * (1 - step.heed)
            grad_logits *= ctx.sizes.input_scale
            torch.sum(grad_logits * step.queries, 0, out=grad_keys[t])
            grad_products = torch.cat([grad_gates, grad_logits * keys[t]], -1)
            grads.recurrent.baddbmm_(step.hidden.mT, grad_products)
            grads.bias.add_(grad_gates.sum(1, keepdim=True))
            grad_hidden = torch.baddbmm(grad_hidden, grad_products, weights.recurrent.mT)
            if resets is not None:
                start = resets[t].unsqueeze(1)
                grad_hidden, grad_cell = grad_hidden.masked_fill(start, 0), grad_cell.masked_fill(start, 0)
        return grad_keys, grad_values, grad_hidden, grad_cell, None, None, *grads


def _forward(
    key: Tensor, value: Tensor, hidden: Tensor, cell: Tensor, weights: Weights, sizes: Sizes
) -> tuple[Step, Tensor, Tensor]:
    """One step: what it leaves for backward, hidden units and cell after it."""
    size = hidden.shape[-1]
    products = torch.bmm(hidden, weights.recurrent)
    queries = products[..., 4 * size :]
    logits = (queries * key).sum(-1) * sizes.input_scale
    heed = torch.sigmoid(logits).unsqueeze(-1)
    active = most(logits, sizes.num_active, None)  # of one element: least null attention is the largest logit
    gates = torch.addcmul(products[..., : 4 * size], heed, value).add_(weights.bias)
    gates[..., : 3 * size].sigmoid_()
    gates[..., 3 * size :].tanh_()
    into, forget, out, candidate = gates.chunk(4, -1)
    new_cell = torch.addcmul(forget * cell, into, candidate)
    squashed = torch.tanh(new_cell)
    updated = torch.where(active, out * squashed, hidden)
    told = (updated, updated, updated)
    after = updated
    if len(weights.comm):
        projected = (
            torch.bmm(updated, weights.comm).view(*updated.shape[:2], sizes.heads, -1).permute(1, 2, 0, 3)
        )
        ask, show, say = _split(projected, sizes)
        attention = torch.softmax(ask @ show.mT * sizes.comm_scale, -1)
        read = (attention @ say).permute(2, 0, 1, 3).flatten(2)
        told = (projected, attention, read)
        after = torch.where(active, torch.baddbmm(updated, read, weights.out), updated)
    step = Step(hidden, cell, queries, heed, active, gates, squashed, updated, *told)
    return step, after, torch.where(active, new_cell, cell)


def _split(projected: Tensor, sizes: Sizes) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values between RIMs, each (B, n, K, e or v)."""
    ask, show, say = projected.tensor_split([sizes.key_size, 2 * sizes.key_size], -1)
    return ask, show, say


def _backward_communication(
    step: Step, grad_hidden: Tensor, weights: Weights, grads: Weights, sizes: Sizes
) -> Tensor:
    """From the gradient of the hidden units after communication to that before it; adds to `grads`."""
    ask, show, say = _split(step.projected, sizes)
    grad_added = torch.where(step.active, grad_hidden, 0)
    grads.out.baddbmm_(step.read.mT, grad_added)
    grad_read = (
        torch.bmm(grad_added, weights.out.mT)
        .view(*step.updated.shape[:2], sizes.heads, -1)
        .permute(1, 2, 0, 3)
    )
    grad_attention = grad_read @ say.mT
    grad_attention -= (grad_attention * step.attention).sum(-1, keepdim=True)
    grad_logits = grad_attention.mul_(step.attention).mul_(sizes.comm_scale)
    parts = [grad_logits @ show, grad_logits.mT @ ask, step.attention.mT @ grad_read]
    grad_projected = torch.cat(parts, -1).permute(2, 0, 1, 3).flatten(2)
    grads.comm.baddbmm_(step.updated.mT, grad_projected)
    return torch.baddbmm(grad_hidden, grad_projected, weights.comm.mT)


def _backward_dynamics(step: Step, grad_hidden: Tensor, grad_cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients that pass inactive RIMs by, of the gates before their nonlinearities, of the cell before."""
    size = step.hidden.shape[-1]
    into, forget, out, candidate = step.gates.chunk(4, -1)
    grad_updated = torch.where(step.active, grad_hidden, 0)
    grad_new = torch.ops.aten.tanh_backward(grad_updated * out, step.squashed)
    grad_new += torch.where(step.active, grad_cell, 0)
    grad_gates = torch.cat(
        [grad_new * candidate, grad_new * step.cell, grad_updated * step.squashed, grad_new * into], -1
    )
    grad_gates[..., : 3 * size] *= step.gates[..., : 3 * size] * (1 - step.gates[..., : 3 * size])
    grad_gates[..., 3 * size :] *= 1 - candidate * candidate
    grad_cell = torch.where(step.active, grad_new * forget, grad_cell)
    return torch.where(step.active, 0, grad_hidden), grad_gates, grad_cell
