"""Keys of older experiment files, a table for each place in a file.

An entry is the key's name today, or `Gone` where it was removed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Gone:
    """A setting that was removed.

    Attributes:
        today: What replaces it, or why nothing does.
        harmless: Values that an experiment does not need; None: any value.
    """

    today: str
    harmless: tuple[Any, ...] | None = ()

    def is_harmless(self, value: Any) -> bool:
        """Return whether the experiment stays the same without this value."""
        return self.harmless is None or any(value == one for one in self.harmless)


Table = Mapping[str, str | Gone]

FRAMEWORKS = ("torch", "tf", "tf2", "tfe", "jax")  # values of `framework`, and of what it was called before

_RESOURCES = (
    "a trial's CPUs and GPUs follow from num_env_runners, num_cpus_per_env_runner, num_gpus_per_learner"
)
_NO_CODE = "a file holds no code, and the results need none"
_REPLAY = (
    "today: replay_buffer_config: {type: PrioritizedEpisodeReplayBuffer, capacity: N, alpha: A, beta: B}"
)
_EPSILON = "today: epsilon: [[0, first value], [env step, last value]], of run: DQN"
_ONE_AGENT = "an environment has one agent here"
_TORCH = "PyTorch is used"
_NONE: tuple[Any, ...] = (None, False, {}, [])

# Beside `run`. New names are the historical format itself: no notice.
EXPERIMENT: Table = {
    "algo": "run",
    "local_dir": "storage_path",
    "repeat": "num_samples",
    "checkpoint_freq": "checkpoint_config.checkpoint_frequency",
    "checkpoint_at_end": "checkpoint_config.checkpoint_at_end",
    "keep_checkpoints_num": "checkpoint_config.num_to_keep",
    "checkpoint_score_attr": "checkpoint_config.checkpoint_score_attribute",
    "upload_dir": "storage_path",
    "export_formats": Gone("a checkpoint holds the weights", None),
    "loggers": Gone("results are written as result.json, progress.csv and for TensorBoard", None),
    "metric": Gone("see checkpoint_config.checkpoint_score_attribute", None),
    "mode": Gone("see checkpoint_config.checkpoint_score_order", None),
    "pass_criteria": Gone("what ends a run stands in stop", None),
    "queue_trials": Gone("trials always wait until there is room", None),
    "resources_per_trial": Gone(_RESOURCES, None),
    "sync_config": Gone("storage_path may be a folder, or the URI of a store", _NONE),
    "sync_on_checkpoint": Gone("checkpoints are written to storage_path at once", None),
    "trial_resources": Gone(_RESOURCES, None),
    "verbose": Gone("see rllib train -v", None),
}

# Inside `resources`, where they did not reach RLlib's processes.
RESOURCES: Table = {key: Gone(_RESOURCES, None) for key in ("cpu", "gpu", "extra_cpu", "extra_gpu", "memory")}

# `scheduler`, by the names of Ray's classes and of its own short forms.
SCHEDULERS: Table = {
    "ASHAScheduler": "asha",
    "AsyncHyperBandScheduler": "asha",
    "AsyncHyperBand": "asha",
    "async_hyperband": "asha",
    "FIFO": "fifo",
    "FIFOScheduler": "fifo",
    "PB2": "pb2",
    "PBT": "pbt",
    "PopulationBasedTraining": "pbt",
}
POPULATIONS = ("paper_pbt", "pb2", "pbt")
"""Those in which trials copy from each other."""

_RETURNS = (
    "episode_reward_mean",
    "env_runners/episode_return_mean",
    "env_runners/episode_reward_mean",
    None,
)

# Inside `scheduler`, and `scheduler_config` before.
SCHEDULER: Table = {
    "perturbation_interval": "interval_timesteps",
    "hyperparam_bounds": "mutate",
    "hyperparam_mutations": "mutate",
    "quantile_fraction": "quantile",
    "resample_probability": "resample",
    "perturbation_factors": "factors",
    "burn_in_period": "burn_in",
    "time_attr": Gone("time is counted in env steps", ("timesteps_total", None)),
    "metric": Gone(
        "trials are compared by their mean return",
        _RETURNS,
    ),
    "reward_attr": Gone("trials are compared by their mean return", ("episode_reward_mean", None)),
    "mode": Gone("the larger return is the better", ("max", None)),
    "log_config": Gone("see population.jsonl", None),
    "synch": Gone("no trial waits for another", (False, None)),
}

_RANDOM_OR_OPTUNA = Gone("search spaces are grids and random draws, or what search_alg: optuna suggests")
_SPACES = "search spaces stand in config"

_OTHER_SEARCHES = (
    *("AxSearch", "BayesOptSearch", "BlendSearch", "CFO", "DragonflySearch", "HEBOSearch", "HyperOptSearch"),
    *("NevergradSearch", "SigOptSearch", "SkOptSearch", "TuneBOHB", "ZOOptSearch"),
    *("ax", "bayesopt", "blendsearch", "bohb", "cfo", "dragonfly", "hebo"),
    *("hyperopt", "nevergrad", "sigopt", "skopt", "zoopt"),
)

# `search_alg`, by the same.
SEARCH_ALGS: Table = {
    "BasicVariantGenerator": "random",
    "OptunaSearch": "optuna",
    "variant_generator": "random",
    **dict.fromkeys(_OTHER_SEARCHES, _RANDOM_OR_OPTUNA),
}

# Inside `search_alg`.
SEARCH_ALG: Table = {
    "n_startup_trials": "startup",
    "constant_grid_search": Gone("each draw is made for a point of the grid", (False, None)),
    "evaluated_rewards": Gone(_SPACES, _NONE),
    "max_concurrent": Gone("as many trials run at once as there is room for", (0, None)),
    "metric": Gone(
        "the score is checkpoint_config.checkpoint_score_attribute, else the mean return", _RETURNS
    ),
    "mode": Gone("see checkpoint_config.checkpoint_score_order", ("max", None)),
    "points_to_evaluate": Gone(_SPACES, _NONE),
    "space": Gone(_SPACES, _NONE),
    "storage": Gone("what was suggested stands in the experiment's folder", _NONE),
    "study_name": Gone("a study has the experiment's name", None),
}


@dataclass(frozen=True)
class Typed:
    """A key beside `run` that names a thing, or is a section with its `type` and its options.

    Attributes:
        types: Other names of its types.
        options: Other names of its options.
        beside: The key that held the options, where there was one.
        nothing: Values that say as much as no such key.
    """

    types: Table
    options: Table
    beside: str = ""
    nothing: tuple[Any, ...] = (None,)


TYPED: Mapping[str, Typed] = {
    "scheduler": Typed(SCHEDULERS, SCHEDULER, beside="scheduler_config"),
    "search_alg": Typed(SEARCH_ALGS, SEARCH_ALG, nothing=_NONE),
}

# Options of `train`.
OPTIONS: Table = {
    "--eager": Gone(_TORCH, None),
    "--framework": Gone(_TORCH, FRAMEWORKS),
    "--local-mode": Gone("for everything in a trial's process: --set config.num_env_runners=0", None),
    "--queue-trials": EXPERIMENT["queue_trials"],
    "--ray-nodes": Gone("a cluster is reached by --ray-address"),
    "--ray-object-store-memory": Gone("Ray measures its object store itself", None),
    "--ray-ui": Gone("Ray's dashboard does not start; see tensorboard", None),
    "--resources-per-trial": EXPERIMENT["resources_per_trial"],
    "--torch": Gone(_TORCH, None),
    "--trace": Gone(_TORCH, None),
}

# Inside `config`.
CONFIG: Table = {
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
    "buffer_size": Gone(_REPLAY),
    "callbacks": Gone(_NO_CODE, _NONE),
    "custom_eval_function": Gone(_NO_CODE, _NONE),
    "eager": Gone(_TORCH, None),
    "exploration_final_eps": Gone(_EPSILON),
    "exploration_fraction": Gone(_EPSILON),
    "final_prioritized_replay_beta": Gone(_REPLAY),
    "horizon": Gone("today: env_config: {max_episode_steps: N}", (None,)),
    "input": Gone("offline data are not read", (None, "sampler")),
    "model_config": Gone("today: model: {...}"),
    "monitor": Gone("see rllib evaluate --gif", None),
    "multiagent": Gone(_ONE_AGENT, _NONE),
    "multi_agent": Gone(_ONE_AGENT, _NONE),
    "no_done_at_end": Gone("an end by a time limit is `truncated`, and what was left is estimated", None),
    "optimization": Gone("today: actor_lr, critic_lr and alpha_lr, of run: SAC"),
    "policy_model": Gone("today: policy_model_config, of run: SAC"),
    "prioritized_replay": Gone(_REPLAY),
    "prioritized_replay_alpha": Gone(_REPLAY),
    "prioritized_replay_beta": Gone(_REPLAY),
    "prioritized_replay_beta_annealing_timesteps": Gone(_REPLAY),
    "prioritized_replay_eps": Gone(_REPLAY),
    "Q_model": Gone("today: q_model_config, of run: SAC"),
    "record_env": Gone("see rllib evaluate --gif", None),
    "replay_batch_size": Gone("today: train_batch_size_per_learner"),
    "replay_mode": Gone(_ONE_AGENT, ("independent",)),
    "sample_async": Gone("run: IMPALA and RecurrentIMPALA sample while they learn", None),
    "schedule_max_timesteps": Gone(_EPSILON),
    "simple_optimizer": Gone("every learner splits its batches", None),
    "soft_horizon": Gone("an episode ends where its environment says so", _NONE),
    "use_pytorch": Gone(_TORCH, None),
    "vf_share_layers": Gone("today: model: {vf_share_layers: true}, of RLlib's own modules"),
}

# Schedules had a key of their own, and the last word.
SCHEDULES = {"lr_schedule": "lr", "entropy_coeff_schedule": "entropy_coeff"}

_PICTURES = "pictures are prepared by the environment: wrappers of Gymnasium, such as AtariPreprocessing"
_SEES = "an environment shows what its policy is to see"
_CODE = "today: model: {core: {type: package.module:Class}}"

# Inside `model`.
MODEL: Table = {
    "custom_action_dist": Gone("the action space decides"),
    "custom_model": Gone(_CODE),
    "custom_model_config": Gone(_CODE),
    "custom_options": Gone(_CODE),
    "custom_preprocessor": Gone("today: a wrapper of the environment"),
    "dim": Gone(_PICTURES),
    "framestack": Gone("today: model: {core: {type: frame_stack}}, with run: PPO or RecurrentPPO", _NONE),
    "grayscale": Gone(_PICTURES, _NONE),
    "lstm_use_prev_action_reward": Gone(_SEES, _NONE),
    "no_final_linear": Gone("there is always one", _NONE),
    "post_fcnet_activation": Gone("today: head_fcnet_activation"),
    "post_fcnet_hiddens": Gone("today: head_fcnet_hiddens"),
    "use_attention": Gone("today: model: {core: {type: gtrxl}}, with run: PPO or RecurrentPPO", _NONE),
    "zero_mean": Gone(_PICTURES, _NONE),
}

# Inside `model`, in RLlib's own modules alone.
BESIDE_CORE: Table = {
    "conv_filters": Gone("beside a core: encoder: {type: conv, channels: [N, ...]}", (None,)),
    "fcnet_activation": Gone("layers end in a ReLU", ("relu", "ReLU")),
    "fcnet_hiddens": Gone("beside a core: encoder: {type: mlp, hidden: [N, ...]}"),
    "free_log_std": Gone("every spread depends on what is seen", _NONE),
    "head_fcnet_hiddens": Gone("beside a core: head: {hidden: [N, ...]}", _NONE),
    "lstm_cell_size": Gone("beside a core: core: {type: lstm, size: N}"),
    "lstm_use_prev_action": Gone(_SEES, _NONE),
    "lstm_use_prev_reward": Gone(_SEES, _NONE),
    "use_lstm": Gone("beside a core: core: {type: lstm}", _NONE),
    "vf_share_layers": Gone("policy and value share the encoder and the core", (None, True)),
}
ON_COLUMNS: Table = {**BESIDE_CORE, "max_seq_len": Gone("today: rollout_fragment_length")}

# Inside `stop`, and as checkpoint score.
METRICS: dict[str, str] = {
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

# Algorithms that RLlib dropped, and what comes nearest today; the first takes the most of their settings.
ALGORITHMS = {
    "A2C": ("RecurrentA2C", "PPO"),
    "A3C": ("IMPALA", "RecurrentIMPALA"),
    "R2D2": ("DQN", "RecurrentIMPALA"),
    **dict.fromkeys(("APEX", "ApexDQN", "Rainbow", "SimpleQ"), ("DQN",)),
    **dict.fromkeys(("APEX_DDPG", "ApexDDPG", "DDPG", "TD3"), ("SAC",)),
    **dict.fromkeys(("ARS", "DDPPO", "ES", "MAML", "PG"), ("PPO",)),
    **dict.fromkeys(("DREAMER", "Dreamer"), ("DreamerV3",)),
}
