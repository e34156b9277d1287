"""What each key of `config` does under each algorithm: honoured, refused, or taken without effect.

RLlib's AlgorithmConfig holds the settings of two generations of RLlib and of all its algorithms, and takes
every one of them everywhere. The table says, for each pair of an algorithm and a key, what comes of it. Its
rows were made by reading who asks for a setting in Ray 2.60 and in `engram.agents`; a test fails where a pair
has no row, so that a new version of Ray, or a new setting of ours, forces a decision.

A row is `effect algorithms [needs settings]: keys | why | fact`, see `Row`; it goes on in indented lines. A
new setting is one word in a row, or one row. `train/plans/review.py` reads the table.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

Effect = Literal["honoured", "refused", "idle"]

COLUMNAR = ("RecurrentPPO", "RecurrentA2C", "RecurrentIMPALA", "Supervised")
ON_POLICY = ("PPO", "IMPALA", "APPO")
REPLAY = ("DQN", "SAC", "DreamerV3")
STOCK = (*ON_POLICY, *REPLAY)
ALL = (*COLUMNAR, *STOCK)
OFFLINE = ("BC", "MARWIL", "IQL", "CQL")  # they learn from recorded data, which no key here names
ASYNCHRONOUS = ("RecurrentIMPALA", "IMPALA", "APPO")
_GROUPS = {
    "ALL": ALL,
    "ASYNCHRONOUS": ASYNCHRONOUS,
    "COLUMNAR": COLUMNAR,
    "ON_POLICY": ON_POLICY,
    "REPLAY": REPLAY,
    "STOCK": STOCK,
}


class Default:
    """Stands for the algorithm's own default in `Row.fact`."""


@dataclass(frozen=True)
class Row:
    """What some keys do under some algorithms.

    Attributes:
        effect: `honoured`; `refused`, where what is learned would not be what was asked for; `idle`, where
            nothing comes of it and nothing is lost.
        keys: The keys, as words.
        algorithms: Names that `run` may hold; in a table also groups of them, and behind `but` exceptions.
        why: A few words for the message, which say what to use instead where there is something.
        fact: A value that says what is the case anyway, and is taken without a word; the default of the
            algorithm unless given.
        needs: For honoured keys: settings (`key`, `key=value`) of which one must be on, else nothing comes of
            these; in a table `needs one or another`.
    """

    effect: Effect
    keys: str
    algorithms: tuple[str, ...] = ALL
    why: str = ""
    fact: Any = Default
    needs: tuple[str, ...] = ()


def _read(table: str) -> Iterator[Row]:
    for row in re.findall(r"^\w.*(?:\n +.*)*", table, re.MULTILINE):
        head, _, body = " ".join(row.split()).partition(": ")
        under, _, needs = head.partition(" needs ")
        effect, _, names = under.partition(" ")
        keys, why, fact = [*(part.strip() for part in body.split(" | ")), "", ""][:3]
        yield Row(
            effect,  # type: ignore[arg-type]
            keys,
            _algorithms(names),
            why,
            json.loads(fact) if fact else Default,
            tuple(needs.split(" or ")) if needs else (),
        )


def _algorithms(names: str) -> tuple[str, ...]:
    """`ALL but DQN SAC`: names of algorithms and of groups, and behind `but` exceptions."""
    some, _, others = names.partition(" but ")
    listed = [each for name in some.split() for each in _GROUPS.get(name, (name,))]
    return tuple(each for each in listed if each not in others.split())


