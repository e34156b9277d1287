"""What each key of `config` does under each algorithm: honoured, refused, or taken without effect.

RLlib's AlgorithmConfig holds the settings of two generations of RLlib and of all its algorithms, and takes
every one of them everywhere. Here stands, for each pair of an algorithm and a key, what comes of it. The
rows were made by reading who asks for a setting in Ray 2.60 and in `engram.agents`; a test fails where a pair
has no row, so that a new version of Ray, or a new setting of ours, forces a decision.

A new setting is one word in a row, or one row. `train/plans/review.py` reads the table.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

Effect = Literal["honoured", "refused", "idle"]

COLUMNAR = ("RecurrentPPO", "RecurrentIMPALA", "Supervised")
ON_POLICY = ("PPO", "IMPALA", "APPO")
REPLAY = ("DQN", "SAC", "DreamerV3")
STOCK = (*ON_POLICY, *REPLAY)
ALL = (*COLUMNAR, *STOCK)
OFFLINE = ("BC", "MARWIL", "IQL", "CQL")  # they learn from recorded data, which no key here names
ASYNCHRONOUS = ("RecurrentIMPALA", "IMPALA", "APPO")


class Default:
    """Stands for the algorithm's own default in `Row.fact`."""


@dataclass(frozen=True)
class Row:
    """What some keys do under some algorithms.

    Attributes:
        effect: `honoured`; `refused`, where what is learned would not be what was asked for; `idle`, where
            nothing comes of it and nothing is lost.
        keys: The keys, as words.
        algorithms: Names that `run` may hold.
        why: A few words for the message, which say what to use instead where there is something.
        fact: A value that says what is the case anyway, and is taken without a word; the default of the
            algorithm unless given.
        needs: For honoured keys: settings (`key`, `key=value`) of which one must be on, else nothing comes of
            these.
    """

    effect: Effect
    keys: str
    algorithms: tuple[str, ...] = ALL
    why: str = ""
    fact: Any = Default
    needs: tuple[str, ...] = ()


def _but(*names: str, of: tuple[str, ...] = ALL) -> tuple[str, ...]:
    return tuple(name for name in of if name not in names)


def _old(**names: str) -> tuple[Row, ...]:
    """Keys of older RLlib versions that have another name today."""
    return tuple(Row("refused", old, why=f"an old name; today: {new}") for old, new in names.items())


_HONOURED = (
    Row(
        "honoured",
        """
        create_env_on_local_worker create_local_env_runner custom_resources_for_main_process env_config
        env_runner_restore_timeout_s evaluation_config evaluation_interval explore
        gym_env_vectorize_mode log_level log_sys_usage metrics_num_episodes_for_smoothing
        min_sample_timesteps_per_iteration min_time_s_per_iteration min_train_timesteps_per_iteration model
        num_consecutive_env_runner_failures_tolerance num_cpus_for_main_process num_cpus_per_learner
        num_env_runners num_envs_per_env_runner num_gpus_per_learner num_learners placement_strategy
        restart_failed_sub_environments rollout_fragment_length seed torch_skip_nan_gradients
        """,
    ),
    Row(
        "honoured",
        """
        custom_resources_per_env_runner delay_between_env_runner_restarts_s env_runner_health_probe_timeout_s
        ignore_env_runner_failures max_num_env_runner_restarts max_requests_in_flight_per_env_runner
        num_cpus_per_env_runner num_gpus_per_env_runner restart_failed_env_runners
        validate_env_runners_after_construction
        """,
        needs=("num_env_runners", "evaluation_num_env_runners"),
    ),
    Row("honoured", "local_gpu_idx", needs=("num_gpus_per_learner",)),
    Row(
        "honoured",
        "custom_resources_per_learner max_requests_in_flight_per_learner torch_ddp_kwargs",
        needs=("num_learners",),
    ),
    Row(
        "honoured",
        """
        evaluation_duration evaluation_duration_unit evaluation_error_after_n_consecutive_skips
        evaluation_force_reset_envs_before_iteration evaluation_parallel_to_training
        evaluation_sample_timeout_s evaluation_unhealthy_workers_timeout_s
        evaluation_auto_duration_max_env_steps_per_sample evaluation_auto_duration_min_env_steps_per_sample
        evaluation_num_env_runners
        """,
        needs=("evaluation_interval",),
    ),
    Row(
        "honoured",
        """
        torch_compile_learner_dynamo_backend torch_compile_learner_dynamo_mode
        torch_compile_learner_what_to_compile
        """,
        needs=("torch_compile_learner",),
    ),
    # Ray 2.60 skips the forward passes: it takes the one module for a set of them.
    Row(
        "honoured",
        "torch_compile_learner",
        needs=("torch_compile_learner_what_to_compile=complete_update",),
    ),
)

