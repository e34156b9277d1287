"""Curves from the files that `rllib evaluate --thinking-steps N --out FILE` writes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from engram.train.console.errors import ExperimentError, unknown
from engram.train.thinking.record import Curve, read_evaluation


class NamedCurve(NamedTuple):
    """What an exit rule came to in one evaluation.

    Attributes:
        file: Name of the file.
        rule: The exit rule.
        label: What tells it apart from the others.
        curve: What it came to.
    """

    file: str
    rule: str
    label: str
    curve: Curve


def read_curves(files: Sequence[str], rule: str, wanted: Callable[[str], bool]) -> list[NamedCurve]:
    """Reads the curves of one exit rule, or of several.

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
    """Short names of files: without folder and suffix, where that tells them apart."""
    stems = {file: Path(file).stem for file in files}
    return stems if len(set(stems.values())) == len(stems) else {file: file for file in stems}
