"""Checks over time: single steps, fragments, carried state, blocked gradients.

T time, B lanes.
"""

import torch

from engram.memory.conformance.compare import (
    BrokenPromiseError,
    expect_no_gradient,
    expect_same,
    expect_same_run,
    gradients,
    past,
    requiring_gradients,
    select,
    weights,
)
from engram.memory.conformance.fixture import SHOCK, STEPS, Fixture, scattered_resets, single_steps
from engram.memory.core import detach_state

LONG, LATE_RESETS = 160, (20, 70, 100, 130, 145, 158)
"""Steps of a long fragment, and where each of its lanes resets."""


def check_steps(fixture: Fixture) -> str:
    """T steps at once equal T single steps, resets included."""
    core, inputs, state, *_ = fixture
    resets = scattered_resets()
    advice = "between single steps and a fragment; they must be the same computation"
    gap = expect_same_run(single_steps(core, inputs, state, resets), core(inputs, state, resets), advice)
    return f"{STEPS} steps one by one and at once differ by {gap:.2g}"


def check_long(fixture: Fixture) -> str:
    """In many steps and lanes at once, a lane is from a reset on what it is alone, a few steps at a time."""
    core, lanes = fixture.core, len(LATE_RESETS)
    inputs = torch.randn(LONG, lanes, core.input_size, dtype=torch.float64)
    resets = torch.zeros(LONG, lanes, dtype=torch.bool)
    for lane, start in enumerate(LATE_RESETS):
        resets[start, lane] = True
        inputs[:start, lane] += SHOCK
    gaps = []
    with torch.no_grad():
        at_once = core(inputs, core.initial_state(lanes), resets)
        for lane, start in enumerate(LATE_RESETS):
            one = slice(lane, lane + 1)
            outputs, state = [], core.initial_state(1)
            for piece in torch.split(inputs[start:, one], STEPS):
                output, state = core(piece, state)
                outputs.append(output)
            advice = (
                f"between {LONG} steps of {lanes} lanes and the same lane alone, from its reset at step "
                f"{start} on, {STEPS} steps at a time; the sizes of a call must not matter"
            )
            own = select(at_once, one, slice(start, None))
            gaps.append(expect_same_run(own, (torch.cat(outputs), state), advice, (start, lane)))
    return f"{LONG} steps of {lanes} lanes and the same in pieces differ by {max(gaps):.2g}"


def check_step_gradients(fixture: Fixture) -> str:
    """Their gradients are equal too."""
    core, resets = fixture.core, scattered_resets()
    core.bptt_steps = None  # which cuts fragments, and never single steps
    inputs, state = fixture.inputs.clone().requires_grad_(), requiring_gradients(fixture.state)
    sources = past(inputs, state) | weights(core)
    one_by_one = gradients(single_steps(core, inputs, state, resets), sources)
    at_once = gradients(core(inputs, state, resets), sources)
    advice = "between single steps and a fragment; look for a detach or a no_grad in one of the two paths"
    gap = 0.0
    for name, gradient in one_by_one.items():
        axes = ("step", "lane") if name == "the inputs" else ("row" if "parameter" in name else "lane",)
        gap = max(gap, expect_same(f"gradients of {name}", gradient, at_once[name], axes, advice))
    return f"{len(sources)} gradients differ by at most {gap:.2g}"


def check_carried_state(fixture: Fixture) -> str:
    """Two fragments equal one, the state being carried over; and another state makes a difference."""
    core, inputs, state, other_state, _ = fixture
    if not state:
        return "no state"
    split = STEPS // 3
    first, between = core(inputs[:split], state)
    second, after = core(inputs[split:], between)
    advice = f"between one fragment and two, cut at step {split}; go on from the state that is handed in"
    gap = expect_same_run((torch.cat([first, second]), after), core(inputs, state), advice)
    one, other = core(inputs[:2], state), core(inputs[:2], other_state)
    if torch.equal(one[0], other[0]) and all(torch.equal(one[1][name], other[1][name]) for name in state):
        raise BrokenPromiseError(
            "whatever state is handed in, outputs and the next state are the same; read it, or have no state"
        )
    return f"one fragment and two differ by {gap:.2g}"


def check_bptt_steps(fixture: Fixture) -> str:
    """`bptt_steps` leaves values alone and cuts the gradients between blocks, and nothing else."""
    core, block = fixture.core, 3
    inputs, state = fixture.inputs[: 3 * block].clone().requires_grad_(), requiring_gradients(fixture.state)
    core.bptt_steps = None
    whole = core(inputs, state)
    pieces, carried = [], state
    for start in range(0, len(inputs), block):
        output, carried = core(inputs[start : start + block], detach_state(carried))
        pieces.append(output)
    core.bptt_steps = block
    blocked = core(inputs, state)
    expect_same_run(blocked, whole, f"with bptt_steps = {block}; it must change gradients only")
    advice = "write `unroll` and leave `forward`, which cuts at bptt_steps, to Core"
    found = gradients((blocked[0][block:], blocked[1]), past(inputs, state))
    found["the inputs"] = found["the inputs"][:block]
    sender = f"steps from {block} on, with bptt_steps = {block},"
    expect_no_gradient(found.pop("the inputs"), found, 0, sender, advice)
    expected = gradients((torch.cat(pieces), carried), {"the inputs": inputs})["the inputs"]
    got = gradients(blocked, {"the inputs": inputs})["the inputs"]
    advice = f"between bptt_steps = {block} and a state detached by hand; {advice}"
    expect_same("gradients of the inputs", got, expected, ("step", "lane"), advice)
    return f"with bptt_steps = {block} no gradient leaves its block"
