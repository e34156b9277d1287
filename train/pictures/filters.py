"""Which filters work in which iteration: figure 4 of Thinking Deeply with Recurrence (paper 1).

T iterations, F filters, B problems of a batch, *S sizes.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor, nn

from engram.memory.options import choice, integer, number
from engram.memory.thinking import Thinker
from engram.memory.thinking.blocks import Block
from engram.train.console.errors import ExperimentError
from engram.train.pictures.canvas import legend_beside, line_looks, new_figure, share_axis
from engram.train.pictures.fields import AgentOptions
from engram.train.pictures.tables import table

MEASURES = {"active": "positions with an output above 0", "mean": "mean output"}
LINES = 5
"""Iterations that are drawn, at most, evenly chosen by how active a filter is in them."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FilterOptions(AgentOptions):
    """Options of `filters`."""

    iterations: int | None = integer(
        None, "how many are looked at; none: as many as in training", unit="iterations", low=2
    )
    problems: int = integer(1000, "how many are thought about; paper 1: 1,000 pictures")
    measure: str = choice(
        "active",
        "how active a filter is: the share of its outputs, behind the ReLU, that are above 0 (active), or "
        "their mean (mean)",
        tuple(MEASURES),
    )
    kept: float = number(
        0.2, "share of its peak that a filter has to keep to count as used again", high=1, above=0
    )
    seed: int = integer(0, "of the environment", low=0)


@dataclasses.dataclass(frozen=True)
class FilterUse:
    """Activity of filters.

    Attributes:
        activity: (T, F), by iteration and filter, all >= 0.
        measure: One of `MEASURES`.
        kept: Share of its peak that a filter has to keep.
    """

    activity: NDArray[np.float64]
    measure: str
    kept: float

    @property
    def relative(self) -> NDArray[np.float64]:
        """(T, F'), relative to each filter's peak, of the F' filters that are ever active."""
        peaks = self.activity.max(0)
        shares: NDArray[np.float64] = self.activity[:, peaks > 0] / peaks[peaks > 0]
        return shares

    @property
    def used_again(self) -> float:
        """Share of the filters ever active that keep at least `kept` of their peak in all iterations."""
        relative = self.relative
        return float((relative.min(0) >= self.kept).mean()) if relative.size else 0.0

    def rows(self) -> Iterator[Sequence[object]]:
        """Yield lines of a CSV file: the heading, and one for each filter and iteration."""
        yield ("filter", "iteration", "activity")
        for (iteration, place), activity in np.ndenumerate(self.activity):
            yield place, iteration + 1, float(activity)

    def text(self) -> str:
        """Return how many filters are used again, a table in Markdown."""
        iterations, filters = self.activity.shape
        heading = ("filters", "ever active", "iterations", f"keep {self.kept:.0%} of their peak throughout")
        counts = (f"{filters:,}", f"{self.relative.shape[1]:,}", f"{iterations:,}", f"{self.used_again:.1%}")
        return "\n".join(table(heading, [counts]))


def measure(options: FilterOptions) -> FilterUse:
    """Let a trained network think, and watch its filters."""
    from engram.train.evaluation import load_agent  # here, because they import Ray
    from engram.train.thinking.puzzles import batches, make_puzzles

    agent = load_agent(options.checkpoint, options.env_config)
    with closing(make_puzzles(agent, options.problems)) as envs:
        thinker = agent.module.thinker
        if thinker.iteration_limit is not None:
            raise ExperimentError("--options.checkpoint: a network that repeats nothing uses no filter again")
        steps = options.iterations or agent.module.thinking_steps
        shares = [
            filter_activity(thinker, problems, steps, options.measure) * (len(problems) / options.problems)
            for problems, _, _ in batches(envs, options.problems, options.seed)
        ]
    return FilterUse(torch.stack(shares).sum(0).numpy(), options.measure, options.kept)


@torch.inference_mode()
def filter_activity(thinker: Thinker, problems: Tensor, iterations: int, measure: str) -> Tensor:
    """Measure how active the filters of the repeated block are, behind their ReLUs.

    In a network without such a block these are the features of the thought.

    Args:
        thinker: A network that repeats a block.
        problems: (B, C, *S).
        iterations: T.
        measure: One of `MEASURES`.

    Returns:
        (T, F) float64, means over problems and positions.
    """
    activity = []
    with _watched(thinker, measure) as seen:
        for thought in thinker.thoughts(problems, iterations):
            activity.append(torch.cat(seen or [_activity(thought, measure)]))
            seen.clear()
    return torch.stack(activity)


@contextmanager
def _watched(thinker: Thinker, measure: str) -> Iterator[list[Tensor]]:
    """Collect the activities (F,) of the four convolutions of a block, as they are called."""
    seen: list[Tensor] = []

    def before(convolution: nn.Module, inputs: tuple[Tensor]) -> None:
        seen.append(_activity(inputs[0], measure))  # of the convolution before it, behind norm, sum and ReLU

    def after(block: nn.Module, inputs: Any, output: Tensor) -> None:
        seen.append(_activity(output, measure))

    blocks = [part for part in thinker.modules() if isinstance(part, Block)]
    handles = [block.register_forward_hook(after) for block in blocks]
    for block in blocks:
        handles += [
            each.register_forward_pre_hook(before) for each in (block.conv2, block.conv3, block.conv4)
        ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _activity(outputs: Tensor, measure: str) -> Tensor:
    """Mean activity of each of F filters, (F,), in outputs (B, F, *S)."""
    values = outputs > 0 if measure == "active" else outputs
    return values.double().transpose(0, 1).flatten(1).mean(1)


def draw(found: FilterUse) -> Figure:
    """Draw how active filters are in their least active iteration, and in some that are more active.

    Each line orders the filters by itself, so that it shows how many are at least so active.
    """
    iterations, filters = found.activity.shape
    ordered = np.sort(np.sort(found.relative, axis=0), axis=1)
    ranks = np.unique(np.linspace(0, iterations - 2, LINES).round().astype(int))
    figure = new_figure(8, 4.2)
    axes = figure.subplots()
    places = np.arange(1, ordered.shape[1] + 1)
    for rank, look in zip(ranks, line_looks(len(ranks)), strict=True):
        label = f"rank {rank + 1} of {iterations}" if rank else "least active"
        axes.plot(places, ordered[rank], label=label, linewidth=1.2, **look)
    axes.axhline(found.kept, color="0.45", linestyle="--", linewidth=1)
    share_axis(axes)
    axes.set_xlabel(
        f"filters that are ever active ({len(places):,} of {filters:,}), each line in its own order"
    )
    axes.set_ylabel(f"{MEASURES[found.measure]} / peak")
    axes.set_title(
        f"{found.used_again:.0%} of the filters keep {found.kept:.0%} of their peak in every iteration"
    )
    legend_beside(axes, title="iteration")
    return figure
