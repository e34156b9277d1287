"""Names in experiment files of older RLlib versions, and what they are called today: a table per place."""

from typing import Any

from engram.train.console.errors import Errors, ExperimentError

# Beside `run`. The historical format itself: no notice.
EXPERIMENT = {
    "algo": "run",
    "local_dir": "storage_path",
    "repeat": "num_samples",
    "checkpoint_freq": "checkpoint_config.checkpoint_frequency",
    "checkpoint_at_end": "checkpoint_config.checkpoint_at_end",
    "keep_checkpoints_num": "checkpoint_config.num_to_keep",
    "checkpoint_score_attr": "checkpoint_config.checkpoint_score_attribute",
    "upload_dir": "storage_path",
}

# Inside `config`.
CONFIG = {
    "collect_metrics_timeout": "metrics_episode_collection_timeout_s",
    "create_env_on_driver": "create_env_on_local_worker",
    "custom_resources_per_worker": "custom_resources_per_env_runner",
    "delay_between_worker_restarts_s": "delay_between_env_runner_restarts_s",
    "entropy_coeff_schedule": "entropy_coeff",
    "evaluation_num_episodes": "evaluation_duration",
    "evaluation_num_workers": "evaluation_num_env_runners",
    "ignore_worker_failures": "ignore_env_runner_failures",
    "lambda": "lambda_",
    "learning_starts": "num_steps_sampled_before_learning_starts",
    "lr_schedule": "lr",
    "max_num_worker_restarts": "max_num_env_runner_restarts",
    "metrics_smoothing_episodes": "metrics_num_episodes_for_smoothing",
    "min_iter_time_s": "min_time_s_per_iteration",
    "min_sample_timesteps_per_reporting": "min_sample_timesteps_per_iteration",
    "min_time_s_per_reporting": "min_time_s_per_iteration",
    "min_train_timesteps_per_reporting": "min_train_timesteps_per_iteration",
    "num_consecutive_worker_failures_tolerance": "num_consecutive_env_runner_failures_tolerance",
    "num_cpus_for_driver": "num_cpus_for_main_process",
    "num_cpus_for_local_worker": "num_cpus_for_main_process",
    "num_cpus_per_learner_worker": "num_cpus_per_learner",
    "num_cpus_per_worker": "num_cpus_per_env_runner",
    "num_envs_per_worker": "num_envs_per_env_runner",
    "num_gpus": "num_gpus_per_learner",
    "num_gpus_per_learner_worker": "num_gpus_per_learner",
    "num_gpus_per_worker": "num_gpus_per_env_runner",
    "num_learner_workers": "num_learners",
    "num_rollout_workers": "num_env_runners",
    "num_sgd_iter": "num_epochs",
    "num_workers": "num_env_runners",
    "recreate_failed_env_runners": "restart_failed_env_runners",
    "recreate_failed_workers": "restart_failed_env_runners",
    "sample_batch_size": "rollout_fragment_length",
    "sgd_minibatch_size": "minibatch_size",
    "target_update_frequency": "target_network_update_freq",
    "timesteps_per_iteration": "min_sample_timesteps_per_iteration",
    "train_batch_size": "train_batch_size_per_learner",
    "validate_workers_after_construction": "validate_env_runners_after_construction",
    "worker_health_probe_timeout_s": "env_runner_health_probe_timeout_s",
    "worker_restore_timeout_s": "env_runner_restore_timeout_s",
}

# Schedules had a key of their own, and the last word.
SCHEDULES = {"lr_schedule": "lr", "entropy_coeff_schedule": "entropy_coeff"}

# Inside `stop`, and as checkpoint score.
METRICS = {
    "agent_timesteps_total": "timesteps_total",
    "episode_len_mean": "env_runners/episode_len_mean",
    "episodes_total": "env_runners/num_episodes_lifetime",
    "num_agent_steps_sampled": "timesteps_total",
    "num_env_steps_sampled": "timesteps_total",
    "num_steps_sampled": "timesteps_total",
    "success_rate": "env_runners/success_rate",
}
for _of in ("max", "mean", "min"):
    _new = f"env_runners/episode_return_{_of}"
    METRICS |= {
        f"{_before}episode_reward_{_of}": _new for _before in ("", "env_runners/", "sampler_results/")
    }
    METRICS[f"episode_return_{_of}"] = _new
    for _before in ("", "env_runners/", "sampler_results/"):
        METRICS[f"evaluation/{_before}episode_reward_{_of}"] = f"evaluation/{_new}"

# `framework:` and what it was called before.
FRAMEWORKS = ("torch", "tf", "tf2", "tfe", "jax")


def rename(
    section: dict[str, Any], table: dict[str, str], path: str, errors: Errors
) -> tuple[dict[str, Any], list[str]]:
    """Give the keys of a section today's names.

    Args:
        section: The section as written.
        table: Old name -> new name.
        path: Dotted path of the section, for errors.
        errors: Receives what stands there under two names.

    Returns:
        The section under today's names, and a list of `old -> new`.
    """
    renamed: dict[str, Any] = {}
    written: dict[str, str] = {}
    notices = []
    for key, value in section.items():
        name = table.get(key, key)
        if name in renamed:
            errors.add(
                ExperimentError(f"{path}.{key}: the same setting as {path}.{written[name]}; keep {name!r}")
            )
            continue
        renamed[name], written[name] = value, key
        if name != key:
            notices.append(f"{key} -> {name}")
    return renamed, notices


def schedules(config: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Give a schedule that had a key of its own the last word over the constant beside it.

    Args:
        config: As written.

    Returns:
        The settings without what no longer counts, and a notice for each constant that does not.
    """
    unused = {old for old in SCHEDULES if old in config and config[old] is None}  # the old default
    over = {new: old for old, new in SCHEDULES.items() if config.get(old) is not None and new in config}
    notices = [f"config.{new} has no effect: {old} has the last word" for new, old in over.items()]
    return {key: value for key, value in config.items() if key not in unused | over.keys()}, notices
