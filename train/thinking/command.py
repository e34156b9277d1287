"""`rllib evaluate --thinking-steps`: what a network solves if it thinks for longer."""

import json
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from engram.train.console.files import check_out
from engram.train.console.screen import print_table
from engram.train.evaluation.evaluate import Request, one_line
from engram.train.evaluation.subject import find_subject
from engram.train.thinking.record import Evaluation
from engram.train.thinking.sweep import Thinking, think


def evaluate_thinking(
    request: Request, budget: int, rules: Sequence[str], out: str | None, as_json: bool
) -> dict[str, Any]:
    """Think, print, and return what was found.

    Args:
        request: What to evaluate.
        budget: Iterations.
        rules: Names of exit rules.
        out: A JSON file for everything, whole curves and each problem included, or None.
        as_json: End with one line of JSON.

    Raises:
        ExperimentError: No checkpoint, one that does not think, settings its environment refuses.
    """
    if out is not None:
        check_out(out, "--out")
    subject = find_subject(request.path, request.env_config)
    with one_line(subject.checkpoint):
        found = think(
            subject.module,
            subject.env,
            subject.env_config,
            problems=request.episodes,
            budget=budget,
            rules=rules,
            seed=request.seed,
        )
    told = subject.told() | {"seed": request.seed}
    summary = told | {"problems": found.problems, "thinking_steps": budget, "rules": _ends(found)}
    print(subject)
    print_table(_table(found, budget))
    if out is not None:
        Evaluation(**told, curves=found.curves, solved=found.solved).write(out)
        print(f"written: {out}")
    if as_json:
        print(json.dumps(summary))
    return summary


def _ends(found: Thinking) -> dict[str, Any]:
    return {
        name: {
            "accuracy": curve.accuracy[-1],
            "best": max(curve.accuracy),
            "steps_to_best": curve.steps_to_best,
            "drop_after_best": curve.drop_after_best,
        }
        for name, curve in found.curves.items()
    }


def budgets(budget: int) -> list[int]:
    """Budgets worth a row: 1, 2, 5, 10, 20, 50, ... and the last."""
    rounds = [digit * 10**power for power in range(len(str(budget))) for digit in (1, 2, 5)]
    return [*(number for number in rounds if number < budget), budget]


def _table(found: Thinking, budget: int) -> Table:
    table = Table("iterations", *found.curves, box=None, pad_edge=False)
    for number in budgets(budget):
        shares = [f"{curve.accuracy[number - 1]:.1%}" for curve in found.curves.values()]
        table.add_row(f"{number:,}", *shares)
    curves = found.curves.values()
    table.add_row("best after", *(f"{curve.steps_to_best:,}" for curve in curves))
    table.add_row("falls by", *(f"{curve.drop_after_best:.1%}" for curve in curves))
    table.add_row("median exit", *(f"{curve.exit_after(0.5):,}" for curve in curves))
    return table
