"""A core's first run: the few steps that show whether a new one can be trained at all.

T time, B lanes, F features. `memory.conformance` asks for much more.
"""

from typing import Any

import torch
from torch import Tensor

from engram.memory.blame import explain
from engram.memory.core import Core

STEPS, LANES = 3, 2


@torch.no_grad()
def check_first_run(core: Core, path: str) -> None:
    """Runs a core over a few steps, and over the same with a reset, as training will.

    Random numbers are drawn from a generator of their own; the core is left in the mode that it was in.

    Args:
        core: a user's own.
        path: where its options were written, dotted; only used in messages.

    Raises:
        ValueError: the first violation of the contract of `Core`.
    """
    training = core.training
    with torch.random.fork_rng(devices=[]):
        try:
            _run(core.eval(), f"{path}: {type(core).__qualname__}")
        finally:
            core.train(training)


def _run(core: Core, name: str) -> None:
    inputs = torch.rand(STEPS, LANES, core.input_size)
    none, resets = torch.zeros(STEPS, LANES, dtype=torch.bool), torch.zeros(STEPS, LANES, dtype=torch.bool)
    resets[1, 0] = True
    state = _initial_state(core, name)
    outputs = _unroll(core, inputs, state, None, name)
    repeated = _unroll(core, inputs, state, none, name)
    restarted = _unroll(core, inputs, state, resets, name)
    fresh = _unroll(core, inputs[1:], state, None, name)
    if not torch.equal(outputs, repeated) or not _same(state, _initial_state(core, name)):
        return  # it draws random numbers: nothing can be compared
    if not torch.allclose(restarted[1:, 0], fresh[:, 0], atol=1e-4):
        raise ValueError(
            f"{name} does not heed resets: where resets[t, b] is true, lane b is to start step t from "
            "initial_state; `reset_state` and `split_at_resets` of engram.memory.core help"
        )
    if not torch.allclose(restarted[:, 1], outputs[:, 1], atol=1e-4):
        raise ValueError(f"{name}: a reset of lane 0 changes the outputs of lane 1")


def _same(state: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(leaf, other[key]) for key, leaf in state.items())


def _initial_state(core: Core, name: str) -> dict[str, Tensor]:
    try:
        state: Any = core.initial_state(LANES)
    except Exception as error:
        raise ValueError(f"{name}.initial_state({LANES}) raises {explain(error)}") from error
    _check_state(state, f"{name}.initial_state({LANES})")
    return dict(state)


def _check_state(state: Any, what: str) -> None:
    if not isinstance(state, dict):
        raise ValueError(
            f"{what} gives {_kind(state)} as state, expected a dict of tensors (lanes, ...) by name"
        )
    for key, leaf in state.items():
        if not isinstance(leaf, Tensor):
            raise ValueError(f"{what}: state[{key!r}] is {_kind(leaf)}, expected a tensor (lanes, ...)")
        if leaf.ndim < 1 or len(leaf) != LANES:
            raise ValueError(
                f"{what}: state[{key!r}] has shape {tuple(leaf.shape)}, expected lanes first, ({LANES}, ...)"
            )


def _unroll(core: Core, inputs: Tensor, state: dict[str, Tensor], resets: Tensor | None, name: str) -> Tensor:
    """The outputs of a run, checked together with the state after it."""
    given = {key: leaf.clone() for key, leaf in state.items()}
    said = f"{name} over {len(inputs)} steps of {LANES} lanes"
    try:
        result: Any = core.unroll(inputs, state, resets, False)
    except Exception as error:
        raise ValueError(f"{said} raises {explain(error)}") from error
    if not isinstance(result, tuple) or len(result) != 3:
        raise ValueError(
            f"{said}: unroll gives {_kind(result)}, expected (outputs, state, info), info a dict"
        )
    outputs, after, _ = result
    expected = (len(inputs), LANES, core.output_size)
    if not isinstance(outputs, Tensor) or outputs.shape != expected:
        raise ValueError(f"{said} gives outputs {_kind(outputs)}, expected a tensor {expected}")
    if not torch.isfinite(outputs).all():
        raise ValueError(f"{said} gives outputs that are not finite")
    _check_state(after, said)
    shapes = [{key: (leaf.shape, leaf.dtype) for key, leaf in each.items()} for each in (state, after)]
    if shapes[0] != shapes[1]:
        before, now = ({key: tuple(shape) for key, (shape, _) in each.items()} for each in shapes)
        kinds = [{key: dtype for key, (_, dtype) in each.items()} for each in shapes]
        told = (before, now) if before != now else (kinds[0], kinds[1])
        raise ValueError(f"{said} turns a state of {told[0]} into one of {told[1]}; it has to stay alike")
    if not _same(given, state):
        raise ValueError(f"{said} writes into the state that it is given; it is to return a new one")
    return outputs


def _kind(value: Any) -> str:
    return f"of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
