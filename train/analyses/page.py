"""The report as one HTML page that needs nothing beside it."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Iterable, Mapping

from engram.train.analyses.picture import Finding, Picture

_STYLE = """
body { font: 15px/1.45 sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
img { max-width: 100%; }
table { border-collapse: collapse; margin: .6rem 0 1.4rem; }
td, th { padding: .15rem .9rem .15rem 0; text-align: left; border-bottom: 1px solid #ddd; }
th { font-weight: normal; }
th { color: #666; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
h2 { margin-top: 2.4rem; }
p.left-out { color: #a33; }
"""


def number(value: float) -> str:
    """Write a number of a finding."""
    if math.isnan(value):
        return "-"
    if value == int(value) and abs(value) < 1e6:
        return f"{value:.0f}"
    return f"{value:.2e}" if abs(value) < 1e-3 or abs(value) >= 1e6 else f"{value:.4f}"


def make_page(
    title: str,
    facts: Iterable[str],
    pictures: Mapping[str, tuple[Picture, bytes]],
    left_out: Mapping[str, str],
) -> str:
    """Write the page; pictures are embedded, and nothing is loaded from elsewhere.

    Args:
        title: Its heading.
        facts: Lines below it: what was played, and how.
        pictures: By name, each with its PNG file's contents.
        left_out: Pictures that do not apply, and why.
    """
    listed = "".join(f"<li>{html.escape(fact)}</li>" for fact in facts)
    contents = " | ".join(
        f'<a href="#{name}">{html.escape(picture.title)}</a>' for name, (picture, _) in pictures.items()
    )
    missing = "".join(
        f'<p class="left-out">{html.escape(name)}: {html.escape(why)}</p>' for name, why in left_out.items()
    )
    sections = "".join(_section(name, picture, png) for name, (picture, png) in pictures.items())
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{html.escape(title)}</h1><ul>{listed}</ul><p>{contents}</p>{missing}{sections}</body></html>\n"
    )


def _section(name: str, picture: Picture, png: bytes) -> str:
    image = base64.b64encode(png).decode("ascii")
    return (
        f'<h2 id="{name}">{html.escape(picture.title)}</h2><p>{html.escape(picture.text)}</p>'
        f'<img alt="{html.escape(picture.title)}" src="data:image/png;base64,{image}">'
        f"{_table(picture.findings)}<p>Numbers: {name}.csv</p>"
    )


def _table(findings: Iterable[Finding]) -> str:
    rows = "".join(
        f'<tr><td>{html.escape(each.what)}</td><td class="number">{number(each.found)}</td>'
        f"<td>{html.escape(each.paper)}</td></tr>"
        for each in findings
    )
    return f"<table><tr><th>number</th><th>here</th><th>paper</th></tr>{rows}</table>" if rows else ""
