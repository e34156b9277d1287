"""Keys of an experiment beside `config`, and overrides from the command line."""

import re
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from engram.train.console.errors import Errors, ExperimentError, quotes_hint, unknown, unknown_key
from engram.train.experiments import metrics, older, search, swap
from engram.train.experiments.todays import (
    mapping,
    name_score,
    new_name,
    rename,
    todays_config,
    todays_section,
    todays_typed,
    without_gone,
)


def _whole(value: Any) -> Any:
    """Turn a float with a whole value into an integer: people write a million steps as 1e6."""
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


class ResourcesSection(_Section):
    """`resources`: what a trial asks Ray for, shared out among its processes; fractions are legal."""

    cpus_per_trial: Annotated[float, Field(gt=0)] | None = None
    gpus_per_trial: Annotated[float, Field(ge=0)] | None = None


class Experiment(_Section):
    """One experiment of a file.

    Attributes:
        name: Its key in the file, and its folder in the results.
        run: The algorithm's name.
        env: The environment's Gymnasium id or class path, or a search space of some.
        stop: Result key -> value; training ends when one is reached.
        config: The algorithm's settings, search spaces included, not yet checked.
        scheduler: What trials do with each other, with its `type`, not yet checked; None: nothing.
        search_alg: How search spaces are searched, likewise; None: as grids and random draws.
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
    scheduler: dict[str, Any] | None = None
    search_alg: dict[str, Any] | None = None
    resources: ResourcesSection | None = None


KEYS = (*(key for key in Experiment.model_fields if key != "name"), "wrappers")
TRIES = 3
"""`max_failures` where a file does not say it: in a population, whose others wait for nobody, and on a
cluster, where processes and nodes die for no fault of a trial's."""
START = ("init_from", "init", "freeze")
"""Keys of `config.model` that may also stand beside `run`, or in `config`: what a new run starts from."""


def with_tries(experiment: Experiment) -> Experiment:
    """An experiment whose failed trials are tried again, unless it says itself how often."""
    if "max_failures" in experiment.model_fields_set:
        return experiment
    tried = experiment.model_copy(update={"max_failures": TRIES})
    tried.model_fields_set.discard("max_failures")  # nobody has asked for it: a resumed run keeps its own
    return tried


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
    document: Any, overrides: Overrides, source: str = "file", errors: Errors | None = None
) -> tuple[list[Experiment], list[str]]:
    """Turn a document into checked experiments.

    Args:
        document: What `parse_yaml` returned.
        overrides: Changes from the command line.
        source: What to call the document in an error.
        errors: Collects the errors, to be shown together with those of later checks; the experiments then
            lack what was refused.

    Returns:
        The experiments in file order, and notices: names of older RLlib versions, keys without effect, keys
        of another core than the one that is named.

    Raises:
        ExperimentError: all errors of the experiments at once; only without `errors`.
    """
    found = Errors() if errors is None else errors
    experiments, notices = [], []
    if isinstance(document, dict) and document:
        for name, raw in document.items():
            experiment, said = _read_one(name, raw, overrides, found)
            experiments += [] if experiment is None else [experiment]
            notices += [f"{name}: {text}" for text in said]
    else:
        expected = "expected `name: {env: ..., run: ..., stop: ..., config: ...}`, found no experiment"
        found.add(ExperimentError(f"{source}: {expected}"))
    if errors is None:
        found.check()
    return experiments, notices


