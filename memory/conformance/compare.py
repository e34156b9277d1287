"""Comparing two runs of a core, and saying where they differ.

T time, B lanes. A run is what a core returns: outputs (T, B, ...) and the state after, leaves (B, ...).
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from engram.memory.core import Core, State

Run = tuple[Tensor, State]

TOLERANCE = 1e-9
"""Largest difference between float64 results that ought to be equal, relative to the largest, or 1."""


class BrokenPromiseError(Exception):
    """A check has failed; its message becomes that of the finding."""


def place_of(size: Tensor, axes: Sequence[str], first: Sequence[int] = (0, 0)) -> str:
    """Where the largest element is: ``step 3, lane 1``.

    Args:
        size: any tensor.
        axes: names of its leading axes.
        first: the number of the first index along each of these axes.
    """
    index = torch.unravel_index(size.argmax(), size.shape)
    return ", ".join(f"{axis} {int(i) + start}" for axis, i, start in zip(axes, index, first, strict=False))


def expect_same(
    what: str, one: Tensor, other: Tensor, axes: Sequence[str], advice: str, first: Sequence[int] = (0, 0)
) -> float:
    """The largest difference between two tensors; equal infinities are equal, nan differs from anything.

    Raises:
        BrokenPromiseError: it is too large; the message is made of the arguments, see `place_of`.
    """
    if not one.numel():
        return 0.0
    one, other = one.detach().double(), other.detach().double()
    apart = torch.where(one == other, 0.0, (one - other).abs().nan_to_num(nan=torch.inf))
    finite = other[other.isfinite()].abs()
    largest, scale = (
        float(apart.max()),
        max([1.0, *finite.max().unsqueeze(0).tolist()] if len(finite) else [1.0]),
    )
    if largest > TOLERANCE * scale:
        raise BrokenPromiseError(
            f"{what} differ by {largest:.2g} at {place_of(apart, axes, first)}; {advice}"
        )
    return largest


def expect_same_run(one: Run, other: Run, advice: str, first: Sequence[int] = (0, 0)) -> float:
    """The largest difference between two runs; arguments and errors as in `expect_same`."""
    gaps = [expect_same("outputs", one[0], other[0], ("step", "lane"), advice, first)]
    for name, leaf in one[1].items():
        gaps.append(expect_same(f"states {name!r}", leaf, other[1][name], ("lane",), advice, first[1:]))
    return max(gaps)


def select(run: Run, lanes: slice, steps: slice = slice(None)) -> Run:
    """Some lanes of a run, and some steps of its outputs."""
    return run[0][steps, lanes], {name: leaf[lanes] for name, leaf in run[1].items()}


def requiring_gradients(state: State) -> State:
    """A copy of a state whose floating leaves ask for gradients."""
    return {name: leaf.clone().requires_grad_(leaf.is_floating_point()) for name, leaf in state.items()}


def past(inputs: Tensor, state: State) -> dict[str, Tensor]:
    """Returns the inputs and floating leaves of the state, which a gradient may reach, by a readable name."""
    leaves = {f"the state {name!r}": leaf for name, leaf in state.items() if leaf.is_floating_point()}
    return {"the inputs": inputs, **leaves}


def weights(core: Core) -> dict[str, Tensor]:
    """Returns the parameters that a gradient ought to reach, by a readable name."""
    return {
        f"the parameter {name!r}": weight for name, weight in core.named_parameters() if weight.requires_grad
    }


def gradients(run: Run, sources: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Gradients of a fixed random mix of a run's outputs and state; zeros where there is none."""
    generator = torch.Generator().manual_seed(1)
    results = [part for part in (run[0], *run[1].values()) if part.requires_grad]
    mixes = [torch.randn(part.shape, generator=generator, dtype=part.dtype) for part in results]
    if not results:
        return {name: torch.zeros_like(source) for name, source in sources.items()}
    found = torch.autograd.grad(
        results, list(sources.values()), mixes, retain_graph=True, materialize_grads=True
    )
    return dict(zip(sources, found, strict=True))


def expect_no_gradient(
    of_inputs: Tensor, of_leaves: Mapping[str, Tensor], lane: int, sender: str, advice: str
) -> None:
    """Checks that gradients are zero, exactly.

    Args:
        of_inputs: (T, B, F), the gradient of inputs that must not get any.
        of_leaves: (B, ...), those of state leaves that must not get any, by name.
        lane: what the first lane is called.
        sender: the source of the gradients.
        advice: how to mend it.

    Raises:
        BrokenPromiseError: some are not.
    """
    for name, gradient in {"the inputs": of_inputs, **of_leaves}.items():
        if gradient.any():
            size = gradient.abs().nan_to_num(nan=torch.inf)
            place = place_of(size, ("step", "lane"), (0, lane)) if name == "the inputs" else ""
            place = place or place_of(size, ("lane",), (lane,))
            largest = f"{float(size.max()):.2g}"
            raise BrokenPromiseError(f"{sender} send a gradient of {largest} to {name} at {place}; {advice}")
