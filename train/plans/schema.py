"""The experiment file as JSON Schema (draft 2020-12), for editors: `rllib schema`."""

import dataclasses
import inspect
import json
import math
import types
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from engram.memory.schema import DIALECT, json_schema
from engram.train.console.files import check_out
from engram.train.console.screen import quiet
from engram.train.environments.arguments import signature
from engram.train.experiments import metrics, older, search
from engram.train.experiments.experiment import START, Experiment
from engram.train.experiments.search_algorithms import SEARCH_ALGORITHMS
from engram.train.plans import build, effects, settings
from engram.train.population.schedulers import SCHEDULERS

Schema = dict[str, Any]

_TYPES: dict[Any, str] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
    None: "null",
    types.NoneType: "null",
}
_OWN_CLASS = {"type": "string", "pattern": ":"}  # package.module:Class


def experiment_schema() -> Schema:
    """Returns the JSON Schema of an experiment file.

    Checked are keys, types, ranges and legal names of each section, with the options of the core, encoder,
    loss and environment that it names. A search space may stand in place of any setting. What depends on
    several sections is left to `rllib train --dry-run`.
    """
    return {
        "$schema": DIALECT,
        "title": "Experiments for rllib train",
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"$ref": "#/$defs/experiment"},
        "$defs": {"experiment": _experiment(), "config": _config(), **_sections(), **_spaces()},
    }


def print_schema(out: str | None) -> None:
    """Print the schema, or write it to a file.

    Args:
        out: The file as typed; None: print.

    Raises:
        ExperimentError: it cannot be written.
    """
    file = None if out is None else check_out(out, "--out")
    quiet()
    text = json.dumps(experiment_schema(), indent=1)
    if file is None:
        print(text)
    else:
        file.write_text(text + "\n", encoding="utf-8")
        print(f"written: {out}")


_CLOSED = {"additionalProperties": False}


def _spaces() -> Schema:
    """Definitions of search spaces: lists of values, and ranges."""
    lists = {kind: {"type": "array", "minItems": 1} for kind in search.LISTS}
    ranges = {
        kind: {"type": "array", "items": {"type": "number"}, "minItems": count, "maxItems": count}
        for kind, count in search.RANGES.items()
    }
    kinds = {f"{tune}{kind}": schema for tune in ("", "tune.") for kind, schema in (lists | ranges).items()}
    named = {"type": "object", "propertyNames": {"enum": list(kinds)}, "minProperties": 1, "maxProperties": 1}
    return {"is_space": named, "space": {"type": "object", "properties": kinds}}


def _searched(schema: Schema) -> Schema:
    """A schema, or a search space; of one over sections, also what is listed is described."""
    lists = {"properties": {kind: {"items": schema} for kind in search.LISTS}} if "$ref" in schema else {}
    return {
        **{key: schema[key] for key in _NOTES if key in schema},
        "if": {"$ref": "#/$defs/is_space"},
        "then": {"$ref": "#/$defs/space", **lists},
        "else": {key: value for key, value in schema.items() if key not in _NOTES},
    }


_NOTES = ("default", "description", "deprecated", "x-unit")


def _experiment() -> Schema:
    made = _with_bounds(Experiment.model_json_schema(ref_template="#/$defs/{model}"))
    properties = {key: value for key, value in made["properties"].items() if key != "name"}
    properties["checkpoint_config"] = made["$defs"]["CheckpointSection"]
    properties["resources"] = made["$defs"]["ResourcesSection"]
    for key, table in _TYPED.items():
        properties[key] = {"anyOf": [{"enum": _type_names(key, table)}, {"$ref": f"#/$defs/{key}"}]}
    algorithms = sorted(build.algorithms())
    properties |= {
        "base": {"type": "string", "description": "a file or shipped config that this experiment builds on"},
        "run": {"enum": algorithms, "description": "the algorithm"},
        "wrappers": _searched(_wrappers()),
        "stop": _stop(),
        "config": {"$ref": "#/$defs/config"},
        **_starts(),
    }
    inner = properties["checkpoint_config"]["properties"]
    for old, new in _renamed(older.EXPERIMENT):
        section, _, key = new.rpartition(".")
        properties.setdefault(old, _deprecated(inner[key] if section else properties[new], new))
    of_env = [
        _when({"env": {"const": env}}, {"config": {"properties": {"env_config": _env_config(env)}}})
        for env in _envs()
    ]
    of_run = [_when({"run": {"const": run}}, {"config": _keys_of(run)}) for run in algorithms]
    named = [{"required": [key]} for key in ("base", "run", "algo")]
    return {
        "type": "object",
        "properties": properties,
        **_CLOSED,
        "anyOf": named,
        "allOf": [*of_env, *of_run],
    }


def _wrappers() -> Schema:
    """Wrappers around the environment, the innermost one first."""
    named: Schema = {"type": "string", "description": "a name of gymnasium.wrappers, or package.module:Class"}
    with_arguments = [
        {"type": "object", "properties": {key: named}, "required": [key]} for key in ("type", "class")
    ]
    return {"type": ["array", "null"], "items": {"anyOf": [named, *with_arguments]}}


