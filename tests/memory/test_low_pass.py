"""LP-RNN against its slow twin, and where its gradients go. T time, B lanes, F features, k pools, D width."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engram.memory import make_core
from engram.memory.pools.low_pass import LowPass
from engram.memory.pools.normalize import RunningScale

from .twins_pools import pool_contents

T, B, F, POOLS, SIZE = 25, 3, 6, 4, 5
GAINS = (0.5, 0.25, 0.125, 0.0625)


def build(**options: Any) -> LowPass:
    torch.manual_seed(0)
    core = make_core(F, {"type": "low_pass", "pools": POOLS, "size": SIZE, **options})
    assert isinstance(core, LowPass)
    nn.init.normal_(core.link)
    return core.double()


def fragment(steps: int = T) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs (T, B, F), contents (B, k, D), resets (T, B), several in one lane and none in another."""
    torch.manual_seed(1)
    resets = torch.rand(steps, B) < 0.15
    resets[:, 0] = False
    inputs = torch.randn(steps, B, F, dtype=torch.float64, requires_grad=True)
    return inputs, torch.randn(B, POOLS, SIZE, dtype=torch.float64), resets


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("size", [3, SIZE, 9])
@pytest.mark.parametrize("steps", [1, T, 140])
def test_contents_against_the_loop(parallel: bool, size: int, steps: int) -> None:
    core = build(parallel=parallel, size=size)
    inputs, _, resets = fragment(steps)
    before = torch.randn(B, POOLS, size, dtype=torch.float64)
    _, after, info = core(inputs, {"pools": before}, resets, return_info=True)
    expected = pool_contents(core.link, inputs, before, GAINS, parallel, resets)
    torch.testing.assert_close(info["pools"], expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(after["pools"], expected[-1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("steps", [1, T])
def test_only_the_first_pool_carries_gradients(parallel: bool, steps: int) -> None:
    """With the first viewport shut, neither link nor inputs nor carried contents feel anything."""
    core = build(parallel=parallel)
    with torch.no_grad():
        core.viewport_weight[:, 0] = 0
    inputs, before, resets = fragment(steps)
    before.requires_grad_()
    outputs, after = core(inputs, {"pools": before}, resets)
    loss = outputs.square().sum() + after["pools"][:, 1:].sum()
    gradients = torch.autograd.grad(
        loss, [core.link, inputs, before, core.viewport_weight], materialize_grads=True
    )
    assert not any(gradient.any() for gradient in gradients[:3])
    assert gradients[3][:, 1:].any()
    first = torch.autograd.grad(core(inputs, {"pools": before})[1]["pools"][:, 0].sum(), core.link)[0]
    assert first.any()


def test_frozen_input() -> None:
    core = build(train_input=False, normalize="running", read_p0=True)
    inputs, before, resets = fragment()
    outputs, after = core(inputs, {"pools": before}, resets)
    outputs.sum().backward()
    assert inputs.grad is None
    assert core.link.grad is None
    assert not core.link.requires_grad
    assert not after["pools"].requires_grad
    assert core.viewport_weight.grad is not None


@pytest.mark.parametrize(("size", "inputs"), [(3, 6), (6, 6), (9, 6)])
def test_link_starts_as_padded_identity(size: int, inputs: int) -> None:
    core = make_core(inputs, {"type": "low_pass", "pools": 2, "size": size, "base": 4.0})
    assert isinstance(core, LowPass)
    assert torch.equal(core.link, 0.25 * torch.eye(size, inputs))


def test_coefficients_replace_the_powers() -> None:
    core = build(coefficients=list(GAINS))
    same = build()
    inputs, before, resets = fragment()
    torch.testing.assert_close(
        core(inputs, {"pools": before}, resets)[0], same(inputs, {"pools": before}, resets)[0]
    )


def without_prior(scale: RunningScale) -> RunningScale:
    scale.count.zero_()
    return scale


def test_running_statistics_begin_as_if_a_prior_had_been_seen() -> None:
    scale = RunningScale(1, 2)
    scale.observe(torch.tensor([3.0, 5.0]).expand(1, 1, RunningScale.PRIOR, 2), RunningScale.PRIOR)
    scale.commit()
    torch.testing.assert_close(scale.mean[0], torch.tensor([1.5, 2.5]))
    torch.testing.assert_close(scale.var[0], torch.tensor([0.5 + 1.5**2, 0.5 + 2.5**2]))


def test_slow_pools_are_not_blown_up_while_they_fill() -> None:
    """Fragments from an empty memory on: no value leaves the range of a standardised one."""
    core = make_core(F, {"type": "low_pass", "pools": 9, "size": SIZE, "normalize": "running"})
    assert isinstance(core, LowPass)
    assert core.scale is not None
    torch.manual_seed(0)
    state = core.initial_state(64)
    for _ in range(40):
        before = core.scale.gain(), core.scale.mean.clone()
        _, state = core(torch.rand(20, 64, F), {"pools": state["pools"].detach()})
        gain, mean = before
        assert ((state["pools"] - mean) * gain).abs().max() < 10


def test_running_statistics_are_the_plain_average_at_first() -> None:
    scale = without_prior(RunningScale(POOLS, SIZE).double())
    torch.manual_seed(3)
    batches = [3 + (1 + i) * torch.randn(POOLS, 7 + i, B, SIZE, dtype=torch.float64) for i in range(4)]
    for batch in batches[:3]:
        scale.observe(batch, batch[0, :, :, 0].numel())
        scale.commit()
    seen = torch.cat(batches[:3], 1).flatten(1, 2)
    torch.testing.assert_close(scale.mean, seen.mean(1))
    torch.testing.assert_close(scale.var, seen.var(1, unbiased=False))
    assert scale.count == seen.shape[1]


def test_running_statistics_forget_beyond_the_window() -> None:
    scale = without_prior(RunningScale(1, 1))
    scale.observe(torch.zeros(1, 1, 1, 1), RunningScale.WINDOW)
    scale.commit()
    scale.observe(torch.ones(1, 1, 1, 1), RunningScale.WINDOW)
    scale.commit()
    torch.testing.assert_close(scale.mean.item(), 0.5)
    torch.testing.assert_close(scale.var.item(), 0.25)
    assert scale.count == RunningScale.WINDOW


def test_statistics_change_after_use_and_only_in_training() -> None:
    core = build(normalize="running", bptt_steps=10)
    inputs, before, resets = fragment(140)
    assert core.scale is not None
    core.eval()
    expected, _ = core(inputs, {"pools": before}, resets)
    assert core.scale.count == RunningScale.PRIOR
    core.train()
    with torch.no_grad():
        core(inputs, {"pools": before}, resets)
    assert core.scale.count == RunningScale.PRIOR
    outputs, _ = core(inputs, {"pools": before}, resets)
    assert torch.equal(outputs, expected)
    assert core.scale.count == RunningScale.PRIOR + 140 * B
    outputs.sum().backward()


def test_short_fragments_are_observed_in_full() -> None:
    core = build(normalize="running")
    assert core.scale is not None
    without_prior(core.scale)
    inputs, before, resets = fragment(LowPass.STATISTICS_STEPS)
    core(inputs, {"pools": before}, resets)
    contents = pool_contents(core.link, inputs, before, GAINS, False, resets).flatten(0, 1)
    torch.testing.assert_close(core.scale.mean, contents.mean(0))
    torch.testing.assert_close(core.scale.var, contents.var(0, unbiased=False))


def test_rare_units_are_not_blown_up() -> None:
    """A unit that has never moved is magnified at most ten times as much as its pool at large."""
    scale = without_prior(RunningScale(1, 100).double())
    contents = torch.randn(1, 500, 1, 100, dtype=torch.float64)
    contents[..., 0] = 0
    scale.observe(contents, 500)
    scale.commit()
    gain = scale.gain()[0]
    assert 9 < gain[0] / gain[1:].mean() < 11
