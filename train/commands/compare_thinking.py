"""`rllib compare-thinking`: McNemar's test between two networks that were asked the same puzzles."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engram.train.commands.options import Json

if TYPE_CHECKING:
    from engram.train.thinking.record import Evaluation

EXAMPLES = """
rllib evaluate ~/ray_results/delta --thinking-steps 400 --episodes 10000 --out delta.json
rllib evaluate ~/ray_results/progressive --thinking-steps 400 --episodes 10000 --out progressive.json
rllib compare-thinking delta.json progressive.json
"""


def command(
    first: Annotated[str, typer.Argument(metavar="A.json", help="Of `evaluate --thinking-steps --out`.")],
    second: Annotated[str, typer.Argument(metavar="B.json", help="Of the same puzzles.")],
    as_json: Json = False,
) -> None:
    """Which of two networks solves more of the same puzzles, and could that be chance (McNemar's test)?"""
    from engram.train.console.errors import ExperimentError
    from engram.train.console.screen import make_table, show
    from engram.train.thinking.mcnemar import mcnemar
    from engram.train.thinking.record import read_evaluation

    one, other = (read_evaluation(path, "compare-thinking") for path in (first, second))
    ones, others = _decisive(one), _decisive(other)
    for setting in {**ones, **others}:
        here, there = ones.get(setting), others.get(setting)
        if here != there:
            raise ExperimentError(
                f"compare-thinking: not the same puzzles: {setting} is {_shown(here)} in {first}, "
                f"{_shown(there)} in {second}"
            )
    test = mcnemar(one.solved, other.solved)
    rows = [
        (path, found.checkpoint, f"{found.steps:,}", f"{found.accuracy:.2%}", f"{alone:,}")
        for path, found, alone in ((first, one, test.first_only), (second, other, test.second_only))
    ]
    summary = {"first": _summary(first, one), "second": _summary(second, other), **test._asdict()}
    show(
        f"environment: {one.env} {json.dumps(one.env_config)}, seed {one.seed}, {len(one.solved):,} problems",
        make_table(("", "checkpoint", "iterations", "solved", "only this one"), rows),
        f"McNemar's exact test, two-sided: p = {test.p_value:.3g}",
        result=summary if as_json else None,
    )


def _decisive(found: "Evaluation") -> dict[str, Any]:
    """Return all settings that decide which puzzles are drawn, by name."""
    config = {f"env_config.{key}": value for key, value in sorted(found.env_config.items())}
    return {"env": found.env, **config, "seed": found.seed, "the number of problems": len(found.solved)}


def _shown(value: Any) -> str:
    return "left to its default" if value is None else json.dumps(value)


def _summary(path: str, found: "Evaluation") -> dict[str, Any]:
    return {
        "file": path,
        "checkpoint": found.checkpoint,
        "thinking_steps": found.steps,
        "solved": found.accuracy,
    }
