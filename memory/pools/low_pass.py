"""LP-RNN, nicknamed Concrete: a chain of ever slower low-pass filters, read by small viewports.

T time, B lanes, F features, k pools, D width of a pool, V width of a viewport, M summariser units.

Source: arXiv 1805.04955, section 2, figure 1, appendix A (`links`) and appendix D. Activations and RL sizes
are not in its text.
"""

import dataclasses
import functools
import math
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from engram.memory.core import Core, CoreOptions, Info, State, run_pieces
from engram.memory.options import boolean, choice, integer, number, numbers
from engram.memory.pools.filter_bank import SLOWEST, FilterBank, Restarts, run_filters
from engram.memory.pools.normalize import RunningScale
from engram.memory.pools.tanh_links import TanhLinks

Streams = list[tuple[slice, Tensor]]
"""Which pools are fed by which columns (k + T, B, D): the carried contents, then the inputs."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LowPassOptions(CoreOptions):
    """Options of `low_pass`; the defaults of `normalize` and `train_input` are the paper's."""

    pools: int = integer(
        9, "pools k; with base 2 pool n looks back about 2^(n+1) steps", unit="pools", high=32
    )
    size: int = integer(64, "width of every pool", unit="units", high=4096)
    base: float = number(2.0, "pool n keeps 1 - base^-n of its contents per step", above=1, high=1000)
    coefficients: tuple[float, ...] | None = numbers(
        None, "a_n of every pool, instead of base^-n; a pool keeps 1 - a_n", above=0, high=1
    )
    parallel: bool = boolean(
        False, "control: all pools read one embedding of the input, no pool reads another"
    )
    links: str = choice(
        "identity",
        "what a pool hears of the pool before it: its contents p, or tanh(R p), R random orthonormal",
        ("identity", "orthonormal_tanh"),
    )
    block_gradients: bool = boolean(True, "gradients pass through the first pool only; false: through all")
    viewports: int = integer(8, "width of the viewport of every pool", unit="units", high=1024)
    summariser: int = integer(
        128, "width of the layer over all viewports, the output", unit="units", high=4096
    )
    orthonormal: bool = boolean(
        False, "viewports read orthonormal combinations of the pools, which are too much alike themselves"
    )
    normalize: str = choice(
        "none",
        "pool contents before their viewports: as they are, layer norm, standardised",
        ("none", "layer", "running"),
    )
    normalize_input: bool = boolean(
        False, "standardise what is written, so that an empty memory is like an uneventful past"
    )
    train_input: bool = boolean(True, "train the link to the first pool and all that is upstream of it")
    read_p0: bool = boolean(False, "give the input itself a viewport too")

    def __post_init__(self) -> None:
        """Checks the fields, then each against the others; errors as in `Options`."""
        super().__post_init__()
        if self.parallel and self.links != "identity":
            raise ValueError(f"links: parallel pools have none, expected identity, got {self.links!r}")
        if self.orthonormal and self.links != "identity":
            raise ValueError(
                f"orthonormal: only linear pools can be, expected links identity, got {self.links!r}"
            )
        if self.coefficients is not None:
            self._check_coefficients(self.coefficients)
        if self.orthonormal and (slowest := min(self.gains())) < SLOWEST:
            raise ValueError(
                f"pools: the slowest hears {slowest:.1e} of its input, expected >= {SLOWEST:.0e}"
            )

    def _check_coefficients(self, coefficients: tuple[float, ...]) -> None:
        if len(coefficients) != self.pools:
            raise ValueError(
                f"coefficients: expected {self.pools} numbers, one per pool, got {len(coefficients)}"
            )
        if self.base != type(self).base:
            raise ValueError("base: expected either base or coefficients, got both")

    def gains(self) -> tuple[float, ...]:
        """a_n of every pool."""
        return self.coefficients or tuple(self.base**-pool for pool in range(1, self.pools + 1))


class Filtered(NamedTuple):
    """One stretch of time on its way through linear filters."""

    kernel: Tensor  # (k, T, k + T)
    streams: Streams
    restarts: Restarts | None

    def contents(self, steps: slice = slice(None)) -> list[Tensor]:
        """What the pools of each stream hold after some of the steps, (n, S, B, D)."""
        restarts = None if self.restarts is None else self.restarts.at(steps)
        return [run_filters(self.kernel[pools, steps], columns, restarts) for pools, columns in self.streams]


