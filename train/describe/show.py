"""A page for people: paragraphs that wrap in a terminal, and stay as they are elsewhere."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import yaml
from rich.table import Table
from rich.text import Text

from engram.train.console.screen import Part, is_terminal
from engram.train.describe.page import Option, Page, Section

_COLUMNS = ("name", "default", "legal", "unit", "meaning")


def parts(page: Page) -> Iterator[Part]:
    """Yield what to print of a page for people."""
    about = f" ({page.kind}): {page.summary}" if page.summary else f" ({page.kind})"
    yield Text.assemble((page.name, "bold"), about)
    for heading, text in page.text.items():
        own = text if heading else _after(page.summary, text)
        yield from _block(heading, own)
    if page.facts:
        yield from ("", _pairs(page.facts.items()))
    for section in page.sections:
        yield from _section(section)
    for name, values in page.presets.items():
        yield from _block(f"preset: {name}", written(values))
    yield from _block("Source", page.source)


def _after(summary: str, text: str) -> str:
    """A text without the sentence that it begins with, on however many lines that stands."""
    words = r"\s+".join(map(re.escape, summary.split()))
    return re.sub(rf"\A{words}", "", text).strip()


def _block(heading: str, text: str) -> Iterator[Part]:
    if text:
        yield ""
        if heading:
            yield Text(heading, "bold")
        yield Text(reflowed(text) if is_terminal() else text)


def reflowed(text: str) -> str:
    """Join each paragraph into one line, for a terminal to wrap; tables, lists and formulas stay."""
    return "\n\n".join(
        paragraph if any(map(_stands, paragraph.split("\n"))) else " ".join(paragraph.split("\n"))
        for paragraph in text.split("\n\n")
    )


def _stands(line: str) -> bool:
    """Whether a line has to stay by itself."""
    return line.startswith((" ", "|", "-", "*", ">", "`", "#")) or line[:1].isdigit() or line.endswith(":")


def _section(section: Section) -> Iterator[Part]:
    yield from ("", Text(section.title, "bold"))
    yield _options(section.options) if section.options else "no options"
    if section.hidden:
        yield f"and {section.hidden} that are seldom named: --all"


def _pairs(pairs: Iterable[tuple[str, Any]]) -> Table:
    """Labels and texts; only the texts wrap."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in pairs:
        table.add_row(label, Text(written(text) if isinstance(text, dict | list) else str(text)))
    return table


def _options(options: list[Option]) -> Table:
    """A row for each option, without columns in which all are empty."""
    cells = [_cells(option) for option in options]
    kept = [index for index in range(len(_COLUMNS)) if any(row[index] for row in cells)]
    table = Table(box=None, pad_edge=False, header_style="italic")
    for index in kept:
        table.add_column(_COLUMNS[index], no_wrap=index == 0, overflow="fold")
    for row in cells:
        table.add_row(*(Text(row[index]) for index in kept))
    return table


def _cells(option: Option) -> tuple[str, str, str, str, str]:
    says_it_all = not option.legal or option.type == "true or false"
    legal = option.type if says_it_all else f"{option.type}: {option.legal}"
    return option.name, written(option.default), legal, option.unit, option.meaning


def written(value: Any) -> str:
    """Write plain data as a YAML file would have it, on one line."""
    if value == "(required)":
        return str(value)
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False)
    return text.strip().removesuffix("...").strip()
