"""`check_core`: every core passes, and a core that breaks one promise fails there.

T time, B lanes, F features.
"""

import re
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from engram.memory import Core, CoreOptions, Info, State, make_core
from engram.memory.conformance import check_core, checker
from engram.memory.conformance.fixture import LANES

from .cases import CASES, label

F = 3


class Trace(Core):
    """A leaky trace of the input, (B, F), through which the broken cores below are broken."""

    output_size = F

    def __init__(self, input_size: int = F, options: CoreOptions | None = None) -> None:
        super().__init__(input_size, options or CoreOptions())
        self.weight = nn.Parameter(torch.randn(F, F))

    def initial_state(self, lanes: int) -> State:
        return {"trace": self.weight.new_zeros(lanes, F)}

    def unroll(
        self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool
    ) -> tuple[Tensor, State, Info]:
        trace, traces = state["trace"], []
        for t in range(len(inputs)):
            if resets is not None:
                trace = self.reset(trace, resets[t].unsqueeze(1))
            trace = self.step(trace, inputs[t])
            traces.append(trace)
        outputs = torch.stack(traces)
        return outputs, {"trace": trace}, {"trace": outputs} if return_info else {}

    def reset(self, trace: Tensor, starts: Tensor) -> Tensor:
        return torch.where(starts, 0.0, trace)

    def step(self, trace: Tensor, heard: Tensor) -> Tensor:
        return 0.9 * trace + torch.tanh(heard @ self.weight)


class NamelessState(Trace):
    def unroll(self, *arguments: Any) -> Any:
        outputs, state, info = super().unroll(*arguments)
        return outputs, {"other": state["trace"]}, info


class WidenedState(Trace):
    def unroll(self, *arguments: Any) -> Any:
        outputs, state, info = super().unroll(*arguments)
        return outputs, {"trace": torch.cat([state["trace"]] * 2, 1)}, info


class OneLaneState(Trace):
    def initial_state(self, lanes: int) -> State:
        return super().initial_state(1)


class SinglePrecisionState(Trace):
    def initial_state(self, lanes: int) -> State:
        return {"trace": torch.zeros(lanes, F)}


class RandomStart(Trace):
    def initial_state(self, lanes: int) -> State:
        return {"trace": torch.randn_like(super().initial_state(lanes)["trace"])}


class NarrowOutput(Trace):
    def unroll(self, *arguments: Any) -> Any:
        outputs, state, info = super().unroll(*arguments)
        return outputs[..., :2], state, info


class InfiniteOutput(Trace):
    def unroll(self, *arguments: Any) -> Any:
        outputs, state, info = super().unroll(*arguments)
        return outputs / 0.0, state, info


class TimelessInfo(Trace):
    def unroll(self, *arguments: Any) -> Any:
        outputs, state, info = super().unroll(*arguments)
        return outputs, state, {"trace": outputs[0]} if info else {}


class RaisingInfo(Trace):
    def unroll(self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool) -> Any:
        if return_info:
            raise KeyError("trace")
        return super().unroll(inputs, state, resets, return_info)


class CountingCalls(Trace):
    calls: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def unroll(self, *arguments: Any) -> Any:
        outputs, state, info = super().unroll(*arguments)
        self.calls += 1
        return outputs + self.calls, state, info


class EditedState(Trace):
    def unroll(self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool) -> Any:
        result = super().unroll(inputs, state, resets, return_info)
        if not state["trace"].requires_grad:
            state["trace"] += 1
        return result


class ShiftedStep(Trace):
    def unroll(self, inputs: Tensor, *others: Any) -> Any:
        outputs, state, info = super().unroll(inputs, *others)
        return outputs + 0.01 * (len(inputs) == 1), state, info


class DetachedStep(Trace):
    def unroll(self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool) -> Any:
        if len(inputs) == 1:
            state = {"trace": state["trace"].detach()}
        return super().unroll(inputs, state, resets, return_info)


class UnreadState(Trace):
    carries_gradient: ClassVar[bool] = False

    def step(self, trace: Tensor, heard: Tensor) -> Tensor:
        return torch.tanh(heard @ self.weight)


class ForgetfulFragments(Trace):
    def unroll(self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool) -> Any:
        return super().unroll(inputs, self.initial_state(inputs.shape[1]), resets, return_info)


class UncutGradients(Trace):
    def forward(
        self, inputs: Tensor, state: State, resets: Tensor | None = None, return_info: bool = False
    ) -> Any:
        result = self.unroll(inputs, state, resets, return_info)
        return result if return_info else result[:2]