def _with_bounds(schema: Any) -> Any:
    """A schema in which bounds have JSON Schema's names; pydantic leaves its own behind a validator."""
    if isinstance(schema, list):
        return [_with_bounds(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {_BOUNDS.get(key, key): _with_bounds(value) for key, value in schema.items()}


_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


def _renamed(table: older.Table) -> Iterable[tuple[str, str]]:
    return ((old, new) for old, new in table.items() if isinstance(new, str))


def _deprecated(schema: Schema, today: str) -> Schema:
    return {**schema, "deprecated": True, "description": f"an older name; today: {today}"}


def _when(named: Schema, then: Schema) -> Schema:
    """`then` for the properties of an object in which `named` has the values that it says."""
    return {"if": {"properties": named, "required": list(named)}, "then": {"properties": then}}


_COUNTS = ("timesteps_total", "num_env_steps_sampled_lifetime", "training_iteration", "time_total_s")


def _stop() -> Schema:
    number = {"type": "number"}
    paths = dict.fromkeys(metrics.paths(), number) | dict.fromkeys(_COUNTS, number | {"exclusiveMinimum": 0})
    old = {key: _deprecated(number, new) for key, new in older.METRICS.items()}
    patterns = {"/groups/": number, "^learners/default_policy/.": number}
    return {"type": "object", "properties": paths | old, "patternProperties": patterns, **_CLOSED}


def _config() -> Schema:
    """`config` under any algorithm."""
    every = {run: build.defaults(run, {}) for run in build.algorithms()}
    keys = sorted({key for config in every.values() for key in settings.names(config)})
    properties = {key: _searched(_setting(key, every)) for key in keys}
    properties |= {
        "env": {},
        "env_config": {"type": ["object", "null"]},
        "model": _searched({"$ref": "#/$defs/model"}),
        "loss": _searched({"$ref": "#/$defs/loss"}),
        **_starts(),
        "evaluation_config": {"$ref": "#/$defs/config", "properties": {"env": False, "model": False}},
    }
    for old, new in _renamed(older.CONFIG):
        if new in properties:
            properties[old] = _deprecated(properties[new], new)
    properties |= {key: _gone(entry) for key, entry in older.CONFIG.items() if isinstance(entry, older.Gone)}
    properties["framework"] = {"enum": list(older.FRAMEWORKS), "deprecated": True}
    return {"type": ["object", "null"], "properties": properties, **_CLOSED}


def _starts() -> Schema:
    """What a run starts from, which `config.model` holds and which may stand further out."""
    from engram.agents.models.network import StartOptions

    return {key: schema for key, schema in _options(StartOptions)["properties"].items() if key in START}


def _gone(entry: older.Gone) -> Schema:
    legal = {} if entry.harmless is None else {"enum": list(entry.harmless)}
    return {**legal, "deprecated": True, "description": f"without effect; {entry.today}"}


def _setting(key: str, every: Mapping[str, Any]) -> Schema:
    """A key of `config`: what any algorithm takes, its default, and which algorithms ignore or refuse it."""
    having = {run: config for run, config in every.items() if key in settings.names(config)}
    kinds = [settings.kinds(key, settings.default(each, key), type(each)) for each in having.values()]
    schema = {} if None in kinds else _legal(key, frozenset[Any]().union(*(kind or () for kind in kinds)))
    defaults = [settings.default(config, key) for config in having.values()]
    if all(default == defaults[0] for default in defaults) and _is_plain(defaults[0]):
        schema["default"] = defaults[0]
    rows = [(run, effects.find(run, key)) for run in having]
    notes = [f"{run}: {row.effect}, {row.why}" for run, row in rows if row and row.effect != "honoured"]
    return schema | ({"description": "; ".join(notes)} if notes else {})


def _legal(key: str, kinds: frozenset[Any]) -> Schema:
    """The values of a setting, from what `settings` checks."""
    ranges = {}
    if key in settings.RANGES:
        low, high = settings.RANGES[key]
        ranges = {"minimum": low} | ({"maximum": high} if high < math.inf else {})
    if str in kinds and key in settings.CHOICES:
        named, others = {"enum": list(settings.CHOICES[key])}, _legal("", kinds - {str})
        return {"anyOf": [named, others | ranges]} if others else named
    names = sorted(_TYPES[kind] for kind in kinds)
    return {"type": names if len(names) > 1 else names[0], **ranges} if names else ranges


def _is_plain(value: Any) -> bool:
    finite = not isinstance(value, float) or math.isfinite(value)
    return value is None or (isinstance(value, bool | int | float | str) and finite)


def _keys_of(run: str) -> Schema:
    """The keys that `config` may have under one algorithm, under names of today and of older versions."""
    known = settings.names(build.defaults(run, {})) | {"env", "framework", "on_non_finite", *START}
    old = [key for key, new in older.CONFIG.items() if isinstance(new, older.Gone) or new in known]
    return {"propertyNames": {"enum": sorted({*known, *old})}}


def _sections() -> Schema:
    """Definitions of `model`, and of the sections that have a `type`."""
    from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig

    from engram.agents import ENCODERS
    from engram.agents.models.recurrent_network import HeadOptions, ModelConfig
    from engram.agents.models.thinking_network import ReadoutOptions, ThinkingConfig
    from engram.memory import CORES
    from engram.memory.losses import SEQUENCE_LOSSES
    from engram.memory.thinking import LOSSES, THINKERS

    stock: Schema = {field.name: {} for field in dataclasses.fields(DefaultModelConfig)}
    gone = {key: _gone(entry) for key, entry in older.MODEL.items() if isinstance(entry, older.Gone)}
    ours = {
        **_options(ThinkingConfig)["properties"],
        **_options(ModelConfig)["properties"],
        "core": _searched({"$ref": "#/$defs/core"}),
        "encoder": _searched({"$ref": "#/$defs/encoder"}),
        "head": _options(HeadOptions),
        "readout": _options(ReadoutOptions),
    }
    return {
        "model": {"type": ["object", "null"], "properties": stock | gone | ours, **_CLOSED},
        "core": _typed({**CORES, **THINKERS}),
        "encoder": _typed(ENCODERS, with_parts="encoder"),
        "loss": _typed({**LOSSES, **SEQUENCE_LOSSES}),
        **{key: _beside_run(key, table) for key, table in _TYPED.items()},
    }


_TYPED = {"scheduler": SCHEDULERS, "search_alg": SEARCH_ALGORITHMS}
"""Keys beside `run` that have a `type`, and their tables."""


def _type_names(key: str, table: Mapping[str, Any]) -> list[str]:
    return sorted({*table, *(old for old, _ in _renamed(older.TYPED[key].types))})


def _beside_run(key: str, table: Mapping[str, type[Any]]) -> Schema:
    """A section with a `type` beside `run`: its options may not be search spaces."""
    rows = []
    for name, options in table.items():
        properties = json_schema(options)["properties"]
        properties |= {old: {"deprecated": True} for old in older.TYPED[key].options}
        closed = {"properties": {"type": {}, **properties}, **_CLOSED}
        rows.append({"if": {"properties": {"type": {"const": name}}, "required": ["type"]}, "then": closed})
    return {
        "type": "object",
        "properties": {"type": {"enum": _type_names(key, table)}},
        "required": ["type"],
        "allOf": rows,
    }


def _typed(table: Mapping[str, type[Any]], with_parts: str = "") -> Schema:
    """A section whose `type` decides about its other keys; a class of a user's own may have any.

    Where a type has `parts`, which may stand beside its other keys, these are sections named `with_parts`.
    """
    named = _searched({"anyOf": [{"enum": sorted(table)}, _OWN_CLASS]})
    rows = []
    for name, row in table.items():
        options = _options(getattr(row, "Options", row))
        options["properties"]["type"] = {}
        if with_parts and "parts" in options["properties"]:
            options["additionalProperties"] = part = _searched({"$ref": f"#/$defs/{with_parts}"})
            options["properties"]["parts"] |= {"additionalProperties": part}
        if presets := getattr(row, "PRESETS", {}):
            options["properties"]["preset"] = _searched({"enum": sorted(presets)})
        rows.append({"if": {"properties": {"type": {"const": name}}, "required": ["type"]}, "then": options})
    return {"type": "object", "properties": {"type": named}, "allOf": rows}


def _options(section: type[Any]) -> Schema:
    """A section of options, in which a search space may stand in place of any."""
    properties = json_schema(section)["properties"]
    return {
        "type": "object",
        "properties": {key: _searched(properties[key]) for key in properties},
        **_CLOSED,
    }


def _envs() -> tuple[str, ...]:
    from engram.envs import IDS

    return IDS


def _env_config(env: str) -> Schema:
    """`env_config` of one of our environments, in either of its forms."""
    import gymnasium as gym
    from gymnasium.envs.registration import load_env_creator

    spec, properties = gym.spec(env), dict[str, Schema]()
    for creator in filter(None, (spec.vector_entry_point, spec.entry_point)):
        made: Any = load_env_creator(creator) if isinstance(creator, str) else creator
        properties |= _options(_as_options(signature(made).parameters.values()))["properties"]
    for key in ("num_envs", "autoreset_mode"):  # the runner's to say
        del properties[key]
    properties["wrappers"] = _wrappers()
    return {"type": ["object", "null"], "properties": properties, **_CLOSED}


def _as_options(parameters: Collection[inspect.Parameter]) -> type[Any]:
    """A dataclass with a field for each parameter, as `json_schema` reads it."""
    plain = {each.name: {"default": each.default} for each in parameters if _is_plain(each.default)}
    fields = [
        (each.name, each.annotation, dataclasses.field(**plain.get(each.name, {}))) for each in parameters
    ]
    return dataclasses.make_dataclass("Settings", fields, kw_only=True)