# Refused or without effect whatever the algorithm.
_NOWHERE = (
    Row(
        "refused",
        "observation_filter",
        why="RLlib's new API stack has no filters; let the environment standardise its observations "
        "(gymnasium.wrappers.NormalizeObservation)",
    ),
    Row(
        "refused",
        "clip_rewards",
        why="nothing in RLlib's new API stack clips rewards; let the environment do it "
        "(gymnasium.wrappers.ClipReward)",
        fact=False,
    ),
    Row(
        "refused",
        "exploration_config",
        why="actions are drawn from the module's own distribution; see explore, and DQN's epsilon",
    ),
    Row(
        "refused",
        "algorithm_config_overrides_per_module",
        why="there is one module; set it in config itself",
    ),
    Row("refused", "count_steps_by", why="there is one agent"),
    Row(
        "refused",
        "off_policy_estimation_methods input_evaluation",
        why="the new API stack has evaluations in the environment only; see evaluation_interval",
    ),
    Row("idle", "preprocessor_pref", why="the new API stack preprocesses nothing", fact=None),
    Row(
        "idle",
        """
        eager_max_retraces eager_tracing enable_tf1_exec_eagerly local_tf_session_args tf_session_args
        """,
        why="there is no TensorFlow",
    ),
    Row(
        "idle",
        """
        checkpoint_trainable_policies_only policy_map_cache policy_map_capacity policy_states_are_swappable
        """,
        why="there is one agent with one policy",
    ),
    Row(
        "idle",
        "update_worker_filter_stats use_worker_filter_stats synchronize_filters",
        why="there are no filters",
    ),
    Row(
        "idle",
        """
        action_mask_key actions_in_input_normalized always_attach_evaluation_results auto_wrap_old_gym_envs
        broadcast_offline_eval_runner_states collect_metrics_timeout compress_observations
        disable_env_checking enable_connectors export_native_model_files extra_python_environs_for_driver
        extra_python_environs_for_worker fake_sampler input_config input_spaces_jsonable
        keep_per_episode_custom_metrics learner_config_dict metrics_episode_collection_timeout_s
        monitor ope_split_batch_by_episode output_config output_max_file_size postprocess_inputs
        prelearner_module_synch_period remote_env_batch_wait_ms remote_worker_envs render_env replay_mode
        replay_sequence_length sampler_perf_stats_ema_coef shuffle_buffer_size simple_optimizer
        torch_compile_worker torch_compile_worker_dynamo_backend torch_compile_worker_dynamo_mode
        """,
        why="nothing in RLlib's new API stack reads it",
    ),
    Row(
        "idle",
        """
        dataset_num_iters_per_eval_runner dataset_num_iters_per_learner ignore_final_observation
        input_compress_columns input_filesystem_kwargs input_read_batch_size input_read_episodes
        input_read_method input_read_method_kwargs input_read_sample_batches input_read_schema
        iter_batches_kwargs map_batches_kwargs materialize_data materialize_mapped_data
        prelearner_buffer_kwargs prelearner_use_recorded_module_states
        custom_resources_per_offline_eval_runner
        ignore_offline_eval_runner_failures max_num_offline_eval_runner_restarts
        max_requests_in_flight_per_offline_eval_runner num_cpus_per_offline_eval_runner
        num_gpus_per_offline_eval_runner num_offline_eval_runners offline_eval_batch_size_per_runner
        offline_eval_rl_module_inference_only offline_eval_runner_health_probe_timeout_s
        offline_eval_runner_restore_timeout_s offline_evaluation_duration offline_evaluation_interval
        offline_evaluation_parallel_to_training offline_evaluation_timeout_s offline_evaluation_type
        restart_failed_offline_eval_runners validate_offline_eval_runners_after_construction
        offline_sampling
        """,
        why="it learns from its own steps, not from recorded data",
    ),
    *_old(
        buffer_size="replay_buffer_config.capacity",
        enable_async_evaluation="evaluation_parallel_to_training",
        evaluation_num_episodes="evaluation_duration",
        learning_starts="num_steps_sampled_before_learning_starts",
        metrics_smoothing_episodes="metrics_num_episodes_for_smoothing",
        min_iter_time_s="min_time_s_per_iteration",
        min_sample_timesteps_per_reporting="min_sample_timesteps_per_iteration",
        min_time_s_per_reporting="min_time_s_per_iteration",
        min_train_timesteps_per_reporting="min_train_timesteps_per_iteration",
        num_gpus="num_gpus_per_learner",
        prioritized_replay="replay_buffer_config.type",
        prioritized_replay_alpha="replay_buffer_config.alpha",
        prioritized_replay_beta="replay_buffer_config.beta",
        prioritized_replay_eps="replay_buffer_config, which has none",
        replay_batch_size="train_batch_size_per_learner",
        timesteps_per_iteration="min_sample_timesteps_per_iteration",
    ),
)

