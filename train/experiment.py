"""The experiment file's own schema: what stands beside `config`, and how the command line changes it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from engram.train import renames
from engram.train.errors import ExperimentError, unknown_key
from engram.train.search import split_env

STOP_KEYS = (
    "timesteps_total",  # env steps
    "time_total_s",  # s of training, resumed parts included
    "training_iteration",
    "num_env_steps_sampled_lifetime",  # env steps
    "env_runners/episode_return_mean",
    "env_runners/episode_return_min",
    "env_runners/episode_return_max",
    "env_runners/episode_len_mean",
    "env_runners/success_rate",
)
METRIC_PREFIXES = ("env_runners/", "evaluation/", "learners/")


def _whole(value: Any) -> Any:
    """1e6 is how people write a million steps: a float with a whole value counts as an integer."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class CheckpointSection(_Section):
    """`checkpoint_config`: when to save and what to keep (Ray Tune's CheckpointConfig)."""

    checkpoint_frequency: Annotated[Whole, Field(ge=0)] = 0  # iterations; 0: only at the end
    checkpoint_at_end: bool = True
    num_to_keep: Annotated[Whole, Field(ge=1)] | None = None
    checkpoint_score_attribute: str | None = None
    checkpoint_score_order: Literal["max", "min"] = "max"


class Experiment(_Section):
    """One experiment of a file.

    Attributes:
        name: Its key in the file, and its folder in the results.
        run: The algorithm's name.
        env: The environment's Gymnasium id or class path, or a search space of some.
        stop: Result key -> value; training ends when one is reached.
        config: The algorithm's settings, search spaces included, not yet checked.
    """

    name: str
    run: str
    env: str | dict[str, Any]
    stop: dict[str, float] = {}
    config: dict[str, Any] = {}
    checkpoint_config: CheckpointSection = CheckpointSection()
    num_samples: Annotated[Whole, Field(ge=1)] = 1
    storage_path: str | None = None
    max_failures: Annotated[Whole, Field(ge=-1)] = 0  # -1: try for ever
    restore: str | None = None


KEYS = tuple(key for key in Experiment.model_fields if key != "name")


