"""Checks of isolation: nothing of an episode in the next one, nothing of a lane in another.

T time, B lanes. Values and gradients are checked separately: a term can cancel in one and not in the other.
"""

import itertools
import math

import torch
from torch import Tensor

from engram.memory.conformance.compare import (
    BrokenPromiseError,
    Run,
    expect_no_gradient,
    expect_same_run,
    gradients,
    past,
    requiring_gradients,
    select,
)
from engram.memory.conformance.fixture import LANES, SHOCK, STEPS, Fixture, no_resets, scattered_resets
from engram.memory.core import State

OTHERS = slice(1, None)
"""All lanes but the first."""


def check_reset_is_initial(fixture: Fixture) -> str:
    """A reset at step t equals a start at step t from `initial_state`; resets all false equal no resets."""
    core, inputs, state, *_ = fixture
    advice = "between resets that are all false and no resets; both mean that no lane resets"
    gaps = [expect_same_run(core(inputs, state, no_resets()), core(inputs, state), advice)]
    for start, stop in ((0, 1), (7, 9), (17, STEPS)):
        resets = no_resets()[:stop]
        resets[start] = True
        fresh = core(inputs[start:stop], core.initial_state(LANES))
        reset = select(core(inputs[:stop], state, resets), slice(None), slice(start, None))
        advice = (
            f"between a reset and a fresh start at step {start}; put initial_state in the place of the state"
        )
        gaps.append(expect_same_run(reset, fresh, advice, (start, 0)))
    return f"a reset and a fresh start differ by {max(gaps):.2g}"


def _resets_at(start: int) -> Tensor:
    """All lanes but the first reset at a step, (T, B)."""
    resets = no_resets()
    resets[start, OTHERS] = True
    return resets


def _replace_lanes(state: State, other: State, lanes: slice) -> State:
    """The first state, with some lanes of the other."""
    replaced = {name: leaf.clone() for name, leaf in state.items()}
    for name, leaf in replaced.items():
        leaf[lanes] = other[name][lanes]
    return replaced


def check_reset_leak(fixture: Fixture) -> str:
    """Results after a reset do not depend on inputs or carried state before it."""
    core, inputs, state, other_state, _ = fixture
    gaps = []
    for start, stop in ((0, 3), (17, STEPS)):
        shocked, resets = inputs[:stop].clone(), _resets_at(start)[:stop]
        shocked[:start, OTHERS] += SHOCK
        run = core(shocked, _replace_lanes(state, other_state, OTHERS), resets)
        base = core(inputs[:stop], state, resets)
        after, expected = (select(each, OTHERS, slice(start, None)) for each in (run, base))
        advice = (
            f"when only what is before a reset at step {start} changes; mask every leaf of the state with "
            "torch.where"
        )
        gaps.append(expect_same_run(after, expected, advice, (start, 1)))
    return f"{SHOCK:g} added to everything before a reset changes what follows by {max(gaps):.2g}"


def check_reset_gradient(fixture: Fixture) -> str:
    """Nothing after a reset sends a gradient to anything before it, exactly."""
    start = 17
    inputs, state = fixture.inputs.clone().requires_grad_(), requiring_gradients(fixture.state)
    run = select(fixture.core(inputs, state, _resets_at(start)), OTHERS, slice(start, None))
    found = gradients(run, past(inputs, state))
    of_inputs = found.pop("the inputs")[:start, OTHERS]
    of_leaves = {name: gradient[OTHERS] for name, gradient in found.items()}
    advice = "take the initial state itself there, not the old one times zero"
    expect_no_gradient(of_inputs, of_leaves, 1, f"steps from a reset at step {start} on", advice)
    return "gradients to what is before a reset are exactly zero"