# Columns in place of episodes and connectors.
_COLUMNS = (
    Row("honoured", "clip_actions normalize_actions", STOCK),
    Row("idle", "clip_actions", COLUMNAR, "actions in a Box are always clipped to its bounds", fact=True),
    Row(
        "idle", "normalize_actions", COLUMNAR, "actions in a Box are never rescaled to its bounds", fact=False
    ),
    Row("honoured", "batch_mode", (*ON_POLICY, *REPLAY)),
    Row(
        "refused",
        "batch_mode",
        COLUMNAR,
        "fragments are equally long; an episode goes on in the next one, and so does the memory",
    ),
    Row(
        "honoured",
        """
        add_default_connectors_to_env_to_module_pipeline add_default_connectors_to_learner_pipeline
        add_default_connectors_to_module_to_env_pipeline episode_lookback_horizon episodes_to_numpy
        merge_env_runner_states sync_filters_on_rollout_workers_timeout_s
        """,
        STOCK,
    ),
    Row(
        "idle",
        """
        add_default_connectors_to_env_to_module_pipeline add_default_connectors_to_learner_pipeline
        add_default_connectors_to_module_to_env_pipeline episode_lookback_horizon episodes_to_numpy
        merge_env_runner_states sync_filters_on_rollout_workers_timeout_s
        """,
        COLUMNAR,
        "columns pass by episodes and connectors",
    ),
    Row("honoured", "broadcast_env_runner_states", _but(*COLUMNAR, "IMPALA", "APPO")),
    Row("idle", "broadcast_env_runner_states", ("RecurrentPPO", "Supervised"), "there are no connectors"),
    Row(
        "refused",
        "broadcast_env_runner_states",
        ASYNCHRONOUS,
        "it would keep new weights from the env runners",
    ),
    Row("honoured", "shuffle_batch_per_epoch", ON_POLICY),
    Row("idle", "shuffle_batch_per_epoch", COLUMNAR, "minibatches are always drawn anew", fact=True),
    Row("idle", "shuffle_batch_per_epoch", REPLAY, "each update draws its own batch"),
    Row("honoured", "output", (*ON_POLICY, "DQN", "SAC")),
    Row("refused", "output", (*COLUMNAR, "DreamerV3"), "its env runners record no episodes"),
    Row(
        "honoured",
        """
        output_compress_columns output_filesystem_kwargs output_max_rows_per_file output_write_episodes
        output_write_method output_write_method_kwargs output_write_remaining_data
        """,
        (*ON_POLICY, "DQN", "SAC"),
        needs=("output",),
    ),
    Row(
        "idle",
        """
        output_compress_columns output_filesystem_kwargs output_max_rows_per_file output_write_episodes
        output_write_method output_write_method_kwargs output_write_remaining_data
        """,
        (*COLUMNAR, "DreamerV3"),
        "its env runners record no episodes",
    ),
)

