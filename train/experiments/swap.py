"""Swap a core, an encoder or a loss by one word: drop the keys that belong to another type.

A section's `type` decides which of its keys mean something. Where a user changes that one word, keys of the
old type are left behind. What the new type knows is kept; what only another one knows is dropped, with a
notice; what none knows stays, and is refused where the section is checked.
"""

import dataclasses
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from engram.train.console.errors import ExperimentError
from engram.train.console.files import find
from engram.train.environments.guard import alarm
from engram.train.experiments.search import Alternatives, listed_by, split

Table = Mapping[str, type[Any]]
Former = Mapping[str, Sequence[str]]
"""Section -> types that it had before the command line changed it."""


SECTIONS = {"core": ("model", "core"), "encoder": ("model", "encoder"), "loss": ("loss",)}
"""Name of a section with a `type` -> its place in `config`."""


def _table(name: str) -> Table:
    """Return the types of a section that have a name."""
    from engram.agents.models.encoders import ENCODERS
    from engram.memory import CORES
    from engram.memory.losses import SEQUENCE_LOSSES
    from engram.memory.thinking import LOSSES, THINKERS

    tables: dict[str, Table] = {
        "core": {**CORES, **THINKERS},
        "encoder": ENCODERS,
        "loss": {**LOSSES, **SEQUENCE_LOSSES},
    }
    return tables[name]


def types_of(config: Any) -> dict[str, list[str]]:
    """The types that the sections of a `config` name, those of search spaces included."""
    return {name: _types(find(config, place)) for name, place in SECTIONS.items()}


def fitted(
    config: Mapping[str, Any], former: Former, fixed: Collection[str] = ()
) -> tuple[dict[str, Any], list[str]]:
    """An experiment's `config` without the keys that belong to other types than its sections name.

    A search space over types becomes one over whole sections, so that each trial holds what its type knows.

    Args:
        config: As written, overrides applied, search spaces included.
        former: From `types_of`, before the overrides.
        fixed: Dotted paths in `config` that the overrides set: their values are not left behind by anything.

    Returns:
        The settings, and a notice for each section that lost keys.
    """
    fit, notices = dict(config), []
    if "loss" in config:
        fit["loss"], said = _fit_section("loss", config["loss"], former, fixed)
        notices += said
    if "model" in config:
        fit["model"], said = _fit_model(config["model"], former, fixed)
        notices += said
    return fit, list(dict.fromkeys(notices))


def _fit_each(
    written: Any, alternatives: Alternatives, fit: Callable[[Any], tuple[Any, list[str]]]
) -> tuple[Any, list[str]]:
    """The alternatives in place of what was written, each fitted; as written where nothing is dropped."""
    space, each = alternatives
    fits = [fit(one) for one in each]
    notices = [text for _, said in fits for text in said]
    if not notices:
        return written, []
    return ({space: [one for one, _ in fits]} if space else fits[0][0]), notices


def _fit_model(model: Any, former: Former, fixed: Collection[str]) -> tuple[Any, list[str]]:
    if not isinstance(model, dict):
        return model, []
    if (listed := listed_by(model))[0]:
        return _fit_each(model, listed, lambda each: _fit_model(each, former, fixed))
    fit, notices = dict(model), []
    for name in ("core", "encoder"):
        if name in model:
            fit[name], said = _fit_section(name, model[name], former, fixed)
            notices += said
    space, cores = _alternatives(fit["core"]) if "core" in fit else ("", [])
    fit, said = _fit_each(fit, (space, [fit | {"core": core} for core in cores]), _fit_beside)
    return fit, notices + said


