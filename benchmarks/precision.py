"""What `autocast` costs, or saves, on this processor.

    OMP_NUM_THREADS=1 python benchmarks/precision.py [mazes_delta_small] [--problems 500]

Trains a shipped experiment of `run: Supervised` from its start in full precision and in bfloat16, each for so
many problems, runner and learner in this process; times are of its processor. Without bfloat16 in hardware,
the second takes a minute where the first takes five seconds.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.learner.training_data import TrainingData

from engram.memory.precision import has_bfloat16
from engram.train.experiments.experiment import Overrides, read_experiments
from engram.train.experiments.inheritance import read_whole_document
from engram.train.plans.plan import make_plan

CONFIGS = Path(__file__).parent.parent / "configs"


def seconds(name: str, autocast: str | None, problems: int) -> float:
    """Processor time of the first problems of an experiment."""
    (experiment, *_), _ = read_experiments(read_whole_document(str(CONFIGS / f"{name}.yaml")), Overrides())
    experiment.config["autocast"] = autocast
    config = make_plan(experiment).config
    runner = config.env_runner_cls(config=config)
    spaces = (runner.env.single_observation_space, runner.env.single_action_space)
    learner = config.build_learner(spaces={DEFAULT_MODULE_ID: spaces})
    learner.build()
    done, began = 0, time.process_time()
    while done < problems:
        (fragment,) = runner.sample()
        done += fragment.env_steps()
        learner.update(
            training_data=TrainingData(episodes=[fragment]),
            timesteps={"num_env_steps_sampled_lifetime": done},
            num_epochs=config.num_epochs,
            minibatch_size=config.minibatch_size,
        )
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("experiment", nargs="?", default="mazes_delta_small")
    parser.add_argument("--problems", type=int, default=500)
    options = parser.parse_args()
    torch.set_num_threads(1)
    full, half = (seconds(options.experiment, each, options.problems) for each in (None, "bfloat16"))
    told = "has" if has_bfloat16("cpu") else "has no"
    print(f"{torch.backends.cpu.get_cpu_capability()} processor that {told} bfloat16 arithmetic")
    print(f"full precision {full:.1f} s, bfloat16 {half:.1f} s: {half / full:.1f} times as long")


if __name__ == "__main__":
    main()
