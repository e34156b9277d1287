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
from typing import Any

import yaml

from engram.train.console.errors import Errors, ExperimentError, reason, unknown
from engram.train.console.files import typed_path

MAX_DEPTH = 40  # levels of nesting
MAX_VALUES = 100_000  # values in one document; aliases count each time


class _Ambiguous(yaml.constructor.ConstructorError):
    """A number that YAML reads otherwise than people do."""


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads `1e-4` as a float and notes keys that stand twice."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.twice: list[str] = []

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        """Build a number; raises `yaml.YAMLError` where its base is 60 or, by a leading zero, 8."""
        text = node.value
        whole = node.tag.endswith(":int")
        number: int | float = self.construct_yaml_int(node) if whole else self.construct_yaml_float(node)
        base = 60 if ":" in text else 8 if whole and re.fullmatch(r"[-+]?0[0-7_]+", text) else 10
        if base == 10:
            return number
        raise _Ambiguous(
            None,
            None,
            f"{text} is {number:g} to YAML, read in base {base}; write {number:g} (or put it in quotes, if "
            "text is meant)",
            node.start_mark,
        )

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping; of a key that stands twice, the last value."""
        lines: dict[str, list[int]] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                lines.setdefault(key.value, []).append(key.start_mark.line + 1)
        for key, at in lines.items():
            if len(at) > 1:
                places = f"{', '.join(map(str, at[:-1]))} and {at[-1]}"
                self.twice.append(f"key {key!r} stands twice, in lines {places}")
        return super().construct_mapping(node, deep)


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
        errors: Receives keys that stand twice, if they are to be shown together with other errors.

    Returns:
        None, bool, int, float, str, and lists and mappings (string keys) of these.

    Raises:
        ExperimentError: broken YAML, or anything that is no plain data.
    """
    try:
        loader = _Loader(text)
        document = loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        what = "" if isinstance(error, _Ambiguous) else "not valid YAML: "
        raise ExperimentError(f"{source}{where}: {what}{error.problem or error.context}") from None
    except Exception as error:  # PyYAML leaks ValueError, TypeError, RecursionError, ... for broken scalars
        raise ExperimentError(f"{source}: not valid YAML: {reason(error)}") from None
    found = Errors() if errors is None else errors
    found.lines += dict.fromkeys(f"{source}: {text}" for text in loader.twice)
    if errors is None:
        found.check()
    return _Plain(source).copy(document, source, 0)


class _Plain:
    """Copies a document value by value, so that no alias is shared, and refuses what is no plain data."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.left = MAX_VALUES

    def copy(self, value: Any, path: str, depth: int) -> Any:
        """A copy of one value; raises ExperimentError where it is not plain data."""
        self.left -= 1
        if depth > MAX_DEPTH or self.left < 0:
            limit = f"{MAX_DEPTH} levels" if depth > MAX_DEPTH else f"{MAX_VALUES} values"
            raise ExperimentError(f"{self.source}: more than {limit}; does an alias contain itself?")
        if isinstance(value, dict):
            for key in value:
                if not isinstance(key, str):
                    raise ExperimentError(f"{path}: key {key!r} is no text; put it in quotes")
            separator = "." if depth else ": "
            return {
                key: self.copy(child, f"{path}{separator}{key}", depth + 1) for key, child in value.items()
            }
        if isinstance(value, list):
            return [self.copy(child, f"{path}[{index}]", depth + 1) for index, child in enumerate(value)]
        if isinstance(value, float) and math.isnan(value):
            raise ExperimentError(f"{path}: NaN is no value")
        if value is not None and not isinstance(value, bool | int | float | str):
            kind = type(value).__name__
            raise ExperimentError(f"{path}: a {kind} is no value; legal: number, text, true, false, null")
        return value


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