def _fit_beside(model: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Drop what only recurrent cores, or only thinking ones, have beside them in `model:`."""
    from engram.agents.models.choice import thinks
    from engram.agents.models.recurrent_network import ModelConfig
    from engram.agents.models.thinking_network import ThinkingConfig

    if not _types(model["core"]) or _load(_types(model["core"])[0], _table("core")) is None:
        return model, []
    one, other = (ThinkingConfig, ModelConfig) if thinks(model) else (ModelConfig, ThinkingConfig)
    known, foreign = one.__dataclass_fields__, other.__dataclass_fields__
    dropped = [key for key in model if key in foreign and key not in known]
    if "encoder" in dropped and not _types(model["encoder"]):
        dropped.remove("encoder")  # left behind by nothing, as no encoder is without a type
    fit = {key: value for key, value in model.items() if key not in dropped}
    return fit, [f"model with core {fit['core']['type']}: drops {', '.join(dropped)}"] if dropped else []


def _fit_section(name: str, section: Any, former: Former, fixed: Collection[str]) -> tuple[Any, list[str]]:
    """A section, or a search space over sections or their types, fitted, and notices."""
    path = ".".join(SECTIONS[name])
    swap = _Swap(name, _table(name), former.get(name, ()), {key.removeprefix(f"{path}.") for key in fixed})
    swap.learn(_types(section))
    return _fit_each(section, _alternatives(section), swap.fit)


class _Swap:
    """Drops the keys of other types from sections of one name.

    Args:
        name: What a section is called.
        table: The types that have a name.
        former: Types that the section had before.
        fixed: Keys that the user has just set, whose values are never dropped.
    """

    def __init__(self, name: str, table: Table, former: Sequence[str], fixed: Collection[str]) -> None:
        self.name, self.fixed = name, fixed
        self.table = dict(table)
        self.learn(former)
        self.former = [each for each in former if each in self.table]

    def learn(self, names: Sequence[str]) -> None:
        """Add classes of the user's own."""
        self.table |= {each: found for each in names if (found := _load(each, self.table)) is not None}

    def fit(self, section: Any) -> tuple[Any, list[str]]:
        """Return a section without the keys of other types, and a notice where it had any."""
        names = _types(section)
        if len(names) != 1 or names[0] not in self.table:
            return section, []
        type_ = self.table[names[0]]
        owners = {each: _keys(self.table[each], section) for each in [*self.former, *self.table]}
        known, foreign = owners[names[0]], set().union(*owners.values())
        dropped = [key for key in section if key in foreign and key not in known and key != "type"]
        if not dropped and not any(each != names[0] for each in self.former):
            return section, []
        fit = {key: value for key, value in section.items() if key not in dropped}
        parts = _owned(dropped, owners, len(self.former))
        givers = self.former or [each for each, keys in owners.items() if keys.intersection(dropped)]
        if refused := self._refused(type_, fit, givers):
            key, why = refused
            parts.append(f"{key} {json.dumps(fit.pop(key), default=str)} ({why})")
        kept = [f"{key} {json.dumps(value, default=str)}" for key, value in fit.items() if key in known]
        taken = f"takes {', '.join(kept)} (kept); " if kept else ""
        return fit, [f"{self.name} {names[0]}: {taken}drops {', '.join(parts)}"] if parts else []

    def _refused(
        self, type_: type[Any], section: Mapping[str, Any], givers: Sequence[str]
    ) -> tuple[str, str] | None:
        """Find a key whose value suits the former type but not this one, and why."""
        why = _complaint(type_, section)
        for key, value in section.items() if why else ():
            others = [self.table[each] for each in givers if key in _keys(self.table[each], section)]
            right = any(not _complaint(other, {key: value}) for other in others)
            rest = {one: section[one] for one in section if one != key}
            if key not in self.fixed and right and not _complaint(type_, rest):
                return key, why
        return None


def _complaint(type_: type[Any], section: Mapping[str, Any]) -> str:
    """Return why a type refuses a section; empty where it accepts it."""
    from engram.agents.models.encoders import DictEncoder, with_parts
    from engram.memory.options import parse_options
    from engram.memory.registry import expand_preset

    try:
        values, _ = split({key: value for key, value in section.items() if key != "type"}, "")
        values = with_parts(values) if issubclass(type_, DictEncoder) else values
        written_out = expand_preset(getattr(type_, "PRESETS", {}), values, "")
        parse_options(getattr(type_, "Options", type_), written_out, "")
    except (TypeError, ValueError) as error:  # TypeError: options of a user's own that are no dataclass
        return str(error).removeprefix(".")
    return ""


def _alternatives(section: Any) -> Alternatives:
    """The kind of a search space over sections, or over the types of one, and the sections it holds."""
    if not isinstance(section, dict):
        return "", [section]
    space, listed = listed_by(section)
    if space:
        return space, listed
    space, types = listed_by(section.get("type"))
    return space, [section | {"type": each} for each in types] if space else [section]


def _types(section: Any) -> list[str]:
    named = [each.get("type") for each in _alternatives(section)[1] if isinstance(each, dict)]
    return [name for name in named if isinstance(name, str)]


def _load(name: str, table: Table) -> type[Any] | None:
    """The class of a name; None where there is none, which is refused where the section is checked."""
    if name in table or ":" not in name:
        return table.get(name)
    from engram.memory.registry import load_object

    try:
        with alarm(f"{name}: its import"):
            found = load_object(name, name)
    except ExperimentError:  # it hangs
        raise
    except ValueError:
        return None
    return found if isinstance(found, type) else None


def _keys(type_: type[Any], section: Mapping[str, Any]) -> set[str]:
    """Return the keys of a type; `preset` only where it has one of that name."""
    options = getattr(type_, "Options", type_)
    known = (
        {field.name for field in dataclasses.fields(options)} if dataclasses.is_dataclass(options) else set()
    )
    if "parts" in known:  # which may be written beside it, too
        known |= {key for key, value in section.items() if isinstance(value, Mapping)}
    presets, preset = getattr(type_, "PRESETS", {}), section.get("preset")
    return known | {"preset"} if presets and (not isinstance(preset, str) or preset in presets) else known


def _owned(dropped: Sequence[str], owners: Mapping[str, set[str]], first: int) -> list[str]:
    """Name the owners of dropped keys, `pools, base (of low_pass)`; former types come first."""
    left, parts = list(dropped), []
    while left:
        most = max(len(keys.intersection(left)) for keys in owners.values())
        names = [name for name, keys in owners.items() if len(keys.intersection(left)) == most]
        group = [key for key in left if key in owners[names[0]]]
        alike = [name for name in names if owners[name].issuperset(group)]
        alike = alike[:1] if names[0] in list(owners)[:first] else alike
        parts.append(f"{', '.join(group)} (of {', '.join(alike[:3])}{', ...' if len(alike) > 3 else ''})")
        left = [key for key in left if key not in group]
    return parts
