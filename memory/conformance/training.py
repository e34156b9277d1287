"""Checks of checkpoints and of the attributes of a core about its gradients."""

import io

import torch
from torch import Tensor

from engram.memory.conformance.compare import (
    BrokenPromiseError,
    expect_same_run,
    gradients,
    past,
    requiring_gradients,
)
from engram.memory.conformance.fixture import Fixture
from engram.memory.core import Core


def check_state_dict(fixture: Fixture) -> str:
    """A checkpoint makes a core with other weights the same core; no tensor escapes it."""
    core, inputs, state = fixture.core, fixture.inputs[:5], fixture.state
    for path in _bare_tensors(core):
        raise BrokenPromiseError(
            f"the attribute {path!r} is a bare tensor, which checkpoints and .to() leave out; make it "
            "a parameter, or use register_buffer"
        )
    file = io.BytesIO()
    torch.save(core.state_dict(), file)
    file.seek(0)
    other = fixture.rebuild()
    other(inputs, state)
    other.load_state_dict(torch.load(file, weights_only=True))
    advice = (
        "after state_dict and load_state_dict; what is random must be in the state_dict, what is computed "
        "from weights must be computed in every call"
    )
    gap = expect_same_run(other(inputs, state), core(inputs, state), advice)
    return f"{len(core.state_dict())} tensors; results differ by {gap:.2g}"


def _bare_tensors(core: Core) -> list[str]:
    """Paths of tensors that are plain attributes of a module."""
    return [
        f"{name}.{key}".lstrip(".")
        for name, module in core.named_modules()
        for key, value in vars(module).items()
        if isinstance(value, Tensor)
    ]


def check_train_input(fixture: Fixture) -> str:
    """`train_input` is true where the inputs get gradients."""
    core, inputs = fixture.core, fixture.inputs[:5].clone().requires_grad_()
    arrives = bool(gradients(core(inputs, fixture.state), {"the inputs": inputs})["the inputs"].any())
    if arrives != core.train_input:
        raise BrokenPromiseError(
            f"train_input is {core.train_input}, but the inputs get {'a' if arrives else 'no'} gradient; "
            f"set it to {arrives}, or {'detach the inputs' if arrives else 'let gradients through to them'}"
        )
    return f"the inputs get {'a' if arrives else 'no'} gradient"


def check_carries_gradient(fixture: Fixture) -> str:
    """`carries_gradient` is true only where gradients cross steps; whether they are needed cannot be seen."""
    core, steps = fixture.core, 4
    core.bptt_steps = None
    inputs, state = fixture.inputs[:steps].clone().requires_grad_(), requiring_gradients(fixture.state)
    last = core(inputs, state)[0][-1:]
    found = gradients((last, {}), past(inputs, state))
    found["the inputs"] = found["the inputs"][:-1]
    crosses = any(bool(gradient.any()) for gradient in found.values())
    if core.carries_gradient and not crosses:
        raise BrokenPromiseError(
            f"carries_gradient is True, but step {steps - 1} sends no gradient to the steps before it; "
            "set it to False, or do not detach the state inside a fragment"
        )
    if crosses and not core.carries_gradient:
        return "gradients cross steps, as they may; whether they are needed cannot be seen"
    return f"gradients {'cross' if crosses else 'do not cross'} steps"
