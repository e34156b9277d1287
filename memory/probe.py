"""How long a core remembers: how much of one input is left in the state, and how far gradients reach back.

    memory = retention(core, steps=10_000)
    memory.curves["pools[3]"].peak_lag, memory.curves["pools[3]"].half_life
    gradient_reach(core, steps=1_000).horizon()

T time, B lanes, F features, L lags. A lag is counted in steps from the input: at lag 0 the state has just
taken it in.

Source: the impulse responses of the LP-RNN paper, arXiv 1805.04955, section 4.1 and figure 2, for any core.
"""

import dataclasses
import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from engram.memory.conformance import float64_copy
from engram.memory.core import Core, State

BACKGROUNDS = ("zeros", "noise")

OUTPUT = "output"
"""Name of the curve of the outputs, beside those of the state."""

MOST_COMPONENTS = 64
"""An axis of a state leaf that is longer is not taken for a list of components."""


@dataclasses.dataclass(frozen=True)
class RetentionCurve:
    """What is left of an input in one component of the state.

    Attributes:
        values: (L,), norm of the difference that the input makes, relative to its largest.
        largest: the largest norm; 0 where the input never arrives.
        peak_lag: where it is, steps; None where the input never arrives.
        band: first and last lag around the peak with at least half of it, steps; None likewise.
        half_life: steps from the peak until at most half of it is left, for good; None: not within the lags
            probed.
    """

    values: Tensor
    largest: float
    peak_lag: int | None
    band: tuple[int, int] | None
    half_life: int | None


@dataclasses.dataclass(frozen=True)
class Retention:
    """What is left of an input, by lag.

    Attributes:
        lags: (L,) steps since the input, ascending from 0.
        curves: by component: `output`, `hidden` for a leaf (B, D), `pools[3]` for a part of a leaf (B, k, D).
        ended: why the lags end early; empty: they do not.
    """

    lags: Tensor
    curves: dict[str, RetentionCurve]
    ended: str = ""

    def share(self, component: str, lag: int) -> float | None:
        """The value of a curve at a lag, None where that lag was not probed."""
        found = (self.lags == lag).nonzero()
        return float(self.curves[component].values[found[0, 0]]) if len(found) else None

    def thinned(self, points: int = 400) -> "Retention":
        """Returns about `points` of the lags, evenly spaced on a log axis; for plots and tables."""
        kept = log_spaced(len(self.lags), points)
        curves = {
            name: dataclasses.replace(curve, values=curve.values[kept]) for name, curve in self.curves.items()
        }
        return Retention(self.lags[kept], curves, self.ended)


@dataclasses.dataclass(frozen=True)
class GradientReach:
    """How strongly an output pulls at the inputs before it.

    Attributes:
        lags: (L,) steps between input and output, ascending from 0.
        values: (L,) norm of the gradient of an output with respect to the input that many steps before, for
            output gradients of norm 1.
        ended: why the lags end early; empty: they do not.
    """

    lags: Tensor
    values: Tensor
    ended: str = ""

    def horizon(self, fraction: float = 1e-3) -> int | None:
        """The largest lag with at least this fraction of the largest gradient; None: there are none."""
        found = (self.values >= fraction * self.values.max()).nonzero()
        return int(self.lags[found[-1, 0]]) if self.values.any() else None


def retention(
    core: Core,
    steps: int = 10_000,
    *,
    background: str = "zeros",
    impulses: int = 4,
    size: float = 1.0,
    seed: int = 0,
) -> Retention:
    """Probes how much of one input survives in state and output.

    Two twins run side by side, as lanes of the same calls, in float64 and eval mode on a copy of the core.
    They differ in one input, the first: one twin gets a random impulse on top of the background. Differences
    smaller than rounding, about 1e-16 of the contents, cannot be seen; where the background is zeros and the
    core linear there is no such limit. Where contents grow beyond all numbers, the lags end before.

    Args:
        core: any core.
        steps: the largest lag.
        background: the input of both twins: `zeros`, or `noise`, standard normal in every feature.
        impulses: random impulses, over which the norms are averaged; each with a background of its own.
        size: Euclidean norm of an impulse.
        seed: of impulses and background.

    Raises:
        ValueError: an unknown background, `steps` or `impulses` below 1, or a core that is not even finite
            at lags 0 and 1.
    """
    _expect_positive(steps=steps, impulses=impulses)
    if background not in BACKGROUNDS:
        raise ValueError(f"background: unknown {background!r}; known: {', '.join(BACKGROUNDS)}")
    core = float64_copy(core)
    generator = torch.Generator().manual_seed(seed)
    impulse = torch.randn(impulses, core.input_size, generator=generator, dtype=torch.float64)
    impulse *= size / impulse.norm(dim=1, keepdim=True)
    state = {name: torch.cat([leaf, leaf]) for name, leaf in core.initial_state(impulses).items()}
    rows: list[Tensor] = []
    with torch.no_grad():
        for lag in range(steps + 1):
            heard = torch.zeros(impulses, core.input_size, dtype=torch.float64)
            if background == "noise":
                heard.normal_(generator=generator)
            twins = torch.cat([heard + impulse if lag == 0 else heard, heard])
            outputs, state = core(twins.unsqueeze(0), state)
            rows.append(_difference(outputs[0], state))
            if not rows[-1].isfinite().all() or (not rows[-1].any() and _same_twins(state)):
                break
    names = [OUTPUT, *_components(state)]
    norms, ended = torch.stack(rows), ""
    sound = _leading_finite(norms)
    if sound == len(norms):  # twins that have become the same stay the same
        norms = functional.pad(norms, (0, 0, 0, steps + 1 - sound))
    else:
        broken = names[int(norms[sound].isfinite().byte().argmin())]
        _expect_sound(repr(broken), sound)
        norms, ended = norms[:sound], _ended(repr(broken), sound)
    curves = {name: _curve(values) for name, values in zip(names, norms.T, strict=True)}
    return Retention(torch.arange(len(norms)), curves, ended)


