"""How many operations the thinking experiments at the papers' full size take; nothing is trained.

    python benchmarks/thinking_cost.py [--rate 5] [FILE[:NAMES] ...]

A file is an experiment file or a shipped experiment's name, NAMES a pattern for some of those in it; it
trains a network that answers each position of a puzzle, and searches nothing. An operation is a
multiplication or an addition of a convolution or a linear map, as PyTorch's counter has them; all else is
left out. The network is built without numbers in it, and each of its parts (the first thought, an
iteration, an answer) is counted forward, and forward with backward; the loss says how often each is run, on
average where it draws numbers of iterations. Time is operations over the rate at which a machine does them,
which is left to you: `--rate`, in TFLOP/s, adds hours.

Columns: operations of an iteration of one problem, forward; of an update; of an update if every iteration
answered with a graph, and backward cost twice as much as forward; of all updates; of all evaluations.
"""

from __future__ import annotations

import argparse
import fnmatch
import statistics
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import gymnasium
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import engram.envs  # noqa: F401  # its ids
from engram.agents.models.thinking_network import answers_of
from engram.memory.thinking import Loss, Thinker, make_loss, make_thinker
from engram.train.experiments.experiment import Experiment, Overrides, read_experiments
from engram.train.experiments.inheritance import read_whole_document

FULL_SIZE = (
    "prefix_sums_delta_paper",
    "prefix_sums_progressive_paper",
    "mazes_delta",
    "mazes_progressive_paper",
    "chess_delta_paper",
    "chess_progressive_paper",
    "mazes_by_depth_paper:mazes_small_*",
    "maze_net_84_paper",
)
OF_THE_DATA = ("path", "split", "split_sizes", "data_seed")  # settings that no size depends on
TERA, PETA = 1e12, 1e15
HOUR = 3600  # s


class Part(NamedTuple):
    """Operations of a part of a network, for one problem.

    Attributes:
        forward: Without a graph.
        both: Forward and backward.
    """

    forward: int
    both: int


class Parts(NamedTuple):
    """Operations of a network.

    Attributes:
        begin: The first thought.
        iterate: An iteration.
        resume: An iteration after which gradients go no further back.
        answer: An answer.
    """

    begin: Part
    iterate: Part
    resume: Part
    answer: Part

    def forward(self, iterations: int) -> int:
        """Of thinking for so long, and one answer."""
        return self.begin.forward + iterations * self.iterate.forward + self.answer.forward


def count_parts(thinker: Thinker) -> Parts:
    """Count a network on the meta device, with one problem of the size that it was built for."""
    problem = torch.empty(1, *thinker.shape, device="meta")
    detached = thinker.begin(problem).detach()
    thought = detached.clone().requires_grad_()
    return Parts(
        _count(lambda: thinker.begin(problem)),
        _count(lambda: thinker.think(thought, problem, 0)),
        _count(lambda: thinker.think(detached, problem, 0)),
        _count(lambda: thinker.answer(thought)),
    )


def _count(run: Callable[[], Tensor]) -> Part:
    with FlopCounterMode(display=False) as counter:
        run()
        forward = counter.get_total_flops()
        torch.autograd.backward(run().sum())
    return Part(forward, counter.get_total_flops() - forward)


def _final(parts: Parts, steps: int, loss: Any) -> float:
    return parts.begin.both + steps * parts.iterate.both + parts.answer.both


def _delta(parts: Parts, steps: int, loss: Any) -> float:
    """As long as no iteration is worse than the first; else two more answers are computed."""
    return _final(parts, steps, loss) + (steps - 1) * parts.answer.forward


def _delta_random(parts: Parts, steps: int, loss: Any) -> float:
    return statistics.mean(_delta(parts, drawn, loss) for drawn in range(2, steps + 1))


def _progressive(parts: Parts, steps: int, loss: Any) -> float:
    drawn = []
    for detached in range(steps):
        begin = parts.begin.forward + parts.resume.both if detached else parts.begin.both + parts.iterate.both
        tracked = statistics.mean(range(1, steps - detached + 1))
        drawn.append(begin + detached * parts.iterate.forward + (tracked - 1) * parts.iterate.both)
    progressive = statistics.mean(drawn) + parts.answer.both
    # What has weight 0 is not computed.
    return float((loss.alpha > 0) * progressive + (loss.alpha < 1) * _final(parts, steps, loss))


COSTS: dict[str, Callable[[Parts, int, Any], float]] = {
    "delta": _delta,
    "delta_random": _delta_random,
    "final": _final,
    "progressive": _progressive,
}
"""Operations of an update by the loss's type, for one problem."""


class Cost(NamedTuple):
    """Operations of an experiment."""

    iteration: float
    update: float
    plain_update: float
    training: float
    evaluations: float


def cost(experiment: Experiment) -> Cost:
    """Count an experiment."""
    config = experiment.config
    kind = config.get("loss", {"type": "final"})
    loss: Loss = make_loss(kind)
    thinker = build(experiment)
    parts, steps = count_parts(thinker), loss.iterations or thinker.thinking_steps
    problems, batch = experiment.stop["timesteps_total"], config["num_envs_per_env_runner"]
    reports = problems // config["min_sample_timesteps_per_iteration"]
    interval = config.get("evaluation_interval")
    evaluated = reports // interval * config["evaluation_duration"] if interval else 0
    update = batch * COSTS[kind["type"]](parts, steps, loss)
    plain = parts.begin.forward + steps * (parts.iterate.forward + parts.answer.forward)
    return Cost(
        parts.iterate.forward,
        update,
        3 * batch * plain,
        update * problems / batch,
        evaluated * parts.forward(thinker.thinking_steps),
    )


def build(experiment: Experiment) -> Thinker:
    """An experiment's network on the meta device; no file is read."""
    size = {
        key: value for key, value in experiment.config.get("env_config", {}).items() if key not in OF_THE_DATA
    }
    env = gymnasium.make(experiment.env, **size)
    with torch.device("meta"):
        return make_thinker(
            env.observation_space.shape or (),
            answers_of(env.action_space),
            experiment.config["model"]["core"],
        )


def experiments(names: list[str]) -> Iterator[Experiment]:
    """The experiments that the command line names."""
    for name in names:
        file, _, pattern = name.partition(":")
        found, _ = read_experiments(read_whole_document(file), Overrides())
        yield from (each for each in found if fnmatch.fnmatch(each.name, pattern or "*"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", default=FULL_SIZE, metavar="FILE[:NAMES]")
    parser.add_argument("--rate", type=float, help="TFLOP/s that a machine does")
    options = parser.parse_args()
    table = Table("experiment", "iteration, GFLOP", "update, TFLOP", "plain update, TFLOP", box=None)
    for column in ("training, PFLOP", "evaluations, PFLOP", *(["hours"] if options.rate else [])):
        table.add_column(column)
    for experiment in experiments(options.names):
        found = cost(experiment)
        row = [
            f"{found.iteration / 1e9:.4g}",
            f"{found.update / TERA:.3g}",
            f"{found.plain_update / TERA:.3g}",
        ]
        row += [f"{found.training / PETA:.4g}", f"{found.evaluations / PETA:.3g}"]
        if options.rate:
            hours = (found.training + found.evaluations) / (options.rate * TERA) / HOUR
            row.append(f"{hours:.3g}")
        table.add_row(experiment.name, *row)
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
