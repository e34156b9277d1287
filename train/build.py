"""Experiment -> AlgorithmConfig and trial settings: the only file that knows `engram.agents`."""

import copy
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engram.train import settings
from engram.train.environments import EnvFacts
from engram.train.errors import ExperimentError, reason, unknown, unknown_key
from engram.train.search import Domain, Path, put


@dataclass(frozen=True)
class ModuleFacts:
    """What the header says about the model.

    Attributes:
        core: The core's name, or the module's class where it has no core.
        parameters: Trained and frozen parameters of the whole module.
        core_parameters: Those of the core alone, or None.
        window: Env steps that gradients reach back, or None where the module keeps no memory.
        carries_gradient: Whether the core bridges a delay by gradients through time.
    """

    core: str
    parameters: int
    core_parameters: int | None
    window: int | None
    carries_gradient: bool


def _agents() -> Any:
    return importlib.import_module("engram.agents")


def _ours() -> Mapping[str, Any]:
    table: Mapping[str, Any] = getattr(_agents(), "ALGORITHMS", {})
    return table


def algorithm_names() -> list[str]:
    """Names that `run` may hold: ours first, then RLlib's own."""
    from ray.rllib.algorithms.registry import ALGORITHMS

    return [*_ours(), *(name for name in ALGORITHMS if name not in _ours())]


def defaults(run: str) -> Any:
    """A fresh AlgorithmConfig of an algorithm, our module and callbacks wired in where it is one of ours.

    Args:
        run: The algorithm's name.

    Raises:
        ExperimentError: there is none of that name.
    """
    if run in _ours():
        return _agents().make_config(run)
    from ray.rllib.algorithms.registry import ALGORITHMS

    if run not in ALGORITHMS:
        raise unknown("run", run, algorithm_names())
    return ALGORITHMS[run]()[1]


def build_config(run: str, env: EnvFacts, values: dict[str, Any]) -> Any:
    """Check settings against an algorithm and put them into its AlgorithmConfig.

    Args:
        run: The algorithm's name.
        env: The environment, probed with these settings' `env_config`.
        values: `config` of the experiment, search spaces replaced by examples.

    Returns:
        A validated AlgorithmConfig.

    Raises:
        ExperimentError: anything the algorithm or the model refuses.
    """
    config = defaults(run)
    checked = settings.check(values, config)
    model = checked.pop("model", {})
    try:
        config.environment(env.id)
        config.update_from_dict(checked)
        if model or run in _ours():
            _check_model(run, model)
            config.rl_module(model_config=model)
        config.copy(copy_frozen=False).validate()
    except ExperimentError:
        raise
    except Exception as error:  # RLlib raises many classes here
        raise ExperimentError(f"config: {_first_sentence(error)}") from None
    return config


def _first_sentence(error: Exception) -> str:
    """RLlib's advice on how to switch its checks off is left out."""
    return str(error).split("\nTo suppress all validation errors")[0] or reason(error)


def _check_model(run: str, model: Mapping[str, Any]) -> None:
    if run in _ours():
        try:
            _agents().check_model(model)
        except ValueError as error:
            raise ExperimentError(f"config.{error}") from None
        return
    from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig

    known = DefaultModelConfig.__dataclass_fields__
    for key in model:
        if key not in known:
            raise unknown_key("config.model", key, known)


def trainable(config: Any) -> type:
    """The Algorithm class of a config.

    Args:
        config: From `build_config`.
    """
    found: type = config.algo_class
    return found


def trial_space(config: Any, domains: Mapping[Path, Domain]) -> dict[str, Any]:
    """The settings Ray Tune makes trials from.

    Args:
        config: From `build_config`, with the first example of each search space.
        domains: The search spaces by their path in the experiment's `config`.
    """
    space: dict[str, Any] = config.to_dict()
    for place, domain in domains.items():
        put(space, space_path(place), domain.to_tune())
    return space


_SPACE_KEYS = {
    "lambda_": "lambda",
    "model": "_model_config",
    "train_batch_size_per_learner": "_train_batch_size_per_learner",
}


def space_path(place: Path) -> Path:
    """Where a setting of an experiment's `config` stands in the trial settings that Ray Tune sees.

    Args:
        place: Its keys in `config`.
    """
    return (_SPACE_KEYS.get(place[0], place[0]), *place[1:])


def describe_module(config: Any, env: EnvFacts) -> ModuleFacts:
    """Build the model once and count.

    Args:
        config: From `build_config`.
        env: The environment's spaces.

    Raises:
        ExperimentError: the model cannot be built for these spaces.
    """
    try:
        module = build_module(config, env)
    except Exception as error:  # torch and RLlib raise many classes for a model that does not fit
        raise ExperimentError(f"config.model: {reason(error)}") from None
    core = getattr(module, "core", None)
    fragment = int(config.get_rollout_fragment_length())
    window: int | None = None
    if core is not None:
        bptt = core.bptt_steps
        window = fragment if bptt is None else min(bptt, fragment)
    elif module.is_stateful():
        window = int(module.model_config.get("max_seq_len", fragment))
    name = (
        str(config.model_config.get("core", {}).get("type", type(core).__name__)) if core is not None else ""
    )
    return ModuleFacts(
        core=name or type(module).__name__,
        parameters=_count(module),
        core_parameters=None if core is None else _count(core),
        window=window,
        carries_gradient=bool(getattr(core, "carries_gradient", module.is_stateful())),
    )


def _count(module: Any) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def build_module(config: Any, env: EnvFacts) -> Any:
    """The RLModule of a config, with fresh weights.

    Args:
        config: From `build_config`.
        env: The environment's spaces.
    """
    from ray.rllib.core import DEFAULT_MODULE_ID

    spaces = {DEFAULT_MODULE_ID: (env.observation_space, env.action_space)}
    return copy.copy(config.get_rl_module_spec(spaces=spaces, inference_only=False)).build()


def lanes(config: Any) -> int:
    """Number of environments that step in parallel over all env runners.

    Args:
        config: From `build_config`.
    """
    return int(config.num_envs_per_env_runner) * max(1, int(config.num_env_runners))


def cpus_per_trial(config: Any) -> float:
    """CPUs that one trial asks Ray for.

    Args:
        config: From `build_config`.
    """
    request = trainable(config).default_resource_request(config.to_dict())  # type: ignore[attr-defined]
    return float(sum(bundle.get("CPU", 0) for bundle in request.bundles))


def gpus_per_trial(config: Any) -> float:
    """GPUs that one trial asks Ray for.

    Args:
        config: From `build_config`.
    """
    request = trainable(config).default_resource_request(config.to_dict())  # type: ignore[attr-defined]
    return float(sum(bundle.get("GPU", 0) for bundle in request.bundles))
