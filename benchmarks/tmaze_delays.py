"""How far each core carries a cue, and what a step of it costs: the T-maze at four delays.

    OMP_NUM_THREADS=1 python benchmarks/tmaze_delays.py FOLDER [--cores lstm low_pass ...]

Trains every experiment of `configs/tmaze_delays.yaml` into FOLDER (four trials each, a few minutes a trial),
plays 200 episodes with each trial's last checkpoint, and times training steps, all cores taking turns in one
process. What FOLDER already holds is not done again. Prints the table as Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import ray
import torch
from training import rllib_steps  # the benchmark beside this one

from engram.train.experiments.experiment import Overrides, read_experiments
from engram.train.experiments.inheritance import read_whole_document
from engram.train.experiments.loading import read_shipped
from engram.train.plans.plan import make_plan

PREFIX = "tmaze_delays_"
DELAYS = (20, 70, 140, 280)  # limbo times, env steps
EPISODES = 200
RLLIB = (sys.executable, "-m", "engram.train")


def trials(folder: Path, core: str) -> dict[int, Path]:
    """The folders of a core's trials by their limbo time."""
    found = {}
    for record in sorted((folder / (PREFIX + core)).glob("*/params.json")):
        found[json.loads(record.read_text())["env_config"]["limbo_time"]] = record.parent
    return found


def train(folder: Path, core: str) -> None:
    """Trains a core at all delays, unless every trial has a checkpoint."""
    if all(any(trial.glob("checkpoint_*")) for trial in trials(folder, core).values()) and trials(
        folder, core
    ):
        return
    subprocess.run([*RLLIB, "train", "-f", PREFIX + core, "--local-dir", str(folder)], check=True)


def share_correct(trial: Path) -> float:
    """The share of episodes that end at the cued goal; kept beside the trial's results."""
    kept = trial / "evaluation.json"
    if not kept.exists():
        command = [*RLLIB, "evaluate", str(trial), "--episodes", str(EPISODES), "--json"]
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
        kept.write_text(lines[-1])
    return float(json.loads(kept.read_text())["success_rate"])


def training_step(core: str) -> Callable[[], int]:
    """One training step of a core's experiment; returns environment steps."""
    (experiment,), _ = read_experiments(read_whole_document(PREFIX + core), Overrides())
    train_step, _ = rllib_steps(make_plan(experiment).config.build_algo())
    return train_step


def microseconds(cores: list[str], rounds: int) -> dict[str, float]:
    """CPU time of training per environment step, medians over rounds in which the cores take turns."""
    torch.set_num_threads(1)
    ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR", num_cpus=1)
    steps = {core: training_step(core) for core in cores}
    for step in steps.values():
        step()
    taken: dict[str, list[float]] = {core: [] for core in cores}
    for _ in range(rounds):
        for core, step in steps.items():
            start = time.process_time()
            count = step()
            taken[core].append(1e6 * (time.process_time() - start) / count)
    ray.shutdown()
    return {core: statistics.median(times) for core, times in taken.items()}


def main() -> None:
    """Does what is not done yet and prints the table."""
    known = [name.removeprefix(PREFIX) for name in read_shipped("tmaze_delays")]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=lambda text: Path(text).expanduser())
    parser.add_argument("--cores", nargs="+", choices=known, default=known)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    for core in arguments.cores:
        train(arguments.folder, core)
    shares = {
        core: {delay: share_correct(trial) for delay, trial in trials(arguments.folder, core).items()}
        for core in arguments.cores
    }
    costs = microseconds(arguments.cores, arguments.rounds)
    print("| core | " + " | ".join(str(delay) for delay in DELAYS) + " | training, µs per step |")
    print("|---" * (len(DELAYS) + 2) + "|")
    for core in sorted(arguments.cores, key=lambda core: -sum(shares[core].values())):
        row = " | ".join(f"{shares[core][delay]:.2f}" for delay in DELAYS)
        print(f"| `{core}` | {row} | {costs[core]:.0f} |")


if __name__ == "__main__":
    main()
