"""`base: NAME`: an experiment that is another one but for what it says itself."""

from pathlib import Path
from typing import Any

from engram.train.errors import ExperimentError
from engram.train.loading import read_document
from engram.train.search import KINDS

MAX_DEPTH = 10  # experiments that build on one another


def read_whole_document(name: str, depth: int = 0) -> Any:
    """Read an experiment file as `read_document` does, and fill in what comes from a base.

    A base is a shipped config or a file, named relative to this one, that holds one experiment. Sections are
    merged key by key; a section that names another `type` than the base's replaces it, because the options of
    one type mean nothing to another, and so does a search space.

    Args:
        name: A path or a shipped config's name.
        depth: How many experiments build on this one; for the recursion's own use.

    Raises:
        ExperimentError: a file cannot be read, a base is not one experiment, or bases go round in a circle.
    """
    document = read_document(name)
    if not isinstance(document, dict):
        return document
    return {key: _fill(name, key, section, depth) for key, section in document.items()}


def _fill(file: str, name: str, section: Any, depth: int) -> Any:
    if not isinstance(section, dict) or "base" not in section:
        return section
    base = section["base"]
    if not isinstance(base, str):
        raise ExperimentError(f"{name}.base: expected the name of an experiment file, got {base!r}")
    if depth == MAX_DEPTH:
        raise ExperimentError(f"{name}.base: more than {MAX_DEPTH} bases; does {base!r} build on itself?")
    beside = Path(file).expanduser().parent / base
    document = read_whole_document(str(beside) if beside.is_file() else base, depth + 1)
    if not isinstance(document, dict) or len(document) != 1:
        raise ExperimentError(f"{name}.base: {base} holds no experiment, or several; expected one")
    (inherited,) = document.values()
    own = {key: value for key, value in section.items() if key != "base"}
    return merged(inherited, own) if isinstance(inherited, dict) else own


def merged(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Lay a section over another.

    Args:
        base: What holds where `own` says nothing.
        own: What has the last word.
    """
    if _is_search(own) or _is_search(base) or ("type" in own and own["type"] != base.get("type")):
        return own
    both = dict(base)
    for key, value in own.items():
        inner = base.get(key)
        both[key] = merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return both


def _is_search(section: dict[str, Any]) -> bool:
    return len(section) == 1 and next(iter(section)).removeprefix("tune.") in KINDS
