"""Finished episodes in numbers: mean return with its interval, share of successes, the same per group."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from rich.table import Table

from engram.agents.columns.episodes import Episode
from engram.train.console.screen import print_table
from engram.train.evaluation.answers import MEASURES
from engram.train.evaluation.policy import Array


def summarise(episodes: list[Episode]) -> dict[str, Any]:
    """Mean return with its 95 % interval (Student's t), mean length, share of successes, the same per group.

    Args:
        episodes: At least one.
    """
    groups = sorted({episode.group for episode in episodes if episode.group is not None}, key=_natural)
    parts = {group: [episode for episode in episodes if episode.group == group] for group in groups}
    return _measures(episodes) | {"groups": {group: _measures(part) for group, part in parts.items()}}


def _natural(group: str) -> tuple[float, str]:
    try:
        return float(group), group
    except ValueError:
        return float("inf"), group


def _measures(episodes: list[Episode]) -> dict[str, Any]:
    totals = np.array([episode.episode_return for episode in episodes])
    known = [episode.success for episode in episodes if episode.success is not None]
    return {
        "episodes": len(episodes),
        "return_mean": float(totals.mean()),
        "return_ci95": _interval(totals),
        "length_mean": float(np.mean([episode.length for episode in episodes])),
        "success_rate": float(np.mean(known)) if known else None,
    }


def _interval(totals: Array) -> list[float] | None:
    """Bounds of the mean's 95 % interval; None for a single episode, which says nothing of the spread."""
    from scipy import stats

    if len(totals) < 2:
        return None
    half = float(stats.t.ppf(0.975, len(totals) - 1) * totals.std(ddof=1) / np.sqrt(len(totals)))
    return [float(totals.mean()) - half, float(totals.mean()) + half]


def print_summary(summary: Mapping[str, Any]) -> None:
    """Print a summary for people.

    Args:
        summary: From `summarise`, with checkpoint, env and env_config.
    """
    print(f"checkpoint: {summary['checkpoint']}")
    print(f"environment: {summary['env']} {json.dumps(summary['env_config'])}")
    table = Table("", "episodes", "return", "95 % interval", "success", "length", box=None, pad_edge=False)
    table.add_row(*_row("all", summary))
    for group, measures in summary["groups"].items():
        table.add_row(*_row(group, measures))
    print_table(table)
    for name, measure in MEASURES.items():
        if name in summary:
            chance = summary.get("chance", {}).get(name)
            beside = "" if chance is None else f" ({chance:.4f} if nothing is remembered)"
            print(f"cross-entropy, {measure.steps}: {summary[name]:.4f} nats{beside}")


def _row(name: str, measures: Mapping[str, Any]) -> list[str]:
    interval, success = measures["return_ci95"], measures["success_rate"]
    return [
        name,
        str(measures["episodes"]),
        f"{measures['return_mean']:.3f}",
        "-" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}",
        "-" if success is None else f"{success:.1%}",
        f"{measures['length_mean']:.1f}",
    ]
