"""What older experiment files say and no table of new names can mend: what is used today."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engram.train.console.errors import Errors, ExperimentError
from engram.train.experiments.renames import FRAMEWORKS


@dataclass(frozen=True)
class Gone:
    """A setting that is no more.

    Attributes:
        today: What is used in its place, or why nothing is.
        harmless: Values without which an experiment stays what it was; None: all of them.
    """

    today: str
    harmless: tuple[Any, ...] | None = ()

    def is_harmless(self, value: Any) -> bool:
        """Whether an experiment without this value stays what it was."""
        return self.harmless is None or any(value == one for one in self.harmless)


_RESOURCES = (
    "a trial's CPUs and GPUs follow from num_env_runners, num_cpus_per_env_runner, num_gpus_per_learner"
)
_NO_CODE = "a file holds no code, and the results need none"
_SCHEDULER = "trials run to their ends, first come, first served (FIFO)"
_REPLAY = (
    "today: replay_buffer_config: {type: PrioritizedEpisodeReplayBuffer, capacity: N, alpha: A, beta: B}"
)
_EPSILON = "today: epsilon: [[0, first value], [env step, last value]], of run: DQN"
_ONE_AGENT = "an environment has one agent here"
_TORCH = "PyTorch is used"
_NONE: tuple[Any, ...] = (None, False, {}, [])

# Beside `run`.
EXPERIMENT = {
    "export_formats": Gone("a checkpoint holds the weights", None),
    "loggers": Gone("results are written as result.json, progress.csv and for TensorBoard", None),
    "metric": Gone("see checkpoint_config.checkpoint_score_attribute", None),
    "mode": Gone("see checkpoint_config.checkpoint_score_order", None),
    "pass_criteria": Gone("what ends a run stands in stop", None),
    "queue_trials": Gone("trials always wait until there is room", None),
    "resources": Gone(_RESOURCES, None),
    "resources_per_trial": Gone(_RESOURCES, None),
    "scheduler": Gone(_SCHEDULER, (None, "FIFO", "fifo")),
    "scheduler_config": Gone(_SCHEDULER, _NONE),
    "search_alg": Gone(f"search spaces are grids and random draws; {_SCHEDULER}", _NONE),
    "sync_config": Gone("storage_path may be a folder, or the URI of a store", _NONE),
    "sync_on_checkpoint": Gone("checkpoints are written to storage_path at once", None),
    "trial_resources": Gone(_RESOURCES, None),
    "verbose": Gone("see rllib train -v", None),
}

# Options of `train`.
OPTIONS = {
    "eager": Gone(_TORCH, None),
    "framework": Gone(_TORCH, FRAMEWORKS),
    "local_mode": Gone("for everything in a trial's process: --set config.num_env_runners=0", None),
    "queue_trials": EXPERIMENT["queue_trials"],
    "ray_nodes": Gone("a cluster is reached by --ray-address"),
    "ray_object_store_memory": Gone("Ray measures its object store itself", None),
    "ray_ui": Gone("Ray's dashboard does not start; see tensorboard", None),
    "resources_per_trial": EXPERIMENT["resources_per_trial"],
    "scheduler": EXPERIMENT["scheduler"],
    "scheduler_config": Gone(_SCHEDULER, ("{}", "null", "")),
    "torch": Gone(_TORCH, None),
    "trace": Gone(_TORCH, None),
}

# Inside `config`.
CONFIG = {
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

_PICTURES = "pictures are prepared by the environment: wrappers of Gymnasium, such as AtariPreprocessing"
_SEES = "an environment shows what its policy is to see"
_CODE = "today: model: {core: {type: package.module:Class}}"

# Inside `model`.
MODEL = {
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
BESIDE_CORE = {
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

# Algorithms that RLlib dropped, and what comes nearest today; the first takes the most of their settings.
ALGORITHMS = {
    "A2C": ("PPO", "RecurrentPPO"),
    "A3C": ("IMPALA", "RecurrentIMPALA"),
    "APEX": ("DQN",),
    "APEX_DDPG": ("SAC",),
    "ARS": ("PPO",),
    "ApexDDPG": ("SAC",),
    "ApexDQN": ("DQN",),
    "DDPG": ("SAC",),
    "DDPPO": ("PPO",),
    "DREAMER": ("DreamerV3",),
    "Dreamer": ("DreamerV3",),
    "ES": ("PPO",),
    "MAML": ("PPO",),
    "PG": ("PPO",),
    "R2D2": ("DQN", "RecurrentIMPALA"),
    "Rainbow": ("DQN",),
    "SimpleQ": ("DQN",),
    "TD3": ("SAC",),
}


def take_out(
    section: Mapping[str, Any], table: Mapping[str, Gone], path: str, errors: Errors
) -> tuple[dict[str, Any], list[str]]:
    """Take out of a section what is no more.

    Args:
        section: As written, under today's names.
        table: What is no more.
        path: Dotted path of the section.
        errors: Receives what an experiment would not be the same without.

    Returns:
        The rest, and a notice for each key without effect.
    """
    rest, notices = {}, []
    for key, value in section.items():
        gone = table.get(key)
        if gone is None:
            rest[key] = value
        elif gone.is_harmless(value):
            notices.append(f"{path}.{key} has no effect: {gone.today}")
        else:
            errors.add(ExperimentError(f"{path}.{key}: not used; {gone.today}"))
    return rest, notices


def check_options(given: Mapping[str, Any]) -> list[str]:
    """What the options of RLlib's own command come to.

    Args:
        given: Value of each option by the name of its parameter; None and False: not given.

    Returns:
        A notice for each one without effect.

    Raises:
        ExperimentError: options that a run would not be the same without, all at once.
    """
    errors, notices = Errors(), []
    for name, gone in OPTIONS.items():
        value, option = given.get(name), f"--{name.replace('_', '-')}"
        if value is None or (value is False and name != "ray_ui"):
            continue
        if gone.is_harmless(value):
            notices.append(f"{option} has no effect: {gone.today}")
        else:
            errors.add(ExperimentError(f"{option}: not used; {gone.today}"))
    errors.check()
    return notices


def in_model(run: Any, model: Mapping[str, Any]) -> dict[str, Gone]:
    """What a `model:` section of an algorithm has no more.

    Args:
        run: The algorithm's name.
        model: The section.
    """
    from engram.agents import ALGORITHMS

    if isinstance(run, str) and run in ALGORITHMS and ALGORITHMS[run].columnar:
        return MODEL | BESIDE_CORE | {"max_seq_len": Gone("today: rollout_fragment_length")}
    return MODEL | BESIDE_CORE if "core" in model else MODEL