# What and how the learners learn.
_LEARNING = (
    Row("honoured", "gamma", _but("Supervised")),
    Row("idle", "gamma", ("Supervised",), "it learns from no rewards"),
    Row("honoured", "grad_clip grad_clip_by log_gradients", _but("DreamerV3")),
    Row("idle", "log_gradients", ("DreamerV3",), "gradient norms are always logged"),
    Row(
        "refused",
        "grad_clip grad_clip_by",
        ("DreamerV3",),
        "each network has its own: actor_grad_clip_by_global_norm, critic_..., world_model_...",
    ),
    Row("honoured", "lr", (*COLUMNAR, *ON_POLICY, "DQN")),
    Row("refused", "lr", ("SAC",), "each network has its own: actor_lr, critic_lr, alpha_lr"),
    Row("refused", "lr", ("DreamerV3",), "each network has its own: actor_lr, critic_lr, world_model_lr"),
    Row("honoured", "on_non_finite", COLUMNAR),
    Row("honoured", "optimizer", ("Supervised",)),
    Row("refused", "optimizer", _but("Supervised"), "the optimizer is Adam; see lr and grad_clip"),
    Row("honoured", "num_epochs minibatch_size", (*COLUMNAR, *ON_POLICY)),
    Row(
        "refused",
        "num_epochs minibatch_size",
        ("DQN", "SAC"),
        "an update is one batch of train_batch_size_per_learner",
    ),
    Row(
        "refused",
        "num_epochs minibatch_size train_batch_size_per_learner",
        ("DreamerV3",),
        "an update is one batch of batch_size_B x batch_length_T",
    ),
    Row("honoured", "train_batch_size_per_learner", _but("DreamerV3")),
    Row(
        "honoured",
        "sample_timeout_s",
        ("RecurrentPPO", "Supervised", "PPO", *REPLAY),
        needs=("num_env_runners",),
    ),
    Row("idle", "sample_timeout_s", ASYNCHRONOUS, "it takes what is ready; see timeout_s_sampler_manager"),
    Row("honoured", "entropy_coeff vf_loss_coeff", ("RecurrentPPO", "RecurrentIMPALA", *ON_POLICY)),
    Row("refused", "entropy_coeff_schedule", ASYNCHRONOUS, "an old name; today: entropy_coeff"),
    Row("refused", "entropy_coeff_schedule", ("PPO",), "an old name; today: entropy_coeff"),
    Row("refused", "lr_schedule", (*ASYNCHRONOUS, "PPO", "DQN"), "an old name; today: lr"),
    Row("honoured", "clip_param", ("RecurrentPPO", "PPO", "APPO")),
    Row("honoured", "lambda_", ("RecurrentPPO", "PPO")),
    Row("refused", "lambda_", ("APPO",), "V-trace has none"),
    Row("honoured", "normalize_advantages", ("RecurrentPPO",)),
    Row("honoured", "autocast loss lr_epochs throttle truncation", ("Supervised",)),
    Row("honoured", "use_kl_loss", ("PPO", "APPO")),
    Row("honoured", "kl_coeff kl_target", ("PPO", "APPO"), needs=("use_kl_loss",)),
    Row("honoured", "use_critic vf_clip_param", ("PPO",)),
    Row("refused", "use_critic", ("APPO",), "V-trace needs the critic"),
    Row("refused", "use_gae", ("PPO",), "the new API stack always estimates advantages by GAE"),
    Row("refused", "use_gae", ("APPO",), "the new API stack always uses V-trace"),
    Row("refused", "vf_share_layers", ("PPO",), "an old name; today: model.vf_share_layers"),
    Row("refused", "sgd_minibatch_size", ("PPO",), "an old name; today: minibatch_size"),
)

