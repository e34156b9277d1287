"""Docstrings as data: their first line, their paragraphs by heading, what they say about each argument."""

import inspect
import re
import sys
from typing import Any

_HEADING = re.compile(r"(#+ )?([A-Z][A-Za-z ]{2,30}):?")
_ARGUMENTS = ("Args", "Arguments", "Attributes", "Keyword Args", "Parameters")
_ENTRY = re.compile(r"(?:[-*] )?`{0,2}\*{0,2}(\w+)`{0,2}(?: ?\([^)]*\))? ?:(?: (.*))?")


def document(thing: Any) -> str:
    """A docstring without its indentation and reStructuredText's marks; empty where there is none of its own.

    Args:
        thing: A class, function or module.
    """
    return _unmarked(inspect.cleandoc(getattr(thing, "__doc__", None) or ""))


def _unmarked(text: str) -> str:
    text = re.sub(r":[a-z]+:`~?([^`]*)`", lambda match: f"`{match[1].rpartition('.')[2]}`", text)
    return re.sub(r"(?<!`)``(?!`)", "`", text)


def sentence(text: str) -> str:
    """The first paragraph on one line, up to the end of its first sentence.

    Args:
        text: Of a docstring or comment.
    """
    line = " ".join(text.split("\n\n")[0].split())
    end = re.search(r"(?<!e\.g)(?<!i\.e)(?<!et al)(?<!\.)\. ", line)
    return line[: end.start() + 1] if end else line


def first_line(thing: Any) -> str:
    """The first line of a docstring.

    Args:
        thing: A class, function or module.
    """
    return document(thing).partition("\n")[0]


def parts(text: str) -> dict[str, str]:
    """A docstring by its headings, each on a line of its own with indented text below it, or in Markdown.

    Args:
        text: From `document`.

    Returns:
        Heading -> text; what stands before the first one has the heading "".
    """
    found: dict[str, list[str]] = {"": []}
    heading, below, lines = "", "", text.split("\n")
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        match = _HEADING.fullmatch(line)
        if match and (match[1] or (line.endswith(":") and after.startswith(" "))):
            heading, below = match[2], "" if match[1] else " "
            found.setdefault(heading, [])
            continue
        if line and not line.startswith(below):
            heading, below = "", ""
        found[heading].append(line)
    return {name: inspect.cleandoc("\n".join(own)) for name, own in found.items() if "\n".join(own).strip()}


def arguments(text: str) -> dict[str, str]:
    """What a docstring says about each argument or attribute, on one line each.

    Args:
        text: From `document`.
    """
    found: dict[str, str] = {}
    for heading, own in parts(text).items():
        if heading in _ARGUMENTS:
            found |= _entries(own)
    return found


def _entries(text: str) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.split("\n"):
        match = _ENTRY.fullmatch(line)
        if match:
            name = match[1]
            found[name] = [match[2] or ""]
        elif line.startswith(" ") and name:
            found[name].append(line.strip())
        elif line:
            name = ""
    return {name: tidy(" ".join(lines)) for name, lines in found.items()}


def tidy(text: str) -> str:
    """A text on one line, without the marks of reStructuredText.

    Args:
        text: Any.
    """
    return " ".join(_unmarked(text).split())


def source_of(cls: type) -> str:
    """Where a class says it comes from: `Source:` in its docstring, or in that of its module or a base's.

    What follows a colon, formulas, belongs to it and stays as it is.

    Args:
        cls: The class.
    """
    texts = [document(cls)]
    texts += [document(sys.modules.get(base.__module__)) for base in cls.__mro__ if base is not object]
    for text in texts:
        found = re.search(r"^Sources?: *\n?((?:.+\n?)+)", text, re.MULTILINE)
        if found:
            said = " ".join(found[1].split())
            formulas = re.match(r"\n((?: +.+\n?)+)", text[found.end() :]) if said.endswith(":") else None
            return f"{said}\n\n{formulas[1].rstrip()}" if formulas else said
    return ""
