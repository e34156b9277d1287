"""Names in experiment files of older RLlib versions, and what they are called today: a table per place."""

from typing import Any

from engram.train.errors import ExperimentError

# Beside `run`. The historical format itself: no notice.
EXPERIMENT = {
    "algo": "run",
    "local_dir": "storage_path",
    "repeat": "num_samples",
    "checkpoint_freq": "checkpoint_config.checkpoint_frequency",
    "checkpoint_at_end": "checkpoint_config.checkpoint_at_end",
    "keep_checkpoints_num": "checkpoint_config.num_to_keep",
    "checkpoint_score_attr": "checkpoint_config.checkpoint_score_attribute",
}

# Inside `config`.
CONFIG = {
    "evaluation_num_workers": "evaluation_num_env_runners",
    "lambda": "lambda_",
    "lr_schedule": "lr",
    "entropy_coeff_schedule": "entropy_coeff",
    "min_iter_time_s": "min_time_s_per_iteration",
    "num_cpus_for_driver": "num_cpus_for_main_process",
    "num_cpus_per_worker": "num_cpus_per_env_runner",
    "num_envs_per_worker": "num_envs_per_env_runner",
    "num_gpus": "num_gpus_per_learner",
    "num_gpus_per_worker": "num_gpus_per_env_runner",
    "num_rollout_workers": "num_env_runners",
    "num_sgd_iter": "num_epochs",
    "num_workers": "num_env_runners",
    "sgd_minibatch_size": "minibatch_size",
    "timesteps_per_iteration": "min_sample_timesteps_per_iteration",
    "train_batch_size": "train_batch_size_per_learner",
}

# Inside `stop`, and as checkpoint score.
METRICS = {
    "episode_len_mean": "env_runners/episode_len_mean",
    "episode_reward_max": "env_runners/episode_return_max",
    "episode_reward_mean": "env_runners/episode_return_mean",
    "episode_reward_min": "env_runners/episode_return_min",
    "episode_return_mean": "env_runners/episode_return_mean",
    "success_rate": "env_runners/success_rate",
}


def rename(section: dict[str, Any], table: dict[str, str], path: str) -> tuple[dict[str, Any], list[str]]:
    """Give the keys of a section today's names.

    Args:
        section: The section as written.
        table: Old name -> new name.
        path: Dotted path of the section, for errors.

    Returns:
        The section under today's names, and a list of `old -> new`.

    Raises:
        ExperimentError: the same setting stands there under two names.
    """
    renamed: dict[str, Any] = {}
    notices = []
    for key, value in section.items():
        name = table.get(key, key)
        if name in renamed:
            raise ExperimentError(f"{path}.{key}: the same setting as {path}.{name}; keep {name!r}")
        renamed[name] = value
        if name != key:
            notices.append(f"{key} -> {name}")
    return renamed, notices
