"""Training speed on the T-maze: our columnar path, stock RLlib and sb3-contrib, interleaved in one run.

    OMP_NUM_THREADS=1 python benchmarks/training.py [--rounds 5] [--lanes 128]

One process, one thread, no remote workers. Every contender gets the same batched environment, lanes,
fragment (20 steps), batch, minibatch (a quarter) and passes (2), an MLP encoder of 128 units and, for LSTMs,
128 units. Each round times every contender in turn; the table shows medians over rounds and the ratio to
stock RLlib's LSTM.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import gymnasium as gym
import numpy as np
import ray
import torch
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import DtypeObservation, FlattenObservation
from ray.tune.registry import register_env
from rich.console import Console
from rich.table import Table

import engram.envs  # noqa: F401  registers the T-maze
from engram.agents import make_config

ENV = "engram/TMaze-v0"
LEVELS = {"level": [0, 1, 2, 3, 4]}
FRAGMENT = 20
LOW_PASS = {
    "type": "low_pass",
    "pools": 9,
    "size": 64,
    "viewports": 8,
    "summariser": 128,
    "normalize": "running",
    "train_input": False,
}
LSTM = {"type": "lstm", "size": 128}


class Contender(NamedTuple):
    """Something to be timed.

    Attributes:
        name: What it is.
        width: Its sizes.
        train: Trains on one batch; returns environment steps.
        sample: Samples one batch; returns environment steps.
    """

    name: str
    width: str
    train: Callable[[], int]
    sample: Callable[[], int]


def columnar(name: str, core: dict[str, Any], lanes: int) -> Contender:
    """RecurrentPPO with one of our cores."""
    model = {"encoder": {"type": "mlp", "hidden": [128]}, "core": core, "skip": True}
    config = make_config("RecurrentPPO", model).environment(f"engram.envs:{ENV}", env_config=LEVELS)
    config.num_envs_per_env_runner = lanes
    config.minibatch_size = lanes * FRAGMENT // 4
    algorithm = config.build_algo()
    width = "9 pools x 64" if core["type"] == "low_pass" else "128 units"
    return Contender(name, width, *rllib_steps(algorithm))


def stock(lanes: int) -> Contender:
    """Stock RLlib PPO with its own LSTM, on the batched environment in the autoreset mode it expects."""
    model = {"fcnet_hiddens": [128], "use_lstm": True, "lstm_cell_size": 128, "max_seq_len": FRAGMENT}
    config = make_config("PPO", model)
    # RLlib's LSTM takes vectors of floats; making them in the environment spares it a connector.
    register_env(
        "flat_tmaze",
        lambda context: FlattenObservation(
            DtypeObservation(
                gym.make_vec(
                    ENV,
                    num_envs=context["num_envs"],
                    vectorization_mode="vector_entry_point",
                    autoreset_mode=AutoresetMode.NEXT_STEP,
                    **LEVELS,
                ),
                np.float32,
            )
        ),
    )
    config.environment("flat_tmaze")
    config.env_runners(
        num_env_runners=0,
        num_envs_per_env_runner=lanes,
        rollout_fragment_length=FRAGMENT,
        gym_env_vectorize_mode="vector_entry_point",
    )
    config.training(
        train_batch_size_per_learner=lanes * FRAGMENT, minibatch_size=lanes * FRAGMENT // 4, num_epochs=2
    )
    return Contender("stock RLlib PPO, use_lstm", "128 units", *rllib_steps(config.build_algo()))


def rllib_steps(algorithm: Any) -> tuple[Callable[[], int], Callable[[], int]]:
    """One training step, and one call to the runner's `sample`, of an RLlib algorithm."""

    def sampled() -> int:
        return int(algorithm.metrics.peek(("env_runners", "num_env_steps_sampled_lifetime"), default=0))

    def train() -> int:
        before = sampled()
        algorithm.training_step()
        return sampled() - before

    def sample() -> int:
        steps = sum(chunk.env_steps() for chunk in algorithm.env_runner.sample())
        algorithm.env_runner.get_metrics()  # or the next training step would count these steps as its own
        return steps

    return train, sample