_ASYNCHRONOUS = (
    Row("honoured", "num_aggregator_actors_per_learner", ("IMPALA", "APPO")),
    Row(
        "refused",
        "num_aggregator_actors_per_learner",
        COLUMNAR,
        "columns need no aggregators: there are no connectors to run",
    ),
    Row(
        "refused",
        "num_aggregator_actors_per_learner",
        ("PPO", *REPLAY),
        "they would hold CPUs and do nothing: aggregators are for IMPALA and APPO",
    ),
    Row(
        "honoured",
        "max_requests_in_flight_per_aggregator_actor",
        ("IMPALA", "APPO"),
        needs=("num_aggregator_actors_per_learner",),
    ),
    Row(
        "idle",
        "max_requests_in_flight_per_aggregator_actor",
        _but("IMPALA", "APPO"),
        "aggregators are for IMPALA and APPO",
    ),
    Row("honoured", "use_env_runner_state_server", ("IMPALA", "APPO"), needs=("num_env_runners",)),
    Row(
        "refused",
        "use_env_runner_state_server",
        ("RecurrentIMPALA",),
        "weights are pushed to the env runners",
    ),
    Row(
        "idle",
        "use_env_runner_state_server",
        _but(*ASYNCHRONOUS),
        "the state server is for IMPALA and APPO",
        fact=False,
    ),
    Row(
        "honoured",
        "env_runner_state_server_max_concurrency",
        ("IMPALA", "APPO"),
        needs=("use_env_runner_state_server",),
    ),
    Row(
        "idle",
        "env_runner_state_server_max_concurrency",
        _but("IMPALA", "APPO"),
        "the state server is for IMPALA and APPO",
    ),
    Row(
        "honoured",
        """
        broadcast_interval timeout_s_sampler_manager vtrace_clip_pg_rho_threshold vtrace_clip_rho_threshold
        """,
        ASYNCHRONOUS,
    ),
    Row("honoured", "learner_queue_size", ("IMPALA",)),
    Row("refused", "learner_queue_size", ("APPO",), "its learner queue is circular_buffer_num_batches"),
    Row("honoured", "num_gpu_loader_threads", ("IMPALA", "APPO"), needs=("num_gpus_per_learner",)),
    Row(
        "idle",
        "learner_queue_size num_gpu_loader_threads",
        ("RecurrentIMPALA",),
        "its learners have neither queues nor threads",
    ),
    Row("refused", "vtrace", ASYNCHRONOUS, "V-trace is all there is"),
    Row(
        "refused",
        "decay epsilon momentum opt_type",
        ASYNCHRONOUS,
        "RMSProp is gone; the optimizer is Adam",
    ),
    Row("refused", "replay_proportion", ASYNCHRONOUS, "the new API stack replays nothing"),
    Row("refused", "minibatch_buffer_size", ("RecurrentIMPALA", "IMPALA"), "see num_epochs"),
    Row("refused", "minibatch_buffer_size", ("APPO",), "see circular_buffer_iterations_per_batch"),
    Row(
        "idle",
        """
        learner_queue_timeout max_requests_in_flight_per_aggregator_worker num_aggregation_workers
        num_multi_gpu_tower_stacks replay_buffer_num_slots timeout_s_aggregator_manager
        """,
        ASYNCHRONOUS,
        "nothing in RLlib's new API stack reads it",
    ),
    Row("honoured", "target_network_update_freq tau use_circular_buffer", ("APPO",)),
    Row(
        "honoured",
        "circular_buffer_iterations_per_batch circular_buffer_num_batches simple_queue_size",
        ("APPO",),
    ),
    Row("refused", "target_worker_clipping", ("APPO",), "nothing in RLlib's new API stack reads it"),
    Row("refused", "target_update_frequency", ("APPO",), "an old name; today: target_network_update_freq"),
)

_REPLAY = (
    Row(
        "honoured",
        """
        burn_in_len double_q dueling epsilon n_step num_atoms num_steps_sampled_before_learning_starts
        replay_buffer_config target_network_update_freq tau training_intensity v_max v_min
        """,
        ("DQN",),
    ),
    Row("refused", "adam_epsilon", ("DQN",), "nothing in RLlib's new API stack reads it"),
    Row("refused", "before_learn_on_batch", ("DQN",), "nothing in RLlib's new API stack reads it"),
    Row("refused", "categorical_distribution_temperature", ("DQN",), "see epsilon"),
    Row("refused", "hiddens", ("DQN",), "see model.fcnet_hiddens and model.head_fcnet_hiddens"),
    Row("refused", "noisy sigma0", ("DQN",), "the new API stack has no noisy networks; see epsilon"),
    Row(
        "honoured",
        """
        actor_lr alpha_lr critic_lr initial_alpha n_step target_entropy target_network_update_freq tau twin_q
        """,
        ("SAC",),
    ),
    Row(
        "honoured",
        "num_steps_sampled_before_learning_starts replay_buffer_config training_intensity",
        ("SAC",),
    ),
    Row(
        "idle",
        "store_buffer_in_checkpoints",
        ("DQN", "SAC"),
        "checkpoints of the new API stack hold no replay buffer",
    ),
    Row("refused", "optimization", ("SAC",), "see actor_lr, critic_lr and alpha_lr"),
    Row("refused", "policy_model_config q_model_config", ("SAC",), "see model"),
    Row(
        "idle",
        "use_state_preprocessor worker_side_prioritization",
        ("SAC",),
        "nothing in RLlib's new API stack reads it",
    ),
    Row(
        "honoured",
        """
        actor_grad_clip_by_global_norm actor_lr batch_length_T batch_size_B critic_grad_clip_by_global_norm
        critic_lr entropy_scale gae_lambda horizon_H model_size replay_buffer_config report_dream_data
        report_images_and_videos report_individual_batch_item_stats return_normalization_decay symlog_obs
        train_actor training_ratio world_model_grad_clip_by_global_norm world_model_lr
        """,
        ("DreamerV3",),
    ),
    Row("refused", "intrinsic_rewards_scale use_curiosity", ("DreamerV3",), "curiosity is not built in"),
    Row("refused", "train_critic", ("DreamerV3",), "the critic is always trained with the actor"),
    Row("refused", "use_float16", ("DreamerV3",), "the torch version has full precision only"),
)