def gradient_reach(core: Core, steps: int = 1_000, *, lanes: int = 4, seed: int = 0) -> GradientReach:
    """Probes how far back the gradient of an output reaches, inside one fragment.

    The fragment begins with an empty memory; inputs are standard normal. The core's `bptt_steps` count. It
    ends before outputs grow beyond all numbers, and the lags before gradients do.

    Args:
        core: any core; a copy is probed, in float64 and eval mode.
        steps: the largest lag.
        lanes: random inputs and output gradients, over which the norms are averaged.
        seed: of these.

    Raises:
        ValueError: `steps` or `lanes` below 1, or a core whose first outputs or last gradients are not
            finite.
    """
    _expect_positive(steps=steps, lanes=lanes)
    core = float64_copy(core)
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(steps + 1, lanes, core.input_size, generator=generator, dtype=torch.float64)
    with torch.enable_grad():
        outputs = core(inputs.requires_grad_(), core.initial_state(lanes))[0]
        sound = _leading_finite(outputs.detach().flatten(1))
        if 1 < sound <= steps:
            shorter = gradient_reach(core, sound - 1, lanes=lanes, seed=seed)
            ended = shorter.ended or _ended("the output", sound, "step")
            return dataclasses.replace(shorter, ended=ended)
        _expect_sound("the output", sound)
        pull = torch.randn(outputs[-1].shape, generator=generator, dtype=torch.float64)
        values = torch.zeros(steps + 1, dtype=torch.float64)
        if outputs.requires_grad:
            pull /= pull.norm(dim=1, keepdim=True)
            (gradient,) = torch.autograd.grad(outputs[-1], inputs, pull, materialize_grads=True)
            values = gradient.norm(dim=2).mean(1).flip(0)
    sound = _leading_finite(values.unsqueeze(1))
    _expect_sound("the gradient", sound)
    ended = _ended("the gradient", sound) if sound <= steps else ""
    return GradientReach(torch.arange(sound), values[:sound], ended)


def log_spaced(count: int, points: int) -> Tensor:
    """Returns about `points` of the indices 0 .. count - 1, evenly spaced on a log axis, with both ends."""
    spaced = torch.logspace(0, math.log10(count), points, dtype=torch.float64).round().long() - 1
    return torch.tensor(sorted(set(spaced.clamp(0, count - 1).tolist())))


def _expect_positive(**numbers: int) -> None:
    for name, value in numbers.items():
        if value < 1:
            raise ValueError(f"{name}: expected an integer >= 1, got {value!r}")


def _leading_finite(rows: Tensor) -> int:
    """Counts the rows (L, N) before the first with a number that is not finite."""
    return int(rows.isfinite().all(1).cumprod(0).sum())


def _ended(what: str, where: int, unit: str = "lag") -> str:
    return f"{what} is not finite at {unit} {where:,}: the core diverges"


def _expect_sound(what: str, sound: int) -> None:
    if sound < 2:
        raise ValueError(f"core: {what} is not finite at lag {sound}; nothing can be measured")


def _same_twins(state: State) -> bool:
    return all(torch.equal(*leaf.chunk(2)) for leaf in state.values())


def _components(state: State) -> Iterator[str]:
    """Names of the parts of a state, in the order of `_difference`."""
    for name, leaf in state.items():
        if leaf.ndim == 3 and 1 < leaf.shape[1] <= MOST_COMPONENTS:
            yield from (f"{name}[{index}]" for index in range(leaf.shape[1]))
        else:
            yield name


def _difference(outputs: Tensor, state: State) -> Tensor:
    """Norms of the differences between twins, averaged over impulses: output first, then each component."""
    parts = []
    for leaf in (outputs, *state.values()):
        split = leaf.ndim == 3 and 1 < leaf.shape[1] <= MOST_COMPONENTS
        one, other = leaf.double().chunk(2)
        apart = torch.where(one == other, 0.0, one - other)  # equal infinities too
        flat = apart.reshape(len(apart), leaf.shape[1] if split else 1, -1)
        parts.append(torch.linalg.vector_norm(flat, dim=2).mean(0))
    return torch.cat(parts)


def _curve(norms: Tensor) -> RetentionCurve:
    """Describes how the norms (L,) rise and fall; what is half but for rounding counts as half."""
    largest, peak = float(norms.max()), int(norms.argmax())
    if not largest:
        return RetentionCurve(norms, 0.0, None, None, None)
    values = norms / largest
    below = (values < 0.5 - 1e-9).nonzero()[:, 0].tolist()
    first = max((lag + 1 for lag in below if lag < peak), default=0)
    last = min((lag - 1 for lag in below if lag > peak), default=len(values) - 1)
    above = int((values > 0.5 + 1e-9).nonzero()[-1, 0])
    return RetentionCurve(
        values, largest, peak, (first, last), above + 1 - peak if above + 1 < len(values) else None
    )
