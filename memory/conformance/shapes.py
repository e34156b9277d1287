"""Checks of form: what goes in, what comes out, and that nothing stays behind.

T time, B lanes.
"""

import torch
from torch import Tensor

from engram.memory.conformance.compare import BrokenPromiseError, expect_same, expect_same_run, place_of
from engram.memory.conformance.fixture import LANES, Fixture, scattered_resets
from engram.memory.core import State

STEPS = 8

SIZES = ((1, 1), (1, LANES), (2, 1), (STEPS, LANES))
"""T and B of the calls; form does not need long ones."""


def check_state(fixture: Fixture) -> str:
    """`initial_state` gives (B, ...) for any B; a call gives back the same names, shapes and dtypes."""
    core = fixture.core
    for steps, lanes in SIZES:
        initial = core.initial_state(lanes)
        _expect_state(initial, lanes)
        result = core(fixture.inputs[:steps, :lanes], initial)
        if not isinstance(result, tuple) or len(result) != 2 or not isinstance(result[1], dict):
            raise BrokenPromiseError("a call does not return a pair: outputs, and the state as a dict")
        _expect_same_form(initial, result[1], f"after T={steps} steps")
    return f"leaves {', '.join(initial)}" if initial else "no state"


def check_start(fixture: Fixture) -> str:
    """`initial_state` gives the same every time."""
    one, other = (fixture.core.initial_state(LANES) for _ in range(2))
    advice = (
        "between two calls of initial_state; a start that is random by design is no mistake, but nothing can "
        "be compared then, so the remaining checks were not run: for them, check this core with a fixed start"
    )
    for name, leaf in one.items():
        expect_same(f"states {name!r}", leaf, other[name], ("lane",), advice)
    return "the same every time"


def _expect_state(state: State, lanes: int) -> None:
    if not isinstance(state, dict) or not all(isinstance(leaf, Tensor) for leaf in state.values()):
        raise BrokenPromiseError(
            "initial_state does not return a dict of tensors, empty where there is no state"
        )
    for name, leaf in state.items():
        if leaf.shape[:1] != (lanes,):
            raise BrokenPromiseError(
                f"initial_state({lanes})[{name!r}] has the shape {tuple(leaf.shape)}; its first axis must be "
                f"the lanes, {lanes}"
            )
        if leaf.is_floating_point() and leaf.dtype != torch.float64:
            raise BrokenPromiseError(
                f"initial_state({lanes})[{name!r}] is {leaf.dtype} where parameters are float64; make it "
                "from one: parameter.new_zeros(...)"
            )


def _expect_same_form(initial: State, after: State, when: str) -> None:
    if initial.keys() != after.keys():
        raise BrokenPromiseError(
            f"the state {when} has the leaves {sorted(after)}, initially {sorted(initial)}; keep the names"
        )
    for name, leaf in initial.items():
        forms = [f"{tuple(part.shape)} {part.dtype}" for part in (after[name], leaf)]
        if forms[0] != forms[1]:
            raise BrokenPromiseError(
                f"the state {name!r} is {forms[0]} {when}, initially {forms[1]}; keep shape and dtype"
            )


def check_outputs(fixture: Fixture) -> str:
    """Outputs are (T, B, output_size), float64 and finite."""
    core = fixture.core
    for steps, lanes in SIZES:
        outputs = core(fixture.inputs[:steps, :lanes], core.initial_state(lanes))[0]
        expected = (steps, lanes, core.output_size)
        if outputs.shape != expected or outputs.dtype != torch.float64:
            raise BrokenPromiseError(
                f"outputs are {tuple(outputs.shape)} {outputs.dtype} for T={steps}, B={lanes}; expected "
                f"(T, B, output_size) = {expected} in the dtype of the parameters, torch.float64 here"
            )
        if not outputs.isfinite().all():
            place = place_of((~outputs.isfinite()).double(), ("step", "lane"))
            raise BrokenPromiseError(
                f"outputs are not finite at {place}, for inputs that are standard normal"
            )
    return f"(T, B, {core.output_size})"


def check_info(fixture: Fixture) -> str:
    """`return_info` adds a dict of (T, B, ...) and changes nothing else."""
    told, untold = fixture.fresh(), fixture.fresh()
    result = told.core(told.inputs[:STEPS], told.state, return_info=True)
    if not isinstance(result, tuple) or len(result) != 3 or not isinstance(result[2], dict):
        raise BrokenPromiseError("with return_info a call does not return a third result, a dict of tensors")
    for name, leaf in result[2].items():
        if leaf.shape[:2] != (STEPS, LANES):
            raise BrokenPromiseError(
                f"info {name!r} has the shape {tuple(leaf.shape)}; its first axes must be time and lanes, "
                f"{(STEPS, LANES)}"
            )
    plain = untold.core(untold.inputs[:STEPS], untold.state)
    expect_same_run((result[0], result[1]), plain, "asking for info must change nothing else")
    return f"info {', '.join(result[2])}" if result[2] else "no info"


def check_purity(fixture: Fixture) -> str:
    """A call repeated after other calls gives the same, and no call edits its arguments."""
    core, state, other_state = fixture.core, fixture.state, fixture.other_state
    inputs, resets = fixture.inputs[:STEPS], scattered_resets()[:STEPS]
    given = inputs.clone(), {name: leaf.clone() for name, leaf in state.items()}
    result = core(inputs, state, resets)
    first = result[0].clone(), {name: leaf.clone() for name, leaf in result[1].items()}
    expect_same_run(
        (inputs, state), given, "after a call; it must not edit the inputs or the state it is given"
    )
    core(10 * inputs.flip(0), other_state)
    core(inputs[:1], state)
    advice = "between two equal calls; keep nothing in buffers or attributes, the only memory is the state"
    gap = expect_same_run(core(inputs, state, resets), first, advice)
    return f"equal calls differ by {gap:.2g}"