class Computed(NamedTuple):
    """One stretch of time whose contents (k, T, B, D) are known already."""

    known: Tensor

    def contents(self, steps: slice = slice(None)) -> list[Tensor]:
        """What the pools hold after some of the steps, (k, S, B, D)."""
        return [self.known[:, steps]]


Path = Literal["step", "contents first", "viewports first"]
"""The ways to run a fragment."""


def cheaper_path(steps: int, lanes: int, size: int, pools: int, viewports: int) -> Path:
    """Which order of filters and viewports takes less time over T `steps` at once of B `lanes`.

    The kernels of k pools have T rows and k + T columns. Contents first filters D channels and reads T steps;
    viewports first reads k + T columns, filters V channels, and D for the last contents.
    """
    columns = pools + steps
    contents = steps * columns * size + steps * size * viewports
    views = columns * size * viewports + steps * columns * viewports + columns * size
    saved = pools * lanes * (contents - SMALL_PRODUCTS * views)
    return "viewports first" if saved > EXTRA_CALLS else "contents first"


# Measured by benchmarks/low_pass_paths.py.
SMALL_PRODUCTS = 1.5  # viewports first makes many small products: so many times the time per multiply-add
EXTRA_CALLS = 2e6  # multiply-adds that take as long as its additional calls


class LowPass(Core):
    """Pools ``p_t^(n) = a_n p_t^(n-1) + (1 - a_n) p_{t-1}^(n)`` behind a link, viewports, summariser.

    The link (D, F) starts as a_1 times the padded identity, without bias. Gradients pass through the first
    pool only: the others are data to the optimiser (`block_gradients`). State: `pools` (B, k, D), zero at the
    start of an episode.

    With `parallel` all pools read an embedding e = relu(E h + b) of width D instead, the first through the
    link (D, D): ``p_t^(n) = a_n e_t + (1 - a_n) p_{t-1}^(n)``. The embedding learns through the first pool.

    With `links` "orthonormal_tanh" pool n reads tanh(R_n p_t^(n-1)) instead of p_t^(n-1), R_n a fixed random
    orthonormal matrix. The first pool keeps its trainable link.

    Pools start empty and fill over as many steps as they look back. Where inputs have a constant part, slow
    pools hold little but the trace of their filling; `normalize_input` takes that part away.

    Neighbouring pools hold nearly the same, and what tells one event from the next lies in their small
    differences, which gradients find slowly. `orthonormal` combinations span the same space with directions
    of equal weight. Gradients still pass through the first pool only.

    Running statistics take all inputs for real; under RLlib's own algorithms, which pad short sequences with
    zeros, that includes the padding.

    A viewport is linear up to its ReLU, so it may as well look at the input before the filters as at the
    pools after them; that is V instead of D channels to filter, and how whole fragments are run where it is
    cheaper: see `path`. Contents are then only computed at a few steps per fragment for running statistics,
    and at the last step for the state.
    """

    Options = LowPassOptions
    carries_gradient = False
    keeps_statistics: ClassVar[bool | None] = True

    STATISTICS_STEPS = 4  # per stretch, whose contents enter the running statistics; neighbours are alike

    def __init__(self, input_size: int, options: LowPassOptions) -> None:
        super().__init__(input_size, options)
        pools, size, view = options.pools, options.size, options.viewports
        self.train_input = options.train_input
        self.output_size = options.summariser
        self.size = size
        self.block_gradients = options.block_gradients
        self.layer_norm = options.normalize == "layer"
        self.bank = FilterBank(options.gains(), options.parallel)
        self.links = TanhLinks(options.gains(), size) if options.links == "orthonormal_tanh" else None
        self.orthonormal = options.orthonormal
        self.embedding = nn.Linear(input_size, size) if options.parallel else None
        if self.embedding is not None:
            self.embedding.requires_grad_(self.train_input)
        self.link = nn.Parameter(
            options.gains()[0] * torch.eye(size, size if options.parallel else input_size),
            requires_grad=self.train_input,
        )
        bound = 1 / math.sqrt(size)
        self.viewport_weight = nn.Parameter(torch.empty(size, pools, view).uniform_(-bound, bound))
        self.viewport_bias = nn.Parameter(torch.empty(pools, view).uniform_(-bound, bound))
        self.input_viewport = nn.Linear(input_size, view) if options.read_p0 else None
        self.scale = RunningScale(pools, size) if options.normalize == "running" else None
        self.input_scale = RunningScale(1, input_size) if options.normalize_input else None
        self.summariser = nn.Linear((pools + options.read_p0) * view, options.summariser)

    @override
    def initial_state(self, lanes: int) -> State:
        return {"pools": self.link.new_zeros(lanes, self.bank.pools, self.size)}

    def path(self, steps: int, lanes: int, return_info: bool = False) -> Path:
        """Which way a fragment is run; they differ in speed, not in the result.

        "step" is a single step. Longer fragments are cut into stretches of at most `FilterBank.longest`
        steps and run "contents first" (filter D channels per pool, then look) or "viewports first" (look,
        then filter V channels per pool), whichever is cheaper. Layer norm (without learned scale: the
        viewports have their own), tanh links, `orthonormal` and `return_info` want the contents themselves.

        Args:
            steps: T, of the fragment; with `bptt_steps`, of one of its blocks.
            lanes: B.
            return_info: as in `forward`.
        """
        if steps == 1:
            return "step"
        if self.layer_norm or self.links is not None or self.orthonormal or return_info:
            return "contents first"
        stretch = math.ceil(steps / math.ceil(steps / self.bank.longest))
        return cheaper_path(stretch, lanes, *self.viewport_weight.shape)

    def forward(
        self, inputs: Tensor, state: State, resets: Tensor | None = None, return_info: bool = False
    ) -> tuple[Tensor, State] | tuple[Tensor, State, Info]:
        """Runs the core; info: `pools` (T, B, k, D).

        Running statistics are updated by training steps only (`self.training` and gradients enabled), after
        the whole fragment has been normalised by the old ones.
        """
        result = super().forward(inputs, state, resets, return_info)
        for scale in (self.scale, self.input_scale):
            if scale is not None:
                scale.commit()
        return result

    def unroll(
        self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool
    ) -> tuple[Tensor, State, Info]:
        """Runs stretches as long as the filter bank can."""
        if self.input_scale is not None:
            inputs = self._standardise(self.input_scale, inputs)
        path = self.path(len(inputs), inputs.shape[1], return_info)
        if path != "step" and resets is not None and not resets.any():
            resets = None
        count = math.ceil(len(inputs) / self.bank.longest)
        if count == 1:
            return self._stretch(inputs, state, resets, return_info, path)
        stretch_resets = [None] * count if resets is None else resets.tensor_split(count)
        stretches = zip(inputs.tensor_split(count), stretch_resets, strict=True)
        return run_pieces(functools.partial(self._stretch, path=path), stretches, state, return_info)

    def _learning(self) -> bool:
        return self.training and torch.is_grad_enabled()

    def _standardise(self, scale: RunningScale, inputs: Tensor) -> Tensor:
        """What is written (T, B, F), as units of mean 0 and variance 1."""
        if self._learning():
            scale.observe(inputs.detach().unsqueeze(0), inputs.shape[0] * inputs.shape[1])
        standardised: Tensor = scale(inputs.unsqueeze(0)).squeeze(0)
        return standardised

    def _stretch(
        self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool, path: Path
    ) -> tuple[Tensor, State, Info]:
        """Runs at most `bank.longest` steps at once."""
        if resets is not None:
            state = self.reset_state(state, resets[0])
        if not self.train_input:
            inputs = inputs.detach()
        stretch = self._fill(inputs, state["pools"].transpose(0, 1), resets)
        if self.scale is not None and self._learning():
            self._observe(self.scale, stretch, inputs)
        info = {}
        if path == "viewports first" and isinstance(stretch, Filtered):
            views = self._view_ahead(stretch)
            last = torch.cat(stretch.contents(slice(-1, None)))[:, 0]
        else:
            contents = stretch.contents()
            views = self._view_contents(contents)
            last = torch.cat([part[:, -1] for part in contents])
            if return_info:
                info["pools"] = torch.cat(contents).permute(1, 2, 0, 3)
        return self._summarise(inputs, views), {"pools": last.transpose(0, 1)}, info

    def _fill(self, inputs: Tensor, pools: Tensor, resets: Tensor | None) -> Filtered | Computed:
        """Sends inputs (T, B, F) into pools that hold (k, B, D)."""
        heard = inputs if self.embedding is None else torch.relu(self.embedding(inputs))
        entering = functional.linear(heard, self.link)
        if self.links is not None:
            return Computed(self.links(entering, pools, resets, self.block_gradients))
        restarts = None if resets is None else self.bank.restarts(resets, entering)
        streams = self._streams(torch.cat([pools, entering]), heard)
        return Filtered(self.bank.kernel(len(inputs), entering), streams, restarts)

    def _streams(self, columns: Tensor, heard: Tensor) -> Streams:
        """What feeds the pools, given the first pool's columns (k + T, B, D), which carry gradients."""
        others = columns
        if self.embedding is not None:
            others = torch.cat([columns[: self.bank.pools], heard])
        if self.block_gradients and others.requires_grad:
            others = others.detach()
        if others is columns:
            return [(slice(None), columns)]
        return [(slice(0, 1), columns), (slice(1, None), others)]

    def _view_contents(self, contents: list[Tensor]) -> Tensor:
        """Viewports over contents (n, T, B, D) of every stream; returns (T, B, k, V) before the ReLU."""
        stacked = self._readable(contents)
        if self.layer_norm:
            stacked = functional.layer_norm(stacked, (self.size,))
        if self.scale is not None:
            stacked = self.scale(stacked)
        # In this order, few rows times many columns, small products are several times faster than transposed.
        views = torch.bmm(self.viewport_weight.permute(1, 2, 0), stacked.flatten(1, 2).transpose(1, 2))
        return views.view(*views.shape[:2], *stacked.shape[1:3]).permute(2, 3, 0, 1) + self.viewport_bias

    def _readable(self, contents: list[Tensor]) -> Tensor:
        """Contents (n, S, B, D) of every stream as what viewports look at, (k, S, B, D)."""
        stacked = torch.cat(contents) if len(contents) > 1 else contents[0]
        if not self.orthonormal:
            return stacked
        return (self.bank.orthonormal(stacked) @ stacked.flatten(1)).view_as(stacked)

    def _view_ahead(self, filtered: Filtered) -> Tensor:
        """Viewports over the filters' columns, then the filters; same result as `_view_contents`."""
        weight: Tensor = self.viewport_weight
        bias: Tensor = self.viewport_bias
        if self.scale is not None:
            weight, bias = self.scale.fold(weight, bias)
        parts = []
        for pools, columns in filtered.streams:
            own = weight[:, pools]
            seen = (columns @ own.flatten(1)).view(*columns.shape[:2], *own.shape[1:])  # (k + T, B, n, V)
            views = run_filters(filtered.kernel[pools], seen.permute(2, 0, 1, 3), filtered.restarts)
            parts.append(views.permute(1, 2, 0, 3))
        return torch.cat(parts, 2) + bias

    def _summarise(self, inputs: Tensor, views: Tensor) -> Tensor:
        """The layer over all viewports, (T, B, M)."""
        features = torch.relu(views).flatten(2)
        if self.input_viewport is not None:
            features = torch.cat([torch.relu(self.input_viewport(inputs)), features], 2)
        return torch.relu(self.summariser(features))

    @torch.no_grad()
    def _observe(self, scale: RunningScale, stretch: Filtered | Computed, inputs: Tensor) -> None:
        """Shows the contents at a few evenly spaced steps, the last among them, to the running statistics."""
        steps, lanes = inputs.shape[:2]
        stride = math.ceil(steps / self.STATISTICS_STEPS)
        contents = stretch.contents(slice((steps - 1) % stride, None, stride))
        scale.observe(self._readable(contents), steps * lanes)
