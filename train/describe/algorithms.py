"""Algorithms: every key that `config:` may hold, what is most used first."""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from engram.train.describe.docstrings import arguments, document, first_line, tidy
from engram.train.describe.options import rows, type_name
from engram.train.describe.page import Option, Page, Section, plain
from engram.train.experiments import older
from engram.train.plans import build, effects, settings

MOST_USED = (
    "env_config",
    "seed",
    "gamma",
    "lr",
    "grad_clip",
    "grad_clip_by",
    "normalize_observations",
    "normalize_rewards",
    "clip_rewards",
    "cut_returns_at",
    "num_epochs",
    "minibatch_size",
    "microbatch_size",
    "train_batch_size_per_learner",
    "num_env_runners",
    "num_envs_per_env_runner",
    "rollout_fragment_length",
    "batch_mode",
    "num_learners",
    "num_gpus_per_learner",
    "min_sample_timesteps_per_iteration",
    "metrics_num_episodes_for_smoothing",
    "evaluation_interval",
    "evaluation_duration",
    "evaluation_duration_unit",
    "evaluation_num_env_runners",
    "evaluation_config",
    "explore",
)
"""Keys that experiments name, whatever the algorithm; those of its own come first."""

OURS = "engram."

UNITS = {
    "evaluation_interval": "iterations",
    "gamma": "per env step",
    "lambda_": "per env step",
    "metrics_num_episodes_for_smoothing": "episodes",
    "min_sample_timesteps_per_iteration": "env steps",
    "min_train_timesteps_per_iteration": "env steps",
    "microbatch_size": "env steps",
    "minibatch_size": "env steps",
    "num_env_runners": "processes",
    "num_envs_per_env_runner": "lanes",
    "num_epochs": "passes",
    "num_learners": "processes",
    "rollout_fragment_length": "env steps",
    "train_batch_size_per_learner": "env steps",
    "truncation": "env steps",
}

MEANINGS = {
    "env_config": "settings of the environment; `rllib describe env ID` lists them",
    "model": "the network; a section of its own",
    "evaluation_config": "settings that differ in evaluations, such as {explore: true}",
    "seed": "of environments, weights and drawn actions; `rllib train --seeds N` runs N of them",
    "num_envs_per_env_runner": "environments that step side by side in each env runner: the lanes",
    "num_env_runners": "processes that sample beside the learner; 0: it samples itself",
    "num_epochs": "how often an update passes over its batch",
    "lr": "step size of the optimiser, or a schedule [[0, value], [env step, value], ...]",
    "entropy_coeff": "weight of the entropy bonus, or a schedule [[0, value], [env step, value], ...]",
    "min_sample_timesteps_per_iteration": "sampled between two reports, at least",
    "metrics_num_episodes_for_smoothing": "the last episodes that a report's returns are means of",
    "vtrace_clip_rho_threshold": "V-trace: bound on the ratio that weighs temporal differences (rho)",
    "vtrace_clip_pg_rho_threshold": "V-trace: bound on the ratio that weighs the policy gradient",
    "replay_buffer_config": "{type: EpisodeReplayBuffer, capacity: N, ...}; capacity in env steps, alpha and "
    "beta where the type is PrioritizedEpisodeReplayBuffer",
    "use_critic": "whether values are a baseline of the advantages",
    "sync_filters_on_rollout_workers_timeout_s": "wait at most so long for the connectors of env runners",
}
"""For keys that RLlib's own texts describe as they once were, or not at all."""