_TABLE = """
honoured ALL: create_env_on_local_worker create_local_env_runner custom_resources_for_main_process env_config
    env_runner_restore_timeout_s evaluation_config evaluation_interval explore gym_env_vectorize_mode
    log_level log_sys_usage metrics_num_episodes_for_smoothing min_sample_timesteps_per_iteration
    min_time_s_per_iteration min_train_timesteps_per_iteration model
    num_consecutive_env_runner_failures_tolerance num_cpus_for_main_process num_cpus_per_learner
    num_env_runners num_envs_per_env_runner num_gpus_per_learner num_learners placement_strategy
    restart_failed_sub_environments rollout_fragment_length seed torch_skip_nan_gradients
honoured ALL needs num_env_runners or evaluation_num_env_runners: custom_resources_per_env_runner
    delay_between_env_runner_restarts_s env_runner_health_probe_timeout_s ignore_env_runner_failures
    max_num_env_runner_restarts max_requests_in_flight_per_env_runner num_cpus_per_env_runner
    num_gpus_per_env_runner restart_failed_env_runners validate_env_runners_after_construction
honoured ALL needs num_gpus_per_learner: local_gpu_idx
honoured ALL needs num_learners: custom_resources_per_learner max_requests_in_flight_per_learner
    torch_ddp_kwargs
honoured ALL needs evaluation_interval: evaluation_duration evaluation_duration_unit
    evaluation_error_after_n_consecutive_skips evaluation_force_reset_envs_before_iteration
    evaluation_parallel_to_training evaluation_sample_timeout_s evaluation_unhealthy_workers_timeout_s
    evaluation_auto_duration_max_env_steps_per_sample evaluation_auto_duration_min_env_steps_per_sample
    evaluation_num_env_runners
honoured ALL needs torch_compile_learner: torch_compile_learner_dynamo_backend
    torch_compile_learner_dynamo_mode torch_compile_learner_what_to_compile
# Ray 2.60 skips the forward passes: it takes the one module for a set of them.
honoured ALL needs torch_compile_learner_what_to_compile=complete_update: torch_compile_learner

# Whatever the algorithm.
refused ALL: observation_filter | RLlib's new API stack has no filters; see normalize_observations of our own
    algorithms, or put gymnasium.wrappers.NormalizeObservation into wrappers
honoured COLUMNAR but Supervised: clip_rewards
refused STOCK Supervised: clip_rewards | nothing in RLlib's new API stack clips rewards; put
    gymnasium.wrappers.ClipReward into wrappers | false
refused ALL: exploration_config | actions are drawn from the module's own distribution; see explore, and DQN's
    epsilon
refused ALL: algorithm_config_overrides_per_module | there is one module; set it in config itself
refused ALL: count_steps_by | there is one agent
refused ALL: off_policy_estimation_methods input_evaluation | the new API stack has evaluations in the
    environment only; see evaluation_interval
idle ALL: preprocessor_pref | the new API stack preprocesses nothing | null
idle ALL: eager_max_retraces eager_tracing enable_tf1_exec_eagerly local_tf_session_args tf_session_args |
    there is no TensorFlow
idle ALL: checkpoint_trainable_policies_only policy_map_cache policy_map_capacity policy_states_are_swappable
    | there is one agent with one policy
idle ALL: update_worker_filter_stats use_worker_filter_stats synchronize_filters | there are no filters
idle ALL: action_mask_key actions_in_input_normalized always_attach_evaluation_results auto_wrap_old_gym_envs
    broadcast_offline_eval_runner_states collect_metrics_timeout compress_observations disable_env_checking
    enable_connectors export_native_model_files extra_python_environs_for_driver
    extra_python_environs_for_worker fake_sampler input_config input_spaces_jsonable
    keep_per_episode_custom_metrics learner_config_dict metrics_episode_collection_timeout_s monitor
    ope_split_batch_by_episode output_config output_max_file_size postprocess_inputs
    prelearner_module_synch_period remote_env_batch_wait_ms remote_worker_envs render_env replay_mode
    replay_sequence_length sampler_perf_stats_ema_coef shuffle_buffer_size simple_optimizer
    torch_compile_worker torch_compile_worker_dynamo_backend torch_compile_worker_dynamo_mode | nothing in
    RLlib's new API stack reads it
idle ALL: dataset_num_iters_per_eval_runner dataset_num_iters_per_learner ignore_final_observation
    input_compress_columns input_filesystem_kwargs input_read_batch_size input_read_episodes input_read_method
    input_read_method_kwargs input_read_sample_batches input_read_schema iter_batches_kwargs
    map_batches_kwargs materialize_data materialize_mapped_data prelearner_buffer_kwargs
    prelearner_use_recorded_module_states custom_resources_per_offline_eval_runner
    ignore_offline_eval_runner_failures max_num_offline_eval_runner_restarts
    max_requests_in_flight_per_offline_eval_runner num_cpus_per_offline_eval_runner
    num_gpus_per_offline_eval_runner num_offline_eval_runners offline_eval_batch_size_per_runner
    offline_eval_rl_module_inference_only offline_eval_runner_health_probe_timeout_s
    offline_eval_runner_restore_timeout_s offline_evaluation_duration offline_evaluation_interval
    offline_evaluation_parallel_to_training offline_evaluation_timeout_s offline_evaluation_type
    restart_failed_offline_eval_runners validate_offline_eval_runners_after_construction offline_sampling | it
    learns from its own steps, not from recorded data
refused ALL: buffer_size | an old name; today: replay_buffer_config.capacity
refused ALL: enable_async_evaluation | an old name; today: evaluation_parallel_to_training
refused ALL: evaluation_num_episodes | an old name; today: evaluation_duration
refused ALL: learning_starts | an old name; today: num_steps_sampled_before_learning_starts
refused ALL: metrics_smoothing_episodes | an old name; today: metrics_num_episodes_for_smoothing
refused ALL: min_iter_time_s | an old name; today: min_time_s_per_iteration
refused ALL: min_sample_timesteps_per_reporting | an old name; today: min_sample_timesteps_per_iteration
refused ALL: min_time_s_per_reporting | an old name; today: min_time_s_per_iteration
refused ALL: min_train_timesteps_per_reporting | an old name; today: min_train_timesteps_per_iteration
refused ALL: num_gpus | an old name; today: num_gpus_per_learner
refused ALL: prioritized_replay | an old name; today: replay_buffer_config.type
refused ALL: prioritized_replay_alpha | an old name; today: replay_buffer_config.alpha
refused ALL: prioritized_replay_beta | an old name; today: replay_buffer_config.beta
refused ALL: prioritized_replay_eps | an old name; today: replay_buffer_config, which has none
refused ALL: replay_batch_size | an old name; today: train_batch_size_per_learner
refused ALL: timesteps_per_iteration | an old name; today: min_sample_timesteps_per_iteration

# Columns in place of episodes and connectors.
honoured STOCK: clip_actions normalize_actions
idle COLUMNAR: clip_actions | actions in a Box are always clipped to its bounds | true
idle COLUMNAR: normalize_actions | actions in a Box are never rescaled to its bounds | false
honoured STOCK Supervised: batch_mode
refused COLUMNAR but Supervised: batch_mode | fragments are equally long; an episode goes on in the next one,
    and so does the memory
honoured STOCK: add_default_connectors_to_env_to_module_pipeline add_default_connectors_to_learner_pipeline
    add_default_connectors_to_module_to_env_pipeline episode_lookback_horizon episodes_to_numpy
    merge_env_runner_states sync_filters_on_rollout_workers_timeout_s
idle COLUMNAR: add_default_connectors_to_env_to_module_pipeline add_default_connectors_to_learner_pipeline
    add_default_connectors_to_module_to_env_pipeline episode_lookback_horizon episodes_to_numpy
    merge_env_runner_states sync_filters_on_rollout_workers_timeout_s | columns pass by episodes and
    connectors
honoured REPLAY PPO: broadcast_env_runner_states
idle RecurrentPPO RecurrentA2C Supervised: broadcast_env_runner_states | there are no connectors
refused ASYNCHRONOUS: broadcast_env_runner_states | it would keep new weights from the env runners
honoured ON_POLICY: shuffle_batch_per_epoch
idle COLUMNAR: shuffle_batch_per_epoch | minibatches are always drawn anew | true
idle REPLAY: shuffle_batch_per_epoch | each update draws its own batch
honoured ON_POLICY DQN SAC: output
refused COLUMNAR DreamerV3: output | its env runners record no episodes
honoured ON_POLICY DQN SAC needs output: output_compress_columns output_filesystem_kwargs
    output_max_rows_per_file output_write_episodes output_write_method output_write_method_kwargs
    output_write_remaining_data
idle COLUMNAR DreamerV3: output_compress_columns output_filesystem_kwargs output_max_rows_per_file
    output_write_episodes output_write_method output_write_method_kwargs output_write_remaining_data | its env
    runners record no episodes

# What and how the learners learn.
honoured ALL but Supervised: gamma
idle Supervised: gamma | it learns from no rewards
honoured ALL but DreamerV3: grad_clip grad_clip_by log_gradients
idle DreamerV3: log_gradients | gradient norms are always logged
refused DreamerV3: grad_clip grad_clip_by | each network has its own: actor_grad_clip_by_global_norm,
    critic_..., world_model_...
honoured ALL but SAC DreamerV3: lr
refused SAC: lr | each network has its own: actor_lr, critic_lr, alpha_lr
refused DreamerV3: lr | each network has its own: actor_lr, critic_lr, world_model_lr
honoured COLUMNAR: env_timeout_s on_non_finite schedules
honoured COLUMNAR but Supervised: normalize_observations normalize_rewards
honoured COLUMNAR but Supervised needs normalize_observations or normalize_rewards: normalization_clip
refused Supervised: normalize_observations normalize_rewards | it learns from no rewards, and from
    observations as they are
idle Supervised: normalization_clip | nothing is normalised
honoured RecurrentA2C Supervised: optimizer
refused ALL but RecurrentA2C Supervised: optimizer | the optimizer is Adam; see lr and grad_clip
honoured COLUMNAR ON_POLICY but RecurrentA2C: num_epochs minibatch_size
honoured COLUMNAR but Supervised: cut_returns_at microbatch_size
refused Supervised: cut_returns_at | it learns from no rewards
refused Supervised: microbatch_size | it learns from whole minibatches; see minibatch_size
refused RecurrentA2C: num_epochs minibatch_size | it makes one step on each batch; see RecurrentPPO
refused DQN SAC: num_epochs minibatch_size | an update is one batch of train_batch_size_per_learner
refused DreamerV3: num_epochs minibatch_size train_batch_size_per_learner | an update is one batch of
    batch_size_B x batch_length_T
honoured ALL but DreamerV3: train_batch_size_per_learner
honoured REPLAY RecurrentPPO RecurrentA2C Supervised PPO needs num_env_runners: sample_timeout_s
idle ASYNCHRONOUS: sample_timeout_s | it takes what is ready; see timeout_s_sampler_manager
honoured ASYNCHRONOUS RecurrentPPO RecurrentA2C PPO: entropy_coeff vf_loss_coeff
refused ASYNCHRONOUS: entropy_coeff_schedule | an old name; today: entropy_coeff
refused PPO: entropy_coeff_schedule | an old name; today: entropy_coeff
refused ASYNCHRONOUS PPO DQN: lr_schedule | an old name; today: lr
honoured RecurrentPPO PPO APPO: clip_param
honoured RecurrentPPO: sample_ahead
honoured RecurrentPPO RecurrentA2C PPO: lambda_
refused APPO: lambda_ | V-trace has none
honoured RecurrentPPO RecurrentA2C: normalize_advantages
honoured Supervised: autocast behavior loss lr_epochs throttle truncation
honoured PPO APPO: use_kl_loss
honoured PPO APPO needs use_kl_loss: kl_coeff kl_target
honoured PPO: use_critic vf_clip_param
refused APPO: use_critic | V-trace needs the critic
refused PPO: use_gae | the new API stack always estimates advantages by GAE
refused APPO: use_gae | the new API stack always uses V-trace
refused PPO: vf_share_layers | an old name; today: model.vf_share_layers
refused PPO: sgd_minibatch_size | an old name; today: minibatch_size

# Asynchronous algorithms.
honoured IMPALA APPO: num_aggregator_actors_per_learner
refused COLUMNAR: num_aggregator_actors_per_learner | columns need no aggregators: there are no connectors to
    run
refused REPLAY PPO: num_aggregator_actors_per_learner | they would hold CPUs and do nothing: aggregators are
    for IMPALA and APPO
honoured IMPALA APPO needs num_aggregator_actors_per_learner: max_requests_in_flight_per_aggregator_actor
idle ALL but IMPALA APPO: max_requests_in_flight_per_aggregator_actor | aggregators are for IMPALA and APPO
honoured IMPALA APPO needs num_env_runners: use_env_runner_state_server
refused RecurrentIMPALA: use_env_runner_state_server | weights are pushed to the env runners
idle REPLAY RecurrentPPO RecurrentA2C Supervised PPO: use_env_runner_state_server | the state server is for
    IMPALA and APPO | false
honoured IMPALA APPO needs use_env_runner_state_server: env_runner_state_server_max_concurrency
idle ALL but IMPALA APPO: env_runner_state_server_max_concurrency | the state server is for IMPALA and APPO
honoured ASYNCHRONOUS: broadcast_interval timeout_s_sampler_manager vtrace_clip_pg_rho_threshold
    vtrace_clip_rho_threshold
honoured IMPALA: learner_queue_size
refused APPO: learner_queue_size | its learner queue is circular_buffer_num_batches
honoured IMPALA APPO needs num_gpus_per_learner: num_gpu_loader_threads
idle RecurrentIMPALA: learner_queue_size num_gpu_loader_threads | its learners have neither queues nor threads
refused ASYNCHRONOUS: vtrace | V-trace is all there is
refused ASYNCHRONOUS: decay epsilon momentum opt_type | RMSProp is gone; the optimizer is Adam
refused ASYNCHRONOUS: replay_proportion | the new API stack replays nothing
refused ASYNCHRONOUS but APPO: minibatch_buffer_size | see num_epochs
refused APPO: minibatch_buffer_size | see circular_buffer_iterations_per_batch
idle ASYNCHRONOUS: learner_queue_timeout max_requests_in_flight_per_aggregator_worker num_aggregation_workers
    num_multi_gpu_tower_stacks replay_buffer_num_slots timeout_s_aggregator_manager | nothing in RLlib's new
    API stack reads it
honoured APPO: target_network_update_freq tau use_circular_buffer
honoured APPO: circular_buffer_iterations_per_batch circular_buffer_num_batches simple_queue_size
refused APPO: target_worker_clipping | nothing in RLlib's new API stack reads it
refused APPO: target_update_frequency | an old name; today: target_network_update_freq

# Algorithms with a replay buffer.
honoured DQN: burn_in_len double_q dueling epsilon n_step num_atoms num_steps_sampled_before_learning_starts
    replay_buffer_config target_network_update_freq tau training_intensity v_max v_min
refused DQN: adam_epsilon | nothing in RLlib's new API stack reads it
refused DQN: before_learn_on_batch | nothing in RLlib's new API stack reads it
refused DQN: categorical_distribution_temperature | see epsilon
refused DQN: hiddens | see model.fcnet_hiddens and model.head_fcnet_hiddens
refused DQN: noisy sigma0 | the new API stack has no noisy networks; see epsilon
honoured SAC: actor_lr alpha_lr critic_lr initial_alpha n_step target_entropy target_network_update_freq tau
    twin_q
honoured SAC: num_steps_sampled_before_learning_starts replay_buffer_config training_intensity
idle DQN SAC: store_buffer_in_checkpoints | checkpoints of the new API stack hold no replay buffer
refused SAC: optimization | see actor_lr, critic_lr and alpha_lr
refused SAC: policy_model_config q_model_config | see model
idle SAC: use_state_preprocessor worker_side_prioritization | nothing in RLlib's new API stack reads it
honoured DreamerV3: actor_grad_clip_by_global_norm actor_lr batch_length_T batch_size_B
    critic_grad_clip_by_global_norm critic_lr entropy_scale gae_lambda horizon_H model_size
    replay_buffer_config report_dream_data report_images_and_videos report_individual_batch_item_stats
    return_normalization_decay symlog_obs train_actor training_ratio world_model_grad_clip_by_global_norm
    world_model_lr
refused DreamerV3: intrinsic_rewards_scale use_curiosity | curiosity is not built in
refused DreamerV3: train_critic | the critic is always trained with the actor
refused DreamerV3: use_float16 | the torch version has full precision only
"""
ROWS = tuple(_read(_TABLE))

