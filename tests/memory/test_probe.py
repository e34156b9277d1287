"""How long cores remember, where the answer is known. T time, B lanes, F features."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engram.memory import Core, CoreOptions, Info, State, make_core
from engram.memory.probe import OUTPUT, gradient_reach, log_spaced, retention

F = 3


class Decays(Core):
    """Traces (B, k, F) that keep so much of themselves per step and sum to the output; beside them `-inf`."""

    output_size = F

    def __init__(self, keeps: tuple[float, ...] = (0.5, 0.9)) -> None:
        super().__init__(F, CoreOptions())
        self.keep = nn.Parameter(torch.tensor(keeps).unsqueeze(1))

    def initial_state(self, lanes: int) -> State:
        floor = self.keep.new_full((lanes, 1), -math.inf)
        return {"traces": self.keep.new_zeros(lanes, len(self.keep), F), "floor": floor}

    def unroll(
        self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool
    ) -> tuple[Tensor, State, Info]:
        traces, outputs = state["traces"], []
        for heard in inputs:
            traces = self.keep * traces + heard.unsqueeze(1)
            outputs.append(traces.sum(1))
        return torch.stack(outputs), {"traces": traces, "floor": state["floor"]}, {}


@pytest.mark.parametrize(
    ("base", "peaks"),
    [
        (2.0, [0, 1, 5, 15, 34, 74, 155, 317, 643, 1296, 2603, 5218]),
        (1.5, [0, 0, 2, 5, 10, 17, 29, 48, 77, 120, 185, 284]),
    ],
)
def test_impulse_responses_of_the_pools(base: float, peaks: list[int]) -> None:
    """Figure 2a of the LP-RNN paper, arXiv 1805.04955."""
    options = {"type": "low_pass", "pools": 12, "size": 4, "viewports": 1, "summariser": 1, "base": base}
    curves = retention(make_core(4, options), peaks[-1] + 100, impulses=1).curves
    assert [curves[f"pools[{pool}]"].peak_lag for pool in range(12)] == peaks
    if base == 2.0:
        bands = [curves[f"pools[{pool}]"].band for pool in (6, 7, 8)]
        assert bands == [(70, 316), (147, 642), (302, 1295)]


def test_pools_in_parallel_peak_at_once() -> None:
    """Figure 2b: exponential smoothers, all of them highest at lag 0 and with the half-life of (1 - a)^t."""
    options = {"type": "low_pass", "pools": 6, "size": 4, "parallel": True}
    curves = retention(make_core(4, options), 200, impulses=1).curves
    for pool in range(6):
        curve = curves[f"pools[{pool}]"]
        assert curve.peak_lag == 0
        assert curve.half_life == math.ceil(math.log(0.5) / math.log(1 - 2.0 ** -(pool + 1)) - 1e-9)


@pytest.mark.parametrize("background", ["zeros", "noise"])
@pytest.mark.parametrize("size", [1.0, 1e-3])
def test_a_linear_core_decays_as_it_is_built(background: str, size: float) -> None:
    memory = retention(Decays(), 60, background=background, size=size)
    lags = torch.arange(61, dtype=torch.float64)
    assert torch.equal(memory.lags, torch.arange(61))
    assert list(memory.curves) == [OUTPUT, "traces[0]", "traces[1]", "floor"]
    tolerance = 1e-15 if background == "zeros" else 1e-11
    keeps = Decays().keep[:, 0].double().tolist()
    for index, keep in enumerate(keeps):
        curve = memory.curves[f"traces[{index}]"]
        torch.testing.assert_close(curve.values, keep**lags, rtol=0, atol=tolerance)
        assert curve.largest == pytest.approx(size)
        assert curve.peak_lag == 0
    assert memory.curves["traces[0]"].band == (0, 1)
    assert memory.curves["traces[0]"].half_life == 1
    assert memory.curves["traces[1]"].band == (0, 6)
    assert memory.curves["traces[1]"].half_life == 7
    assert memory.share("traces[0]", 3) == pytest.approx(0.125)
    assert memory.share("traces[0]", 61) is None
    expected = sum((keep**lags for keep in keeps), torch.zeros(())) / 2
    torch.testing.assert_close(memory.curves[OUTPUT].values, expected, rtol=0, atol=tolerance)


def test_where_the_input_never_arrives() -> None:
    """Nor do infinite contents, equal in both twins, count as a difference."""
    curve = retention(Decays(), 5).curves["floor"]
    assert (curve.largest, curve.peak_lag, curve.band, curve.half_life) == (0.0, None, None, None)
    assert not curve.values.any()


def test_what_lasts_has_no_half_life() -> None:
    curve = retention(Decays((1.0,)), 20).curves["traces"]
    assert curve.half_life is None
    assert curve.band == (0, 20)
    assert torch.equal(curve.values, torch.ones(21, dtype=torch.float64))


def test_twins_start_alike() -> None:
    class RandomStart(Decays):
        def initial_state(self, lanes: int) -> State:
            return {name: torch.randn_like(leaf) for name, leaf in super().initial_state(lanes).items()}

    values = retention(RandomStart((0.5,)), 10).curves["traces"].values
    torch.testing.assert_close(values, 0.5 ** torch.arange(11, dtype=torch.float64), rtol=0, atol=1e-11)


def test_a_leaf_of_one_number_per_lane() -> None:
    options = {"type": "gtrxl", "size": 4, "layers": 1, "heads": 1, "memory": 3, "feedforward": 4}
    memory = retention(make_core(F, options), 10, background="noise")
    assert memory.curves["valid"].peak_lag is None
    assert memory.share(OUTPUT, 3) != 0
    assert memory.share(OUTPUT, 4) == 0  # past the window, where twins are the same, and stay so
    assert memory.share(OUTPUT, 10) == 0


def test_a_diverging_core_is_measured_as_far_as_there_are_numbers() -> None:
    """Half of 4^lag: the norm ends where its square exceeds 2^1024."""
    core = Decays((4.0,))
    memory = retention(core, 2_000, size=0.5)
    assert len(memory.lags) == 256 + 1
    assert memory.ended == "'output' is not finite at lag 257: the core diverges"
    assert memory.thinned().ended == memory.ended
    for curve in (memory.curves["traces"], memory.curves[OUTPUT]):
        assert (curve.peak_lag, curve.band, curve.half_life) == (256, (256, 256), None)
        assert curve.values.isfinite().all()
    reach = gradient_reach(core, 300)
    assert reach.ended == "the gradient is not finite at lag 256: the core diverges"
    assert reach.horizon() == 255
    assert reach.values.isfinite().all()
    assert gradient_reach(core, 2_000).ended == reach.ended


def test_a_core_whose_outputs_overflow_has_its_gradients_measured_before() -> None:
    class Overflowing(Decays):
        def unroll(self, inputs: Tensor, *others: Any) -> Any:
            outputs, state, info = super().unroll(inputs, *others)
            late = (torch.arange(len(inputs)) >= 30).view(-1, 1, 1)
            return torch.where(late, math.inf, outputs), state, info

    reach = gradient_reach(Overflowing((0.9,)), 100)
    assert reach.ended == "the output is not finite at step 30: the core diverges"
    torch.testing.assert_close(reach.values, gradient_reach(Decays((0.9,)), 29).values, rtol=1e-6, atol=0)


def test_a_core_that_is_broken_from_the_start() -> None:
    core = Decays((math.nan,))
    with pytest.raises(ValueError, match=r"^core: 'output' is not finite at lag 0; nothing can be measured"):
        retention(core, 5)
    with pytest.raises(ValueError, match=r"^core: the output is not finite at lag 0; nothing"):
        gradient_reach(core, 5)


def test_no_memory_no_retention() -> None:
    memory = retention(make_core(F, {"type": "mlp"}), 10)
    assert list(memory.curves) == [OUTPUT]
    assert memory.curves[OUTPUT].half_life == 1
    assert memory.share(OUTPUT, 1) == 0


def test_thinned_keeps_the_ends_and_what_was_measured() -> None:
    memory = retention(Decays((0.5, 0.99)), 500)
    thinned = memory.thinned(30)
    assert 15 < len(thinned.lags) <= 30
    assert (thinned.lags[0], thinned.lags[-1]) == (0, 500)
    for name, curve in thinned.curves.items():
        assert torch.equal(curve.values, memory.curves[name].values[thinned.lags])
        assert curve.half_life == memory.curves[name].half_life


def test_log_spaced() -> None:
    assert log_spaced(1, 5).tolist() == [0]
    assert log_spaced(4, 100).tolist() == [0, 1, 2, 3]
    assert log_spaced(10_001, 5).tolist() == [0, 9, 99, 999, 10_000]


def test_gradient_of_a_linear_core() -> None:
    """keep^lag for one trace, since the sum over traces is the sum of their gradients."""
    reach = gradient_reach(Decays((0.9,)), 40)
    keep = Decays((0.9,)).keep.item()
    torch.testing.assert_close(reach.values, keep ** torch.arange(41, dtype=torch.float64))
    assert reach.horizon(0.5) == 6
    assert reach.horizon(1e-9) == 40


def test_blocked_gradients_do_not_reach_beyond_the_first_pool() -> None:
    """The state carries an input for hundreds of steps, gradients only as far as the first pool: 2^-lag."""
    core = make_core(F, {"type": "low_pass", "pools": 7, "size": F, "viewports": 4, "summariser": 16})
    reach = gradient_reach(core, 300)
    ratios = reach.values[1:40] / reach.values[:39]
    torch.testing.assert_close(ratios, torch.full_like(ratios, 0.5))
    assert reach.horizon() == 9
    half_life = retention(core, 300).curves["pools[6]"].half_life
    assert half_life is None or half_life > 100


def test_bptt_steps_end_the_reach() -> None:
    core = Decays((0.9,))
    core.bptt_steps = 8
    reach = gradient_reach(core, 20)  # 21 steps: the last block holds the last 5
    assert reach.values[4] > 0
    assert not reach.values[5:].any()


def test_an_input_that_is_not_trained_has_no_reach() -> None:
    reach = gradient_reach(make_core(F, {"type": "low_pass", "train_input": False}), 10)
    assert not reach.values.any()
    assert reach.horizon() is None


def test_the_core_stays_as_it_is() -> None:
    core = make_core(F, {"type": "low_pass", "pools": 2, "normalize": "running"}).train()
    before = {name: tensor.clone() for name, tensor in core.state_dict().items()}
    drawn = torch.random.get_rng_state()
    retention(core, 5)
    gradient_reach(core, 5)
    assert core.training
    assert torch.equal(torch.random.get_rng_state(), drawn)
    assert all(torch.equal(tensor, before[name]) for name, tensor in core.state_dict().items())
    assert {tensor.dtype for tensor in core.parameters()} == {torch.float32}


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match=r"^background: unknown 'silence'; known: zeros, noise"):
        retention(Decays(), 5, background="silence")
    with pytest.raises(ValueError, match=r"^steps: expected an integer >= 1, got 0"):
        retention(Decays(), 0)
    with pytest.raises(ValueError, match=r"^lanes: expected an integer >= 1, got 0"):
        gradient_reach(Decays(), 5, lanes=0)
