"""Bring an experiment of an older RLlib version into today's names and shape."""

from collections.abc import Mapping
from typing import Any

from engram.train.console.errors import Errors, ExperimentError
from engram.train.console.files import as_mapping
from engram.train.experiments import older
from engram.train.experiments.older import Gone, Table


def new_name(table: Table, key: str) -> str:
    """Return today's name of a key."""
    entry = table.get(key, key)
    return key if isinstance(entry, Gone) else entry


def rename(
    section: Mapping[str, Any], table: Table, path: str, errors: Errors
) -> tuple[dict[str, Any], list[str]]:
    """Give the keys of a section today's names.

    Args:
        section: The section as written.
        table: Old name -> new name.
        path: Dotted path of the section, for errors.
        errors: Receives settings that stand there under two names.

    Returns:
        The section under today's names, and a list of `old -> new`.
    """
    renamed: dict[str, Any] = {}
    written: dict[str, str] = {}
    for key, value in section.items():
        name = new_name(table, key)
        if name in renamed:
            errors.add(
                ExperimentError(f"{path}.{key}: the same setting as {path}.{written[name]}; keep {name!r}")
            )
            continue
        renamed[name], written[name] = value, key
    return renamed, [f"{key} -> {name}" for name, key in written.items() if name != key]


def take_out(
    section: Mapping[str, Any], table: Table, path: str, errors: Errors
) -> tuple[dict[str, Any], list[str]]:
    """Take removed keys out of a section.

    Args:
        section: As written, under today's names.
        table: Key -> `Gone`.
        path: Dotted path of the section.
        errors: Receives settings that an experiment would not be the same without.

    Returns:
        The rest, and a notice for each key without effect.
    """
    rest, notices = {}, []
    for key, value in section.items():
        entry = table.get(key)
        if isinstance(entry, Gone):
            with errors.kept():
                notices.append(_without_effect(entry, value, f"{path}.{key}".lstrip(".")))
        else:
            rest[key] = value
    return rest, notices


def _without_effect(gone: Gone, value: Any, path: str) -> str:
    """A notice; raises ExperimentError where an experiment would not be the same without the value."""
    if not gone.is_harmless(value):
        raise ExperimentError(f"{path}: not used; {gone.today}")
    return f"{path} has no effect: {gone.today}"


def check_options(given: Mapping[str, Any]) -> list[str]:
    """Check options of RLlib's former command that were removed.

    Args:
        given: Value of each option by the name of its parameter; None and False: not given.

    Returns:
        A notice for each option without effect.

    Raises:
        ExperimentError: options that a run would not be the same without, all at once.
    """
    errors = Errors()
    values = {option: given.get(option[2:].replace("-", "_")) for option in older.OPTIONS}
    options = {
        option: value
        for option, value in values.items()
        if value is not None and (value is not False or option == "--ray-ui")
    }
    _, notices = take_out(options, older.OPTIONS, "", errors)
    errors.check()
    return notices


def todays_section(raw: dict[str, Any], name: str, errors: Errors) -> tuple[dict[str, Any], list[str]]:
    """Return the keys beside `run` under today's names, and notices about keys without effect."""
    inside = {old: new for old, new in older.EXPERIMENT.items() if isinstance(new, str) and "." in new}
    plain = {old: new for old, new in older.EXPERIMENT.items() if old not in inside}
    section, _ = rename(raw, plain, name, errors)
    section, notices = take_out(section, older.EXPERIMENT, name, errors)
    if isinstance(section.get("resources"), dict):
        section["resources"], said = take_out(
            section["resources"], older.RESOURCES, f"{name}.resources", errors
        )
        notices += said
    checkpoint = mapping(section, "checkpoint_config", name, errors)
    for old, new in inside.items():
        if old in section:
            checkpoint.setdefault(new.split(".")[1], section.pop(old))
    return section | {"checkpoint_config": checkpoint}, notices


def todays_typed(section: dict[str, Any], name: str, errors: Errors) -> dict[str, Any]:
    """Return the keys beside `run` with `scheduler` and `search_alg` as mappings under today's names.

    Args:
        section: With today's or older names; each of the two may be a text, and have its options beside it.
        name: The experiment's.
        errors: Receives what is wrong.
    """
    for key, typed in older.TYPED.items():
        section = _todays_typed(section, key, typed, name, errors)
    return section


