"""`base: NAME`: an experiment that is another one but for what it says itself."""

from pathlib import Path
from typing import Any

from engram.train.console.errors import Errors, ExperimentError
from engram.train.console.files import is_file, typed_path
from engram.train.experiments.loading import read_document, read_shipped
from engram.train.experiments.search import kind_of

MAX_DEPTH = 10  # experiments that build on one another


def read_whole_document(name: str, errors: Errors | None = None) -> Any:
    """Read an experiment file as `read_document` does, and fill in what comes from a base.

    A base is another experiment of the same file, or a file of one experiment, named relative to this one, or
    a shipped config, or an experiment in one. Sections are merged key by key; a section that names another
    `type` than the base's replaces it, because the options of one type mean nothing to another, and so does a
    search space. An experiment with another `env` than its base's takes over no `env_config`.

    Args:
        name: A path or a shipped config's name.
        errors: Receives what need not end the reading, as in `read_document`.

    Raises:
        ExperimentError: a file cannot be read, a base is not one experiment, or bases go round in a circle.
    """
    path = typed_path(name)
    return _filled(read_document(name, errors), path.parent if is_file(path) else None, 0)


def _filled(document: Any, folder: Path | None, depth: int) -> Any:
    """The document with its bases; `folder` is where it lies, None: among the shipped configs."""
    if not isinstance(document, dict):
        return document
    return {key: _fill(key, document, folder, depth) for key in document}


def _fill(name: str, document: dict[str, Any], folder: Path | None, depth: int) -> Any:
    section = document[name]
    if not isinstance(section, dict) or "base" not in section:
        return section
    base = section["base"]
    if not isinstance(base, str):
        raise ExperimentError(f"{name}.base: expected the name of an experiment file, got {base!r}")
    if depth == MAX_DEPTH:
        raise ExperimentError(f"{name}.base: more than {MAX_DEPTH} bases; does {base!r} build on itself?")
    if base in document and base != name:
        inherited = _fill(base, document, folder, depth + 1)
    else:
        inherited = _read_base(name, base, folder, depth + 1)
    own = {key: value for key, value in section.items() if key != "base"}
    if not isinstance(inherited, dict):
        return own
    if own.get("env", inherited.get("env")) != inherited.get("env"):
        inherited = _without_env_config(inherited)
    return merged(inherited, own)


def _without_env_config(section: dict[str, Any]) -> dict[str, Any]:
    """An experiment, or a `config` in it, without settings of its environment, for evaluations neither."""
    kept = {key: value for key, value in section.items() if key != "env_config"}
    inner = {key: kept[key] for key in ("config", "evaluation_config") if isinstance(kept.get(key), dict)}
    return kept | {key: _without_env_config(value) for key, value in inner.items()}


def _read_base(name: str, base: str, folder: Path | None, depth: int) -> Any:
    """The experiment in another file: one beside this file, else a shipped one."""
    beside = None if folder is None else folder / base
    if beside is not None and is_file(beside):
        document = _filled(read_document(str(beside)), beside.parent, depth)
    else:
        document = _filled(read_shipped(base), None, depth)
    if not isinstance(document, dict) or len(document) != 1:
        raise ExperimentError(f"{name}.base: {base} holds no experiment, or several; expected one")
    (experiment,) = document.values()
    return experiment


def merged(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Merge a section into another, key by key; `own` has the last word."""
    types = {section["type"] for section in (base, own) if isinstance(section.get("type"), str)}
    if kind_of(own) or kind_of(base) or len(types) == 2:
        return own
    both = dict(base)
    for key, value in own.items():
        inner = base.get(key)
        both[key] = merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return both