ROWS = (*_HONOURED, *_NOWHERE, *_COLUMNS, *_LEARNING, *_ASYNCHRONOUS, *_REPLAY)

_TAKE_LSTM = (*ON_POLICY, "DQN")


def _kwargs(networks: str, algorithms: tuple[str, ...]) -> Iterator[Row]:
    """Arguments of the initialisers of RLlib's own networks, which are read where an initialiser is named."""
    for network in networks.split():
        for part in ("kernel", "bias"):
            named = f"{network}_{part}_initializer"
            yield Row("honoured", f"{named}_kwargs", algorithms, needs=(named,))


# Keys of `model` under RLlib's own networks (its DefaultModelConfig).
MODEL_ROWS = (
    Row(
        "honoured",
        """
        conv_activation conv_bias_initializer conv_filters
        conv_kernel_initializer fcnet_activation fcnet_bias_initializer
        fcnet_hiddens fcnet_kernel_initializer
        fcnet_use_layernorm head_fcnet_activation head_fcnet_hiddens
        """,
        _but("DreamerV3", of=STOCK),
    ),
    Row("honoured", "use_lstm", _TAKE_LSTM),
    Row(
        "honoured",
        """
        lstm_bias_initializer lstm_cell_size lstm_kernel_initializer
        max_seq_len
        """,
        _TAKE_LSTM,
        needs=("use_lstm",),
    ),
    *_kwargs("conv fcnet", _but("DreamerV3", of=STOCK)),
    *_kwargs("lstm", _TAKE_LSTM),
    *_kwargs("head_fcnet", ("DQN",)),
    *_kwargs("fusionnet", ("SAC",)),
    Row(
        "refused",
        """
        lstm_bias_initializer lstm_bias_initializer_kwargs lstm_cell_size lstm_kernel_initializer
        lstm_kernel_initializer_kwargs max_seq_len use_lstm
        """,
        ("SAC",),
        "its networks keep no memory",
    ),
    Row(
        "refused",
        "lstm_use_prev_action lstm_use_prev_reward",
        _but("DreamerV3", of=STOCK),
        "nothing in RLlib's new API stack reads it; let the environment show them in its observation",
    ),
    Row("honoured", "free_log_std log_std_clip_param", _but("DQN", "DreamerV3", of=STOCK)),
    Row("refused", "free_log_std log_std_clip_param", ("DQN",), "it draws no actions from a Gaussian"),
    Row("honoured", "vf_share_layers", ON_POLICY),
    Row("refused", "vf_share_layers", ("DQN", "SAC"), "it has no value branch to share with"),
    Row("honoured", "head_fcnet_use_layernorm", ON_POLICY),
    Row("refused", "head_fcnet_use_layernorm", ("DQN", "SAC"), "nothing in RLlib reads it here"),
    Row(
        "honoured",
        """
        head_fcnet_bias_initializer head_fcnet_kernel_initializer
        """,
        ("DQN",),
    ),
    Row(
        "refused",
        """
        head_fcnet_bias_initializer head_fcnet_bias_initializer_kwargs head_fcnet_kernel_initializer
        head_fcnet_kernel_initializer_kwargs
        """,
        _but("DQN", "DreamerV3", of=STOCK),
        "nothing in RLlib reads it here",
    ),
    Row(
        "honoured",
        """
        fusionnet_activation fusionnet_bias_initializer fusionnet_hiddens
        fusionnet_kernel_initializer
        """,
        ("SAC",),
    ),
    Row(
        "refused",
        """
        fusionnet_activation fusionnet_bias_initializer fusionnet_bias_initializer_kwargs fusionnet_hiddens
        fusionnet_kernel_initializer fusionnet_kernel_initializer_kwargs
        """,
        (*ON_POLICY, "DQN"),
        "nothing in RLlib reads it here",
    ),
    Row(
        "refused",
        """
        conv_activation conv_bias_initializer conv_bias_initializer_kwargs conv_filters
        conv_kernel_initializer conv_kernel_initializer_kwargs fcnet_activation fcnet_bias_initializer
        fcnet_bias_initializer_kwargs fcnet_hiddens fcnet_kernel_initializer fcnet_kernel_initializer_kwargs
        fcnet_use_layernorm free_log_std fusionnet_activation fusionnet_bias_initializer
        fusionnet_bias_initializer_kwargs fusionnet_hiddens fusionnet_kernel_initializer
        fusionnet_kernel_initializer_kwargs head_fcnet_activation head_fcnet_bias_initializer
        head_fcnet_bias_initializer_kwargs head_fcnet_hiddens head_fcnet_kernel_initializer
        head_fcnet_kernel_initializer_kwargs head_fcnet_use_layernorm log_std_clip_param
        lstm_bias_initializer lstm_bias_initializer_kwargs lstm_cell_size lstm_kernel_initializer
        lstm_kernel_initializer_kwargs lstm_use_prev_action lstm_use_prev_reward max_seq_len use_lstm
        vf_share_layers
        """,
        ("DreamerV3",),
        "its networks are those of model_size",
    ),
)

