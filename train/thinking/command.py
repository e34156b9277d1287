"""`rllib evaluate --thinking-steps`: what a network solves if it thinks for longer."""

import json
from collections.abc import Sequence
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from engram.train import checkpoints
from engram.train.evaluation import Request, one_line
from engram.train.noise import quiet
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
    quiet()
    torch.set_num_threads(1)
    checkpoint = checkpoints.find_checkpoint(request.path)
    origin = checkpoints.source(checkpoint)
    env_config = {**origin.env_config, **request.env_config}
    module = checkpoints.load_module(checkpoint)
    with one_line(checkpoint):
        found = think(
            module,
            origin.env,
            env_config,
            problems=request.episodes,
            budget=budget,
            rules=rules,
            seed=request.seed,
        )
    told = {"checkpoint": str(checkpoint), "env": origin.env, "env_config": env_config, "seed": request.seed}
    summary = told | {"problems": found.problems, "thinking_steps": budget, "rules": _ends(found)}
    print(f"checkpoint: {checkpoint}\nenvironment: {origin.env} {json.dumps(env_config)}")
    Console().print(_table(found, budget))
    if out is not None:
        _write(out, told | {"curves": _whole(found), "solved": found.solved})
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


def _whole(found: Thinking) -> dict[str, Any]:
    return {name: curve._asdict() for name, curve in found.curves.items()}


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
    table.add_row("median exit", *(f"{_median(curve.exits):,}" for curve in curves))
    return table


def _median(exits: list[int]) -> int:
    """The iteration after which half of the problems were answered."""
    counted = torch.tensor(exits).cumsum(0)
    return int((counted >= counted[-1] / 2).nonzero()[0]) + 1


def _write(path: str, found: dict[str, Any]) -> None:
    from pathlib import Path

    from engram.train.errors import ExperimentError, reason

    try:
        Path(path).write_text(json.dumps(found), encoding="utf-8")
    except OSError as error:
        raise ExperimentError(f"--out: {path} cannot be written: {reason(error)}") from None
