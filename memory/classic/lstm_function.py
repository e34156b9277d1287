"""An LSTM over a whole fragment with resets inside, its backward pass written out. For the CPU.

T time, B lanes, F features, H units. The gates are in PyTorch's order: input, forget, cell, output.

All four gates are one sigmoid: tanh(x) = 2 sigmoid(2 x) - 1, and PyTorch's tanh takes six times as long on a
CPU. The products with the weights that need no earlier step, forward and backward, are one matmul each.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
tanh_backward = torch.ops.aten.tanh_backward

BLOCK = 16  # steps whose gradients are held at a time: few enough to stay in the cache


def lstm_with_resets(
    inputs: Tensor,
    hidden: Tensor,
    cell: Tensor,
    resets: Tensor | None,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor,
) -> tuple[Tensor, Tensor]:
    """Runs a layer of LSTM cells; differentiable once.

    Args:
        inputs: (T, B, F).
        hidden: outputs before the first step, (B, H).
        cell: cells before the first step, (B, H).
        resets: (T, B) bool; true where hidden and cell are zero before that step. None: nowhere.
        weight_ih: from the inputs, (4 H, F).
        weight_hh: from the hidden units, (4 H, H).
        bias: (4 H).

    Returns:
        Outputs (T, B, H) and the cells after the last step, (B, H).
    """
    if resets is None:
        resets = torch.zeros(inputs.shape[:2], dtype=torch.bool, device=inputs.device)
    outputs, cell = _LSTM.apply(inputs, hidden, cell, resets, weight_ih, weight_hh, bias)
    return outputs, cell


class _LSTM(torch.autograd.Function):
    """See `lstm_with_resets`."""

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        hidden: Tensor,
        cell: Tensor,
        resets: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias: Tensor,
    ) -> tuple[Tensor, Tensor]:
        first_hidden, first_cell = hidden, cell
        double = _per_gate(bias, 1.0, 1.0, 2.0, 1.0)
        gates = functional.linear(inputs, weight_ih * double.unsqueeze(1), bias * double)
        recurrent = (weight_hh * double.unsqueeze(1)).t()
        outputs = inputs.new_empty(*inputs.shape[:2], hidden.shape[1])
        cells, squashed = torch.empty_like(outputs), torch.empty_like(outputs)  # squashed: tanh(cells)
        starting = resets.any(1).tolist()
        for t, (gate_in, forget, candidate, gate_out) in enumerate(_steps(gates)):
            if starting[t]:
                hidden, cell = (leaf.masked_fill(resets[t].unsqueeze(1), 0.0) for leaf in (hidden, cell))
            gates[t].addmm_(hidden, recurrent).sigmoid_()
            cell = torch.mul(forget, cell, out=cells[t])
            cell.addcmul_(gate_in, candidate, value=2.0).sub_(gate_in)
            squash = torch.mul(cell, 2.0, out=squashed[t]).sigmoid_().mul_(2.0).sub_(1.0)
            hidden = torch.mul(gate_out, squash, out=outputs[t])
        ctx.save_for_backward(
            inputs, first_hidden, first_cell, resets, weight_ih, weight_hh, gates, cells, squashed, outputs
        )
        ctx.starting = starting
        return outputs, cell.clone()

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, d_outputs: Tensor, d_last_cell: Tensor) -> tuple[Tensor | None, ...]:
        """Back through time, a block of steps at a time; `d_x` is the gradient with respect to x."""
        saved = ctx.saved_tensors
        inputs, first_hidden, first_cell, resets, weight_ih, weight_hh, gates, cells, squashed, outputs = (
            saved
        )
        # What d_gates lacks: with g = 2 s - 1 it is made from s - 1/2 = g / 2 and s (1 - s) = (1 - g^2) / 4.
        factor = _per_gate(weight_hh, 2.0, 1.0, 4.0, 1.0).unsqueeze(1)
        from_inputs, recurrent = weight_ih * factor, weight_hh * factor
        d_inputs = torch.empty_like(inputs) if ctx.needs_input_grad[0] else None
        d_weight_ih, d_weight_hh = torch.zeros_like(weight_ih), torch.zeros_like(weight_hh)
        d_bias = weight_hh.new_zeros(len(weight_hh))
        d_hidden, d_cell = torch.zeros_like(first_hidden), d_last_cell.clone()
        for start in reversed(range(0, len(inputs), BLOCK)):
            block = slice(start, start + BLOCK)
            d_gates = torch.empty_like(gates[block])
            hiddens = torch.cat(
                [outputs[start - 1 : start] if start else first_hidden.unsqueeze(0), outputs[block][:-1]]
            )
            for t, values, gradients in reversed(
                list(zip(range(start, start + BLOCK), _steps(gates[block]), _steps(d_gates)))
            ):
                gate_in, forget, candidate, gate_out = values
                d_in, d_forget, d_candidate, d_out = gradients
                before = cells[t - 1] if t else first_cell
                if ctx.starting[t]:
                    before = before.masked_fill(resets[t].unsqueeze(1), 0.0)
                    hiddens[t - start].masked_fill_(resets[t].unsqueeze(1), 0.0)
                d_hidden.add_(d_outputs[t])
                d_cell.add_(tanh_backward(d_hidden * gate_out, squashed[t]))
                torch.mul(d_cell, candidate - 0.5, out=d_in)
                torch.mul(d_cell, before, out=d_forget)
                torch.mul(d_cell, gate_in, out=d_candidate)
                torch.mul(d_hidden, squashed[t], out=d_out)
                d_step = d_gates[t - start]
                sigmoid_backward(d_step, gates[t], grad_input=d_step)
                d_cell.mul_(forget)
                torch.mm(d_step, recurrent, out=d_hidden)
                if ctx.starting[t]:
                    for gradient in (d_hidden, d_cell):
                        gradient.masked_fill_(resets[t].unsqueeze(1), 0.0)
            rows = d_gates.flatten(0, 1)
            if d_inputs is not None:
                torch.mm(rows, from_inputs, out=d_inputs[block].flatten(0, 1))
            d_weight_ih.addmm_(rows.t(), inputs[block].flatten(0, 1))
            d_weight_hh.addmm_(rows.t(), hiddens.flatten(0, 1))
            d_bias.add_(rows.sum(0))
        return (
            d_inputs,
            d_hidden,
            d_cell,
            None,
            d_weight_ih.mul_(factor),
            d_weight_hh.mul_(factor),
            d_bias.mul_(factor.squeeze(1)),
        )


def _steps(gates: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """(T, B, 4 H) as T times four views (B, H)."""
    return zip(*(gate.unbind(0) for gate in gates.chunk(4, 2)), strict=True)


def _per_gate(like: Tensor, *factors: float) -> Tensor:
    """One factor for each gate, repeated for its units: (4 H)."""
    return like.new_tensor(factors).repeat_interleave(len(like) // len(factors))