COLUMNAR_MEANINGS = {
    "rollout_fragment_length": "steps of each lane between two updates; gradients reach back no further",
    "batch_mode": "truncate_episodes: an update is a fragment of every lane; complete_episodes: it is an "
    "episode of the only lane",
    "train_batch_size_per_learner": "size of an update; null: one fragment of every lane",
    "minibatch_size": "part of the batch that one gradient step takes, whole lanes; null: all of it",
    "microbatch_size": "part of a minibatch that goes through the network at a time, whole lanes; gradients "
    "add up: less memory, the same step (but for normalize: running); null: all of it",
    "grad_clip": "bound on the global norm of gradients (see grad_clip_by); null: none",
    "normalize_observations": "standardise those parts of observations that are floats, by the running mean "
    "and deviation of all lanes",
    "normalize_rewards": "divide rewards by the running deviation of the discounted return; what is reported "
    "stays as it is",
    "normalization_clip": "largest magnitude of what was normalised; null: any",
    "clip_rewards": "true: learn from the signs of rewards; a number: from no more than that, either way; "
    "what is reported stays as it is",
    "cut_returns_at": "key of info; where that number falls, such as lives, returns end as with an episode, "
    "whose memory goes on; null: they end with episodes",
    "on_non_finite": "stop: a reward, observation, loss or gradient that is NaN or infinite ends the trial; "
    "skip: nothing is learned from that lane's fragment, or that minibatch, and non_finite_skipped counts. "
    "An iteration with nothing left to learn from, or such a parameter, ends it either way",
    "env_timeout_s": "seconds that a step or a reset of all lanes of an env runner may take; longer ends the "
    "trial; .inf: for ever",
    "schedules": "settings that change while training: {gamma: [[0, 0.9], [env step, 0.99], ...]}, each "
    "value until the next step; lr and entropy_coeff take schedules themselves",
    "explore": "whether actions are drawn; else the likeliest is taken",
}
"""The same for algorithms on columns."""


def algorithm(name: str, everything: bool) -> Page:
    """Describe an algorithm and its settings.

    Args:
        name: As `run` has it.
        everything: Also those that are seldom named.

    Raises:
        ExperimentError: there is no such algorithm.
    """
    defaults = build.defaults(name, {})
    keys = settings.names(defaults)
    meanings = _meanings_of(type(defaults)) | _without_effect(name, keys)
    used = [key for key in _in_order(type(defaults)) if key in keys and _is_honoured(name, key)]
    rest = sorted(keys - {*used, "model"})
    options = {key: _option(key, defaults, meanings) for key in [*used, "model", *rest]}
    first = Section("config", [options[key] for key in [*used, "model"]], 0 if everything else len(rest))
    others = [Section("config, seldom named", [options[key] for key in rest])] if everything else []
    return Page(
        kind="algorithm",
        name=name,
        summary=build.algorithms()[name],
        text={"": _about(type(defaults))},
        facts={"class": f"{type(defaults).__module__}:{type(defaults).__qualname__}"},
        sections=[first, *others, *_nested(name)],
        source=_sources(type(defaults)),
    )


def _is_honoured(name: str, key: str) -> bool:
    row = effects.find(name, key)
    return row is None or row.effect == "honoured"


def _without_effect(name: str, keys: Iterable[str]) -> dict[str, str]:
    """Say of keys without an effect under an algorithm why, in place of RLlib's own texts."""
    found = {key: effects.find(name, key) for key in keys}
    return {key: _said(key, row) for key, row in found.items() if row and row.effect != "honoured"}


def _said(key: str, row: effects.Row) -> str:
    today = older.CONFIG.get(key)
    if isinstance(today, str):
        return f"an older name of {today}"
    return f"{'refused' if row.effect == 'refused' else 'no effect'}: {row.why}"


def _about(config_class: type) -> str:
    text = document(config_class)
    return text.partition("\n")[0] if "Attributes:" in text or ".. " in text else text


def _sources(config_class: type) -> str:
    """Return the paper, which the modules of our algorithms name in brackets."""
    text = first_line(inspect.getmodule(config_class))
    return text.partition("(")[2].rpartition(")")[0] if config_class.__module__.startswith(OURS) else ""


def _in_order(config_class: type) -> list[str]:
    """Keys of our own, then those that most experiments name, then the others of the algorithm."""
    from ray.rllib.algorithms.algorithm_config import AlgorithmConfig

    own: dict[str, None] = {}
    stock: dict[str, None] = {}
    for cls in config_class.__mro__:
        method = vars(cls).get("training")
        if method is not None and cls is not AlgorithmConfig:
            keys = inspect.signature(method).parameters
            (own if cls.__module__.startswith(OURS) else stock).update(dict.fromkeys(keys))
    return list(dict.fromkeys([*own, *MOST_USED, *stock]))


