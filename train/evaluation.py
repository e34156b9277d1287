"""`rllib evaluate`: play episodes with a trained policy and say how good it is, with an interval.

Every lane plays a number of episodes that is fixed beforehand, so that short episodes do not count more often than
long ones. Shapes: B lanes.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from engram.train import checkpoints
from engram.train.environments import make_batched, make_rendered
from engram.train.errors import ExperimentError, reason
from engram.train.noise import quiet
from engram.train.policy import Array, Policy

MAX_LANES = 256
MAX_STEPS = 1_000_000  # env steps of one lane: where a policy never ends an episode


@dataclass(frozen=True)
class Request:
    """What to evaluate.

    Attributes:
        path: A checkpoint, or a folder with checkpoints.
        episodes: Number of episodes.
        env_config: Settings merged over those of training.
        greedy: The likeliest action; else drawn.
        seed: Of the environments and of drawn actions.
    """

    path: str
    episodes: int = 100
    env_config: Mapping[str, Any] = field(default_factory=dict)
    greedy: bool = True
    seed: int = 0


@dataclass(frozen=True)
class Episode:
    """One finished episode: return, length in env steps, success and group where the environment names them."""

    total: float
    length: int
    success: bool | None
    group: str | None


def evaluate(request: Request, gif: str | None, as_json: bool) -> dict[str, Any]:
    """Play, print, and return the summary.

    Args:
        request: What to evaluate.
        gif: File for one rendered episode, or None.
        as_json: End with one line of JSON.

    Raises:
        ExperimentError: no checkpoint, a foreign one, settings its environment refuses.
    """
    import torch

    quiet()
    torch.set_num_threads(1)  # small tensors run many times slower with two
    checkpoint = checkpoints.find_checkpoint(request.path)
    origin = checkpoints.source(checkpoint)
    env_config = {**origin.env_config, **request.env_config}
    module = checkpoints.load_module(checkpoint)
    played = play(module, origin.env, env_config, request)
    summary = summarise(played) | {"checkpoint": str(checkpoint), "env": origin.env, "env_config": env_config}
    print_summary(summary, Console())
    if gif is not None:
        write_gif(module, origin.env, env_config, request, Path(gif))
        print(f"gif: {gif}")
    if as_json:
        print(json.dumps(summary))
    return summary


def play(module: Any, env_id: str, env_config: Mapping[str, Any], request: Request) -> list[Episode]:
    """Play episodes in a batched environment.

    Args:
        module: An RLModule.
        env_id: The environment's id.
        env_config: Its settings.
        request: Number of episodes, seed and kind of actions.
    """
    import torch

    lanes = min(request.episodes, MAX_LANES)
    env = make_batched(env_id, lanes, env_config)
    if env.single_observation_space != module.observation_space:
        raise ExperimentError(
            f"{request.path}: made for observations {module.observation_space}, "
            f"{env_id} gives {env.single_observation_space}"
        )
    torch.manual_seed(request.seed)
    policy = Policy(module, lanes, request.greedy)
    wanted = [request.episodes // lanes + (lane < request.episodes % lanes) for lane in range(lanes)]
    try:
        return list(_episodes(env, policy, wanted, request.seed))
    finally:
        env.close()


def _episodes(env: Any, policy: Policy, wanted: list[int], seed: int) -> Iterator[Episode]:
    observations, _ = env.reset(seed=seed)
    group_by = env.metadata.get("group_by")
    totals, lengths = np.zeros(len(wanted)), np.zeros(len(wanted), dtype=int)
    left, resets = np.array(wanted), np.ones(len(wanted), dtype=bool)
    for _ in range(MAX_STEPS):
        actions = to_env(policy.act(observations, resets), env.single_action_space)
        observations, rewards, terminated, truncated, infos = env.step(actions)
        totals += rewards
        lengths += 1
        resets = np.logical_or(terminated, truncated)
        for lane in np.flatnonzero(resets & (left > 0)):
            info = infos.get("final_info", {})
            success, group = _entry(info, "success", lane), _entry(info, group_by, lane)
            named = None if group is None else str(group)
            yield Episode(float(totals[lane]), int(lengths[lane]), None if success is None else bool(success), named)
        left -= resets
        totals[resets], lengths[resets] = 0.0, 0
        if not (left > 0).any():
            return
    raise ExperimentError(f"evaluate: an episode did not end within {MAX_STEPS:,} steps")


def _entry(info: Mapping[str, Any], key: str | None, lane: Any) -> Any:
    """A lane's value in a batched info, or None where it has none."""
    if key is None or key not in info or not info.get(f"_{key}", np.ones(lane + 1, dtype=bool))[lane]:
        return None
    value = info[key][lane]
    return value.item() if isinstance(value, np.generic) else value


def to_env(actions: Array, space: Any) -> Array:
    """Actions in the module's range (-1 to 1 for Box) -> in the environment's range, as RLlib's env runners do.

    Args:
        actions: (B, ...).
        space: The action space of one lane.
    """
    from gymnasium.spaces import Box
    from ray.rllib.utils.spaces.space_utils import unsquash_action

    if not isinstance(space, Box):
        return actions
    return np.stack([unsquash_action(action, space) for action in actions])


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
    totals = np.array([episode.total for episode in episodes])
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


def print_summary(summary: Mapping[str, Any], console: Console) -> None:
    """Print a summary for people.

    Args:
        summary: From `summarise`, with checkpoint, env and env_config.
        console: Where to.
    """
    print(f"checkpoint: {summary['checkpoint']}")
    print(f"environment: {summary['env']} {json.dumps(summary['env_config'])}")
    table = Table("", "episodes", "return", "95 % interval", "success", "length", box=None, pad_edge=False)
    table.add_row(*_row("all", summary))
    for group, measures in summary["groups"].items():
        table.add_row(*_row(group, measures))
    console.print(table)


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


def write_gif(module: Any, env_id: str, env_config: Mapping[str, Any], request: Request, file: Path) -> None:
    """Play one episode in the single environment and write its frames.

    Args:
        module: An RLModule.
        env_id: The environment's id.
        env_config: Its settings.
        request: Seed and kind of actions.
        file: Where to write.

    Raises:
        ExperimentError: the environment does not render, or the file cannot be written.
    """
    import imageio

    env = make_rendered(env_id, env_config)
    policy = Policy(module, 1, request.greedy)
    observation, _ = env.reset(seed=request.seed)
    frames, ended, resets = [_frame(env)], False, np.ones(1, dtype=bool)
    while not ended and len(frames) < MAX_STEPS:
        batch = {k: v[None] for k, v in observation.items()} if isinstance(observation, dict) else observation[None]
        action = to_env(policy.act(batch, resets), env.action_space)[0]
        observation, _, terminated, truncated, _ = env.step(action)
        ended, resets = bool(terminated or truncated), np.zeros(1, dtype=bool)
        frames.append(_frame(env))
    duration = 1000 / env.unwrapped.metadata.get("render_fps", 10)  # ms per frame
    env.close()
    try:
        imageio.mimsave(file, frames, format="GIF", duration=duration, loop=0)  # type: ignore[arg-type]
    except (OSError, ValueError) as error:
        raise ExperimentError(f"--gif {file}: {reason(error)}") from None


def _frame(env: Any) -> Array:
    """One rendered picture; a board of a few cells is enlarged to something visible."""
    picture = np.asarray(env.render(), dtype=np.uint8)
    factor = max(1, 240 // max(picture.shape[:2]))
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)
