"""LP-RNN, nicknamed Concrete: a chain of ever slower low-pass filters, read by small viewports.

T time, B lanes, F features, k pools, D width of a pool, V width of a viewport, M summariser units.

Source: arXiv 1805.04955, section 2, figure 1 and appendix D. Activations and RL sizes are not in its text.
"""

import dataclasses
import math
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from engram.memory.core import Core, CoreOptions, Info, Inputs, State, join_infos
from engram.memory.options import boolean, choice, integer, number, numbers
from engram.memory.pools.filter_bank import FilterBank, Restarts, run_filters
from engram.memory.pools.normalize import RunningScale

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
        False, "control: pools from the second on read the input, not the pool before them"
    )
    viewports: int = integer(8, "width of the viewport of every pool", unit="units", high=1024)
    summariser: int = integer(
        128, "width of the layer over all viewports, the output", unit="units", high=4096
    )
    normalize: str = choice(
        "none",
        "pool contents before their viewports: as they are, layer norm, standardised",
        ("none", "layer", "running"),
    )
    train_input: bool = boolean(True, "train the link to the first pool and whatever is upstream of it")
    read_p0: bool = boolean(False, "give the input itself a viewport too")

    def __post_init__(self) -> None:
        """Checks the fields, then `coefficients` against the others; errors as in `Options`."""
        super().__post_init__()
        if self.coefficients is None:
            return
        if len(self.coefficients) != self.pools:
            raise ValueError(
                f"coefficients: expected {self.pools} numbers, one per pool, got {len(self.coefficients)}"
            )
        if self.base != type(self).base:
            raise ValueError("base: expected either base or coefficients, got both")

    def gains(self) -> tuple[float, ...]:
        """a_n of every pool."""
        return self.coefficients or tuple(self.base**-pool for pool in range(1, self.pools + 1))


class Filtered(NamedTuple):
    """One stretch of time on its way through the filters."""

    kernel: Tensor  # (k, T, k + T)
    streams: Streams
    restarts: Restarts | None

    def contents(self, steps: slice = slice(None)) -> list[Tensor]:
        """What the pools of each stream hold after some of the steps, (n, S, B, D)."""
        restarts = None if self.restarts is None else self.restarts.at(steps)
        return [run_filters(self.kernel[pools, steps], columns, restarts) for pools, columns in self.streams]