class ResetToOnes(Trace):
    def reset(self, trace: Tensor, starts: Tensor) -> Tensor:
        return torch.where(starts, 1.0, trace)


class LeakOverReset(Trace):
    def reset(self, trace: Tensor, starts: Tensor) -> Tensor:
        return torch.where(starts, 0.001 * trace.detach(), trace)


class GradientOverReset(Trace):
    def reset(self, trace: Tensor, starts: Tensor) -> Tensor:
        return torch.where(starts, trace - trace.detach(), trace)


class ResetOfAllLanes(Trace):
    def reset(self, trace: Tensor, starts: Tensor) -> Tensor:
        return torch.where(starts.any(), 0.0, trace)


class MeanOverLanes(Trace):
    def unroll(self, *arguments: Any) -> Any:
        outputs, state, info = super().unroll(*arguments)
        return outputs - 0.001 * outputs.mean(1, keepdim=True), state, info


class DetachedMeanOverLanes(Trace):
    def unroll(self, *arguments: Any) -> Any:
        outputs, state, info = super().unroll(*arguments)
        return outputs - 0.001 * outputs.mean(1, keepdim=True).detach(), state, info


class GradientOverLanes(Trace):
    def unroll(self, *arguments: Any) -> Any:
        outputs, state, info = super().unroll(*arguments)
        mean = outputs.mean(1, keepdim=True)
        return outputs + (mean - mean.detach()), state, info


class LeakOfOnePair(Trace):
    """Lane 3 hears lane 2."""

    def unroll(self, *arguments: Any) -> Any:
        outputs, state, info = super().unroll(*arguments)
        if outputs.shape[1] == LANES:
            heard = torch.zeros_like(outputs)
            heard[:, 3] = self.hear(outputs[:, 2])
            outputs = outputs + 0.001 * heard
        return outputs, state, info

    def hear(self, others: Tensor) -> Tensor:
        return others.detach()


class GradientOfOnePair(LeakOfOnePair):
    def hear(self, others: Tensor) -> Tensor:
        return others - others.detach()


class BatchNorm(Trace):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(F)

    def step(self, trace: Tensor, heard: Tensor) -> Tensor:
        return super().step(trace, self.norm(heard))


class NoLateResets(Trace):
    def unroll(self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool) -> Any:
        if resets is not None:
            resets = resets & (torch.arange(len(inputs)) < 64).unsqueeze(1)
        return super().unroll(inputs, state, resets, return_info)


class MixesManyLanes(Trace):
    def unroll(self, *arguments: Any) -> Any:
        outputs, state, info = super().unroll(*arguments)
        if outputs.shape[1] > LANES:
            outputs = outputs - 0.001 * outputs.mean(1, keepdim=True)
        return outputs, state, info


class WrongInLongFragments(Trace):
    def unroll(self, inputs: Tensor, *others: Any) -> Any:
        outputs, state, info = super().unroll(inputs, *others)
        return outputs + 0.001 * (len(inputs) >= 128), state, info


class ProductReset(Trace):
    def reset(self, trace: Tensor, starts: Tensor) -> Tensor:
        return trace * ~starts


class SpreadsPoison(Trace):
    """Finite contents of other lanes do not matter."""

    def unroll(self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool) -> Any:
        broken = 0.0 * state["trace"].detach().sum()
        return super().unroll(inputs + broken, state, resets, return_info)


class BareTensor(Trace):
    def __init__(self) -> None:
        super().__init__()
        self.mask = torch.ones(F)


class UnsavedProjection(Trace):
    projection: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("projection", torch.randn(F, F), persistent=False)

    def step(self, trace: Tensor, heard: Tensor) -> Tensor:
        return super().step(trace, heard @ self.projection)


class StaleCache(Trace):
    gain: float | None = None

    def step(self, trace: Tensor, heard: Tensor) -> Tensor:
        if self.gain is None:
            self.gain = self.weight.abs().sum().item()
        return super().step(trace, heard * self.gain)


class FrozenInPretence(Trace):
    def __init__(self) -> None:
        super().__init__()
        self.train_input = False


class DeafInSecret(Trace):
    def step(self, trace: Tensor, heard: Tensor) -> Tensor:
        return super().step(trace, heard.detach())


class DetachedInSecret(Trace):
    def step(self, trace: Tensor, heard: Tensor) -> Tensor:
        return super().step(trace.detach(), heard)


