"""EvaluationCurves from the files that `rllib evaluate --thinking-steps N --out FILE` writes."""

import abc
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from engram.memory.options import Options
from engram.train.console.errors import ExperimentError, unknown
from engram.train.pictures.fields import texts
from engram.train.pictures.tables import table
from engram.train.thinking.record import Curve, read_evaluation


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileOptions(Options):
    """Options of a picture of such files."""

    files: tuple[str, ...] = texts("files that `rllib evaluate --thinking-steps N --out FILE` has written")


class NamedCurve(NamedTuple):
    """The curve of one exit rule in one evaluation.

    Attributes:
        file: Name of the file.
        rule: The exit rule.
        label: Name that tells it from the others.
        curve: Its accuracy and exits.
    """

    file: str
    rule: str
    label: str
    curve: Curve


@dataclasses.dataclass(frozen=True)
class EvaluationCurves(abc.ABC):
    """Numbers by file, exit rule and iteration.

    Attributes:
        curves: By file and exit rule.
        log: Whether the axis of iterations is logarithmic.
    """

    COLUMNS: ClassVar[tuple[str, str]]
    """Names of the iterations and of the numbers, in the CSV file."""
    HEADING: ClassVar[tuple[str, ...]]
    """Names of what `cells` returns."""

    curves: list[NamedCurve]
    log: bool

    @abc.abstractmethod
    def numbers(self, curve: Curve) -> Sequence[float]:
        """Return a number for each iteration."""

    @abc.abstractmethod
    def cells(self, curve: Curve) -> Sequence[str]:
        """Return what the table says of a curve."""

    def rows(self) -> Iterator[Sequence[object]]:
        """Yield lines of a CSV file: the heading, and one for each iteration."""
        yield ("file", "rule", *self.COLUMNS)
        for file, rule, _, curve in self.curves:
            for iteration, number in enumerate(self.numbers(curve), start=1):
                yield file, rule, iteration, number

    def text(self) -> str:
        """Return a table in Markdown, with a row for each curve."""
        rows = [(f"`{each.file}`", each.rule, *self.cells(each.curve)) for each in self.curves]
        return "\n".join(table(("file", "exit rule", *self.HEADING), rows))

    def scale_iterations(self, axes: Axes) -> None:
        """Make the x-axis one of iterations, from 1."""
        axes.set_xlabel("iterations")
        if self.log:
            axes.set_xscale("log")
            axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:,.10g}"))


def read_curves(files: Sequence[str], rule: str, wanted: Callable[[str], bool]) -> list[NamedCurve]:
    """Read the curves of one exit rule, or of several.

    Args:
        files: The files; one that is named twice counts once.
        rule: The exit rule; empty: all rules that are wanted.
        wanted: Which rules are, where none is named.

    Raises:
        ExperimentError: A file cannot be read, or has no such rule.
    """
    found: dict[tuple[str, str], Curve] = {}
    for file in dict.fromkeys(files):
        curves = read_evaluation(file, "--options.files").curves
        if rule and rule not in curves:
            raise unknown(f"--options.rule: {file}", rule, curves)
        rules = [rule] if rule else [name for name in curves if wanted(name)]
        found |= {(file, name): curves[name] for name in rules}
    if not found:
        raise ExperimentError(
            f"--options.files: {', '.join(files)}: no exit rule that chooses when to stop; "
            "evaluate with --exit-rule agreement --exit-rule confidence"
        )
    names = _names([file for file, _ in found])
    several = len({name for _, name in found}) > 1
    return [
        NamedCurve(file, name, f"{names[file]}, {name}" if several else names[file], curve)
        for (file, name), curve in found.items()
    ]


def _names(files: list[str]) -> dict[str, str]:
    """Shorten names of files to those without folder and suffix, where these differ."""
    stems = {file: Path(file).stem for file in files}
    return stems if len(set(stems.values())) == len(stems) else {file: file for file in stems}
