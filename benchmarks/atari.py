"""Speed of Atari games: ALE alone, our lanes around it, the columnar path, and training; interleaved.

    OMP_NUM_THREADS=1 python benchmarks/atari.py [--rounds 5] [--seconds 5] [--lanes 8] [--game breakout]

A round times every contender in turn for about `--seconds` of processor time; the figure is the median over
rounds of env steps (of four frames) per second of processor time, all threads together, and beside it the
median of the ratios to ALE alone, round by round. "sampled at random" is a fragment of random actions by
the columnar path, which asks no network for them; "acted on" is one by an encoder and an LSTM of 256,
"trained" is that and learning from it, in 4 minibatches, twice. Printed first: by how much the process grows
over 50 fragments that are sampled at random, and 50 that are learned from, beside the bytes of the pictures
in one. Needs ale-py.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import ray
import torch
from gymnasium.vector import AutoresetMode

from engram.agents import make_config
from engram.envs.atari.lanes import GameLanes
from engram.envs.atari.options import AtariOptions

FRAGMENT = 128  # env steps of each lane
STEPS = 20  # between looks at the clock
PAGE = os.sysconf("SC_PAGE_SIZE")
LSTM = {"type": "lstm", "size": 256}


class Contender(NamedTuple):
    """Something to be timed.

    Attributes:
        name: What it is.
        side: Pixels of a picture's side.
        play: Plays on for a while; returns env steps.
    """

    name: str
    side: int
    play: Callable[[], int]


def alone(options: AtariOptions, lanes: int) -> Contender:
    """ALE's vector interface, by random actions."""
    ale = options.make(lanes, AutoresetMode.SAME_STEP)
    ale.reset(np.arange(lanes), np.arange(lanes))
    ones, draw = np.ones(lanes, np.float32), draws(len(ale.get_action_set()), lanes)

    def play() -> int:
        for actions in draw():
            ale.send(actions, ones)
            ale.recv()
        return STEPS * lanes

    return Contender("ALE alone", options.img_height, play)


def batched(options: AtariOptions, lanes: int) -> Contender:
    """Our lanes around it."""
    envs = GameLanes(options, lanes)
    envs.reset(seed=0)
    draw = draws(len(envs.actions), lanes)

    def play() -> int:
        for actions in draw():
            envs.step(actions)
        return STEPS * lanes

    return Contender("our lanes", options.img_height, play)


def draws(actions: int, lanes: int) -> Callable[[], Any]:
    """Returns a function that draws random actions for some steps."""
    rng = np.random.default_rng(0)
    return lambda: rng.integers(actions, size=(STEPS, lanes))


def algorithm(game: str, side: int, model: dict[str, Any], lanes: int) -> Any:
    """RecurrentPPO on a game."""
    name = game.title().replace("_", "")
    config = make_config("RecurrentPPO", model)
    config.environment(f"ale_py:ALE/{name}-v5", env_config={"img_height": side, "img_width": side})
    config.num_envs_per_env_runner = lanes
    config.rollout_fragment_length = FRAGMENT
    config.minibatch_size = lanes * FRAGMENT // 4
    config.num_epochs = 2
    return config.build_algo()


def sampled(built: Any, side: int, name: str, random: bool) -> Contender:
    """A fragment through the columnar path."""
    runner = built.env_runner

    def play() -> int:
        steps = sum(chunk.env_steps() for chunk in runner.sample(random_actions=random))
        runner.get_metrics()
        return int(steps)

    return Contender(name, side, play)


def trained(built: Any, side: int, name: str, lanes: int) -> Contender:
    """A fragment, and learning from it."""

    def play() -> int:
        built.training_step()
        return FRAGMENT * lanes

    return Contender(name, side, play)


def rate(play: Callable[[], int], seconds: float) -> float:
    """Env steps per second of processor time."""
    played, began = 0, time.process_time()
    while (spent := time.process_time() - began) < seconds:
        played += play()
    return played / spent


def resident() -> float:
    """Memory of this process, MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 2**20


def main() -> None:
    """Times everyone in turn and prints the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="of processor time, for each")
    parser.add_argument("--lanes", type=int, default=8)
    parser.add_argument("--game", default="breakout")
    given = parser.parse_args()
    torch.set_num_threads(1)
    ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR", num_cpus=1)
    print(f"ale-py {version('ale-py')}, torch {torch.__version__}, {given.game}, {given.lanes} lanes")
    for side, encoder in ((84, "nature"), (42, "dqn")):
        compare(given, side, encoder)
    ray.shutdown()


def compare(given: argparse.Namespace, side: int, encoder: str) -> None:
    """Measures at one size of pictures and prints its lines."""
    options = AtariOptions(game=given.game, img_height=side, img_width=side)
    network = algorithm(given.game, side, {"encoder": {"type": encoder}, "core": LSTM}, given.lanes)
    before = resident()
    contenders = [
        alone(options, given.lanes),
        batched(options, given.lanes),
        sampled(network, side, "sampled at random", True),
        sampled(network, side, f"acted on, {encoder}", False),
        trained(network, side, f"trained, {encoder}", given.lanes),
    ]
    for doing in (contenders[2], contenders[4]):
        grow(doing, side, given.lanes)
    rates: dict[str, list[float]] = {each.name: [] for each in contenders}
    for _ in range(given.rounds):
        for each in contenders:
            rates[each.name].append(rate(each.play, given.seconds))
    for name, own in rates.items():
        ratios = [one / other for one, other in zip(own, rates["ALE alone"], strict=True)]
        print(
            f"{side}x{side}x4  {name:20} {statistics.median(own):7,.0f} steps/s  "
            f"x{statistics.median(ratios):.3f}  (min {min(ratios):.3f}, max {max(ratios):.3f})",
            flush=True,
        )
    print(f"{side}x{side}x4  memory {before:,.0f} MB before, {resident():,.0f} MB at the end", flush=True)


def grow(contender: Contender, side: int, lanes: int) -> None:
    """Plays 50 fragments and prints by how much the process has grown."""
    before = resident()
    sizes = []
    for _ in range(50):
        contender.play()
        sizes.append(resident() - before)
    pictures = FRAGMENT * lanes * side * side * 4 / 2**20
    print(
        f"{side}x{side}x4  {contender.name}: the process grows by {sizes[0]:.1f} MB in the first fragment, "
        f"{sizes[9]:.1f} in ten, {sizes[-1]:.1f} in fifty; the pictures of one are {pictures:.1f} MB",
        flush=True,
    )


if __name__ == "__main__":
    main()
