"""The kinds of pictures, by name: their options and who draws them. One row makes a kind exist."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from matplotlib.figure import Figure

from engram.memory.options import Options, parse_options
from engram.train.console.errors import ExperimentError, reason, unknown
from engram.train.console.files import check_out
from engram.train.pictures import (
    accuracy_curves,
    canvas,
    curves,
    delays,
    exits,
    filters,
    impulse_responses,
    lineage,
    pool_contents,
    population,
    rim_activation,
    scores,
    thoughts,
)


class Numbers(Protocol):
    """The numbers behind a picture."""

    def rows(self) -> Iterable[Sequence[object]]:
        """Yield lines of a CSV file, the heading first."""

    def text(self) -> str:
        """Return what to print: a table in Markdown, and what it leaves out."""


class Kind(NamedTuple):
    """One kind of picture.

    Attributes:
        options: Its options.
        draw: Takes the numbers or, for a kind without them, the options, and draws them.
        numbers: Takes the options and finds the numbers behind a picture, for a kind that also writes and
            prints them; raises ExperimentError where runs, files or a checkpoint are not what it needs.
    """

    options: type[Options]
    draw: Callable[[Any], Figure]
    numbers: Callable[[Any], Numbers] | None = None


KINDS: dict[str, Kind] = {
    "accuracy-curves": Kind(accuracy_curves.AccuracyOptions, accuracy_curves.draw, accuracy_curves.curves),
    "curves": Kind(curves.CurveOptions, curves.draw, curves.curves),
    "delays": Kind(delays.DelayOptions, delays.draw, delays.scores),
    "exits": Kind(exits.ExitOptions, exits.draw, exits.exits),
    "filters": Kind(filters.FilterOptions, filters.draw, filters.measure),
    "impulse-responses": Kind(impulse_responses.ImpulseOptions, impulse_responses.draw),
    "lineage": Kind(lineage.LineageOptions, lineage.draw, lineage.descent),
    "pool-contents": Kind(pool_contents.ContentsOptions, pool_contents.draw),
    "population": Kind(population.PopulationOptions, population.draw, population.populations),
    "rim-activation": Kind(rim_activation.ActivationOptions, rim_activation.draw),
    "scores": Kind(scores.ScoreOptions, scores.draw, scores.scores),
    "thoughts": Kind(thoughts.ThoughtOptions, thoughts.draw, thoughts.think),
}


SUBJECTS = ("runs", "files", "checkpoint")
"""Options that say what a picture is of; they may stand behind its kind."""


def with_subjects(name: str, options: Mapping[str, Any], subjects: Sequence[str]) -> dict[str, Any]:
    """Merge what stands behind the kind into its options: `rllib picture curves RUN RUN`.

    Args:
        name: One of `KINDS`.
        options: Its other options.
        subjects: Runs, files, or one checkpoint; none: the options say it.

    Raises:
        ExperimentError: the options say it too, the kind is of nothing, or of one thing only.
    """
    fields = {field.name for field in dataclasses.fields(KINDS[name].options)} if name in KINDS else set()
    if not subjects or not fields:
        return dict(options)
    key = next((key for key in SUBJECTS if key in fields), None)
    if key is None:
        raise ExperimentError(f"picture {name} {subjects[0]}: is drawn from its --options alone")
    if key in options:
        raise ExperimentError(f"--options.{key}: stands behind {name} already ({subjects[0]}); give it once")
    if key == "checkpoint" and len(subjects) > 1:
        raise ExperimentError(f"picture {name} {subjects[1]}: expected one checkpoint, got {len(subjects)}")
    return {**options, key: subjects[0] if key == "checkpoint" else list(subjects)}


def draw(name: str, options: Mapping[str, Any], out: Path) -> str:
    """Draw one picture into a file, and write its numbers, if it has any, into a .csv file beside it.

    Args:
        name: One of `KINDS`.
        options: Its options.
        out: Where to; the suffix says how.

    Returns:
        What to print: the numbers, and which files are written.

    Raises:
        ExperimentError: an unknown kind, wrong options, a file that cannot be written.
    """
    if name not in KINDS:
        raise unknown("picture", name, KINDS)
    check_out(str(out), "--out", canvas.SUFFIXES)
    kind = KINDS[name]
    table = out.with_suffix(".csv")
    if kind.numbers is not None:
        check_out(str(table), "--out")
    try:
        settings = parse_options(kind.options, options, "--options")
        numbers = None if kind.numbers is None else kind.numbers(settings)
        with canvas.style():
            figure = kind.draw(settings if numbers is None else numbers)
    except ValueError as error:
        raise error if isinstance(error, ExperimentError) else ExperimentError(reason(error)) from None
    canvas.save(figure, out)
    if numbers is None:
        return f"written: {out}"
    canvas.write_rows(table, numbers.rows())
    return f"{numbers.text()}\n\nwritten: {out}, {table}"
