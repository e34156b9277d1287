"""The scan of the linear cores against a loop written out. T time, B lanes."""

import math

import pytest
import torch
from torch import Tensor

from engram.memory.linear import scan as scan_module
from engram.memory.linear.scan import scan, scan_pairs

B = 3
DTYPES = (torch.float32, torch.float64, torch.complex64, torch.complex128)
WAYS = {"loop": 0, "chunks": 2**40}


@pytest.fixture(params=WAYS.values(), ids=WAYS, autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs step by step and in chunks."""
    monkeypatch.setattr(scan_module, "CHUNKED_MAX_NUMBERS", request.param)
    monkeypatch.setattr(scan_module, "CHUNKED_MIN_STEPS", 2)


def brute(decay: Tensor, inputs: Tensor, before: Tensor, resets: Tensor) -> Tensor:
    lanes = []
    for lane in range(inputs.shape[1]):
        state, states = before[lane], []
        for t in range(len(inputs)):
            if resets[t, lane]:
                state = torch.zeros_like(state)
            a = decay[t, lane] if decay.ndim == inputs.ndim else decay
            state = a * state + inputs[t, lane]
            states.append(state)
        lanes.append(torch.stack(states))
    return torch.stack(lanes, 1)


def arguments(
    steps: int, shape: tuple[int, ...], dtype: torch.dtype, constant: bool
) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(steps)
    decay = torch.randn(shape if constant else (steps, B, *shape), dtype=dtype)
    decay = 0.9 * decay / decay.abs().clamp(min=1)
    inputs, before = torch.randn(steps, B, *shape, dtype=dtype), torch.randn(B, *shape, dtype=dtype)
    return decay.requires_grad_(), inputs.requires_grad_(), before.requires_grad_()


def some_resets(steps: int) -> Tensor:
    """At the first, the last and two adjacent steps of lane 0, everywhere in lane 1, nowhere in lane 2."""
    resets = torch.zeros(steps, B, dtype=torch.bool)
    resets[[0, steps // 2 - 1, steps // 2, steps - 1], 0] = True
    resets[:, 1] = True
    return resets


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 9, 11, 50])
@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
def test_against_the_loop(steps: int, shape: tuple[int, ...], dtype: torch.dtype, constant: bool) -> None:
    leaves = arguments(steps, shape, dtype, constant)
    fine = dtype in (torch.float64, torch.complex128)
    tolerance = {"rtol": 0, "atol": 1e-12 if fine else 1e-4}
    for resets in (some_resets(steps), torch.rand(steps, B) < 0.2, None):
        fast = scan(*leaves, resets)
        slow = brute(*leaves, torch.zeros(steps, B, dtype=torch.bool) if resets is None else resets)
        assert fast.dtype == dtype
        torch.testing.assert_close(fast, slow, **tolerance)
        mix = torch.randn_like(fast)
        for one, other in zip(
            torch.autograd.grad(fast, leaves, mix),
            torch.autograd.grad(slow, leaves, mix, materialize_grads=True),
            strict=True,
        ):
            torch.testing.assert_close(one, other, **tolerance)


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128], ids=str)
@pytest.mark.parametrize("steps", [1, 7])
def test_gradcheck(steps: int, dtype: torch.dtype, constant: bool) -> None:
    leaves = arguments(steps, (2,), dtype, constant)
    assert torch.autograd.gradcheck(lambda *a: scan(*a, some_resets(steps)), leaves)


@pytest.mark.parametrize("constant", [False, True])
def test_pairs_are_complex_numbers(constant: bool) -> None:
    decay, inputs, before = arguments(10, (4,), torch.complex128, constant)
    resets = some_resets(10)
    pairs = [torch.stack([part.real, part.imag], -2) for part in (decay, inputs, before)]
    real, imaginary = scan_pairs(*pairs, resets).unbind(-2)
    torch.testing.assert_close(torch.complex(real, imaginary), scan(decay, inputs, before, resets))


@pytest.mark.parametrize("steps", [1, 12])
@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("poison", [math.inf, math.nan, 1e300])
def test_nothing_passes_a_reset(poison: float, constant: bool, steps: int) -> None:
    """Neither states forwards nor gradients backwards, and not even a poison that times zero is no zero."""
    decay, inputs, before = arguments(steps, (2, 4), torch.float64, constant)
    resets = torch.zeros(steps, B, dtype=torch.bool)
    start = steps // 2
    resets[start, 1:] = True
    with torch.no_grad():
        poisoned, poisoned_before = inputs.clone(), torch.full_like(before, poison)
        poisoned[:start] = poison
    poisoned.requires_grad_()
    for function in (scan, scan_pairs):
        clean = function(decay, inputs, before, resets)[start:, 1:]
        states = function(decay, poisoned, poisoned_before, resets)[start:, 1:]
        assert torch.equal(states, clean)
        mix = torch.randn_like(states)
        one = torch.autograd.grad((states * mix).sum(), [poisoned, decay])
        other = torch.autograd.grad((clean * mix).sum(), [inputs, decay])
        assert torch.equal(one[0], other[0])
        assert not one[0][:start].any()


@pytest.mark.parametrize("poison", [math.inf, math.nan])
def test_no_decay_passes_a_reset(poison: float) -> None:
    """Not in the chunked way either, where reset and poisoned decay may lie in one chunk."""
    steps, start = 200, 60
    decay, inputs, before = arguments(steps, (4,), torch.float64, False)
    resets = torch.zeros(steps, B, dtype=torch.bool)
    resets[start, 1:] = True
    before_it, after_it = decay.detach().clone(), decay.detach().clone()
    before_it[start - 2] = after_it[start + 2] = poison
    clean = scan(decay, inputs, before, resets)
    states = scan(before_it, inputs, before, resets)
    torch.testing.assert_close(states[start:, 1:], clean[start:, 1:])
    states = scan(after_it, inputs, before, resets)
    gradient, expected = (torch.autograd.grad(h[:start, 1:].sum(), inputs)[0] for h in (states, clean))
    torch.testing.assert_close(gradient[:start, 1:], expected[:start, 1:])


def test_decay_of_another_shape() -> None:
    with pytest.raises(ValueError, match=r"^decay: expected shape \(5, 3, 4\) or \(4,\), got \(3, 4\)$"):
        scan(torch.ones(3, 4), torch.ones(5, 3, 4), torch.ones(3, 4))