def _read_one(
    name: str, raw: Any, overrides: Overrides, errors: Errors
) -> tuple[Experiment | None, list[str]]:
    if not re.fullmatch(r"\w[\w.+-]*", name) or len(name) > 100:
        legal = "an experiment's name is its folder; legal: letters, digits, . _ + -"
        errors.add(ExperimentError(f"{name!r}: {legal}"))
        name = "experiment"
    if not isinstance(raw, dict):
        errors.add(ExperimentError(f"{name}: expected {{env: ..., run: ..., config: ...}}, got {raw!r}"))
        return None, []
    section, notices = todays_section(raw, name, errors)
    section = todays_typed(section, name, errors)
    config, old, said = todays_config(mapping(section, "config", name, errors), "config", errors)
    section, config = _take_start(section, config, name, errors)
    section, former = section | {"config": config}, swap.types_of(config)
    for path, value in overrides.settings.items():
        with errors.kept():
            set_dotted(section, path, value)
    section = _known_keys(todays_typed(section, name, errors), name, errors)
    checkpoint = mapping(section, "checkpoint_config", name, errors)
    name_score(checkpoint)
    config = mapping(section, "config", name, errors)
    _take_env(section, config, name, errors)
    config, more = without_gone(config, section.get("run"), errors)
    fixed = [path.removeprefix("config.") for path in overrides.settings]
    config, swapped = swap.fitted(config, former, fixed)
    with errors.kept():
        _take_wrappers(section, config)
    with errors.kept():
        _add_seeds(config, overrides.seeds)
    stop, old_stop = rename(mapping(section, "stop", name, errors), older.METRICS, "stop", errors)
    asked, old_asked = rename(dict(overrides.stop), older.METRICS, "--stop", errors)
    section |= {"name": name, "config": config, "checkpoint_config": checkpoint}
    section["stop"] = _checked_stop(stop | asked, str(section.get("run")), errors)
    if renamed := [*old, *old_stop, *old_asked]:
        notices.insert(0, f"names of older RLlib versions taken as: {', '.join(renamed)}")
    experiment = _validate(section, errors)
    return experiment, [*notices, *said, *more, *swapped]


def _known_keys(section: dict[str, Any], name: str, errors: Errors) -> dict[str, Any]:
    for key in section:
        if key not in KEYS:
            errors.add(unknown_key(name, key, (*KEYS, *START)))
    return {key: value for key, value in section.items() if key in KEYS}


def _take_env(section: dict[str, Any], config: dict[str, Any], name: str, errors: Errors) -> None:
    """Move `env` from `config` to the key beside `run`."""
    inside = config.pop("env", None)
    if inside is not None and section.setdefault("env", inside) != inside:
        errors.add(ExperimentError(f"config.env: {inside!r} here, {section['env']!r} beside `run`; keep one"))
    for key, kind in (("env", "envs"), ("run", "algorithms")):
        refused = any(f"{name}.{key}: " in line for line in errors.lines)
        if section.get(key) is None and not refused:
            errors.add(ExperimentError(f"{name}.{key}: missing, as is --{key}; see `rllib list {kind}`"))