def sb3(lanes: int) -> Contender | None:
    """sb3-contrib's RecurrentPPO, if installed, on the batched environment."""
    try:
        from sb3_contrib import RecurrentPPO
        from stable_baselines3.common.vec_env import VecEnv
    except ImportError:
        return None

    class Lanes(VecEnv):  # type: ignore[misc]
        """A SAME_STEP Gymnasium vector environment as Stable-Baselines3 wants it."""

        def __init__(self) -> None:
            self.env = gym.make_vec(ENV, lanes, vectorization_mode="vector_entry_point", **LEVELS)
            super().__init__(lanes, self.env.single_observation_space, self.env.single_action_space)

        def reset(self) -> Any:
            return self.env.reset()[0]

        def step_async(self, actions: Any) -> None:
            self.actions = actions

        def step_wait(self) -> Any:
            observations, rewards, terminateds, truncateds, infos = self.env.step(self.actions)
            dones = terminateds | truncateds
            records: list[dict[str, Any]] = [{} for _ in range(lanes)]
            for lane in np.flatnonzero(dones):
                records[lane] = {"terminal_observation": infos["final_obs"][lane]}
            return observations, rewards, dones, records

        def close(self) -> None:
            self.env.close()

        def env_is_wrapped(self, *_: Any, **__: Any) -> list[bool]:
            return [False] * lanes

        def get_attr(self, *_: Any, **__: Any) -> list[Any]:
            return [None] * lanes

        def set_attr(self, *_: Any, **__: Any) -> None: ...

        def env_method(self, *_: Any, **__: Any) -> list[Any]:
            return [None] * lanes

    model = RecurrentPPO(
        "MlpLstmPolicy",
        Lanes(),
        n_steps=FRAGMENT,
        batch_size=lanes * FRAGMENT // 4,
        n_epochs=2,
        policy_kwargs={
            "net_arch": [128],
            "lstm_hidden_size": 128,
            "enable_critic_lstm": False,
            "shared_lstm": True,
        },
        device="cpu",
    )
    _, callback = model._setup_learn(total_timesteps=1, callback=None)

    def sample() -> int:
        model.collect_rollouts(model.env, callback, model.rollout_buffer, n_rollout_steps=FRAGMENT)
        return lanes * FRAGMENT

    def train() -> int:
        steps = sample()
        model.train()
        return steps

    return Contender("sb3-contrib RecurrentPPO", "128 units", train, sample)


def rate(step: Callable[[], int], seconds: float) -> float:
    """Environment steps per second of `step`, called until `seconds` have passed."""
    steps, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        steps += step()
    return steps / elapsed


def main() -> None:
    """Times everyone in turn and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--lanes", type=int, default=128)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR", num_cpus=1)
    lanes = arguments.lanes
    contenders = [
        columnar("RecurrentPPO, low_pass", LOW_PASS, lanes),
        columnar("RecurrentPPO, lstm", LSTM, lanes),
        stock(lanes),
    ]
    extra = sb3(lanes)
    contenders += [extra] if extra else []
    rates: dict[str, list[tuple[float, float]]] = {contender.name: [] for contender in contenders}
    for contender in contenders:
        contender.train()
    for _ in range(arguments.rounds):
        for contender in contenders:
            rates[contender.name].append(
                (rate(contender.train, arguments.seconds), rate(contender.sample, arguments.seconds / 3))
            )
    print_table(contenders, rates, lanes)
    ray.shutdown()


def print_table(contenders: list[Contender], rates: dict[str, list[tuple[float, float]]], lanes: int) -> None:
    """Medians over rounds, and ratios to stock RLlib round by round."""
    reference = next(contender.name for contender in contenders if contender.name.startswith("stock"))
    table = Table(
        title=f"T-maze, one core, {lanes} lanes, fragments of {FRAGMENT} steps, 2 passes x 4 minibatches"
    )
    for column in ("contender", "width", "training steps/s", "ratio", "sampling steps/s", "ratio"):
        table.add_column(column, justify="left" if column in ("contender", "width") else "right")
    for contender in contenders:
        cells = []
        for kind in (0, 1):
            own = [pair[kind] for pair in rates[contender.name]]
            ratios = [a / b[kind] for a, b in zip(own, rates[reference], strict=True)]
            cells += [f"{statistics.median(own):,.0f}", f"{statistics.median(ratios):.2f}"]
        table.add_row(contender.name, contender.width, *cells)
    Console().print(table)


if __name__ == "__main__":
    main()
