"""Things made of options: cores, networks that think, encoders, losses, exit rules, pictures, searches."""

import sys
from collections.abc import Mapping
from typing import Any

from engram.train.console.errors import ExperimentError, unknown
from engram.train.describe.docstrings import document, first_line, sentence, source_of
from engram.train.describe.options import rows
from engram.train.describe.page import Page, Section, plain


def core(name: str) -> Page:
    """Describe a core or a network that thinks, shipped or `package.module:Class`.

    Args:
        name: As `model.core.type` has it.

    Raises:
        ExperimentError: there is no such core.
    """
    from engram.agents.models.choice import thinks
    from engram.memory import CORES, Core
    from engram.memory.thinking import THINKERS, Thinker

    if ":" not in name and name not in {**CORES, **THINKERS}:
        raise unknown("describe core", name, [*CORES, *THINKERS])
    if thinks({"core": {"type": name}}):
        return _thinker(name, find("core", name, THINKERS, Thinker))
    cls = find("core", name, CORES, Core)
    facts = {
        "kind": "recurrent core",
        "gradients": "bridges a delay by gradients through time"
        if cls.carries_gradient
        else "bridges a delay without gradients through time",
    }
    title = _title_of(cls) if name in CORES else ""
    return _made_of_options("core", name, cls, cls.Options, facts, cls.PRESETS, title=title)


def _title_of(cls: type[Any]) -> str:
    """What a shipped core is, in one line: each has a module of its own."""
    return first_line(sys.modules[cls.__module__])


def _thinker(name: str, cls: Any) -> Page:
    from engram.agents.models.thinking_network import ReadoutOptions

    readout = Section(f"config.model.readout: {first_line(ReadoutOptions)}", rows(ReadoutOptions))
    facts = {"kind": "network that thinks in iterations; see docs/thinking.md"}
    return _made_of_options("core", name, cls, cls.Options, facts, cls.PRESETS, [readout])


def encoder(name: str) -> Page:
    """Describe an encoder; arguments and errors as in `core`."""
    from engram.agents.models.encoders import ENCODERS, Encoder

    cls = find("encoder", name, ENCODERS, Encoder)
    scaled = ", as `scale` says" if hasattr(cls.Options, "scale") else ""
    prepares = f"what its layers take of observations (N, *shape){scaled}; that is encoded to features (N, F)"
    return _made_of_options("encoder", name, cls, cls.Options, {"prepares": prepares})


def loss(name: str) -> Page:
    """Describe a loss of `run: Supervised`; arguments and errors as in `core`."""
    from engram.memory.losses import SEQUENCE_LOSSES, SequenceLoss
    from engram.memory.thinking.losses import LOSSES, Loss

    of_sequences = name in SEQUENCE_LOSSES
    cls = find("loss", name, {**LOSSES, **SEQUENCE_LOSSES}, SequenceLoss if of_sequences else Loss)
    return _made_of_options("loss", name, cls, cls)


def exit_rule(name: str) -> Page:
    """Describe a rule that ends thinking; arguments and errors as in `core`."""
    from engram.memory.thinking.exits import EXIT_RULES, ExitRule

    cls = find("exit-rule", name, EXIT_RULES, ExitRule)
    return _made_of_options("exit-rule", name, cls, cls)


def picture(name: str) -> Page:
    """Describe a kind of picture; arguments and errors as in `core`."""
    from engram.train.pictures import KINDS

    if name not in KINDS:
        raise unknown("describe picture", name, KINDS)
    section = KINDS[name].options
    module = sys.modules[section.__module__]
    text = {"": document(module), "Options": document(section)}
    return Page("picture", name, first_line(module), text, sections=[Section("--options", rows(section))])


def scheduler(name: str) -> Page:
    """Describe what trials may do with each other; arguments and errors as in `core`."""
    from engram.train.population.schedulers import SCHEDULERS

    return _options_alone("scheduler", name, SCHEDULERS)


def search_algorithm(name: str) -> Page:
    """Describe a way to search; arguments and errors as in `core`."""
    from engram.train.experiments.search_algorithms import SEARCH_ALGORITHMS

    return _options_alone("search-algorithm", name, SEARCH_ALGORITHMS)


def _options_alone(kind: str, name: str, table: Mapping[str, type[Any]]) -> Page:
    """Describe a thing that is known by its options."""
    if name not in table:
        raise unknown(f"describe {kind}", name, table)
    return _made_of_options(kind, name, table[name], table[name])


def find(kind: str, name: str, table: Mapping[str, type[Any]], base: type[Any]) -> Any:
    """Find the class of a name; for `package.module:Class`, one derived from `base`.

    Args:
        kind: What it is called in an error.
        name: A row of the table, or a path.
        table: Name -> class.
        base: What a class has to be derived from.

    Raises:
        ExperimentError: there is none.
    """
    from engram.memory.registry import choose_class

    try:
        cls, _ = choose_class({"type": name}, f"describe {kind}", table, base)
    except ValueError as error:
        raise ExperimentError(str(error).replace(f"describe {kind}.type", f"describe {kind}")) from None
    return cls


_WRITTEN = {
    "core": "config.model.core",
    "encoder": "config.model.encoder",
    "loss": "config.loss",
    "exit-rule": "--exit-rule",
    "scheduler": "scheduler",
    "search-algorithm": "search_alg",
}


def _made_of_options(
    kind: str,
    name: str,
    cls: type[Any],
    options: type[Any],
    facts: Mapping[str, Any] | None = None,
    presets: Mapping[str, Mapping[str, Any]] | None = None,
    more: list[Section] | None = None,
    title: str = "",
) -> Page:
    module = sys.modules[cls.__module__]
    about = document(module).split("\n\n")
    text = {"": document(cls), "Letters": about[1] if len(about) > 1 and _is_legend(about[1]) else ""}
    own = Section(f"{_WRITTEN[kind]}: {{type: {name}, ...}}", rows(options))
    return Page(
        kind=kind,
        name=name,
        summary=title or sentence(document(cls)),
        text={heading: paragraph for heading, paragraph in text.items() if paragraph},
        facts={"class": f"{cls.__module__}:{cls.__qualname__}", **(facts or {})},
        sections=[own, *(more or [])],
        presets=plain(presets or {}),
        source=source_of(cls),
    )


def _is_legend(paragraph: str) -> bool:
    """Whether a paragraph says what letters stand for, such as `T time, B lanes`."""
    return paragraph[:2].strip().isupper() and not paragraph.startswith("Source")