def _take_start(
    section: Mapping[str, Any], config: Mapping[str, Any], name: str, errors: Errors
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Move what a new run starts from into `config.model`; the section and its `config` without it."""
    said = {f"{name}.{key}": (key, section[key]) for key in START if key in section}
    said |= {f"config.{key}": (key, config[key]) for key in START if key in config}
    rest = [{key: value for key, value in each.items() if key not in START} for each in (section, config)]
    if said:
        model = mapping(config, "model", "config", errors)
        for path, (key, value) in said.items():
            if key in model or search.kind_of(model):
                errors.add(ExperimentError(f"{path}: belongs to config.model, which says it too; keep one"))
            model[key] = value
        rest[1]["model"] = model
    return rest[0], rest[1]


def _take_wrappers(section: dict[str, Any], config: dict[str, Any]) -> None:
    """Move `wrappers` to `config.env_config`, which goes wherever the environment is made.

    Each wrapper is looked up later, together with the environment.
    """
    value = section.pop("wrappers", None)
    if not value:
        return
    if not isinstance(value, list) and search.kind_of(value) not in search.LISTS:
        raise ExperimentError(
            "wrappers: expected a list of class paths, or of mappings such as "
            f"{{type: TimeLimit, max_episode_steps: 100}}, got {value!r}"
        )
    if config.get("env_config") is None or isinstance(config["env_config"], dict):
        config["env_config"] = _wrapped(config.get("env_config") or {}, value)


def _wrapped(env_config: Any, wrappers: Any) -> Any:
    """`env_config`, or each one of a search space of several, with wrappers."""
    if search.kind_of(env_config) in search.LISTS:
        ((kind, listed),) = env_config.items()
        return {kind: [_wrapped(each, wrappers) for each in listed]}
    return {**env_config, "wrappers": wrappers} if isinstance(env_config, dict) else env_config


def _add_seeds(config: dict[str, Any], seeds: int | None) -> None:
    if seeds is None:
        return
    first = config.get("seed") or 0
    if not isinstance(first, int) or isinstance(first, bool):
        raise ExperimentError(f"--seeds: needs a whole number as config.seed to count from, got {first!r}")
    config["seed"] = {"grid_search": [first + index for index in range(seeds)]}


def _checked_stop(stop: dict[str, Any], run: str, errors: Errors) -> dict[str, float]:
    checked = {}
    for key, value in stop.items():
        with errors.kept():
            if not metrics.is_known(key, run):
                raise unknown_key("stop", key, metrics.alike(key))
            checked[key] = metrics.check_stop(key, value)
    return checked


def set_dotted(section: dict[str, Any], path: str, value: Any) -> None:
    """Set `config.model.core.type` and the like in an experiment.

    Args:
        section: The experiment as written; changed in place.
        path: Dotted path.
        value: The new value.

    Raises:
        ExperimentError: the path does not start in an experiment, or a value on it is not a mapping.
    """
    first, *rest = path.split(".")
    if first in START or (first == "config" and rest and rest[0] in START):
        first, rest = "config", ["model", *path.removeprefix("config.").split(".")]
    above = new_name(older.EXPERIMENT, first).split(".")
    if above[0] not in KEYS:
        raise ExperimentError(
            f"--set {path}: unknown {first!r}; did you mean 'config.{path}'? known: {', '.join(KEYS)}"
        )
    if first == "config" and rest:
        rest[0] = new_name(older.CONFIG, rest[0])
    section.update(_with(section, [*above, *rest], value, path))


def _with(written: Any, keys: list[str], value: Any, path: str) -> Any:
    """Return what is written with a value under some keys: in each section of a search over sections."""
    if not keys:
        return value
    if written is not None and not isinstance(written, dict):
        place = path.removesuffix(f".{'.'.join(keys)}")
        raise ExperimentError(f"--set {path}: {place} is {written!r}, no mapping")
    written = written or {}
    space, listed = search.listed_by(written)
    if space and keys[0] not in written and all(isinstance(each, dict) for each in listed):
        return {space: [_with(each, keys, value, path) for each in listed]}
    return written | {keys[0]: _with(written.get(keys[0]), keys[1:], value, path)}


def _validate(section: dict[str, Any], errors: Errors) -> Experiment | None:
    """Validate a section without its wrong keys; None where it lacks an algorithm or an environment."""
    for name, kind in (("checkpoint_config", CheckpointSection), ("resources", ResourcesSection)):
        inner = section.get(name)
        if isinstance(inner, dict):
            for key in inner:
                if key not in kind.model_fields:
                    errors.add(unknown_key(name, key, kind.model_fields))
            section[name] = {key: value for key, value in inner.items() if key in kind.model_fields}
    if not str(section.get("storage_path", "x")).strip():
        errors.add(ExperimentError("storage_path: empty; leave it out for ~/ray_results"))
    if section.get("env") is not None:
        with errors.kept():
            search.split_env(section["env"])
    if (section.get("scheduler") or {}).get("type") in older.POPULATIONS:
        section.setdefault("max_failures", TRIES)
    try:
        return Experiment.model_validate(section)
    except ValidationError as error:
        wrong = {each["loc"][0] for each in error.errors()}
        if section.get("run") is not None and "run" in wrong:
            errors.add(_no_algorithm(section["run"]))
        for each in error.errors():
            if each["loc"][0] not in ("env", "run"):  # which has been said
                errors.add(_in_our_words(each))
    if {"env", "run"} & wrong:
        return None
    return Experiment.model_validate({key: value for key, value in section.items() if key not in wrong})


_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "model_type": "a mapping",
    "string_type": "text",
}


def _in_our_words(found: Any) -> ExperimentError:
    """What pydantic found, as the errors of `config` say such things."""
    path, value = ".".join(str(part) for part in found["loc"]), found["input"]
    if found["type"] == "literal_error":
        return unknown(
            path, value, typing.get_args(CheckpointSection.model_fields[found["loc"][-1]].annotation)
        )
    if found["type"] == "greater_than":
        return ExperimentError(f"{path}: {value!r} is out of range; legal: more than {found['ctx']['gt']:g}")
    if found["type"] == "greater_than_equal":
        return ExperimentError(f"{path}: {value!r} is out of range; legal: {found['ctx']['ge']} or more")
    expected = _EXPECTED.get(found["type"], found["type"])
    hint = quotes_hint(value) if expected == "text" else ""
    return ExperimentError(f"{path}: expected {expected}, got {value!r}{hint}")


def _no_algorithm(run: Any) -> ExperimentError:
    """Word the error for a `run` that is not text."""
    if isinstance(run, dict | list):
        return ExperimentError(
            f"run: expected one algorithm, got {run!r}; write an experiment for each into the file"
        )
    return ExperimentError(
        f"run: expected the name of an algorithm, got {run!r}; see `rllib list algorithms`"
    )