def _meanings_of(config_class: type) -> dict[str, str]:
    """Key -> what it does: by our own texts, or by the docstrings of RLlib's methods that set it."""
    found: dict[str, str] = {}
    for cls in reversed(config_class.__mro__):
        for member in vars(cls).values():
            if inspect.isfunction(member):
                found |= arguments(document(member))
    found |= MEANINGS
    for cls in reversed(config_class.__mro__):
        if cls.__module__.startswith(OURS):
            found |= COLUMNAR_MEANINGS | arguments(document(cls))
    return found


def _option(key: str, defaults: Any, meanings: Mapping[str, str]) -> Option:
    default = _default(defaults, key)
    return Option(
        name=key,
        type=_type(key, defaults, default),
        default=plain(default),
        unit=UNITS.get(key, "s" if key.endswith("_s") else ""),
        legal=_legal(key),
        meaning=tidy(meanings.get(key, "")),
    )


def _default(defaults: Any, key: str) -> Any:
    """The default as it is stored: reading a property may fail, as DreamerV3's batch size does."""
    values = vars(defaults)
    return None if key == "model" else values.get(key, values.get(f"_{key}"))


def _type(key: str, defaults: Any, default: Any) -> str:
    if key in ("model", "env_config", "evaluation_config"):
        return "mapping"
    legal = settings.kinds(key, default, type(defaults))
    if legal is None:
        return "any"
    kinds = sorted(legal - {None}, key=lambda kind: kind.__name__)
    return " or ".join([*map(type_name, kinds), *(["null"] if None in legal else [])])


def _legal(key: str) -> str:
    low, high = settings.RANGES.get(key, (None, None))
    texts = list(settings.CHOICES.get(key, ()))
    if low is not None and high is not None:
        texts.insert(0, f">= {low:g}" if high == float("inf") else f"{low:g} to {high:,.10g}")
    return ", ".join(texts)


def _nested(name: str) -> list[Section]:
    """Sections inside `config` that algorithms of ours take, and stock ones that are given a core."""
    from engram.agents import ALGORITHMS
    from engram.agents.columns.optimizers import OptimizerOptions
    from engram.agents.models.recurrent_network import HeadOptions, ModelConfig
    from engram.agents.models.thinking_network import ReadoutOptions, ThinkingConfig

    if name not in ALGORITHMS:
        return []
    columnar = ALGORITHMS[name].columnar
    title = "config.model, with a recurrent core" if columnar else "config.model, with a core of ours"
    found = [
        Section(f"{title} (`rllib list cores`)", rows(ModelConfig)),
        Section(f"config.model.head: {first_line(HeadOptions)}", rows(HeadOptions)),
    ]
    if columnar:
        found += [
            Section("config.model, with a network that thinks", rows(ThinkingConfig)),
            Section(f"config.model.readout: {first_line(ReadoutOptions)}", rows(ReadoutOptions)),
        ]
    if "optimizer" in settings.names(build.defaults(name, {})):
        found.append(Section(f"config.optimizer: {first_line(OptimizerOptions)}", rows(OptimizerOptions)))
    return [*found, *(_supervised() if name == "Supervised" else [])]


def _supervised() -> list[Section]:
    from engram.agents.columns.optimizers import EpochOptions
    from engram.memory.losses import SEQUENCE_LOSSES
    from engram.memory.thinking import LOSSES

    losses = [
        Section(f"config.loss: {{type: {name}, ...}}: {first_line(loss)}", rows(loss))
        for name, loss in {**LOSSES, **SEQUENCE_LOSSES}.items()
    ]
    return [
        *losses,
        Section(f"config.lr_epochs: {first_line(EpochOptions)}", rows(EpochOptions)),
    ]