class Uncopyable(Trace):
    def __deepcopy__(self, memo: Any) -> Any:
        raise TypeError("no copies")


BROKEN: list[tuple[type[Trace], tuple[str, ...], str]] = [
    (NamelessState, ("state shape",), r"has the leaves \['other'\], initially \['trace'\]"),
    (WidenedState, ("state shape",), r"'trace' is \(1, 6\) .* after T=1 steps, initially \(1, 3\)"),
    (OneLaneState, ("state shape",), r"initial_state\(4\)\['trace'\] has the shape \(1, 3\)"),
    (SinglePrecisionState, ("state shape",), r"is torch.float32 .*new_zeros"),
    (
        RandomStart,
        ("fixed initial state",),
        r"states 'trace' differ by .* between two calls of initial_state",
    ),
    (NarrowOutput, ("output shape",), r"outputs are \(1, 1, 2\) .* = \(1, 1, 3\)"),
    (InfiniteOutput, ("output shape",), r"not finite at step 0, lane 0"),
    (TimelessInfo, ("info shape",), r"info 'trace' has the shape \(4, 3\)"),
    (RaisingInfo, ("info shape",), r"raised KeyError: 'trace'"),
    (
        CountingCalls,
        ("no hidden state",),
        r"outputs differ by 3 at step \d+, lane \d; between two equal calls",
    ),
    (EditedState, ("no hidden state",), r"states 'trace' differ by 1 at lane 0; after a call"),
    (ShiftedStep, ("steps equal fragment",), r"outputs differ by 0.01 at step \d+, lane \d"),
    (DetachedStep, ("gradients of steps equal fragment",), r"gradients of the inputs differ .* detach"),
    (UnreadState, ("carried state counts",), r"whatever state is handed in"),
    (
        ForgetfulFragments,
        (
            "carried state counts",
            "steps equal fragment",
            "gradients of steps equal fragment",
            "long fragment equals short ones",
            "bptt_steps cuts gradients",
        ),
        r"at step 13, lane \d; .* cut at step 13",
    ),
    (
        UncutGradients,
        ("bptt_steps cuts gradients",),
        r"steps from 3 on.* to the inputs at step [012], lane \d",
    ),
    (
        NoLateResets,
        ("long fragment equals short ones",),
        r"at step 70, lane 1; between 160 steps of 6 lanes and the same lane alone",
    ),
    (MixesManyLanes, ("long fragment equals short ones",), r"at step \d+, lane 0; between 160 steps"),
    (WrongInLongFragments, ("long fragment equals short ones",), r"outputs differ by 0.001 at step"),
    (
        ResetToOnes,
        ("reset is initial state", "long fragment equals short ones"),
        r"outputs differ by 0.9 at step 0",
    ),
    (
        LeakOverReset,
        (
            "no leak over reset",
            "reset is initial state",
            "long fragment equals short ones",
            "no poison over reset",
        ),
        r"at step \d+, lane [123]; when only what is before .*torch.where",
    ),
    (ProductReset, ("no poison over reset",), r"differ by inf at step 0, lane [123]; when .*torch.where"),
    (SpreadsPoison, ("no poison over reset",), r"differ by inf at step 0, lane 0"),
    (
        GradientOverReset,
        ("no gradient over reset", "no poison over reset"),
        r"from a reset at step 17 on .* to the inputs at step \d+, lane [123]",
    ),
    (
        ResetOfAllLanes,
        ("no leak over lanes", "long fragment equals short ones"),
        r"at step \d+, lane [123]; .*resets.any",
    ),
    (
        MeanOverLanes,
        (
            "no leak over lanes",
            "no leak over lanes in training",
            "no gradient over lanes",
            "long fragment equals short ones",
        ),
        r"only lane 0 changes",
    ),
    (
        DetachedMeanOverLanes,
        ("no leak over lanes", "no leak over lanes in training", "long fragment equals short ones"),
        r"only lane 0 changes",
    ),
    (GradientOverLanes, ("no gradient over lanes",), r"lane 0 send .* to the inputs at step \d+, lane [123]"),
    (
        LeakOfOnePair,
        ("no leak over lanes", "no leak over lanes in training"),
        r"at step \d+, lane 3; when only lane 2 changes",
    ),
    (GradientOfOnePair, ("no gradient over lanes",), r"lane 3 send .* to the inputs at step \d+, lane 2"),
    (BatchNorm, ("no leak over lanes in training",), r"when only lane 0 changes; .*batch norm"),
    (BareTensor, ("state_dict round trip",), r"'mask' is a bare tensor"),
    (UnsavedProjection, ("state_dict round trip",), r"what is random must be in the state_dict"),
    (StaleCache, ("state_dict round trip",), r"must be computed in every call"),
    (FrozenInPretence, ("train_input holds",), r"train_input is False, but the inputs get a gradient"),
    (DeafInSecret, ("train_input holds",), r"train_input is True, but the inputs get no gradient"),
    (DetachedInSecret, ("carries_gradient holds",), r"step 3 sends no gradient"),
    (Uncopyable, ("copy",), r"raised TypeError: no copies"),
]


