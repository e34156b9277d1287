"""Beliefs of a network about a puzzle while it thinks: figure 10 of Thinking Deeply with Recurrence.

H rows (1 for a line of positions), W columns.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from engram.memory.options import integer
from engram.memory.thinking.predictions import predict
from engram.train.console.errors import ExperimentError
from engram.train.pictures.canvas import new_figure
from engram.train.pictures.fields import AgentOptions
from engram.train.pictures.tables import table

COLUMNS = 6
"""Panels in a row, at most."""
COLOURS = mpl.colormaps["YlGnBu"].with_extremes(bad="black")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ThoughtOptions(AgentOptions):
    """Options of `thoughts`."""

    iterations: int | None = integer(
        None, "the last to show; none: as many as in evaluation", unit="iterations", high=100_000
    )
    seed: int = integer(0, "of the environment: which puzzle", low=0)


class Belief(NamedTuple):
    """The belief of a network after some iterations.

    Attributes:
        probability: (H, W), of class 1.
        right: Share of the positions that count which are answered right.
    """

    probability: NDArray[np.float64]
    right: float

    def __str__(self) -> str:
        """Return how much is right, rounded down, so that an answer is not called right before it is."""
        return "solved" if self.right == 1 else f"{math.floor(1000 * self.right) / 10:.1f}% right"


@dataclasses.dataclass(frozen=True)
class Thoughts:
    """One puzzle, and the beliefs about it.

    Attributes:
        problem: (h, w, 3) uint8, the puzzle as its environment shows it.
        target: (H, W), the right answer.
        mask: (H, W) bool, the positions that count.
        beliefs: By the number of iterations.
    """

    problem: NDArray[np.uint8]
    target: NDArray[Any]
    mask: NDArray[np.bool_]
    beliefs: dict[int, Belief]

    def rows(self) -> Iterator[Sequence[object]]:
        """Yield lines of a CSV file: the heading, and one for each iteration and position."""
        yield ("iterations", "row", "column", "counts", "target", "probability")
        for iterations, belief in self.beliefs.items():
            for place, probability in np.ndenumerate(belief.probability):
                counts, target = int(self.mask[place]), int(self.target[place])
                yield iterations, *place, counts, target, float(probability)

    def text(self) -> str:
        """Return how much of the answer is right after each number of iterations, a table in Markdown."""
        rows = [(f"{number:,}", str(each)) for number, each in self.shown()]
        return "\n".join(table(("iterations", "answer"), rows))

    def shown(self) -> list[tuple[int, Belief]]:
        """Return the beliefs in their order."""
        return sorted(self.beliefs.items())

    def that_count(self, values: NDArray[Any]) -> Any:
        """Mask values (H, W), or rows (R, W) about a line, at positions that do not count."""
        return np.ma.masked_array(values, np.broadcast_to(~self.mask, values.shape))


def think(options: ThoughtOptions) -> Thoughts:
    """Let a trained network think about one puzzle."""
    from engram.train.evaluation import load_agent  # here, because they import Ray
    from engram.train.thinking.puzzles import batches, make_puzzles

    agent = load_agent(options.checkpoint, {**options.env_config, "render_mode": "rgb_array"})
    module = agent.module
    with closing(make_puzzles(agent, 1)) as envs:
        problems, targets, masks = next(batches(envs, 1, options.seed))
        pictures: Any = envs.render()
        numbers = powers_of_two(options.iterations or module.test_steps)
        with torch.inference_mode():
            thoughts = enumerate(module.thinker.thoughts(problems, numbers[-1]), start=1)
            logits = {number: module.thinker.answer(each) for number, each in thoughts if number in numbers}
    sizes = logits[1].shape[2:]
    if not sizes:
        raise ExperimentError(f"--options.checkpoint: {agent.env_id} is answered by a label, not by position")
    grid = (1, *sizes)[-2:]
    beliefs = {}
    for number, each in logits.items():
        right = (predict(each, masks, module.readout.top) == targets)[masks].double().mean()
        probability = each[0].double().softmax(0)[1].reshape(grid)
        beliefs[number] = Belief(probability.numpy(), float(right))
    return Thoughts(pictures[0], targets.reshape(grid).numpy(), masks.reshape(grid).numpy(), beliefs)


def powers_of_two(last: int) -> list[int]:
    """Return 1, 2, 4, 8, ... and the last, which is at least 1."""
    return [*(2**power for power in range(last.bit_length()) if 2**power < last), last]


def draw(found: Thoughts) -> Figure:
    """Draw the puzzle, its answer and the beliefs: a panel each or, for a line of positions, a row each."""
    return _draw_line(found) if len(found.target) == 1 else _draw_panels(found)


def _draw_panels(found: Thoughts) -> Figure:
    count = 2 + len(found.beliefs)
    columns = min(count, COLUMNS)
    rows = -(-count // columns)
    figure = new_figure(1.5 * columns + 0.8, 1.75 * rows + 0.3)
    panels = list(figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).flat)
    _draw_problem(panels[0], found)
    _draw_values(panels[1], found.that_count(found.target))
    panels[1].set_title("answer")
    for axes, (number, belief) in zip(panels[2:], found.shown(), strict=False):
        values = _draw_values(axes, found.that_count(belief.probability))
        axes.set_title(f"after {number:,}")
        axes.set_xlabel(str(belief))
    for axes in panels[:count]:
        axes.grid(visible=False)
        axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    for axes in panels[count:]:
        axes.set_axis_off()
    panels[0].set_xlabel("column")
    panels[0].set_ylabel("row")
    figure.colorbar(values, ax=panels, label="probability of 1", shrink=0.8)
    return figure


def _draw_line(found: Thoughts) -> Figure:
    rows = [belief.probability for _, belief in found.shown()] + [found.target]
    names = [f"{number:,}" for number, _ in found.shown()] + ["answer"]
    figure = new_figure(8, 1.6 + 0.25 * len(rows))
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(1, len(rows)))
    _draw_problem(upper, found)
    upper.set_yticks([])
    values = _draw_values(lower, found.that_count(np.concatenate(rows)))
    lower.set_yticks(range(len(rows)), names)
    lower.set_xlabel("position")
    lower.set_ylabel("iterations")
    lower.set_title(f"belief; in the end {found.shown()[-1][1]}")
    for axes in (upper, lower):
        axes.grid(visible=False)
        axes.set_aspect("auto")
    figure.colorbar(values, ax=lower, label="probability of 1")
    return figure


def _draw_problem(axes: Axes, found: Thoughts) -> None:
    height, width = found.target.shape
    axes.imshow(found.problem, interpolation="nearest", extent=(-0.5, width - 0.5, height - 0.5, -0.5))
    axes.set_title("problem")


def _draw_values(axes: Axes, values: Any) -> Any:
    return axes.imshow(values, cmap=COLOURS, vmin=0, vmax=1, interpolation="nearest")