def check_poison(fixture: Fixture) -> str:
    """A reset rids a lane of NaN and infinities in the carried state, and they stay in their lane.

    Those in inputs before a reset of the same fragment are looked at too, but are no failure: attention hides
    steps behind weights of zero, and zero times NaN is NaN. Training on such a fragment is lost anyway.
    """
    core, inputs, state, *_ = fixture
    poisoned = {name: leaf.clone() for name, leaf in state.items()}
    for leaf in poisoned.values():
        if leaf.is_floating_point() or leaf.is_complex():
            _poison(leaf)
    resets = _resets_at(0)
    advice = (
        "when the state carried into a reset holds NaN or infinities; replace it with torch.where, a product "
        "with zero leaves NaN"
    )
    for stop in (1, STEPS):
        run = core(inputs[:stop], poisoned, resets[:stop])
        expect_same_run(run, core(inputs[:stop], state, resets[:stop]), advice)
    start = 17
    resets, heard = _resets_at(start), inputs.clone()
    for step in heard[:start]:
        _poison(step)
    after, expected = (
        select(core(each, state, resets), OTHERS, slice(start, None)) for each in (heard, inputs)
    )
    try:
        expect_same_run(after, expected, "", (start, 1))
    except BrokenPromiseError:
        return "a reset drops NaN and infinities of the state, but not those of inputs in the same fragment"
    return "a reset drops NaN and infinities, of the state and of inputs in the same fragment"


def _poison(lanes: Tensor) -> None:
    """Fills all lanes but the first, (B, ...)."""
    for lane, value in zip(lanes[OTHERS], itertools.cycle((math.nan, math.inf, -math.inf)), strict=False):
        lane.fill_(value)


MEETING = "lanes must not meet: no mean or norm over B, no resets.any()"


def check_lane_leak(fixture: Fixture) -> str:
    """A lane does not depend on inputs, state or resets of the others, nor on whether there are others."""
    core, inputs, state, *_ = fixture
    resets = scattered_resets()
    base = core(inputs, state, resets)
    gaps = []
    for lane in range(LANES):
        more_resets = resets.clone()
        more_resets[[0, 9, 30], lane] = True
        run = core(*_shock_lane(fixture, lane), more_resets)
        gaps.append(_expect_others_same(run, base, lane, MEETING))
    one = slice(1, 2)
    alone = core(inputs[:, one], {name: leaf[one] for name, leaf in state.items()}, resets[:, one])
    advice = f"between a lane alone and the same among others; {MEETING}"
    expect_same_run(alone, select(base, one), advice, (0, 1))
    return f"{SHOCK:g} added to a lane changes the others by {max(gaps):.2g}"


def check_lane_leak_in_training(fixture: Fixture) -> str:
    """The same in training mode; what is random there, such as dropout, is drawn alike in every call."""
    fixture.core.train()

    def run(inputs: Tensor, state: State) -> Run:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            outputs, after = fixture.fresh().core(inputs, state, scattered_resets())
        return outputs, after

    base = run(fixture.inputs, fixture.state)
    advice = f"{MEETING}, in training neither, as batch norm has it"
    gaps = [
        _expect_others_same(run(*_shock_lane(fixture, lane)), base, lane, advice) for lane in range(LANES)
    ]
    return f"{SHOCK:g} added to a lane changes the others by {max(gaps):.2g}"


def _shock_lane(fixture: Fixture, lane: int) -> tuple[Tensor, State]:
    """Inputs and state, those of one lane being others."""
    inputs = fixture.inputs.clone()
    inputs[:, lane] += SHOCK
    return inputs, _replace_lanes(fixture.state, fixture.other_state, slice(lane, lane + 1))


def _expect_others_same(run: Run, base: Run, lane: int, advice: str) -> float:
    """Compares two runs but for one lane; result and errors as in `expect_same_run`."""
    outputs = run[0].clone()
    outputs[:, lane] = base[0][:, lane]
    others = outputs, _replace_lanes(run[1], base[1], slice(lane, lane + 1))
    return expect_same_run(others, base, f"when only lane {lane} changes; {advice}")


def check_lane_gradient(fixture: Fixture) -> str:
    """No lane sends a gradient to another, exactly."""
    inputs, state = fixture.inputs.clone().requires_grad_(), requiring_gradients(fixture.state)
    run = fixture.core(inputs, state, scattered_resets())
    advice = "lanes must not meet, not even in a term whose value cancels"
    for lane in range(LANES):
        found = gradients(select(run, slice(lane, lane + 1)), past(inputs, state))
        of_inputs = found.pop("the inputs")
        for gradient in (of_inputs.transpose(0, 1), *found.values()):
            gradient[lane] = 0.0  # its own
        expect_no_gradient(of_inputs, found, 0, f"steps of lane {lane}", advice)
    return "gradients to other lanes are exactly zero"
