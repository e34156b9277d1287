"""Experiment files: their comment, their text, what they build on, and all of it together."""

from pathlib import Path
from typing import Any

import yaml

from engram.train.describe.docstrings import sentence
from engram.train.describe.page import Page, plain
from engram.train.experiments.inheritance import read_whole_document
from engram.train.experiments.loading import read_document, shipped_text
from engram.train.experiments.search import LISTS, kind_of


def config(name: str) -> Page:
    """Describe an experiment file.

    Args:
        name: A path, or the name of a shipped config or of an experiment in one.

    Raises:
        ExperimentError: there is no such file, or it cannot be read.
    """
    written = read_document(name)
    text = _text(name)
    bases = list(_bases_of(written))
    header, body = split_header(text)
    whole = read_whole_document(name)
    said = {"": header, "File": body.strip()}
    if bases:
        said["Resolved"] = yaml.safe_dump(plain(whole), sort_keys=False, default_flow_style=None).strip()
    facts = {
        "experiments": ", ".join(written) if isinstance(written, dict) else None,
        "env": ", ".join(values_of(whole, "env")),
        "run": ", ".join(values_of(whole, "run")),
        "base": ", ".join(bases) or "none",
        "train": f"rllib train -f {name}",
    }
    known = {label: fact for label, fact in facts.items() if fact}
    return Page("config", name, sentence(header), said, known, experiments=plain(whole))


def _text(name: str) -> str:
    """The text of a document that has been read."""
    path = Path(name).expanduser()
    return path.read_text(encoding="utf-8") if path.is_file() else shipped_text(name)


def split_header(text: str) -> tuple[str, str]:
    """Split the text of a file into the comment at its top, without marks, and the rest."""
    lines = text.split("\n")
    count = next((index for index, line in enumerate(lines) if not line.startswith("#")), len(lines))
    header = "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines[:count])
    return header.strip(), "\n".join(lines[count:])


def _experiments_of(document: Any) -> list[dict[str, Any]]:
    """The experiments of a document that are sections."""
    values = document.values() if isinstance(document, dict) else ()
    return [section for section in values if isinstance(section, dict)]


def _bases_of(document: Any) -> dict[str, None]:
    """What the experiments of a document build on."""
    return dict.fromkeys(str(each["base"]) for each in _experiments_of(document) if "base" in each)


def values_of(document: Any, key: str) -> list[str]:
    """List the values of `env` or `run` in a document, beside `config` or in it, each once.

    Args:
        document: From `read_whole_document`.
        key: Which one.
    """
    found = []
    for each in _experiments_of(document):
        inside = each.get("config")
        value = each.get(key) or (inside.get(key) if isinstance(inside, dict) else None)
        found += [str(one) for one in _each(value) if one is not None]
    return list(dict.fromkeys(found))


def _each(value: Any) -> list[Any]:
    """The values of a search, or the one that is no search."""
    listed = next(iter(value.values())) if kind_of(value) in LISTS else None
    return listed if isinstance(listed, list) else [value]
