"""What `run: Supervised` costs beside a plain PyTorch loop, and what its switches save.

    OMP_NUM_THREADS=1 python benchmarks/supervised.py [--rounds 9] [--updates 5]

First table: a training step of the whole shell (runner, learner, metrics, weights handed back) beside the
plainest loop around the same network, loss, optimiser and generator of problems; the smallest network shows
what the shell costs in itself. Second table: the shell with
half precision (where the processor has it), channels last and random numbers of iterations, alone and
together, beside none of them.

All contenders of a table take turns in one process of one thread, so that whatever else the machine does hits
them alike; times are of this process's processor. The first table shows medians over rounds, the second one
means, for random numbers of iterations differ from update to update.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import ray
import torch
from rich.console import Console
from rich.table import Table

from engram.agents import make_config
from engram.envs.puzzles import PuzzleTask
from engram.envs.puzzles.maze.task import MazeTask
from engram.envs.puzzles.prefix_sums.task import PrefixSumsTask
from engram.memory.precision import has_bfloat16
from engram.memory.thinking import Answers, make_loss, make_thinker

LR, CLIP = 1e-3, 1.0
Job = Callable[[], object]


class Task(NamedTuple):
    """What is trained.

    Attributes:
        env: The environment's id.
        env_config: Its settings.
        puzzles: The same problems without an environment.
        core: The network.
        batch: Problems of an update.
    """

    env: str
    env_config: dict[str, Any]
    puzzles: Callable[[], PuzzleTask]
    core: dict[str, Any]
    batch: int


def deep_thinking(width: int, steps: int, **options: Any) -> dict[str, Any]:
    """A `model.core` section."""
    return {"type": "deep_thinking", "width": width, "thinking_steps": steps, **options}


TASKS: dict[str, Task] = {
    "prefix sums, width 8, T = 2, batch 50": Task(
        "engram/PrefixSums-v0", {"bits": 32}, lambda: PrefixSumsTask(32), deep_thinking(8, 2), 50
    ),
    "prefix sums, width 64, T = 30, batch 50": Task(
        "engram/PrefixSums-v0", {"bits": 32}, lambda: PrefixSumsTask(32), deep_thinking(64, 30), 50
    ),
    "mazes 9x9, 1 pixel, width 32, T = 20, batch 50": Task(
        "engram/Maze-v0",
        {"positions": 9, "pixels": 1},
        lambda: MazeTask(9, pixels=1),
        deep_thinking(32, 20),
        50,
    ),
}
MAZES = Task("engram/Maze-v0", {"positions": 9}, lambda: MazeTask(9), deep_thinking(32, 20), 10)
DELTA, RANDOM = {"type": "delta"}, {"type": "delta_random"}
SWITCHES: dict[str, dict[str, Any]] = {
    "none": {},
    "channels last": {"channels_last": True},
    "bfloat16": {"autocast": "bfloat16"},
    "bfloat16, channels last": {"autocast": "bfloat16", "channels_last": True},
    "random iterations": {"loss": RANDOM},
    "all three": {"autocast": "bfloat16", "channels_last": True, "loss": RANDOM},
}


def shell(task: Task, updates: int, switches: Mapping[str, Any] | None = None) -> Job:
    """A training step of the algorithm, so many updates long."""
    options = dict(switches or {})
    core = task.core | {"channels_last": options.pop("channels_last", False)}
    config = make_config("Supervised", {"core": core})
    config.environment(f"engram.envs:{task.env}", env_config=task.env_config).debugging(seed=0)
    config.training(**{"lr": LR, "grad_clip": CLIP, "loss": DELTA, "autocast": None, **options})
    config.num_envs_per_env_runner = task.batch
    config.rollout_fragment_length = updates
    return config.build_algo().training_step


def plain(task: Task, updates: int) -> Job:
    """As many updates in the plainest loop."""
    torch.manual_seed(0)
    puzzles, rng = task.puzzles(), np.random.default_rng(0)
    network = make_thinker(puzzles.observation_space.shape, Answers(), task.core)
    optimizer, loss = torch.optim.Adam(network.parameters(), lr=LR), make_loss(DELTA)

    def run() -> None:
        for _ in range(updates):
            drawn = puzzles.draw(rng, task.batch)
            arrays = (drawn.observations, drawn.targets, drawn.masks)
            value, _ = loss(network, *(torch.from_numpy(array) for array in arrays))
            optimizer.zero_grad()
            value.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
            optimizer.step()

    return run


def times(jobs: Mapping[str, Job], rounds: int) -> dict[str, list[float]]:
    """Seconds of processor time of every call, the jobs taking turns; the first two rounds are left out."""
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds + 2):
        for name, job in jobs.items():
            began = time.process_time()
            job()
            taken[name].append(time.process_time() - began)
    return {name: values[2:] for name, values in taken.items()}


def compare_shells(rounds: int, updates: int) -> Table:
    """The first table."""
    table = Table("task", "plain loop, ms per update", "shell, ms", "ratio", box=None)
    for name, task in TASKS.items():
        taken = times({"plain": plain(task, updates), "shell": shell(task, updates)}, rounds)
        loop, whole = (1e3 * statistics.median(values) / updates for values in taken.values())
        table.add_row(name, f"{loop:.1f}", f"{whole:.1f}", f"{whole / loop:.3f}")
    return table


def compare_switches(rounds: int, updates: int) -> Table:
    """The second table."""
    table = Table(
        "switches: mazes 9x9, width 32, T = 20, batch 10", "ms per update", "times as fast", box=None
    )
    possible = has_bfloat16("cpu")  # elsewhere it takes many times as long: see benchmarks/precision.py
    switches = {name: values for name, values in SWITCHES.items() if possible or "autocast" not in values}
    taken = times({name: shell(MAZES, updates, values) for name, values in switches.items()}, rounds)
    means = {name: 1e3 * statistics.mean(values) / updates for name, values in taken.items()}
    for name, mean in means.items():
        table.add_row(name, f"{mean:.0f}", f"{means['none'] / mean:.2f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--updates", type=int, default=5, help="of a training step (default 5)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR", num_cpus=1)
    for compare in (compare_shells, compare_switches):
        Console().print(compare(options.rounds, options.updates))
    ray.shutdown()


if __name__ == "__main__":
    main()
