"""The resettable scan that all linear cores share: h_t = a_t * h_{t-1} + x_t over time.

T time, B lanes, N complex numbers. Before a step that resets, the state of that lane is zero: it is masked,
not multiplied by zero, so nothing, infinities included, gets past a reset in either direction.

Complex numbers are pairs of reals, see `scan_pairs`: PyTorch's complex kernels are about twice as slow as the
same arithmetic on reals, and pairs lie in memory as matrix products make and read them.

Source: Blelloch, Prefix sums and their applications, 1990 (linear recurrences as scans); resets as in Lu et
al., Structured state space models for in-context reinforcement learning, 2023.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNKED_MIN_STEPS = 128
"""Shorter fragments run step by step; see `_run`."""

CHUNKED_MAX_NUMBERS = 512
"""On a CPU, larger states (numbers per step, over all lanes) run step by step; see `_run`."""

SUMMED_STEPS = 16
"""Steps that the gradient of a constant decay takes at a time: few enough to stay in the cache."""

Masks = Sequence[Tensor | None]
"""Per step, which lanes start from zero; None: no lane."""


def scan(decay: Tensor, inputs: Tensor, before: Tensor, resets: Tensor | None = None) -> Tensor:
    """All states of h_t = a_t * h_{t-1} + x_t, elementwise; differentiable once in all but `resets`.

    Args:
        decay: a; (T, B, ...) like `inputs`, or (...), the same at every step and in every lane.
        inputs: x (T, B, ...), T >= 1; real or complex.
        before: the state before the first step (B, ...).
        resets: (T, B) bool; true where the state of that lane is zero before step t. None: nowhere.

    Returns:
        States h (T, B, ...).

    Raises:
        ValueError: `decay` has neither of its two shapes.
    """
    _check_decay(decay, inputs)
    if not inputs.is_complex():
        return _scan(decay, inputs, before, resets, False)
    flat = [number.flatten(lead) for number, lead in _leading(decay, inputs, before)]
    a, x, state = (torch.stack([part.real, part.imag], -2) for part in flat)
    states = _scan(a, x, state, resets, True)
    return torch.complex(*states.unbind(-2)).view(inputs.shape)


def scan_pairs(decay: Tensor, inputs: Tensor, before: Tensor, resets: Tensor | None = None) -> Tensor:
    """`scan` over complex numbers that are pairs of reals, real parts first.

    Args:
        decay: a; (T, B, 2, N) like `inputs`, or (2, N), the same at every step and in every lane.
        inputs: x (T, B, 2, N), T >= 1.
        before: the state before the first step (B, 2, N).
        resets: (T, B) bool, as in `scan`.

    Returns:
        States h (T, B, 2, N).

    Raises:
        ValueError: `decay` has neither of its two shapes.
    """
    _check_decay(decay, inputs)
    return _scan(decay, inputs, before, resets, True)


def _check_decay(decay: Tensor, inputs: Tensor) -> None:
    if decay.shape != (inputs.shape if decay.ndim == inputs.ndim else inputs.shape[2:]):
        legal = f"{tuple(inputs.shape)} or {tuple(inputs.shape[2:])}"
        raise ValueError(f"decay: expected shape {legal}, got {tuple(decay.shape)}")


def _leading(decay: Tensor, inputs: Tensor, before: Tensor) -> list[tuple[Tensor, int]]:
    """The arguments of `scan` with one trailing axis at least, each with the axis where its numbers start."""
    constant = decay.ndim < inputs.ndim
    pairs = [(decay, 0 if constant else 2), (inputs, 2), (before, 1)]
    return [(number.unsqueeze(-1) if number.ndim == lead else number, lead) for number, lead in pairs]


def _scan(decay: Tensor, inputs: Tensor, before: Tensor, resets: Tensor | None, pairs: bool) -> Tensor:
    if len(inputs) > 1:
        states: Tensor = _Scan.apply(decay, inputs, before, resets, pairs)  # type: ignore[no-untyped-call]
        return states
    # A single step is left to autograd: cheaper when acting, and exporters see plain operations only.
    state = before if resets is None else before.masked_fill(_mask(resets, inputs)[0], 0)
    return inputs + _multiply(decay, state.unsqueeze(0), pairs)


class _Scan(torch.autograd.Function):
    """The scan over at least two steps; its backward is a scan too, from the last step to the first.

    With g_t the gradient that reaches h_t from outside and G_t all of it: G_t = g_t + conj(a_{t+1}) G_{t+1},
    the second term only where step t + 1 does not reset. The gradients of x_t and a_t are G_t and
    G_t conj(h_{t-1}), that of the state before is conj(a_0) G_0, the latter two zero at a reset.
    """

    @staticmethod
    def forward(
        ctx: Any, decay: Tensor, inputs: Tensor, before: Tensor, resets: Tensor | None, pairs: bool
    ) -> Tensor:
        """Arguments and result as in `scan`."""
        states = torch.empty_like(inputs, memory_format=torch.contiguous_format)
        _run(decay, inputs, before, resets, states, pairs)
        ctx.save_for_backward(decay, before, resets, states)
        ctx.pairs = pairs
        return states

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor | None, None, None]:
        """Gradients of decay, inputs and the state before."""
        decay, before, resets, states = ctx.saved_tensors
        conjugate = _conjugate(decay) if ctx.pairs else decay
        constant = decay.ndim < states.ndim
        total = torch.empty_like(states)
        total[-1] = grad[-1]
        later_resets = None if resets is None else resets[1:]
        later_decay = conjugate if constant else conjugate[1:]
        _run(later_decay, grad[:-1], total[-1], later_resets, total[:-1], ctx.pairs, reverse=True)
        grad_decay = grad_before = None
        if ctx.needs_input_grad[0]:
            grad_decay = _decay_gradient(total, states, before, _starts(resets, states), constant, ctx.pairs)
        if ctx.needs_input_grad[2]:
            grad_before = _multiply(conjugate if constant else conjugate[0], total[0], ctx.pairs)
            if resets is not None:
                grad_before = grad_before.masked_fill_(_mask(resets, states)[0], 0)
        return grad_decay, total, grad_before, None, None


def _decay_gradient(
    total: Tensor, states: Tensor, before: Tensor, starts: Masks, constant: bool, pairs: bool
) -> Tensor:
    """G_t conj(h_{t-1}), zero at resets; summed over steps and lanes for a constant decay."""
    size = SUMMED_STEPS if constant else len(states)
    products = torch.empty_like(states[:size])
    sums = torch.zeros_like(before)
    for start in range(0, len(states), size):
        now = total[start : start + size]
        earlier = states[max(start - 1, 0) : start + len(now) - 1]
        out = products[: len(now)]
        if start == 0:
            _multiply_conjugate(now[0], before, out[0], pairs)
        _multiply_conjugate(now[-len(earlier) :], earlier, out[-len(earlier) :], pairs)
        for product, mask in zip(out.unbind(0), starts[start : start + size], strict=True):
            if mask is not None:
                product.masked_fill_(mask, 0)
        if constant:
            sums += out.sum(0)
    return sums.sum(0) if constant else products


def _run(
    decay: Tensor,
    inputs: Tensor,
    before: Tensor,
    resets: Tensor | None,
    states: Tensor,
    pairs: bool,
    reverse: bool = False,
) -> None:
    """Writes all states, from the last step to the first if `reverse`; here is decided which way.

    On a CPU a call costs a few microseconds and a number a fraction of a nanosecond: chunks, which make fewer
    calls over three times the numbers, win for small states only. On other devices calls are all that counts.
    """
    few_numbers = inputs[0].numel() <= CHUNKED_MAX_NUMBERS or inputs.device.type != "cpu"
    if len(inputs) < CHUNKED_MIN_STEPS or not few_numbers:
        _loop(decay, inputs, before, _starts(resets, inputs), states, pairs, reverse)
    elif reverse:
        backwards = torch.empty_like(states)
        decay = decay if decay.ndim < inputs.ndim else decay.flip(0)
        resets = None if resets is None else resets.flip(0)
        _run_chunks(decay, inputs.flip(0), before, resets, backwards, pairs)
        states.copy_(backwards.flip(0))
    else:
        _run_chunks(decay, inputs, before, resets, states, pairs)


def _loop(
    decay: Tensor,
    inputs: Tensor,
    before: Tensor,
    starts: Masks,
    states: Tensor,
    pairs: bool,
    reverse: bool = False,
) -> None:
    """One step after the other. Any number of axes may stand for lanes."""
    order = slice(None, None, -1 if reverse else 1)
    steps: Iterable[Any] = zip(inputs.unbind(0)[order], starts[order], states.unbind(0)[order], strict=True)
    constant = decay.ndim < inputs.ndim

    def each(tensor: Tensor) -> Iterable[Tensor]:
        return itertools.repeat(tensor) if constant else tensor.unbind(0)[order]

    state = before
    if not pairs:
        for a, (x, start, out) in zip(each(decay), steps, strict=False):
            if start is not None:
                state = state.masked_fill(start, 0)
            state = torch.addcmul(x, a, state, out=out)
        return
    # All slices are taken ahead of the loop: taking one costs as much as the arithmetic on it.
    real, imaginary = decay.unbind(-2)
    outs = (part.unbind(0)[order] for part in states.unbind(-2))
    state_real, state_imaginary = state.unbind(-2)
    for a, b, (x, start, out), out_real, out_imaginary in zip(
        each(torch.stack([real, real], -2)), each(imaginary), steps, *outs, strict=False
    ):
        if start is not None:
            state = state.masked_fill(start, 0)
            state_real, state_imaginary = state.unbind(-2)
        state = torch.addcmul(x, a, state, out=out)
        out_real.addcmul_(b, state_imaginary, value=-1)
        out_imaginary.addcmul_(b, state_real)
        state_real, state_imaginary = out_real, out_imaginary


def _run_chunks(
    decay: Tensor, inputs: Tensor, before: Tensor, resets: Tensor | None, states: Tensor, pairs: bool
) -> None:
    """About sqrt(T) chunks of sqrt(T) steps: all chunks from zero, then their ends, then both.

    C chunks of L steps; what is left over at the end runs step by step.
    """
    length = math.isqrt(len(inputs))
    chunks = len(inputs) // length
    head = chunks * length

    def split(tensor: Tensor) -> Tensor:
        return tensor[:head].view(chunks, length, *tensor.shape[1:]).transpose(0, 1)

    constant = decay.ndim < inputs.ndim
    lane_axes = (1,) * (inputs.ndim - decay.ndim)
    within = split(states)  # (L, C, B, ...)
    no_starts: Masks = [None] * length
    starts, cut = no_starts, None
    if resets is not None:
        split_resets = split(_mask(resets, inputs))
        starts, cut = split_resets.unbind(0), split_resets.cumsum(0) > 0
    decays = decay if constant else split(decay)
    _loop(decays, split(inputs), torch.zeros_like(within[0]), starts, within, pairs)

    ones = torch.ones_like(decays if constant else decays[0])
    if pairs:
        ones.unbind(-2)[1].zero_()
    shape = (length, *ones.shape)
    reach = decay.new_empty(shape)  # what a state before the chunk is multiplied by, up to each step
    _loop(decays, decay.new_zeros(()).expand(shape), ones, no_starts, reach, pairs)

    entries = torch.empty_like(within[0])  # the state before each chunk
    ends = _starts(None, entries) if cut is None else cut[-1].unbind(0)
    entries[0] = before
    last = reach[-1] if constant else reach[-1, :-1]
    if cut is not None and not constant:
        last = last.masked_fill(cut[-1, :-1], 0)  # a decay from before the reset may be anything
    _loop(last, within[-1, :-1], before, ends[:-1], entries[1:], pairs)

    reach = reach.view(length, *lane_axes, *decay.shape) if constant else reach
    carried = _multiply(reach, entries, pairs)
    within += carried if cut is None else carried.masked_fill_(cut, 0)
    if head < len(inputs):
        rest = None if resets is None else resets[head:]
        decay = decay if constant else decay[head:]
        _loop(decay, inputs[head:], states[head - 1], _starts(rest, inputs[head:]), states[head:], pairs)


def _mask(resets: Tensor, like: Tensor) -> Tensor:
    """(T, B) made to broadcast over `like` (T, B, ...)."""
    return resets[(..., *(None,) * (like.ndim - 2))]


def _starts(resets: Tensor | None, inputs: Tensor) -> Masks:
    """The masks of a loop; steps without resets are left out where looking them up costs no waiting."""
    if resets is None:
        return [None] * len(inputs)
    masks = _mask(resets, inputs).unbind(0)
    if resets.device.type != "cpu":
        return masks
    return [mask if some else None for mask, some in zip(masks, resets.any(1).tolist(), strict=True)]


def _conjugate(pair: Tensor) -> Tensor:
    real, imaginary = pair.unbind(-2)
    return torch.stack([real, -imaginary], -2)


def _multiply(left: Tensor, right: Tensor, pairs: bool) -> Tensor:
    if not pairs:
        return left * right
    (a, b), (c, d) = left.unbind(-2), right.unbind(-2)
    return torch.stack([a * c - b * d, a * d + b * c], -2)


def _multiply_conjugate(left: Tensor, right: Tensor, out: Tensor, pairs: bool) -> None:
    """Writes left * conj(right)."""
    if not pairs:
        torch.mul(left, right, out=out)
        return
    (a, b), (c, d), (real, imaginary) = left.unbind(-2), right.unbind(-2), out.unbind(-2)
    torch.mul(a, c, out=real).addcmul_(b, d)
    torch.mul(b, c, out=imaginary).addcmul_(a, d, value=-1)