# Of these an evaluation reads its own value, in `evaluation_config`; all others are those of training.
_READ_BY_EVALUATIONS = """
    add_default_connectors_to_env_to_module_pipeline add_default_connectors_to_module_to_env_pipeline
    broadcast_env_runner_states clip_actions create_env_on_local_worker create_local_env_runner
    custom_resources_per_env_runner delay_between_env_runner_restarts_s env_config
    env_runner_health_probe_timeout_s episode_lookback_horizon episodes_to_numpy explore
    gym_env_vectorize_mode ignore_env_runner_failures max_num_env_runner_restarts
    max_requests_in_flight_per_env_runner merge_env_runner_states normalize_actions num_cpus_per_env_runner
    num_envs_per_env_runner num_gpus_per_env_runner restart_failed_env_runners
    restart_failed_sub_environments seed validate_env_runners_after_construction
"""
EVALUATION = frozenset(_READ_BY_EVALUATIONS.split())
_NO_FACT = object()
_IN_EVALUATION = {
    "num_env_runners": Row("refused", "", why="see evaluation_num_env_runners", fact=_NO_FACT),
    "rollout_fragment_length": Row("idle", "", why="see evaluation_duration", fact=_NO_FACT),
    "batch_mode": Row("idle", "", why="see evaluation_duration", fact=_NO_FACT),
    "model": Row("refused", "", why="evaluations play the network that is trained"),
}
_TRAINING_ONLY = Row("idle", "", why="evaluations do not read it")


def pairs(rows: Iterable[Row] = ROWS) -> Iterator[tuple[tuple[str, str], Row]]:
    """Each pair of an algorithm and a key, with its row.

    Args:
        rows: `ROWS` or `MODEL_ROWS`.
    """
    for row in rows:
        for algorithm in row.algorithms:
            for key in row.keys.split():
                yield (algorithm, key), row


@cache
def _table(rows: tuple[Row, ...] = ROWS) -> Mapping[tuple[str, str], Row]:
    return dict(pairs(rows))


def find(run: str, key: str, evaluation: bool = False) -> Row | None:
    """What a key does under an algorithm; None: nobody has decided yet, and it is taken as honoured.

    Args:
        run: The algorithm's name.
        key: A key of `config`.
        evaluation: Whether it stands in `evaluation_config`.
    """
    row = _table().get((run, key))
    if not evaluation or (row is not None and row.effect != "honoured") or key in EVALUATION:
        return row
    return _IN_EVALUATION.get(key, _TRAINING_ONLY)


def find_model(run: str, key: str) -> Row | None:
    """What a key of `model` does to RLlib's own networks; None: nobody has decided yet.

    Args:
        run: The algorithm's name.
        key: A key of RLlib's DefaultModelConfig.
    """
    return _table(MODEL_ROWS).get((run, key))