@dataclass(frozen=True)
class Overrides:
    """What the command line changes in every experiment of the file.

    Attributes:
        settings: Dotted path in the experiment -> value (`--set` and the options that are short for one).
        stop: Conditions that join or replace those of the file.
        seeds: Number of trials with `config.seed` counting up, or None.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    stop: Mapping[str, Any] = field(default_factory=dict)
    seeds: int | None = None


def read_experiments(
    document: Any, overrides: Overrides, source: str = "file"
) -> tuple[list[Experiment], list[str]]:
    """Turn a document into checked experiments.

    Args:
        document: What `parse_yaml` returned.
        overrides: Changes from the command line.
        source: What to call the document in an error.

    Returns:
        The experiments in file order, and notices about names of older RLlib versions.

    Raises:
        ExperimentError: anything that is not an experiment.
    """
    if not isinstance(document, dict) or not document:
        raise ExperimentError(
            f"{source}: expected `name: {{env: ..., run: ..., stop: ..., config: ...}}`, found no experiment"
        )
    experiments, notices = [], []
    for name, raw in document.items():
        experiment, renamed = _read_one(name, raw, overrides)
        experiments.append(experiment)
        if renamed:
            notices.append(f"{name}: names of older RLlib versions taken as: {', '.join(renamed)}")
    return experiments, notices


def _read_one(name: str, raw: Any, overrides: Overrides) -> tuple[Experiment, list[str]]:
    if not re.fullmatch(r"\w[\w.+-]*", name) or len(name) > 100:
        raise ExperimentError(
            f"{name!r}: an experiment's name is its folder; legal: letters, digits, . _ + -"
        )
    if not isinstance(raw, dict):
        raise ExperimentError(f"{name}: expected {{env: ..., run: ..., config: ...}}, got {raw!r}")
    section, _ = renames.rename(raw, {k: v for k, v in renames.EXPERIMENT.items() if "." not in v}, name)
    section = _spread(section, name)
    section["config"], old = renames.rename(_mapping(section, "config", name), renames.CONFIG, "config")
    for path, value in overrides.settings.items():
        set_dotted(section, path, value)
    for key in section:
        if key not in KEYS:
            raise unknown_key(name, key, KEYS)
    config = _mapping(section, "config", name)
    _take_env(section, config, name)
    _drop_framework(config)
    _add_seeds(config, overrides.seeds)
    stop, old_stop = renames.rename(_mapping(section, "stop", name), renames.METRICS, "stop")
    more, old_more = renames.rename(dict(overrides.stop), renames.METRICS, "--stop")
    experiment = _validate(section | {"config": config, "stop": _checked_stop(stop | more), "name": name})
    return experiment, old + old_stop + old_more


def _mapping(section: dict[str, Any], key: str, name: str) -> dict[str, Any]:
    value = section.get(key)
    if value is not None and not isinstance(value, dict):
        raise ExperimentError(f"{name}.{key}: expected a mapping, got {value!r}")
    return dict(value or {})


def _spread(section: dict[str, Any], name: str) -> dict[str, Any]:
    """Move `checkpoint_freq: 5` and its kin into `checkpoint_config`, and name the score of today."""
    checkpoint = _mapping(section, "checkpoint_config", name)
    for old, new in renames.EXPERIMENT.items():
        if old in section and "." in new:
            checkpoint.setdefault(new.split(".")[1], section.pop(old))
    score = checkpoint.get("checkpoint_score_attribute")
    if isinstance(score, str):
        if score.startswith("min-"):
            checkpoint["checkpoint_score_order"] = "min"
        score = score.removeprefix("min-")
        checkpoint["checkpoint_score_attribute"] = renames.METRICS.get(score, score)
    return section | {"checkpoint_config": checkpoint}


def _take_env(section: dict[str, Any], config: dict[str, Any], name: str) -> None:
    """`env` may stand beside `run` or inside `config`."""
    inside = config.pop("env", None)
    if inside is not None and section.setdefault("env", inside) != inside:
        raise ExperimentError(f"config.env: {inside!r} here, {section['env']!r} beside `run`; keep one")
    if section.get("env") is None:
        raise ExperimentError(f"{name}.env: missing; see `rllib list envs`")


def _drop_framework(config: dict[str, Any]) -> None:
    framework = config.pop("framework", "torch")
    if framework != "torch":
        raise ExperimentError(f"config.framework: {framework!r}; legal: torch")


def _add_seeds(config: dict[str, Any], seeds: int | None) -> None:
    if seeds is None:
        return
    first = config.get("seed") or 0
    if not isinstance(first, int) or isinstance(first, bool):
        raise ExperimentError(f"--seeds: needs a whole number as config.seed to count from, got {first!r}")
    config["seed"] = {"grid_search": [first + index for index in range(seeds)]}


def _checked_stop(stop: dict[str, Any]) -> dict[str, float]:
    for key, value in stop.items():
        if key not in STOP_KEYS and not key.startswith(METRIC_PREFIXES):
            raise unknown_key("stop", key, STOP_KEYS)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ExperimentError(f"stop.{key}: expected a number, got {value!r}")
    return {
        key: float(value) if isinstance(value, int) and abs(value) < 2**53 else value
        for key, value in stop.items()
    }


def set_dotted(section: dict[str, Any], path: str, value: Any) -> None:
    """Set `config.model.core.type` and the like in an experiment.

    Args:
        section: The experiment as written; changed in place.
        path: Dotted path.
        value: The new value.

    Raises:
        ExperimentError: the path does not start in an experiment, or runs through what is no mapping.
    """
    first, *rest = path.split(".")
    if first not in KEYS and first not in renames.EXPERIMENT:
        raise ExperimentError(
            f"--set {path}: unknown {first!r}; did you mean 'config.{path}'? known: {', '.join(KEYS)}"
        )
    if first == "config" and rest:
        rest[0] = renames.CONFIG.get(rest[0], rest[0])
    keys = [*renames.EXPERIMENT.get(first, first).split("."), *rest]
    here = section
    for depth, key in enumerate(keys[:-1]):
        inner = here.get(key)
        if inner is not None and not isinstance(inner, dict):
            raise ExperimentError(f"--set {path}: {'.'.join(keys[: depth + 1])} is {inner!r}, no mapping")
        here[key] = dict(inner or {})
        here = here[key]
    here[keys[-1]] = value


def _validate(section: dict[str, Any]) -> Experiment:
    for key in section["checkpoint_config"]:
        if key not in CheckpointSection.model_fields:
            raise unknown_key("checkpoint_config", key, CheckpointSection.model_fields)
    if section.get("run") is None:
        raise ExperimentError(f"{section['name']}.run: missing; see `rllib list algorithms`")
    if isinstance(section["run"], dict):
        raise ExperimentError(
            f"run: expected one algorithm, got {section['run']!r}; write an experiment for each into the file"
        )
    split_env(section["env"])
    try:
        return Experiment.model_validate(section)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise ExperimentError(f"{path}: {first['msg'].lower()}, got {first['input']!r}") from None
