"""LP-RNN against its slow twin, and where its gradients go. T time, B lanes, F features, k pools, D width."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engram.memory import make_core
from engram.memory.pools.filter_bank import RIDGE
from engram.memory.pools.low_pass import LowPass
from engram.memory.pools.normalize import RunningScale
from engram.memory.pools.tanh_links import random_orthonormal

from .cases import CASES, label
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
    assert core.bank.coefficients == GAINS
    expected = pool_contents(core, inputs, before, resets)
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


@pytest.mark.parametrize("options", [{}, {"links": "orthonormal_tanh"}, {"parallel": True}], ids=str)
def test_gradients_through_all_pools(options: dict[str, Any]) -> None:
    """Unblocked, the link hears from a later pool if that pool hears from the link."""
    core = build(block_gradients=False, **options)
    inputs, before, resets = fragment(70)
    before.requires_grad_()
    last = core(inputs, {"pools": before}, resets)[1]["pools"][:, -1]
    to_link, to_inputs, to_before = torch.autograd.grad(
        last.sum(), [core.link, inputs, before], materialize_grads=True
    )
    assert to_link.any() == (core.embedding is None)
    assert to_inputs[:35].any()
    assert to_before[0, -1].all()  # lane 0 never resets


def test_orthonormal_links_are_fixed_and_saved() -> None:
    core = build(links="orthonormal_tanh")
    assert core.links is not None
    assert "links.orthonormal" in dict(core.named_buffers())
    other = make_core(F, {"type": "low_pass", "pools": POOLS, "size": SIZE, "links": "orthonormal_tanh"})
    assert isinstance(other, LowPass)
    assert other.links is not None
    assert not torch.equal(other.links.orthonormal.double(), core.links.orthonormal)
    other.load_state_dict(core.state_dict())
    assert torch.equal(other.links.orthonormal.double(), core.links.orthonormal)


def test_random_orthonormal_matrices_are_uniform() -> None:
    """Columns are perpendicular unit vectors; both signs of an entry and of the determinant are as likely."""
    torch.manual_seed(0)
    drawn = random_orthonormal(4000, 3)
    torch.testing.assert_close(drawn @ drawn.mT, torch.eye(3).expand(4000, 3, 3), rtol=0, atol=1e-5)
    standard_error = 1 / math.sqrt(4000)
    assert (drawn.mean(0).abs() < 4 * standard_error * math.sqrt(1 / 3)).all()  # entries have variance 1/D
    assert torch.linalg.det(drawn).mean().abs() < 4 * standard_error


SIZES: list[tuple[int, int, int, int, int, str]] = [
    # steps, lanes, size, viewports, pools -> path
    (1, 64, 64, 8, 9, "step"),
    (2, 64, 64, 8, 9, "contents first"),
    (32, 1, 64, 8, 9, "contents first"),
    (32, 64, 64, 8, 9, "viewports first"),
    (100, 64, 64, 8, 9, "viewports first"),
    (33, 64, 64, 8, 9, "viewports first"),
    (100, 64, 8, 16, 9, "contents first"),
    (100, 64, 16, 16, 1, "contents first"),
    (100, 16, 128, 4, 4, "viewports first"),
]


@pytest.mark.parametrize(("steps", "lanes", "size", "view", "pools", "path"), SIZES)
def test_the_path_that_is_named_is_run(
    steps: int, lanes: int, size: int, view: int, pools: int, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = build(size=size, viewports=view, pools=pools, summariser=3)
    assert core.path(steps, lanes) == path
    called = []
    for method in ("_view_contents", "_view_ahead"):
        original = getattr(core, method)
        monkeypatch.setattr(core, method, lambda *a, f=original, m=method: (called.append(m), f(*a))[1])
    core(torch.randn(steps, lanes, F, dtype=torch.float64), core.initial_state(lanes))
    assert set(called) == {"_view_ahead" if path == "viewports first" else "_view_contents"}


@pytest.mark.parametrize("options", [{}, {"parallel": True}, {"normalize": "running"}], ids=str)
@pytest.mark.parametrize(("size", "view"), [(3, 7), (9, 2)])
@pytest.mark.parametrize("steps", [2, T, 70])
def test_paths_agree(
    options: dict[str, Any], size: int, view: int, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = build(size=size, viewports=view, **options).eval()
    inputs, _, resets = fragment(steps)
    before = torch.randn(B, POOLS, size, dtype=torch.float64)
    results = []
    for path in ("contents first", "viewports first"):
        monkeypatch.setattr(core, "path", lambda *_, path=path: path)
        outputs, after = core(inputs, {"pools": before}, resets)
        loss = outputs.square().sum() + after["pools"].square().sum()
        leaves = [inputs, *core.parameters()]
        results.append([outputs, after["pools"], *torch.autograd.grad(loss, leaves, materialize_grads=True)])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("broken", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("options", [{"size": 3}, {"size": 64}, {"links": "orthonormal_tanh"}], ids=str)
def test_what_broke_in_one_episode_does_not_reach_the_next(options: dict[str, Any], broken: float) -> None:
    core = build(**options)
    lanes, steps = 64, 30
    inputs = torch.randn(steps, lanes, F, dtype=torch.float64)
    resets = torch.zeros(steps, lanes, dtype=torch.bool)
    resets[10] = True
    expected, after = core(inputs, core.initial_state(lanes), resets)
    inputs[3, 0, 0] = broken
    state = {"pools": torch.full_like(after["pools"], broken)}
    outputs, after_broken = core(inputs, state, resets)
    assert torch.equal(outputs[10:], expected[10:])
    assert torch.equal(after_broken["pools"], after["pools"])


@pytest.mark.parametrize("options", [{"normalize": "layer"}, {"links": "orthonormal_tanh"}], ids=str)
def test_contents_come_first_where_they_are_wanted(options: dict[str, Any]) -> None:
    assert build(size=64).path(100, 64) == "viewports first"
    assert build(size=64, **options).path(100, 64) == "contents first"
    assert build(size=64).path(100, 64, return_info=True) == "contents first"


STEP_CASES = [options for options in CASES if options["type"] == "low_pass"]


@pytest.mark.parametrize("options", STEP_CASES, ids=label)
def test_a_step_can_be_exported(options: dict[str, Any]) -> None:
    core = make_core(F, options).eval()
    inputs, resets = torch.randn(1, B, F), torch.tensor([[True, False, True]])
    state = {"pools": torch.randn_like(core.initial_state(B)["pools"])}
    exported = torch.export.export(core, (inputs, state, resets)).module()
    for mask in (resets, ~resets, torch.zeros_like(resets)):
        outputs, after = exported(inputs, state, mask)
        expected, expected_after = core(inputs, state, mask)  # the core is unharmed by having been traced
        torch.testing.assert_close(outputs, expected)
        torch.testing.assert_close(after["pools"], expected_after["pools"])


@pytest.mark.parametrize("options", [{}, {"links": "orthonormal_tanh"}, {"normalize": "running"}], ids=str)
def test_a_step_can_be_compiled(options: dict[str, Any]) -> None:
    core = build(**options).eval()
    compiled = torch.compile(core, backend="aot_eager", fullgraph=True)
    inputs, before, resets = fragment(1)
    resets[0, 1] = True
    results = []
    for run in (compiled, core):
        outputs, after = run(inputs, {"pools": before}, resets)
        gradients = torch.autograd.grad(outputs.sum(), [inputs, *core.parameters()], materialize_grads=True)
        results.append([outputs, after["pools"], *gradients])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(("size", "inputs"), [(3, 6), (6, 6), (9, 6)])
def test_link_starts_as_padded_identity(size: int, inputs: int) -> None:
    core = make_core(inputs, {"type": "low_pass", "pools": 2, "size": size, "base": 4.0})
    assert isinstance(core, LowPass)
    assert torch.equal(core.link, 0.25 * torch.eye(size, inputs))


@pytest.mark.parametrize("size", [3, 6, 9])
def test_parallel_pools_read_an_embedding_as_wide_as_themselves(size: int) -> None:
    """Whatever the widths, the link starts as a_1 times the identity: every pool begins alike."""
    core = make_core(F, {"type": "low_pass", "pools": 3, "size": size, "parallel": True, "base": 2.0})
    assert isinstance(core, LowPass)
    assert core.embedding is not None
    assert torch.equal(core.link, 0.5 * torch.eye(size))
    inputs = torch.randn(1, B, F)
    contents = core(inputs, core.initial_state(B))[1]["pools"]
    embedded = torch.relu(core.embedding(inputs[0]))
    for pool, gain in enumerate((0.5, 0.25, 0.125)):
        torch.testing.assert_close(contents[:, pool], gain * embedded)


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


def test_an_uneventful_past_leaves_nothing_behind() -> None:
    """With standardised inputs, a constant one and an empty memory are the same."""
    core = build(normalize_input=True)
    constant = torch.rand(F, dtype=torch.float64).expand(50, B, F)
    assert core.input_scale is not None
    without_prior(core.input_scale)
    core(constant, core.initial_state(B))
    _, after = core(constant, core.initial_state(B))
    torch.testing.assert_close(after["pools"], torch.zeros_like(after["pools"]))
    _, before = build()(constant, core.initial_state(B))
    assert before["pools"].abs().max() > 0.1


def test_short_fragments_are_observed_in_full() -> None:
    core = build(normalize="running")
    assert core.scale is not None
    without_prior(core.scale)
    inputs, before, resets = fragment(LowPass.STATISTICS_STEPS)
    core(inputs, {"pools": before}, resets)
    contents = pool_contents(core, inputs, before, resets).flatten(0, 1)
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


@pytest.mark.parametrize("parallel", [False, True])
def test_orthonormal_combinations_of_noise_are_white(parallel: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pools fed with white noise: without the ridge, their combinations have variance 1, no correlation."""
    monkeypatch.setattr("engram.memory.pools.filter_bank.RIDGE", 0.0)
    torch.manual_seed(0)
    gains = (0.5, 0.25, 0.125, 0.0625)
    core = build(pools=4, orthonormal=True, parallel=parallel)
    assert core.bank.coefficients == gains
    pools, rows = torch.zeros(4, 2000, dtype=torch.float64), []
    for _ in range(400):
        x = noise = torch.randn(2000, dtype=torch.float64)
        new = []
        for gain, old in zip(gains, pools, strict=True):
            new.append(gain * x + (1 - gain) * old)
            x = noise if parallel else new[-1]
        pools = torch.stack(new)
        rows.append(pools)
    contents = torch.stack(rows[-100:]).transpose(0, 1).flatten(1)  # the slowest pool has filled
    white = core.bank.orthonormal(contents) @ contents
    torch.testing.assert_close(white @ white.T / white.shape[1], torch.eye(4).double(), atol=0.05, rtol=0)


@pytest.mark.parametrize(
    "options", [{"base": 1000.0, "pools": 9}, {"coefficients": [0.5, 1e-17], "pools": 2}]
)
def test_pools_may_be_slower_than_can_be_made_orthonormal(options: dict[str, Any]) -> None:
    make_core(F, {"type": "low_pass", **options})
    with pytest.raises(ValueError, match=r"core\.pools: the slowest hears 1\.0e-\d\d of its input, expected"):
        make_core(F, {"type": "low_pass", "orthonormal": True, **options})


def test_orthonormal_weights_are_exact_near_the_limit() -> None:
    """Two pools in closed form: the variance of the first is a / (2 - a); the second is made white."""
    core = build(pools=2, orthonormal=True, parallel=True, coefficients=[0.5, 1e-12])
    weights = core.bank.orthonormal(torch.zeros(1, dtype=torch.float64))
    torch.testing.assert_close(weights[0, 0].item(), (0.5 / 1.5 * (1 + RIDGE)) ** -0.5)
    torch.testing.assert_close(weights[1, 1].item(), (1e-12 / 2 * (1 + RIDGE)) ** -0.5, rtol=1e-3, atol=0)
