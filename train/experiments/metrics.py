"""Paths to the numbers of a result, which `stop` and `checkpoint_score_attribute` may name."""

import math
from typing import Any

from engram.train.console.errors import ExperimentError

RETURN = "env_runners/episode_return_mean"

# Beside the sections; each grows from result to result.
COUNTS = (
    "timesteps_total",  # env steps
    "time_total_s",  # s of training, resumed parts included
    "training_iteration",
    "num_env_steps_sampled_lifetime",  # env steps
)
_OTHERS = (
    "non_finite_skipped",
    "steps_per_second",
    "time_this_iter_s",
    "time_since_restore",
    "iterations_since_restore",
)

# Of the episodes in a section of episodes: `env_runners`, `evaluation/env_runners`, a group of either.
EPISODES = (
    "episode_return_mean",
    "episode_return_min",
    "episode_return_max",
    "episode_len_mean",
    "episode_len_min",
    "episode_len_max",
    "success_rate",
    "num_episodes_in_window",
)
_SAMPLING = (
    "agent_episode_return_mean/default_agent",
    "agent_steps/default_agent",
    "env_reset_timer",
    "env_step_timer",
    "episode_duration_sec_mean",
    "module_episode_return_mean/default_policy",
    "num_env_steps_sampled",
    "num_env_steps_sampled_lifetime",
    "num_episodes",
    "num_episodes_lifetime",
    "sample",
    "unfinished_episode_len_max",
    "weights_seq_no",
)
_SECTIONS = ("env_runners", "evaluation/env_runners")

# Of `learners/default_policy`, under the algorithms of `_NAMED`; others may log what their losses like.
_LEARNED = """
    clip_fraction curr_entropy_coeff curr_kl_coeff default_optimizer_learning_rate
    diff_num_grad_updates_vs_sampler_policy entropy gradients_default_optimizer_global_norm
    last_target_update_ts mean_IS mean_kl mean_kl_loss mean_pi_loss mean_vf_loss module_train_batch_size_mean
    num_module_steps_trained num_module_steps_trained_lifetime num_target_updates num_trainable_parameters
    pi_loss policy_lag policy_loss qf_loss qf_max qf_mean qf_min td_error_mean total_loss var_IS
    vf_explained_var vf_loss vf_loss_unclipped weights_seq_no
"""
LEARNED = tuple(_LEARNED.split())
_NAMED = ("RecurrentPPO", "RecurrentA2C", "RecurrentIMPALA", "PPO", "IMPALA", "APPO", "DQN")
_LEARNER = "learners/default_policy/"
_ALL_MODULES = (
    "num_env_steps_trained",
    "num_env_steps_trained_lifetime",
    "num_module_steps_trained",
    "num_module_steps_trained_lifetime",
    "num_non_trainable_parameters",
    "num_trainable_parameters",
)

STOP_KEYS = (*COUNTS, *(f"env_runners/{name}" for name in EPISODES if "num" not in name))
"""Keys suggested for `stop` where a name is not a path."""


def paths() -> list[str]:
    """Return the paths to all numbers of a result, except those of groups."""
    runners = [f"{section}/{name}" for section in _SECTIONS for name in (*EPISODES, *_SAMPLING)]
    policy = [f"{_LEARNER}{name}" for name in LEARNED]
    modules = [f"learners/__all_modules__/{name}" for name in _ALL_MODULES]
    return [*COUNTS, *_OTHERS, *runners, *policy, *modules]


def is_known(path: str, run: str) -> bool:
    """Return whether results have a number at a path.

    Args:
        path: `env_runners/episode_return_mean` and the like; of the episodes of one group (a level, a delay,
            a size), `env_runners/groups/GROUP/success_rate`; of trials, whose measures each environment names
            itself, `env_runners/trials/NAME`.
        run: The algorithm's name.
    """
    free = run not in _NAMED and path.startswith(_LEARNER) and path != _LEARNER
    return path in paths() or _is_of_group(path) or _is_of_trials(path) or free


def alike(path: str) -> list[str]:
    """Return the paths to suggest in place of an unknown one."""
    return paths() if "/" in path else list(STOP_KEYS)


def _is_of_group(path: str) -> bool:
    section, _, rest = path.partition("/groups/")
    group, _, name = rest.rpartition("/")
    return section in _SECTIONS and bool(group) and name in EPISODES


def _is_of_trials(path: str) -> bool:
    section, _, name = path.partition("/trials/")
    return section in _SECTIONS and name.isidentifier()


def check_stop(path: str, value: Any, where: str = "stop") -> float:
    """Return the value of a stop condition as a number.

    Args:
        path: What is measured.
        value: What the user wrote.
        where: Dotted path of the section, for errors.

    Raises:
        ExperimentError: no number, or one that every result reaches, or none.
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ExperimentError(f"{where}.{path}: expected a number, got {value!r}")
    if math.isinf(value) and path != "time_total_s":
        raise ExperimentError(f"{where}.{path}: no result reaches {value!r}; leave it out, or give a number")
    name = path.rpartition("/")[2]
    if (path in COUNTS or name.startswith(("episode_len", "num_"))) and value <= 0:
        raise ExperimentError(f"{where}.{path}: {value!r} is out of range; legal: more than 0")
    if name == "success_rate" and not 0 < value <= 1:
        raise ExperimentError(f"{where}.{path}: {value!r} is out of range; legal: more than 0, up to 1")
    return float(value) if abs(value) < 2**53 else value
