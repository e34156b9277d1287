"""`config` against the algorithm's own settings: does the key exist, has the value its type and range."""

import inspect
import math
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any

from engram.train.console.errors import Errors, ExperimentError, quotes_hint, unknown, unknown_key
from engram.train.console.files import as_mapping
from engram.train.environments.arguments import signature
from engram.train.plans import effects

_SIMPLE = (bool, int, float, str, list, dict)
_KINDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a mapping",
    None: "null",
}
# Methods of AlgorithmConfig whose signatures tell the types of the settings.
_BUILDERS = (
    "training",
    "env_runners",
    "environment",
    "learners",
    "evaluation",
    "reporting",
    "resources",
    "debugging",
)
_NULLABLE = (
    "autocast",
    "cut_returns_at",
    "microbatch_size",
    "minibatch_size",
    "normalization_clip",
    "train_batch_size_per_learner",
)  # null has a meaning of its own
_COLUMNAR = ("normalize_observations", "normalize_rewards", "normalization_clip")
_FRACTIONS = (
    "num_cpus_for_main_process",
    "num_cpus_per_env_runner",
    "num_cpus_per_learner",
)  # Ray takes them
_SCHEDULES = ("lr", "entropy_coeff")  # also [[env step, value], ...]

# Limits, of time and of clipping, that may be infinite: none.
_LIMITS = ("_s", "timeout", "clip_param", "grad_clip", "_threshold", "clip_rewards", "_by_global_norm")

_CODE_ENDINGS = ("_class", "_cls", "_fn", "_filesystem", "_evaluation_function")
_HIDDEN = (
    "action_space",
    "algo_class",
    "enable_env_runner_and_connector_v2",
    "enable_rl_module_and_learner",
    "env",
    "framework_str",
    "in_evaluation",
    "input_",
    "observation_space",
    "policies",
    "policies_to_train",
    "population",
    "stats_cls_lookup",
    "train_batch_size",
)

# Inclusive bounds; RLlib itself checks few of them, and late.
_AT_LEAST_ZERO = """
    clip_param delay_between_env_runner_restarts_s entropy_coeff env_runner_health_probe_timeout_s
    env_runner_restore_timeout_s evaluation_interval evaluation_num_env_runners
    evaluation_sample_timeout_s grad_clip max_num_env_runner_restarts
    min_sample_timesteps_per_iteration min_time_s_per_iteration min_train_timesteps_per_iteration
    num_env_runners num_gpus_per_learner num_learners sample_timeout_s vf_clip_param vf_loss_coeff
"""
_AT_LEAST_ONE = """
    evaluation_duration metrics_num_episodes_for_smoothing microbatch_size minibatch_size
    num_envs_per_env_runner num_epochs rollout_fragment_length train_batch_size_per_learner
"""
RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(_AT_LEAST_ZERO.split(), (0.0, math.inf)),
    **dict.fromkeys(_AT_LEAST_ONE.split(), (1.0, math.inf)),
    **dict.fromkeys(("gamma", "lambda_"), (0.0, 1.0)),
    # Adam's first step is ten times as large, and then too large for single precision.
    **dict.fromkeys(("lr", "actor_lr", "alpha_lr", "critic_lr", "world_model_lr"), (0.0, 1e37)),
    "normalization_clip": (0.1, math.inf),
    "env_timeout_s": (0.1, math.inf),
    "seed": (0.0, 2.0**32 - 1),
}

CHOICES: dict[str, tuple[str, ...]] = {
    "batch_mode": ("truncate_episodes", "complete_episodes"),
    "evaluation_duration": ("auto",),
    "evaluation_duration_unit": ("episodes", "timesteps"),
    "grad_clip_by": ("value", "norm", "global_norm"),
    "log_level": ("DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL"),
    "placement_strategy": ("PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD"),
    "gym_env_vectorize_mode": ("sync", "async", "vector_entry_point"),
    "merge_env_runner_states": ("training_only",),
    "num_cpus_per_learner": ("auto",),
    "num_gpus_per_learner": ("auto",),
    "on_non_finite": ("stop", "skip"),
    "rollout_fragment_length": ("auto",),
    "torch_compile_learner_what_to_compile": ("forward_train", "complete_update"),
}


