"""Checks of isolation: nothing of an episode in the next one, nothing of a lane in another.

T time, B lanes. Values and gradients are checked separately: a term can cancel in one and not in the other.
"""

from torch import Tensor

from engram.memory.checks.compare import (
    expect_no_gradient,
    expect_same_run,
    gradients,
    past,
    requiring_gradients,
    select,
)
from engram.memory.checks.trial import LANES, STEPS, Trial, no_resets, scattered_resets
from engram.memory.core import State

SHOCK = 100.0
"""What is added to inputs that must not matter."""

OTHERS = slice(1, None)
"""All lanes but the first."""


def check_reset_is_initial(trial: Trial) -> str:
    """A reset at step t equals a start at step t from `initial_state`; resets all false equal no resets."""
    core, inputs, state, *_ = trial
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


def check_reset_leak(trial: Trial) -> str:
    """What comes after a reset is the same whatever came before it: other inputs, another carried state."""
    core, inputs, state, other_state, _ = trial
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


def check_reset_gradient(trial: Trial) -> str:
    """Nothing after a reset sends a gradient to anything before it, exactly."""
    start = 17
    inputs, state = trial.inputs.clone().requires_grad_(), requiring_gradients(trial.state)
    run = select(trial.core(inputs, state, _resets_at(start)), OTHERS, slice(start, None))
    found = gradients(run, past(inputs, state))
    of_inputs = found.pop("the inputs")[:start, OTHERS]
    of_leaves = {name: gradient[OTHERS] for name, gradient in found.items()}
    advice = "take the initial state itself there, not the old one times zero"
    expect_no_gradient(of_inputs, of_leaves, 1, f"steps from a reset at step {start} on", advice)
    return "gradients to what is before a reset are exactly zero"


def check_lane_leak(trial: Trial) -> str:
    """A lane is the same whatever the others have: inputs, state, resets; and the same alone."""
    core, inputs, state, other_state, _ = trial
    resets, more_resets = scattered_resets(), scattered_resets()
    more_resets[[0, 9, 30], 0] = True
    shocked = inputs.clone()
    shocked[:, 0] += SHOCK
    base = core(inputs, state, resets)
    run = core(shocked, _replace_lanes(state, other_state, slice(0, 1)), more_resets)
    cause = "lanes must not meet: no mean or norm over B, no resets.any()"
    advice = f"when only lane 0 changes; {cause}"
    gap = expect_same_run(select(run, OTHERS), select(base, OTHERS), advice, (0, 1))
    one = slice(1, 2)
    alone = core(inputs[:, one], {name: leaf[one] for name, leaf in state.items()}, resets[:, one])
    advice = f"between a lane alone and the same among others; {cause}"
    expect_same_run(alone, select(base, one), advice, (0, 1))
    return f"{SHOCK:g} added to a lane changes the others by {gap:.2g}"


def check_lane_gradient(trial: Trial) -> str:
    """No lane sends a gradient to another, exactly."""
    inputs, state = trial.inputs.clone().requires_grad_(), requiring_gradients(trial.state)
    run = select(trial.core(inputs, state, scattered_resets()), OTHERS)
    found = gradients(run, past(inputs, state))
    of_inputs = found.pop("the inputs")[:, :1]
    of_leaves = {name: gradient[:1] for name, gradient in found.items()}
    advice = "lanes must not meet, not even in a term whose value cancels"
    expect_no_gradient(of_inputs, of_leaves, 0, "lanes from 1 on", advice)
    return "gradients to other lanes are exactly zero"
