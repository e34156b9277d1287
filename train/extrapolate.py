"""`rllib extrapolate`: runs against sizes: how far does what was learned carry?"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rich.table import Table

from engram.train.console.errors import ExperimentError
from engram.train.console.files import check_out, typed_path
from engram.train.console.screen import print_table
from engram.train.evaluation.evaluate import Request, one_line, play
from engram.train.evaluation.subject import Subject, find_subject
from engram.train.evaluation.summary import summarise
from engram.train.experiments.loading import parse_yaml
from engram.train.runs.best import best_checkpoint
from engram.train.runs.checkpoints import source
from engram.train.thinking.record import write_json
from engram.train.thinking.sweep import think

COMMAND = "extrapolate"
PLAYED = ("return_mean", "success_rate")


@dataclass(frozen=True)
class Grid:
    """What to measure: every run at every size.

    Attributes:
        runs: Checkpoints, or folders with checkpoints.
        setting: The setting of the environment that is the size.
        sizes: Its values.
        env_config: Other settings merged over those of training.
        episodes: Episodes, or puzzles, for each run and size.
        thinking_steps: For networks that think, their iterations: one number, or one for each size. None: the
            policies play.
        rules: Exit rules, with `thinking_steps`.
        seed: Of the environments and of drawn actions.
    """

    runs: Sequence[str]
    setting: str
    sizes: Sequence[Any]
    env_config: Mapping[str, Any] = field(default_factory=dict)
    episodes: int = 100
    thinking_steps: Sequence[int] | None = None
    rules: Sequence[str] = ("last",)
    seed: int = 0

    def budgets(self) -> list[int | None]:
        """Iterations at each size.

        Raises:
            ExperimentError: Neither one number nor one for each size.
        """
        steps = self.thinking_steps
        if steps is None:
            return [None] * len(self.sizes)
        if len(steps) not in (1, len(self.sizes)):
            raise ExperimentError(
                f"--thinking-steps: {len(steps)} numbers for {len(self.sizes)} sizes; "
                "expected one, or one for each"
            )
        return [*steps] if len(steps) > 1 else [steps[0]] * len(self.sizes)


class Cell(NamedTuple):
    """A run at a size.

    Attributes:
        run: The run, as it was asked for.
        checkpoint: Its checkpoint.
        trained: The size it was trained at; None where its settings leave that to the environment.
        size: The size it was tested at.
        thinking_steps: Iterations; None where it played.
        measures: Mean return and rate of success where it played; else exit rule -> share solved.
    """

    run: str
    checkpoint: str
    trained: Any
    size: Any
    thinking_steps: int | None
    measures: dict[str, float]


def parse_sizes(text: str) -> tuple[str, list[Any]]:
    """`positions=9,13,19` as a setting and its values.

    Args:
        text: What the user wrote; values are YAML.

    Raises:
        ExperimentError: It is something else.
    """
    setting, equals, values = text.partition("=")
    sizes = parse_yaml(f"[{values}]", "--sizes") if setting and equals else []
    if not sizes:
        raise ExperimentError(f"--sizes {text!r}: expected SETTING=VALUE,VALUE,... such as bits=32,64,512")
    return setting, sizes


def parse_budgets(text: str) -> list[int]:
    """`60,100,200` as iterations.

    Args:
        text: What the user wrote.

    Raises:
        ExperimentError: It is something else.
    """
    budgets: list[Any] = parse_yaml(f"[{text}]", "--thinking-steps")
    if not budgets or not all(type(budget) is int and budget >= 1 for budget in budgets):
        raise ExperimentError(f"--thinking-steps {text!r}: expected integers >= 1, such as 60,100,200")
    return budgets


def extrapolate(grid: Grid, out: str | None, as_json: bool) -> list[dict[str, Any]]:
    """Measure, print a table for each measure, and return the cells.

    Args:
        grid: What to measure.
        out: A JSON file for all of it, or None.
        as_json: End with one line of JSON.

    Raises:
        ExperimentError: No checkpoint, settings its environment refuses, unknown rules.
    """
    if out is not None:
        check_out(out, "--out")
    cells: list[Cell] = []
    told = {"setting": grid.setting, "episodes": grid.episodes, "seed": grid.seed}
    summary: list[dict[str, Any]] = []
    try:
        for cell in measure(grid):
            cells.append(cell)
            summary.append(told | cell._asdict())
            if out is not None:
                write_json(out, summary)
    finally:  # what was measured before something went wrong, or the user had enough, is not lost
        _print_tables(grid, cells)
    if out is not None:
        print(f"written: {out}")
    if as_json:
        print(json.dumps(summary))
    return summary


def measure(grid: Grid) -> Iterator[Cell]:
    """Each run at each size, run by run.

    Args:
        grid: What to measure.

    Raises:
        ExperimentError: See `extrapolate`.
    """
    budgets = grid.budgets()
    for run in dict.fromkeys(grid.runs):
        checkpoint = best_checkpoint(run)
        trained = source(checkpoint).env_config.get(grid.setting)
        for size, budget in zip(grid.sizes, budgets, strict=True):
            subject = find_subject(str(checkpoint), {**grid.env_config, grid.setting: size})
            with one_line(checkpoint, COMMAND):
                measures = _play(subject, grid) if budget is None else _think(subject, grid, budget)
            yield Cell(run, str(checkpoint), trained, size, budget, measures)


def _play(subject: Subject, grid: Grid) -> dict[str, float]:
    request = Request(str(subject.checkpoint), grid.episodes, {}, not subject.explore, grid.seed)
    summary = summarise(play(subject.module, subject.env, subject.env_config, request).episodes)
    return {name: summary[name] for name in PLAYED if summary[name] is not None}


def _think(subject: Subject, grid: Grid, budget: int) -> dict[str, float]:
    found = think(
        subject.module,
        subject.env,
        subject.env_config,
        problems=grid.episodes,
        budget=budget,
        rules=grid.rules,
        seed=grid.seed,
    )
    return {rule: curve.accuracy[-1] for rule, curve in found.curves.items()}


def _print_tables(grid: Grid, cells: Sequence[Cell]) -> None:
    for name in dict.fromkeys(name for cell in cells for name in cell.measures):
        print(f"{name}, by {grid.setting}:" if grid.thinking_steps is None else f"solved, exit rule {name}:")
        print_table(_table(grid.sizes, cells, name))


def _table(sizes: Sequence[Any], cells: Sequence[Cell], measure: str) -> Table:
    table = Table("run", "trained at", *map(str, sizes), box=None, pad_edge=False)
    labels = _labels([*dict.fromkeys(cell.run for cell in cells)])
    for run, label in labels.items():
        row = [cell for cell in cells if cell.run == run]
        trained = "default" if row[0].trained is None else str(row[0].trained)
        values = [cell.measures.get(measure) for cell in row]
        numbers = ["-" if value is None else f"{value:.4f}" for value in values]
        table.add_row(label, trained, *numbers)
    return table


def _labels(runs: Sequence[str]) -> dict[str, str]:
    """The shortest ends of the runs' paths that tell them apart."""
    paths = {run: typed_path(run).absolute().parts for run in runs}
    for length in range(1, max(map(len, paths.values()), default=0)):
        ends = {run: "/".join(parts[-length:]) for run, parts in paths.items()}
        if len(set(ends.values())) == len(runs):
            return ends
    return {run: run for run in runs}