def names(defaults: Any) -> frozenset[str]:
    """The keys `config` may hold."""
    config_class: Any = type(defaults)
    return _names(config_class)


@cache
def _names(config_class: type) -> frozenset[str]:
    defaults = config_class()
    stored = set(vars(defaults))
    # A property without a stored value is an old name that RLlib refuses.
    properties = {name[1:] for name in stored if _is_settable(config_class, name[1:])}
    public = {name for name in stored if not name.startswith("_")} | properties
    return frozenset({name for name in public if not _is_hidden(name, default(defaults, name))} | {"model"})


def default(defaults: Any, name: str) -> Any:
    """The default of a setting as it is stored: to read a property may fail, as of DreamerV3's batch size."""
    values = vars(defaults)
    return values.get(name, values.get(f"_{name}"))


def _is_settable(config_class: type, name: str) -> bool:
    member = getattr(config_class, name, None)
    return isinstance(member, property) and member.fset is not None


def _is_hidden(name: str, default: Any) -> bool:
    """Whether a setting takes what a file cannot hold (classes, functions, spaces) or is not the user's."""
    of_code = name.endswith(_CODE_ENDINGS) or name.startswith("callbacks_") or isinstance(default, type)
    return of_code or name in _HIDDEN


def check(
    config: Mapping[str, Any], defaults: Any, path: str = "config", errors: Errors | None = None
) -> dict[str, Any]:
    """Check an experiment's `config` key by key.

    Args:
        config: The settings, search spaces replaced by examples. `model` and `env_config` are only checked to
            be mappings here.
        defaults: The algorithm's AlgorithmConfig object.
        path: Dotted path of the section, for errors.
        errors: Receives what is wrong, which is then left out.

    Returns:
        The settings, whole floats made integers where an integer is due.

    Raises:
        ExperimentError: unknown keys, wrong types, values out of range, all at once; only without `errors`.
    """
    known = names(defaults)
    config_class: Any = type(defaults)
    annotations = _annotations(config_class)
    found = Errors() if errors is None else errors
    checked = {}
    for key, value in config.items():
        if key == "on_non_finite" and key not in known and getattr(defaults.callbacks_class, "guards", False):
            with found.kept():
                _check_stops(value, f"{path}.{key}")
            continue
        with found.kept():
            if key not in known and key in _COLUMNAR:
                raise ExperimentError(
                    f"{path}.{key}: is for our own actor-critics, whose names begin with Recurrent; under "
                    "any, wrappers of Gymnasium (NormalizeObservation, NormalizeReward) do so, each lane by "
                    "itself"
                )
            if key not in known:
                raise _unknown(path, key, defaults)
            if key == "evaluation_config":
                inner = as_mapping(value, f"{path}.{key}")
                checked[key] = check(inner, defaults, f"{path}.{key}", found)
            elif key in ("model", "env_config"):
                checked[key] = as_mapping(value, f"{path}.{key}")
            else:
                legal = _legal(annotations.get(key), default(defaults, key), key)
                typed = _typed(value, legal, f"{path}.{key}")
                _check_value(key, typed, f"{path}.{key}")
                checked[key] = typed
    if errors is None:
        found.check()
    return checked


def _unknown(path: str, key: str, defaults: Any) -> ExperimentError:
    """Word that an algorithm has no such setting, and which ones have it."""
    others = [run for (run, name), row in effects.pairs() if name == key and row.effect == "honoured"]
    if not others:
        return unknown_key(path, key, names(defaults))
    run = defaults.algo_class.__name__
    return ExperimentError(f"{path}.{key}: unknown key under {run}; a setting of {', '.join(others)}")


@cache
def _annotations(config_class: type) -> Mapping[str, Any]:
    """Annotated types of the settings, from the signatures of AlgorithmConfig.training() and its sisters."""
    found: dict[str, Any] = {}
    for cls in reversed(config_class.__mro__):
        for builder in _BUILDERS:
            method = vars(cls).get(builder)
            if callable(method):
                found |= {name: p.annotation for name, p in signature(method).parameters.items()}
    return found


