"""Prints a page: wrapped in a terminal, whole where the output goes into a file or another command."""

import re
from collections.abc import Iterable
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from engram.train.console.screen import print_table
from engram.train.describe.page import Option, Page, Section

_COLUMNS = ("name", "default", "legal", "unit", "meaning")


def show(page: Page) -> None:
    """Print a page for people.

    Args:
        page: What is to be said.
    """
    console = Console(highlight=False, markup=False, soft_wrap=not Console().is_terminal)
    about = f" ({page.kind}): {page.summary}" if page.summary else f" ({page.kind})"
    console.print(Text.assemble((page.name, "bold"), about))
    for heading, text in page.text.items():
        own = text if heading else _after(page.summary, text)
        _block(console, heading, own)
    if page.facts:
        console.print()
        print_table(_pairs(page.facts.items()))
    for section in page.sections:
        _section(console, section)
    for name, values in page.presets.items():
        _block(console, f"preset: {name}", written(values))
    _block(console, "Source", page.source)


def _after(summary: str, text: str) -> str:
    """A text without the sentence that it begins with, on however many lines that stands."""
    words = r"\s+".join(map(re.escape, summary.split()))
    return re.sub(rf"\A{words}", "", text).strip()


def _block(console: Console, heading: str, text: str) -> None:
    if text:
        console.print()
        if heading:
            console.print(heading, style="bold")
        console.print(reflowed(text) if console.is_terminal else text)


def reflowed(text: str) -> str:
    """A text whose paragraphs are one line each, for a terminal to wrap; tables, lists and formulas stay.

    Args:
        text: Wrapped at some width.
    """
    return "\n\n".join(
        paragraph if any(map(_stands, paragraph.split("\n"))) else " ".join(paragraph.split("\n"))
        for paragraph in text.split("\n\n")
    )


def _stands(line: str) -> bool:
    """Whether a line has to stay by itself."""
    return line.startswith((" ", "|", "-", "*", ">", "`", "#")) or line[:1].isdigit() or line.endswith(":")


def _section(console: Console, section: Section) -> None:
    console.print()
    console.print(section.title, style="bold")
    if section.options:
        print_table(_options(section.options))
    else:
        console.print("no options")
    if section.hidden:
        console.print(f"and {section.hidden} that are seldom named: --all")


def _pairs(pairs: Iterable[tuple[str, Any]]) -> Table:
    """Labels and texts; only the texts wrap."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in pairs:
        table.add_row(label, Text(str(text)))
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
    """A value as a file would have it, on one line.

    Args:
        value: Plain data.
    """
    if value == "(required)":
        return str(value)
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False)
    return text.strip().removesuffix("...").strip()
