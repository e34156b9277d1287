"""YAML as experiments use it: `1e-4` is a number, keys are text and stand once, values are plain data.

It is YAML 1.1, as PyYAML reads it: `yes`, `no`, `on` and `off` are true and false unless in quotes, and
`1_000`, `0x10` and `0b11` are numbers. What that version reads in base 60 (`1:30:00`) or, for a leading zero,
in base 8 (`010`) is refused: hardly anyone means 5400 and 8.
"""

import math
import re
import sys
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from engram.train.console.errors import Errors, ExperimentError, reason, unknown
from engram.train.console.files import typed_path

MAX_DEPTH = 40  # levels of nesting
MAX_VALUES = 100_000  # values in one document; aliases count each time


class _Refused(NamedTuple):
    """Stands for a value that YAML knows and an experiment has no use for.

    Attributes:
        what: What it is, in words.
        text: As it was written; empty where that takes more than a line.
    """

    what: str
    text: str


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads `1e-4` as a float, and notes what is wrong instead of stopping there."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.twice: list[str] = []
        self.wrong: list[tuple[yaml.Mark, str]] = []

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        """Build a number, and note where its base is 60 or, by a leading zero, 8."""
        text = node.value
        whole = node.tag.endswith(":int")
        number: int | float = self.construct_yaml_int(node) if whole else self.construct_yaml_float(node)
        base = 60 if ":" in text else 8 if whole and re.fullmatch(r"[-+]?0[0-7_]+", text) else 10
        if base != 10:
            meant = f"write {number:g} (or put it in quotes, if text is meant)"
            self.wrong.append(
                (node.start_mark, f"{text} is {number:g} to YAML, read in base {base}; {meant}")
            )
        return number

    def refuse(self, node: yaml.Node) -> _Refused:
        """A date, binary data, a set, or whatever has a tag that is not ours."""
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        what = _KINDS.get(kind, f"a value with the tag {kind if kind.startswith('!') else f'!!{kind}'}")
        return _Refused(what, node.value if kind == "timestamp" else "")

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping without keys that are no scalars; of one that stands twice, the last value."""
        if isinstance(node, yaml.MappingNode):
            plain = [pair for pair in node.value if isinstance(pair[0], yaml.ScalarNode)]
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    kind = "list" if isinstance(key, yaml.SequenceNode) else "mapping"
                    self.wrong.append((key.start_mark, f"a {kind} is no key; legal: text"))
            node.value = plain
        lines: dict[str, list[int]] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                lines.setdefault(key.value, []).append(key.start_mark.line + 1)
        for key, at in lines.items():
            if len(at) > 1:
                places = f"{', '.join(map(str, at[:-1]))} and {at[-1]}"
                self.twice.append(f"key {key!r} stands twice, in lines {places}")
        return super().construct_mapping(node, deep)


_KINDS = {
    "timestamp": "a date",
    "binary": "binary data",
    "set": "a set",
    "omap": "an ordered mapping",
    "pairs": "a list of pairs",
}

for _tag in _KINDS:
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _Loader.refuse)
_Loader.add_constructor(None, _Loader.refuse)
for _tag in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _Loader.construct_number)

# YAML 1.1 wants a dot and a signed exponent in a float, so PyYAML reads 1e-4 as text.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)


def parse_yaml(text: str, source: str, errors: Errors | None = None) -> Any:
    """Read one YAML document of plain data.

    Args:
        text: The document.
        source: What to call it in an error: a file name or an option.
        errors: Receives what is wrong with single values and keys, which are then left out, if it is to be
            shown together with other errors.

    Returns:
        None, bool, int, float, str, and lists and mappings (string keys) of these.

    Raises:
        ExperimentError: broken YAML, or anything that is no plain data.
    """
    try:
        loader = _Loader(text)
        document = loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        where = _place(error.problem_mark) if error.problem_mark else ""
        raise ExperimentError(f"{source}{where}: not valid YAML: {error.problem or error.context}") from None
    except Exception as error:  # PyYAML leaks ValueError, TypeError, RecursionError, ... for broken scalars
        raise ExperimentError(f"{source}: not valid YAML: {reason(error)}") from None
    found = Errors() if errors is None else errors
    found.lines += dict.fromkeys(f"{source}: {text}" for text in loader.twice)
    found.lines += dict.fromkeys(f"{source}{_place(mark)}: {text}" for mark, text in loader.wrong)
    plain = _Plain(source, found).copy(document, source, 0)
    if errors is None:
        found.check()
    return None if isinstance(plain, _Refused) else plain


def _place(mark: yaml.Mark) -> str:
    return f", line {mark.line + 1}, column {mark.column + 1}"


class _Plain:
    """Copies a document value by value, so that no alias is shared, without what is no plain data."""

    def __init__(self, source: str, errors: Errors) -> None:
        self.source = source
        self.errors = errors
        self.left = MAX_VALUES

    def copy(self, value: Any, path: str, depth: int) -> Any:
        """A copy of one value, or `_Refused`; raises ExperimentError where there is no end to it."""
        self.left -= 1
        if depth > MAX_DEPTH or self.left < 0:
            limit = f"{MAX_DEPTH} levels" if depth > MAX_DEPTH else f"{MAX_VALUES} values"
            raise ExperimentError(f"{self.source}: more than {limit}; does an alias contain itself?")
        if isinstance(value, dict):
            return self._mapping(value, path, depth)
        if isinstance(value, list):
            copies = [self.copy(child, f"{path}[{index}]", depth + 1) for index, child in enumerate(value)]
            return [each for each in copies if not isinstance(each, _Refused)]
        if isinstance(value, float) and math.isnan(value):
            value = _Refused("NaN", "")
        elif value is not None and not isinstance(value, bool | int | float | str | _Refused):
            value = _Refused(f"a {type(value).__name__}", "")
        if isinstance(value, _Refused):
            quotes = f" (if text is meant, put {value.text} in quotes)" if value.text else ""
            legal = "legal: number, text, true, false, null, and lists and mappings of these"
            self.errors.lines.append(f"{path}: {value.what} is no value; {legal}{quotes}")
        return value

    def _mapping(self, value: dict[Any, Any], path: str, depth: int) -> dict[str, Any]:
        copies = {}
        for key, child in value.items():
            if not isinstance(key, str):
                name = (key.text or key.what) if isinstance(key, _Refused) else repr(key)
                self.errors.lines.append(f"{path}: key {name} is no text; put it in quotes")
                continue
            copy = self.copy(child, f"{path}{'.' if depth else ': '}{key}", depth + 1)
            if not isinstance(copy, _Refused):
                copies[key] = copy
        return copies


def parse_mapping(text: str, source: str) -> dict[str, Any]:
    """Read a YAML or JSON mapping, as given to an option such as `--config`.

    Args:
        text: The document.
        source: What to call it in an error.
    """
    value = parse_yaml(text, source)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ExperimentError(f"{source}: expected a mapping such as '{{lr: 3e-4}}', got {text!r}")
    return value


def read_document(name: str, errors: Errors | None = None) -> Any:
    """Read an experiment file; a name that is no path means what `read_shipped` finds under it.

    Args:
        name: A path, or a shipped config such as `tmaze_concrete` or `configs/tmaze_concrete.yaml`, or an
            experiment inside one; `-` for standard input.
        errors: As in `parse_yaml`.

    Raises:
        ExperimentError: no such file, not readable, not YAML.
    """
    if name == "-":
        return parse_yaml(_standard_input(), "standard input", errors)
    path = typed_path(name)
    try:
        if not path.is_file():
            return read_shipped(name, errors)
        text = path.read_text(encoding="utf-8")
    except ExperimentError:
        raise
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ExperimentError(f"{name}: cannot be read: {reason(error)}") from None
    return parse_yaml(text, name, errors)


def _standard_input() -> str:
    """What was piped into the command; raises ExperimentError where nothing was."""
    try:
        text = "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ExperimentError(f"standard input: cannot be read: {reason(error)}") from None
    if not text.strip():
        raise ExperimentError("standard input: empty; expected an experiment file: rllib train -f - < FILE")
    return text


def quotes_hint(value: Any) -> str:
    """What to add to an error where text was due and YAML made true or false of it.

    Args:
        value: What was found.
    """
    return " (yes, no, on and off are true and false unless in quotes)" if isinstance(value, bool) else ""


def read_shipped(name: str, errors: Errors | None = None) -> Any:
    """Read a shipped config, or from one of several experiments the one that has this name.

    Args:
        name: Such as `tmaze_concrete`, `configs/tmaze_concrete.yaml` or `tmaze_delays_lstm`.
        errors: As in `parse_yaml`.

    Raises:
        ExperimentError: no such config, and no experiment of that name in one.
    """
    file, experiment = _find_shipped(name)
    document = parse_yaml(shipped_configs()[file], name, errors)
    return {experiment: document[experiment]} if experiment else document


def shipped_text(name: str) -> str:
    """The text of what `read_shipped` reads: a file or, of one experiment, its lines and the comment above.

    Args:
        name: As in `read_shipped`.
    """
    file, experiment = _find_shipped(name)
    text = shipped_configs()[file]
    if not experiment:
        return text
    lines = re.search(rf"(?:^#.*\n)*^{re.escape(experiment)}:.*\n(?:(?:[ \t].*)?\n)*", text, re.MULTILINE)
    return lines.group().rstrip() + "\n" if lines else text


def _find_shipped(name: str) -> tuple[str, str | None]:
    """The shipped config that has a name or else an experiment of it, and in that case the experiment."""
    path, shipped, files = Path(name), shipped_configs(), shipped_experiments()
    if path.parent.as_posix() in (".", "configs") and path.suffix in ("", ".yaml"):
        if path.stem in shipped:
            return path.stem, None
        if path.stem in files:
            return files[path.stem], path.stem
    if path.is_dir():
        raise ExperimentError(f"{name}: is a folder, not an experiment file")
    raise unknown(f"{name}: no such file and no shipped config", path.stem, {*shipped, *files})


def shipped_configs() -> dict[str, str]:
    """The experiment files inside the installed package: name without suffix -> text."""
    folder = resources.files("engram.configs")
    files = (entry for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    return {
        entry.name.removesuffix(".yaml"): entry.read_text(encoding="utf-8")
        for entry in sorted(files, key=str)
    }


def shipped_experiments() -> dict[str, str]:
    """The experiments inside the shipped configs: name -> the config that holds it."""
    texts = shipped_configs().items()
    return {key: file for file, text in texts for key in re.findall(r"^([\w.+-]+):", text, re.MULTILINE)}
