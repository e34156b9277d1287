"""Speed of the grid levels: batched form beside minigrid in Gymnasium's SyncVectorEnv, interleaved.

    OMP_NUM_THREADS=1 python benchmarks/grids.py [--rounds 5] [--lanes 64 256] [--id engram/PickupDist-v0]

A round plays uniformly random actions in every contender, one after the other, for about `--seconds` of
processor time; the figure is the median over rounds of env steps per second of processor time (not of the
clock: other processes do not count), observations, missions and new episodes included. Both draw the same
levels. Needs minigrid.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Any

import gymnasium
import minigrid  # noqa: F401 (registers its ids)
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

import engram.envs  # noqa: F401 (registers ours)

LEVELS: dict[str, tuple[str, dict[str, Any]]] = {
    "engram/PickupDist-v0": ("BabyAI-PickupDist-v0", {}),
    "engram/GoToLocal-v0": ("BabyAI-GoToLocal-v0", {}),
    "engram/UnlockPickup-v0": ("BabyAI-UnlockPickup-v0", {}),
    "engram/DoorKey-v0": ("MiniGrid-DoorKey-8x8-v0", {}),
    "engram/Fetch-v0": ("MiniGrid-Fetch-8x8-N3-v0", {}),
    "engram/Memory-v0": ("MiniGrid-MemoryS13-v0", {}),
    "engram/MultiRoom-v0": ("MiniGrid-MultiRoom-N2-S4-v0", {"rooms": 2, "room_size": 4}),
    "engram/Pickup-v0": ("BabyAI-Pickup-v0", {}),
    "engram/FindObj-v0": ("BabyAI-FindObjS5-v0", {}),
}
"""Our id -> minigrid's and our parameters for it."""

STEPS = 20  # between looks at the clock
ACTIONS = 7


def player(envs: VectorEnv[Any, Any, Any], seconds: float) -> Callable[[], float]:
    """Return a function that plays for a while and returns env steps per second of processor time."""
    envs.reset(seed=0)
    rng = np.random.default_rng(0)

    def play() -> float:
        played, began = 0, time.process_time()
        while (spent := time.process_time() - began) < seconds:
            for actions in rng.integers(ACTIONS, size=(STEPS, envs.num_envs)):
                envs.step(actions)
            played += STEPS * envs.num_envs
        return played / spent

    return play


def contenders(env_id: str, lanes: int) -> dict[str, VectorEnv[Any, Any, Any]]:
    """Make both forms of a level."""
    original, arguments = LEVELS[env_id]
    one = partial(gymnasium.make, original, disable_env_checker=True)
    return {
        "SyncVectorEnv": SyncVectorEnv([one] * lanes, autoreset_mode=AutoresetMode.SAME_STEP),
        "batched": gymnasium.make_vec(env_id, lanes, vectorization_mode="vector_entry_point", **arguments),
    }


def compare(env_id: str, lanes: int, rounds: int, seconds: float) -> None:
    """Measure one level at one width and print a line."""
    envs = contenders(env_id, lanes)
    rates: dict[str, list[float]] = {name: [] for name in envs}
    with contextlib.redirect_stdout(io.StringIO()):  # minigrid tells of levels that it draws again
        plays = {name: player(each, seconds) for name, each in envs.items()}
        for _ in range(rounds):
            for name, play in plays.items():
                rates[name].append(play())
    theirs, ours = (statistics.median(rates[name]) for name in ("SyncVectorEnv", "batched"))
    ratios = [one / other for one, other in zip(rates["batched"], rates["SyncVectorEnv"], strict=True)]
    spread = f"(min {min(ratios):.1f}, max {max(ratios):.1f})"
    print(
        f"{env_id:24} {lanes:5} lanes  {theirs:8,.0f} -> {ours:10,.0f} steps/s  "
        f"x{ours / theirs:6.1f}  {spread}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--seconds", type=float, default=0.5, help="of processor time, per round and contender"
    )
    parser.add_argument("--lanes", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--id", choices=LEVELS, help="this one only; all without it")
    options = parser.parse_args()
    print(f"minigrid {version('minigrid')}, NumPy {np.__version__}, {options.rounds} rounds")
    warnings.simplefilter("ignore")
    for env_id in [options.id] if options.id else LEVELS:
        for lanes in options.lanes:
            compare(env_id, lanes, options.rounds, options.seconds)


if __name__ == "__main__":
    main()
