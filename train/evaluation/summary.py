"""Finished episodes in numbers: mean return with its interval, share of successes, the same per group."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from engram.agents.columns.episodes import Episode, EpisodeWindow
from engram.agents.columns.trials import COUNT, REWARD, TRIALS
from engram.train.console.screen import Part, make_table
from engram.train.evaluation.answers import CROSS_ENTROPIES


def summarise(episodes: list[Episode]) -> dict[str, Any]:
    """Compute mean return with its 95 % interval (Student's t), mean length and share of successes.

    Args:
        episodes: At least one.

    Returns:
        `episodes`, `return_mean`, `return_ci95`, `length_mean`, `success_rate`, and under `groups` the same
        of each group.
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
    window = EpisodeWindow(None)
    window.extend(episodes)
    means = window.summary()
    return {
        "episodes": len(episodes),
        "return_mean": means["episode_return_mean"],
        "return_ci95": _interval([episode.episode_return for episode in episodes]),
        "length_mean": means["episode_len_mean"],
        "success_rate": means.get("success_rate"),
    }


def _interval(returns: list[float]) -> list[float] | None:
    """Bounds of the mean's 95 % interval; None for a single episode, which says nothing of the spread."""
    from scipy import stats

    if len(returns) < 2:
        return None
    mean, spread = np.mean(returns), np.std(returns, ddof=1)
    half = float(stats.t.ppf(0.975, len(returns) - 1) * spread / np.sqrt(len(returns)))
    return [float(mean) - half, float(mean) + half]


def summary_parts(summary: Mapping[str, Any]) -> Iterator[Part]:
    """Yield what to show of a summary: a table, and a line for trials and for each cross-entropy.

    A group of all episodes is no row: it says what the first one says.

    Args:
        summary: From `Played.summary`.
    """
    groups = summary["groups"].items()
    rows = {"all": summary} | {
        name: group for name, group in groups if group["episodes"] < summary["episodes"]
    }
    header = ("", "episodes", "return", "95 % interval", "success", "length")
    yield make_table(header, [_row(name, measures) for name, measures in rows.items()])
    if TRIALS in summary:
        yield f"trials: {trials_in_short(summary[TRIALS])}"
    for name, where in CROSS_ENTROPIES.items():
        if name in summary:
            chance = summary.get("chance", {}).get(name)
            beside = "" if chance is None else f" ({chance:.4f} if nothing is remembered)"
            yield f"cross-entropy, {where.steps}: {summary[name]:.4f} nats{beside}"


def trials_in_short(means: Mapping[str, float]) -> str:
    """Write means over trials in a line, and how many these are.

    Args:
        means: From `engram.agents.columns.trials.per_trial`.
    """
    named = [f"{name} {value:.4f}" for name, value in means.items() if name not in (COUNT, REWARD)]
    return ", ".join([f"{means[COUNT]:,.0f}", *named, f"reward per trial {means[REWARD]:.4f}"])


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