# Keys of `model` under RLlib's own networks (its DefaultModelConfig).
_MODEL_TABLE = """
honoured ON_POLICY DQN SAC: conv_activation conv_bias_initializer conv_filters conv_kernel_initializer
    fcnet_activation fcnet_bias_initializer fcnet_hiddens fcnet_kernel_initializer fcnet_use_layernorm
    head_fcnet_activation head_fcnet_hiddens
honoured ON_POLICY DQN: use_lstm
honoured ON_POLICY DQN needs use_lstm: lstm_bias_initializer lstm_cell_size lstm_kernel_initializer
    max_seq_len
honoured ON_POLICY DQN SAC needs conv_kernel_initializer: conv_kernel_initializer_kwargs
honoured ON_POLICY DQN SAC needs conv_bias_initializer: conv_bias_initializer_kwargs
honoured ON_POLICY DQN SAC needs fcnet_kernel_initializer: fcnet_kernel_initializer_kwargs
honoured ON_POLICY DQN SAC needs fcnet_bias_initializer: fcnet_bias_initializer_kwargs
honoured ON_POLICY DQN needs lstm_kernel_initializer: lstm_kernel_initializer_kwargs
honoured ON_POLICY DQN needs lstm_bias_initializer: lstm_bias_initializer_kwargs
honoured DQN needs head_fcnet_kernel_initializer: head_fcnet_kernel_initializer_kwargs
honoured DQN needs head_fcnet_bias_initializer: head_fcnet_bias_initializer_kwargs
honoured SAC needs fusionnet_kernel_initializer: fusionnet_kernel_initializer_kwargs
honoured SAC needs fusionnet_bias_initializer: fusionnet_bias_initializer_kwargs
refused SAC: lstm_bias_initializer lstm_bias_initializer_kwargs lstm_cell_size lstm_kernel_initializer
    lstm_kernel_initializer_kwargs max_seq_len use_lstm | its networks keep no memory
refused ON_POLICY DQN SAC: lstm_use_prev_action lstm_use_prev_reward | nothing in RLlib's new API stack reads
    it; let the environment show them in its observation
honoured ON_POLICY SAC: free_log_std log_std_clip_param
refused DQN: free_log_std log_std_clip_param | it draws no actions from a Gaussian
honoured ON_POLICY: vf_share_layers
refused DQN SAC: vf_share_layers | it has no value branch to share with
honoured ON_POLICY: head_fcnet_use_layernorm
refused DQN SAC: head_fcnet_use_layernorm | nothing in RLlib reads it here
honoured DQN: head_fcnet_bias_initializer head_fcnet_kernel_initializer
refused ON_POLICY SAC: head_fcnet_bias_initializer head_fcnet_bias_initializer_kwargs
    head_fcnet_kernel_initializer head_fcnet_kernel_initializer_kwargs | nothing in RLlib reads it here
honoured SAC: fusionnet_activation fusionnet_bias_initializer fusionnet_hiddens fusionnet_kernel_initializer
refused ON_POLICY DQN: fusionnet_activation fusionnet_bias_initializer fusionnet_bias_initializer_kwargs
    fusionnet_hiddens fusionnet_kernel_initializer fusionnet_kernel_initializer_kwargs | nothing in RLlib
    reads it here
refused DreamerV3: conv_activation conv_bias_initializer conv_bias_initializer_kwargs conv_filters
    conv_kernel_initializer conv_kernel_initializer_kwargs fcnet_activation fcnet_bias_initializer
    fcnet_bias_initializer_kwargs fcnet_hiddens fcnet_kernel_initializer fcnet_kernel_initializer_kwargs
    fcnet_use_layernorm free_log_std fusionnet_activation fusionnet_bias_initializer
    fusionnet_bias_initializer_kwargs fusionnet_hiddens fusionnet_kernel_initializer
    fusionnet_kernel_initializer_kwargs head_fcnet_activation head_fcnet_bias_initializer
    head_fcnet_bias_initializer_kwargs head_fcnet_hiddens head_fcnet_kernel_initializer
    head_fcnet_kernel_initializer_kwargs head_fcnet_use_layernorm log_std_clip_param lstm_bias_initializer
    lstm_bias_initializer_kwargs lstm_cell_size lstm_kernel_initializer lstm_kernel_initializer_kwargs
    lstm_use_prev_action lstm_use_prev_reward max_seq_len use_lstm vf_share_layers | its networks are those of
    model_size
"""
MODEL_ROWS = tuple(_read(_MODEL_TABLE))

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
    **dict.fromkeys(
        ("normalize_observations", "normalize_rewards", "normalization_clip"),
        Row("refused", "", why="evaluations play the network that is trained", fact=_NO_FACT),
    ),
}
_TRAINING_ONLY = Row("idle", "", why="evaluations do not read it")


def pairs(rows: Iterable[Row] = ROWS) -> Iterator[tuple[tuple[str, str], Row]]:
    """Each pair of an algorithm and a key, with its row."""
    for row in rows:
        for algorithm in row.algorithms:
            for key in row.keys.split():
                yield (algorithm, key), row


@cache
def _table(rows: tuple[Row, ...] = ROWS) -> Mapping[tuple[str, str], Row]:
    return dict(pairs(rows))


def find(run: str, key: str, evaluation: bool = False) -> Row | None:
    """Return the row of a key under an algorithm; None for a key without one, which counts as honoured."""
    row = _table().get((run, key))
    if not evaluation or (row is not None and row.effect != "honoured") or key in EVALUATION:
        return row
    return _IN_EVALUATION.get(key, _TRAINING_ONLY)


def find_model(run: str, key: str) -> Row | None:
    """Return the row of a key of `model` under RLlib's own networks; None for a key without one."""
    return _table(MODEL_ROWS).get((run, key))