def _todays_typed(
    section: dict[str, Any], key: str, typed: older.Typed, name: str, errors: Errors
) -> dict[str, Any]:
    rest = {each: value for each, value in section.items() if each not in (key, typed.beside)}
    value, more = section.get(key), mapping(section, typed.beside, name, errors)
    if not more and any(value is each or value == each for each in typed.nothing):
        return rest
    if not isinstance(value, str | dict | None):
        errors.add(ExperimentError(f"{key}: expected a name, or {{type: NAME, ...}}, got {value!r}"))
        return rest
    options = {**({"type": value} if isinstance(value, str) else value or {}), **more}
    options, _ = rename(options, typed.options, key, errors)
    options, _ = take_out(options, typed.options, key, errors)
    if isinstance(options.get("type"), str):
        today = typed.types.get(options["type"], options["type"])
        if isinstance(today, Gone):
            errors.add(ExperimentError(f"{key}: {options['type']}: not used; {today.today}"))
            return rest
        options["type"] = today
    return {**rest, key: options}


def todays_config(
    config: dict[str, Any], path: str, errors: Errors
) -> tuple[dict[str, Any], list[str], list[str]]:
    """Return `config` under today's names, a list of `old -> new`, and notices about keys without effect.

    Args:
        config: As written; its `evaluation_config` may hold old names, too.
        path: Its dotted path, for errors.
        errors: Receives what is wrong.
    """
    config, notices = _with_schedules(config)
    config, old = rename(config, older.CONFIG, path, errors)
    inner, where = config.get("evaluation_config"), f"{path}.evaluation_config"
    if isinstance(inner, dict):
        inner, older_still, _ = todays_config(inner, where, errors)
        config["evaluation_config"], said = _without_gone(inner, where, errors)
        old, notices = [*old, *older_still], [*notices, *said]
    return config, old, notices


def _with_schedules(config: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """`config` without the constants that an old schedule overrules, and a notice for each."""
    unused = {old for old in older.SCHEDULES if old in config and config[old] is None}  # the old default
    over = {new: old for old, new in older.SCHEDULES.items() if config.get(old) is not None and new in config}
    notices = [f"config.{new} has no effect: {old} has the last word" for new, old in over.items()]
    return {key: value for key, value in config.items() if key not in unused | over.keys()}, notices


def without_gone(config: dict[str, Any], run: Any, errors: Errors) -> tuple[dict[str, Any], list[str]]:
    """Return `config` without removed keys, and notices about those without effect.

    Args:
        config: Under today's names, overrides applied.
        run: The algorithm's name, as written.
        errors: Receives settings that an experiment would not be the same without.
    """
    config, notices = _without_gone(config, "config", errors)
    if isinstance(config.get("model"), dict):
        table = _of_model(run, config["model"])
        config["model"], said = take_out(config["model"], table, "config.model", errors)
        notices += said
    return config, notices


def _without_gone(config: dict[str, Any], path: str, errors: Errors) -> tuple[dict[str, Any], list[str]]:
    config, notices = take_out(config, older.CONFIG, path, errors)
    framework = config.pop("framework", "torch")
    if framework not in older.FRAMEWORKS:
        errors.add(ExperimentError(f"{path}.framework: {framework!r}; legal: torch"))
    elif framework != "torch":
        notices.append(f"{path}.framework {framework!r} has no effect: PyTorch is used")
    return config, notices


def _of_model(run: Any, model: Mapping[str, Any]) -> Table:
    """Return the removed keys of an algorithm's `model:` section."""
    from engram.agents import ALGORITHMS

    if isinstance(run, str) and run in ALGORITHMS and ALGORITHMS[run].columnar:
        return {**older.MODEL, **older.ON_COLUMNS}
    return {**older.MODEL, **older.BESIDE_CORE} if "core" in model else older.MODEL


def mapping(section: Mapping[str, Any], key: str, name: str, errors: Errors) -> dict[str, Any]:
    """Return a copy of a section of an experiment; empty where it is missing, null, or something else.

    Args:
        section: The experiment.
        key: The section's key.
        name: The experiment's name, for errors.
        errors: Receives an error where it is something else.
    """
    with errors.kept():
        return dict(as_mapping(section.get(key), f"{name}.{key}"))
    return {}


def name_score(checkpoint: dict[str, Any]) -> None:
    """Give the score of checkpoints today's name, and its order where the old name said it.

    Args:
        checkpoint: `checkpoint_config`, changed in place.
    """
    score = checkpoint.get("checkpoint_score_attribute")
    if isinstance(score, str):
        if score.startswith("min-"):
            checkpoint["checkpoint_score_order"] = "min"
        score = score.removeprefix("min-")
        checkpoint["checkpoint_score_attribute"] = older.METRICS.get(score, score)
