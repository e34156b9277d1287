"""What every core must do, whatever it is made of. T time, B lanes, F features."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from engram.memory import CORES, State, detach_state, make_core
from engram.memory.conformance.fixture import single_steps

from .cases import CASES, label
from .conformance import B, F, T, build, fragment, gradients

every_core = pytest.mark.parametrize("options", CASES, ids=label)


def assert_same(left: list[Tensor | None], right: list[Tensor | None]) -> None:
    for one, other in zip(left, right, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


def assert_same_state(left: State, right: State) -> None:
    assert left.keys() == right.keys()
    for name in left:
        torch.testing.assert_close(left[name], right[name], rtol=1e-9, atol=1e-11)


@every_core
@pytest.mark.parametrize("steps", [1, 2, T, 60])
def test_fragment_equals_single_steps(options: dict[str, Any], steps: int) -> None:
    core = build(options)
    inputs, state, resets = fragment(core, steps)
    at_once, after = core(inputs, state, resets)
    one_by_one, after_steps = single_steps(core, inputs, state, resets)
    torch.testing.assert_close(at_once, one_by_one, rtol=1e-9, atol=1e-11)
    assert_same_state(after, after_steps)
    assert_same(gradients(core, inputs, at_once), gradients(core, inputs, one_by_one))


@every_core
def test_two_fragments_equal_one(options: dict[str, Any]) -> None:
    core = build(options)
    inputs, state, resets = fragment(core)
    whole, after = core(inputs, state, resets)
    first, between = core(inputs[:4], state, resets[:4])
    second, after_both = core(inputs[4:], between, resets[4:])
    torch.testing.assert_close(whole, torch.cat([first, second]))
    assert_same_state(after, after_both)


@every_core
def test_no_resets_equals_false_resets(options: dict[str, Any]) -> None:
    core = build(options)
    inputs, state, resets = fragment(core)
    plain, after = core(inputs, state)
    masked, after_masked = core(inputs, state, torch.zeros_like(resets))
    torch.testing.assert_close(plain, masked)
    assert_same_state(after, after_masked)


@every_core
def test_shapes(options: dict[str, Any]) -> None:
    core = build(options)
    for steps, lanes in ((1, 1), (1, B), (T, 1), (T, B)):
        inputs, state, resets = fragment(core, steps, lanes)
        outputs, after, info = core(inputs, state, resets, return_info=True)
        assert outputs.shape == (steps, lanes, core.output_size)
        assert all(leaf.shape[:2] == (steps, lanes) for leaf in info.values())
        assert {name: leaf.shape for name, leaf in after.items()} == {
            name: leaf.shape for name, leaf in core.initial_state(lanes).items()
        }


@every_core
def test_asking_for_info_changes_nothing(options: dict[str, Any]) -> None:
    core = build(options)
    fragments = fragment(core)
    plain, after = core(*fragments)
    told, after_told, _ = core(*fragments, return_info=True)
    torch.testing.assert_close(plain, told)
    assert_same_state(after, after_told)


@every_core
def test_reset_forgets(options: dict[str, Any]) -> None:
    """Outputs and gradients after a reset do not depend on anything before it, bit for bit."""
    core = build(options)
    inputs, state, _ = fragment(core)
    resets = torch.zeros(T, B, dtype=torch.bool)
    resets[5] = True
    resets[5, 0] = False
    disturbed = inputs.detach().clone()
    disturbed[:5] += 100.0
    outputs, after = core(inputs, state, resets)
    others, after_others = core(disturbed, {name: leaf + 100.0 for name, leaf in state.items()}, resets)
    assert torch.equal(outputs[5:, 1:], others[5:, 1:])
    assert all(torch.equal(after[name][1:], after_others[name][1:]) for name in after)
    gradient = gradients(core, inputs, outputs[5:, 1:])[0]
    assert gradient is None or not gradient[:5].any()


@every_core
def test_lanes_are_strangers(options: dict[str, Any]) -> None:
    core = build(options)
    inputs, state, resets = fragment(core)
    disturbed = inputs.detach().clone()
    disturbed[:, 0] += 100.0
    outputs, _ = core(inputs, state, resets)
    others, _ = core(disturbed, state, resets)
    assert torch.equal(outputs[:, 1:], others[:, 1:])
    gradient = gradients(core, inputs, outputs[:, 1:])[0]
    assert gradient is None or not gradient[:, 0].any()


@every_core
def test_reset_means_initial_state(options: dict[str, Any]) -> None:
    core = build(options)
    inputs, state, _ = fragment(core)
    resets = torch.zeros(T, B, dtype=torch.bool)
    resets[0] = True
    torch.testing.assert_close(core(inputs, state, resets)[0], core(inputs, core.initial_state(B))[0])


@every_core
def test_carried_state_matters(options: dict[str, Any]) -> None:
    core = build(options)
    inputs, state, _ = fragment(core)
    differs = not torch.allclose(core(inputs, state)[0], core(inputs, core.initial_state(B))[0])
    assert differs == bool(state)


@every_core
@pytest.mark.parametrize("block", [1, 3, T, 2 * T])
def test_bptt_steps_equals_explicit_detach(options: dict[str, Any], block: int) -> None:
    core = build(options)
    blocked = make_core(F, {**options, "bptt_steps": block}).double().eval()
    blocked.load_state_dict(core.state_dict())
    inputs, state, resets = fragment(core)
    outputs, after = blocked(inputs, state, resets)
    pieces, carried = [], state
    for start in range(0, T, block):
        piece = slice(start, start + block)
        output, carried = core(inputs[piece], detach_state(carried), resets[piece])
        pieces.append(output)
    torch.testing.assert_close(outputs, torch.cat(pieces), rtol=1e-9, atol=1e-11)
    assert_same_state(after, carried)
    assert_same(gradients(blocked, inputs, outputs), gradients(core, inputs, torch.cat(pieces)))


@every_core
def test_state_dict_round_trip(options: dict[str, Any]) -> None:
    core = build(options)
    torch.manual_seed(7)
    other = make_core(F, options).double().eval()
    other.load_state_dict(core.state_dict())
    fragments = fragment(core)
    assert torch.equal(core(*fragments)[0], other(*fragments)[0])
    assert torch.equal(core(*fragments)[0], copy.deepcopy(core)(*fragments)[0])


@every_core
def test_float32_and_autocast(options: dict[str, Any]) -> None:
    core = build(options).float()
    inputs, state, resets = fragment(core)
    single = inputs.detach().float()
    state = {name: leaf.float() for name, leaf in state.items()}
    outputs, after = core(single, state, resets)
    assert {outputs.dtype, *(leaf.dtype for leaf in after.values())} == {torch.float32}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast, cast_after = core(single.bfloat16(), state, resets)
    assert {cast.dtype, *(leaf.dtype for leaf in cast_after.values())} == {torch.float32}
    torch.testing.assert_close(core(single.bfloat16().float(), state, resets)[0], cast)


@every_core
def test_evaluation_then_training(options: dict[str, Any]) -> None:
    """Nothing that is kept from a call without gradients spoils a later call with them."""
    core = make_core(F, options)
    inputs = torch.randn(T, B, F, requires_grad=True)
    with torch.inference_mode():
        core(inputs, core.initial_state(B))
    outputs, _ = core(inputs, core.initial_state(B))
    outputs.sum().backward()
    assert all(p.grad is not None for p in core.parameters() if p.requires_grad)


@every_core
def test_train_input_tells_the_truth(options: dict[str, Any]) -> None:
    core = build(options)
    inputs, state, resets = fragment(core)
    gradient = gradients(core, inputs, core(inputs, state, resets)[0])[0]
    assert core.train_input == (gradient is not None)


def quick_but(slow):
    """All cores, of which some take the compiler long."""
    return [pytest.param(name, marks=pytest.mark.slow if name in slow else ()) for name in CORES]


@pytest.mark.parametrize("name", quick_but({"ffm", "gtrxl", "linear_attention", "rims"}))
def test_a_step_can_be_exported(name: str) -> None:
    """With resets, for any number of lanes: what a policy needs that is shipped without Python."""
    core = make_core(F, {"type": name}).eval()
    arguments = (torch.randn(1, 4, F), core.initial_state(4), torch.tensor([[True, False, True, False]]))
    lanes = {1: torch.export.Dim("lanes", min=2, max=4096)}
    of_state = {leaf: {0: lanes[1]} for leaf in arguments[1]}
    shapes = {"inputs": lanes, "state": of_state, "resets": lanes}
    exported = torch.export.export(core, arguments, dynamic_shapes=shapes).module()
    fresh = (torch.randn(1, 7, F), core.initial_state(7), torch.rand(1, 7) < 0.5)
    torch.testing.assert_close(exported(*fresh), core(*fresh))


@pytest.mark.parametrize("name", quick_but(set(CORES) - {"gru", "lstm", "s5"}))
def test_compiled_is_the_same(name: str) -> None:
    """Traced forward and backward give what eager execution gives; graphs may break at resets."""
    torch.compiler.reset()
    core = make_core(F, {"type": name}).double()
    inputs, state, resets = fragment(core, 2)
    outputs, after = core(inputs, state, resets)
    traced, traced_after = torch.compile(core, backend="aot_eager")(inputs, state, resets)
    torch.testing.assert_close(traced, outputs)
    assert_same_state(traced_after, after)
    assert_same(gradients(core, inputs, traced), gradients(core, inputs, outputs))


@every_core
def test_wrong_shape(options: dict[str, Any]) -> None:
    core = build(options)
    for shape in ((B, F), (T, B, F + 1), (0, B, F)):
        with pytest.raises(ValueError, match=r"^inputs: expected \(T, B, 6\), T >= 1, got \("):
            core(torch.zeros(shape, dtype=torch.float64), core.initial_state(B))
    inputs = torch.zeros(T, B, F, dtype=torch.float64)
    for wrong in (torch.zeros(T, 1).bool(), torch.zeros(1, B).bool(), torch.zeros(T, B)):
        with pytest.raises(ValueError, match=r"^resets: expected \(T, B\) = \(11, 4\), torch.bool, got \("):
            core(inputs, core.initial_state(B), wrong)
