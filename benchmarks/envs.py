"""Speed of the games and of the IBL task: batched form at several widths beside the single one, interleaved.

    OMP_NUM_THREADS=1 python benchmarks/envs.py [--rounds 5] [--id engram/TMaze-v0]

A round plays uniformly random actions (drawing them counted) in every contender, one after the other; the
figure is the median over rounds of env steps per wall-clock second, observations and new episodes included,
and its ratio to the single form's in the same run.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

import engram.envs

IDS = (*engram.envs.GAMES, *engram.envs.TRIALS)
LANES = (64, 256, 1024)
# Per round: two episodes or more, and three or more in each lane; none is longer than 1000 frames.
FRAMES = {"single": 2_000, "batched": 3_000}


def play_single(env_id: str) -> Callable[[], float]:
    env: Any = gymnasium.make(env_id, disable_env_checker=True)
    rng = np.random.default_rng(0)

    def play() -> float:
        began = time.perf_counter()
        env.reset()
        for action in rng.integers(env.action_space.n, size=FRAMES["single"]):
            _, _, terminated, _, _ = env.step(action)
            if terminated:
                env.reset()
        return FRAMES["single"] / (time.perf_counter() - began)

    return play


def play_batched(env_id: str, lanes: int) -> Callable[[], float]:
    envs: Any = gymnasium.make_vec(env_id, num_envs=lanes, vectorization_mode="vector_entry_point")
    envs.reset(seed=0)
    rng = np.random.default_rng(0)

    def play() -> float:
        began = time.perf_counter()
        for _ in range(FRAMES["batched"]):
            envs.step(rng.integers(envs.single_action_space.n, size=lanes))
        return FRAMES["batched"] * lanes / (time.perf_counter() - began)

    return play


def compare(env_id: str, rounds: int) -> None:
    """Measure one game and print a line per contender."""
    contenders = {"single": play_single(env_id)}
    contenders |= {f"batched, {lanes} lanes": play_batched(env_id, lanes) for lanes in LANES}
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, play in contenders.items():
            rates[name].append(play())
    single = statistics.median(rates["single"])
    print(f"{env_id}, {rounds} rounds, NumPy {np.__version__}")
    for name, values in rates.items():
        rate = statistics.median(values)
        spread = f"(min {min(values):,.0f}, max {max(values):,.0f})"
        print(f"{name:22} {rate:12,.0f} steps/s  x{rate / single:7.1f}  {spread}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--id", choices=IDS, help="this one only; all without it")
    options = parser.parse_args()
    for env_id in [options.id] if options.id else IDS:
        compare(env_id, options.rounds)


if __name__ == "__main__":
    main()