class LowPass(Core):
    """Pools ``p_t^(n) = a_n p_t^(n-1) + (1 - a_n) p_{t-1}^(n)`` behind a link, viewports, summariser.

    The link (D, F) starts as a_1 times the padded identity, without bias. Gradients pass through the first
    pool only: the others are data to the optimiser. State: `pools` (B, k, D), zero at the start of an
    episode.

    A viewport is linear up to its ReLU, so it may as well look at the input before the filters as at the
    pools after them; that is V instead of D channels to filter, and how whole fragments are run. Contents are
    only computed where they are wanted themselves: for layer norm (without learned scale: the viewports have
    their own), for `return_info`, at a few steps per fragment for running statistics, and at the last step
    for the state.
    """

    Options: ClassVar[type[CoreOptions]] = LowPassOptions
    carries_gradient: ClassVar[bool] = False

    STATISTICS_STEPS = 4  # per stretch, whose contents enter the running statistics; neighbours are alike

    def __init__(self, input_size: int, options: LowPassOptions) -> None:
        super().__init__(input_size, options)
        pools, size, view = options.pools, options.size, options.viewports
        self.train_input = options.train_input
        self.output_size = options.summariser
        self.size, self.parallel = size, options.parallel
        self.layer_norm = options.normalize == "layer"
        self.bank = FilterBank(options.gains(), options.parallel)
        self.link = nn.Parameter(
            options.gains()[0] * torch.eye(size, input_size), requires_grad=self.train_input
        )
        bound = 1 / math.sqrt(size)
        self.viewport_weight = nn.Parameter(torch.empty(size, pools, view).uniform_(-bound, bound))
        self.viewport_bias = nn.Parameter(torch.empty(pools, view).uniform_(-bound, bound))
        self.input_viewport = nn.Linear(input_size, view) if options.read_p0 else None
        self.scale = RunningScale(pools, size) if options.normalize == "running" else None
        self.summariser = nn.Linear((pools + options.read_p0) * view, options.summariser)

    def initial_state(self, lanes: int) -> State:
        """Zeros."""
        return {"pools": self.link.new_zeros(lanes, self.bank.pools, self.size)}

    def forward(
        self, inputs: Inputs, state: State, resets: Tensor | None = None, return_info: bool = False
    ) -> tuple[Tensor, State] | tuple[Tensor, State, Info]:
        """Runs the core, see `Core.forward`; info: `pools` (T, B, k, D).

        Running statistics are updated by training steps only (`self.training` and gradients enabled), after
        the whole fragment has been normalised by the old ones.
        """
        result = super().forward(inputs, state, resets, return_info)
        if self.scale is not None:
            self.scale.commit()
        return result

    def unroll(
        self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool
    ) -> tuple[Tensor, State, Info]:
        """Runs stretches as long as the filter bank can; see `Core.unroll`."""
        if resets is not None and not resets.any():
            resets = None
        count = math.ceil(len(inputs) / self.bank.longest)
        if count == 1:
            return self._stretch(inputs, state, resets, return_info)
        outputs, infos = [], []
        all_resets = [None] * count if resets is None else resets.tensor_split(count)
        for part, part_resets in zip(inputs.tensor_split(count), all_resets, strict=True):
            output, state, info = self._stretch(part, state, part_resets, return_info)
            outputs.append(output)
            infos.append(info)
        return torch.cat(outputs), state, join_infos(infos)

    def _stretch(
        self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool
    ) -> tuple[Tensor, State, Info]:
        """Runs at most `bank.longest` steps at once."""
        restarts = None
        if resets is not None:
            state = self.reset_state(state, resets[0])
            restarts = self.bank.restarts(resets, inputs)
        if not self.train_input:
            inputs = inputs.detach()
        kernel = self.bank.kernel(len(inputs), inputs)
        filtered = Filtered(kernel, self._streams(inputs, state["pools"].transpose(0, 1)), restarts)
        if self.scale is not None and self.training and torch.is_grad_enabled():
            self._observe(self.scale, filtered, inputs)
        if self.layer_norm or return_info or len(inputs) == 1:
            contents = filtered.contents()
            views = self._view_contents(contents)
            last = torch.cat([part[:, -1] for part in contents])
            info = {"pools": torch.cat(contents).permute(1, 2, 0, 3)} if return_info else {}
        else:
            views = self._view_ahead(filtered)
            last = torch.cat(filtered.contents(slice(-1, None)))[:, 0]
            info = {}
        return self._summarise(inputs, views), {"pools": last.transpose(0, 1)}, info

    def _streams(self, inputs: Tensor, pools: Tensor) -> Streams:
        """What feeds the pools; the first pool's columns carry gradients, those of the others do not."""
        columns = torch.cat([pools, functional.linear(inputs, self.link)])
        if not self.parallel and not columns.requires_grad:
            return [(slice(None), columns)]
        others = columns
        if self.parallel:
            padded = functional.pad(inputs, (0, self.size - self.input_size))
            others = torch.cat([pools, padded])
        return [(slice(0, 1), columns), (slice(1, None), others.detach())]

    def _view_contents(self, contents: list[Tensor]) -> Tensor:
        """Viewports over contents (n, T, B, D) of every stream; returns (T, B, k, V) before the ReLU."""
        if self.layer_norm:
            contents = [functional.layer_norm(part, (self.size,)) for part in contents]
        stacked = torch.cat(contents) if len(contents) > 1 else contents[0]
        if self.scale is not None:
            stacked = self.scale(stacked)
        # In this order, few rows times many columns, small products are several times faster than transposed.
        views = torch.bmm(self.viewport_weight.permute(1, 2, 0), stacked.flatten(1, 2).transpose(1, 2))
        return views.view(*views.shape[:2], *stacked.shape[1:3]).permute(2, 3, 0, 1) + self.viewport_bias

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
    def _observe(self, scale: RunningScale, filtered: Filtered, inputs: Tensor) -> None:
        """Shows the contents at a few evenly spaced steps, the last among them, to the running statistics."""
        steps, lanes = inputs.shape[:2]
        stride = math.ceil(steps / self.STATISTICS_STEPS)
        contents = filtered.contents(slice((steps - 1) % stride, None, stride))
        scale.observe(torch.cat(contents), steps * lanes)