def _legal(annotation: Any, default: Any, key: str) -> frozenset[Any] | None:
    """The types (and None) a value may have; None in place of the set: anything."""
    legal = _members(annotation) if annotation not in (None, inspect.Parameter.empty) else frozenset[Any]()
    if legal is None or (not legal and not isinstance(default, _SIMPLE)):
        return None
    nullable = default is None or key in _NULLABLE
    kinds = set(legal - {None}) | ({None} if nullable else set())
    if isinstance(default, _SIMPLE):
        kinds.add(next(kind for kind in _SIMPLE if isinstance(default, kind)))  # an enumeration's is text
    if key in _SCHEDULES:
        kinds.add(list)
    if key in _FRACTIONS:
        kinds.add(float)
    return frozenset(kinds)


def _members(annotation: Any) -> frozenset[Any] | None:
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        parts = [_members(part) for part in typing.get_args(annotation)]
        return (
            None
            if any(part is None for part in parts)
            else frozenset().union(*[part or () for part in parts])
        )
    if annotation is type(None):
        return frozenset({None})
    kind = origin or annotation
    if kind in _SIMPLE:
        return frozenset({kind})
    return frozenset({list}) if kind is tuple else None


def _typed(value: Any, legal: frozenset[Any] | None, path: str) -> Any:
    if legal is None or (value is None and None in legal) or type(value) in legal:
        return value
    if type(value) is int and float in legal:
        return float(value) if abs(value) < 2**53 else value
    if type(value) is float and int in legal and value.is_integer():
        return int(value)
    expected = " or ".join(sorted(_KINDS[kind] for kind in legal))
    hint = quotes_hint(value) if str in legal else ""
    raise ExperimentError(f"{path}: expected {expected}, got {value!r}{hint}")


def _check_value(key: str, value: Any, path: str) -> None:
    if isinstance(value, str) and key in CHOICES and value not in CHOICES[key]:
        raise unknown(path, value, CHOICES[key])
    if isinstance(value, list) and key in _SCHEDULES:
        _check_schedule(key, value, path)
    if isinstance(value, float) and math.isinf(value) and not _may_be_infinite(key):
        raise ExperimentError(f"{path}: {value!r} is out of range; expected a finite number")
    if key in RANGES and isinstance(value, int | float) and not isinstance(value, bool):
        low, high = RANGES[key]
        if not low <= value <= high:
            legal = f"{low:g} to {high:g}" if high < float("inf") else f"{low:g} or more"
            raise ExperimentError(f"{path}: {value!r} is out of range; legal: {legal}")


def _may_be_infinite(key: str) -> bool:
    """Whether `.inf` has a meaning: a limit that is never met."""
    return key.endswith(_LIMITS)


def _check_stops(value: Any, path: str) -> None:
    """Refuses what RLlib's own algorithms cannot do; they have no such setting, and stop."""
    _check_value("on_non_finite", _typed(value, frozenset({str}), path), path)
    if value != "stop":
        raise ExperimentError(f"{path}: {value!r} is for our own algorithms; RLlib's own know: stop")


def _check_schedule(key: str, points: list[Any], path: str) -> None:
    form = f"{path}: a schedule is [[0, first value], [env step, value], ...] with rising steps"
    if not points or not all(isinstance(point, list) and len(point) == 2 for point in points):
        raise ExperimentError(f"{form}, got {points!r}")
    numbers = [_typed(number, frozenset({int, float}), path) for point in points for number in point]
    steps = numbers[::2]
    if steps[0] != 0 or steps != sorted(set(steps)) or math.isinf(steps[-1]):
        raise ExperimentError(f"{form}, got {points!r}")
    if len(points) == 1:
        raise ExperimentError(f"{form}; one point is a constant: {numbers[1]!r}")
    for value in numbers[1::2]:
        _check_value(key, value, path)


def kinds(key: str, default: Any, config_class: type) -> frozenset[Any] | None:
    """The types that a setting's value may have, None among them for null; None in place of the set: any."""
    return _legal(_annotations(config_class).get(key), default, key)
