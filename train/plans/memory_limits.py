"""Refuse experiments that need more memory than this machine has."""

import os
from typing import Any

import numpy as np
from gymnasium import spaces

from engram.agents.models.spaces import frames_in
from engram.train.console.errors import ExperimentError
from engram.train.environments.facts import EnvFacts

PROCESS = 150 * 2**20  # bytes of its own that a process takes at least; a trial of a small network: 250 MB
_FRAGMENT = "rollout_fragment_length"
_PRIORITIES = 32  # bytes of one step in two trees of sums and least values, each with as many inner nodes
_ROW = 24  # bytes of one step of one lane beside its observation: rewards, values, log-probabilities, flags


def total() -> int:
    """Bytes of memory that this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def check_lanes(config: Any, env: EnvFacts) -> None:
    """Refuse more lanes to a runner than any machine like this one could hold.

    Counted is one round of sampling, its observations and the columns beside them; the environments
    themselves come on top.

    Raises:
        ExperimentError: says how much it would take.
    """
    lanes, length = int(config.num_envs_per_env_runner), int(config.get_rollout_fragment_length())
    needed = lanes * (length + 1) * (_ROW + _seen(env))
    own = "train_batch_size_per_learner" if config.rollout_fragment_length == "auto" else _FRAGMENT
    key = "num_envs_per_env_runner" if lanes >= length else own
    _check(key, needed, f"fragments of {length:,} steps of {lanes:,} lanes take")


def _check(key: str, needed: int, what: str, advice: str = "") -> None:
    """Raises ExperimentError where this machine has fewer bytes than something takes at least."""
    if needed > total():
        raise ExperimentError(
            f"config.{key}: {what} {in_words(needed)} at least, this machine has {in_words(total())}{advice}"
        )


def check_batch(config: Any, env: EnvFacts) -> None:
    """Refuse an update's batch, or a replay buffer, that this machine's memory does not hold.

    Runners, learners and what they learn from share it; gradients and the networks come on top.

    Raises:
        ExperimentError: says how much it would take.
    """
    learners = max(1, int(config.num_learners))
    asked = int(vars(config).get("_train_batch_size_per_learner") or 0) * learners
    steps = int(getattr(config, "update_steps", asked))
    own = asked > getattr(config, "round_steps", 0)
    key = "train_batch_size_per_learner" if own else "num_env_runners"
    _check(key, steps * (_ROW + _seen(env)), f"a batch of {steps:,} env steps takes")
    buffer = vars(config).get("replay_buffer_config") or {}
    capacity = int(buffer.get("capacity") or 0)
    if "Prioritized" in str(buffer.get("type")) and capacity * _PRIORITIES > total():
        raise ExperimentError(
            f"config.replay_buffer_config.capacity: the priorities of {capacity:,} env steps take "
            f"{in_words(capacity * _PRIORITIES)} from the start, this machine has {in_words(total())}"
        )


def check_evaluation_lanes(config: Any, env: EnvFacts) -> None:
    """Refuse more lanes to an evaluation than this machine's memory holds, at one observation each.

    Raises:
        ExperimentError: says how much it would take.
    """
    lanes = (config.evaluation_config or {}).get("num_envs_per_env_runner")
    if config.evaluation_interval and lanes is not None:
        needed = int(lanes) * (_ROW + _seen(env))
        _check("evaluation_config.num_envs_per_env_runner", needed, f"{lanes:,} lanes take")


def check_processes(config: Any) -> None:
    """Refuse more processes to a trial than this machine's memory holds.

    Raises:
        ExperimentError: says how many there would be.
    """
    runners = int(config.num_env_runners) + int(config.evaluation_num_env_runners)
    processes = 1 + runners + int(config.num_learners)
    key = "num_env_runners" if runners >= config.num_learners else "num_learners"
    advice = "; for a cluster give --ray-address"
    _check(key, processes * PROCESS, f"a trial of {processes:,} processes takes", advice)


def _seen(env: EnvFacts) -> int:
    """Bytes of an observation; of pictures whose frames are stored once, those of one frame."""
    return _bytes(env.observation_space, shared=not env.wrappers)


def _bytes(space: spaces.Space[Any], shared: bool) -> int:
    if isinstance(space, spaces.Dict | spaces.Tuple):
        parts = space.spaces.values() if isinstance(space, spaces.Dict) else space.spaces
        return sum(_bytes(part, shared) for part in parts)
    if space.shape is None or space.dtype is None:
        return 0
    size = int(np.prod(space.shape, dtype=np.int64)) * space.dtype.itemsize
    return size // frames_in(space) if shared else size


def in_words(size: float) -> str:
    """A number of bytes as people read it."""
    units = ("bytes", "KB", "MB", "GB", "TB", "PB")
    power = min(len(units) - 1, max(0, (int(size).bit_length() - 1) // 10))
    return f"{size / 1024**power:,.1f} {units[power]}"