@pytest.mark.parametrize(("kind", "failures", "message"), BROKEN, ids=[row[0].__name__ for row in BROKEN])
def test_a_broken_core_fails_where_it_is_broken(
    kind: type[Trace], failures: tuple[str, ...], message: str
) -> None:
    torch.manual_seed(0)
    failed = {
        finding.name: finding.message for finding in check_core(kind(), rebuild=kind) if not finding.passed
    }
    assert failed.keys() == set(failures)
    assert re.search(message, failed[failures[0]]), failed[failures[0]]


def test_every_finding_has_a_core_that_fails_it() -> None:
    names = {name for checks in (checker.PREMISES, checker.PROMISES) for name in checks}
    assert names | {"copy"} == {name for _, failures, _ in BROKEN for name in failures}


POISONED_BY_INPUTS = {
    "gtrxl": "attention weights of zero hide what is before a reset, and zero times NaN is NaN",
}
"""Cores that pass `no poison over reset`, but not within a fragment, and why."""


@pytest.mark.parametrize("options", CASES, ids=label)
def test_every_core_passes(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    findings = check_core(make_core(6, options), rebuild=lambda: make_core(6, options))
    assert [finding.name for finding in findings if not finding.passed] == []
    assert [finding.name for finding in findings] == [*checker.PREMISES, *checker.PROMISES]
    poison = next(finding for finding in findings if finding.name == "no poison over reset")
    assert ("but not those of inputs" in poison.message) == (options["type"] in POISONED_BY_INPUTS)


@pytest.mark.parametrize("core", ["rims", "low_pass"])
def test_what_is_random_or_learned_in_training_is_no_leak(core: str) -> None:
    options = {
        "rims": {"num_rims": 3, "num_active": 2, "rim_size": 4, "input_dropout": 0.5, "comm_dropout": 0.5},
        "low_pass": {"pools": 3, "size": 4, "normalize": "running"},
    }
    assert all(finding.passed for finding in check_core(make_core(6, {"type": core, **options[core]})))


def test_what_rests_on_a_failed_check_is_left_out() -> None:
    assert [finding.name for finding in check_core(NarrowOutput())] == list(checker.PREMISES)[:3]
    assert [finding.name for finding in check_core(CountingCalls())] == list(checker.PREMISES)


def test_a_leak_through_a_branch_of_zeros_is_seen() -> None:
    class SilentLeak(Trace):
        def __init__(self) -> None:
            super().__init__()
            self.gain = nn.Parameter(torch.zeros(F))

        def unroll(self, *arguments: Any) -> Any:
            outputs, state, info = super().unroll(*arguments)
            return outputs + self.gain * outputs.mean(1, keepdim=True), state, info

    failed = {finding.name for finding in check_core(SilentLeak()) if not finding.passed}
    assert {"no leak over lanes", "no gradient over lanes"} <= failed


def test_without_a_rebuild_a_checkpoint_is_loaded_into_a_copy() -> None:
    """Into a copy, so that what is not in the checkpoint is there all the same."""
    assert all(finding.passed for finding in check_core(UnsavedProjection()))


def test_the_core_stays_as_it_is() -> None:
    core = make_core(6, {"type": "low_pass", "pools": 3, "normalize": "running", "bptt_steps": 5}).train()
    before = {name: tensor.clone() for name, tensor in core.state_dict().items()}
    drawn = torch.random.get_rng_state()
    with torch.no_grad():
        assert all(finding.passed for finding in check_core(core))
    assert torch.equal(torch.random.get_rng_state(), drawn)
    assert (core.training, core.bptt_steps) == (True, 5)
    for name, tensor in core.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, before[name])
    assert all(parameter.grad is None for parameter in core.parameters())


def test_the_seed_decides() -> None:
    core = MeanOverLanes()
    assert check_core(core) == check_core(core, seed=0)
    assert check_core(core, seed=1) != check_core(core)
