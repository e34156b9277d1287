"""`rllib evaluate`: play episodes with a trained policy and say how good it is, with an interval.

Every lane plays a number of episodes that is fixed beforehand, so that short episodes do not count more
often than long ones.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engram.agents.columns.episodes import EPISODES, Episode, EpisodeLog
from engram.agents.columns.finite import LaneGuard
from engram.agents.models.thinking import ThinkingModule
from engram.train.console.errors import ExperimentError, reason
from engram.train.environments.facts import make_batched
from engram.train.evaluation.answers import AnswerLog
from engram.train.evaluation.gif import check_gif, write_gif
from engram.train.evaluation.policy import Policy, make_policy
from engram.train.evaluation.subject import find_subject
from engram.train.evaluation.summary import print_summary, summarise

MAX_LANES = 256
MAX_STEPS = 1_000_000  # env steps of one lane: where a policy never ends an episode


@dataclass(frozen=True)
class Request:
    """What to evaluate.

    Attributes:
        path: A checkpoint, or a folder with checkpoints.
        episodes: Number of episodes.
        env_config: Settings merged over those of training.
        greedy: The likeliest action; else drawn. None: as `evaluation_config.explore` of the experiment says,
            the likeliest where it says nothing.
        seed: Of the environments and of drawn actions.
    """

    path: str
    episodes: int = 100
    env_config: Mapping[str, Any] = field(default_factory=dict)
    greedy: bool | None = None
    seed: int = 0


def evaluate(request: Request, gif: str | None, gif_hold: float, as_json: bool) -> dict[str, Any]:
    """Play, print, and return the summary.

    Args:
        request: What to evaluate.
        gif: File for one rendered episode, a .gif or .mp4, or None.
        gif_hold: Seconds that it shows an unchanging picture at most.
        as_json: End with one line of JSON.

    Raises:
        ExperimentError: no checkpoint, a foreign one, settings its environment refuses.
    """
    subject = find_subject(request.path, request.env_config)
    if request.greedy is None:
        request = replace(request, greedy=not subject.explore)
    module, env_id, env_config = subject.module, subject.env, subject.env_config
    file = None if gif is None else check_gif(gif, env_id, env_config)
    with one_line(subject.checkpoint):
        played = play(module, env_id, env_config, request)
    summary = summarise(played.episodes) | played.answers | subject.told()
    print_summary(summary)
    print(f"actions: {'the likeliest' if request.greedy else 'drawn from the policy'}")
    if file is not None:
        with one_line(subject.checkpoint):
            greedy = bool(request.greedy)
            write_gif(module, env_id, env_config, greedy, request.seed, file, gif_hold)
        print(f"gif: {gif}")
    if as_json:
        print(json.dumps(summary))
    return summary


@contextmanager
def one_line(checkpoint: Path, command: str = "evaluate") -> Iterator[None]:
    """Turns whatever a foreign module or environment raises into one line that names the checkpoint."""
    try:
        yield
    except ExperimentError:
        raise
    except Exception as error:
        raise ExperimentError(f"{command}: {checkpoint} cannot be played: {reason(error)}") from None


class Played(NamedTuple):
    """What `play` saw.

    Attributes:
        episodes: The episodes, in the order in which they ended.
        answers: What `AnswerLog` has to say of the answers in them.
    """

    episodes: list[Episode]
    answers: dict[str, Any]


def play(module: Any, env_id: str, env_config: Mapping[str, Any], request: Request) -> Played:
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
    if isinstance(module, ThinkingModule):
        module.resize(env.single_observation_space, env.single_action_space)
        module.prepare_tests()
    elif env.single_observation_space != module.observation_space:
        raise ExperimentError(
            f"{request.path}: made for observations {module.observation_space}, "
            f"{env_id} gives {env.single_observation_space}"
        )
    elif env.single_action_space != module.action_space:
        raise ExperimentError(
            f"{request.path}: made for actions {module.action_space}, "
            f"{env_id} takes {env.single_action_space}"
        )
    torch.manual_seed(request.seed)
    policy = make_policy(module, lanes, bool(request.greedy))
    try:
        return _episodes(env, policy, request)
    finally:
        env.close()


class _Finished(list[Episode]):
    """Takes in what an `EpisodeLog` reports."""

    def log_value(self, key: str, value: Any, **_: Any) -> None:
        """Keeps episodes, and no other metric."""
        if key == EPISODES:
            self.append(Episode(*value))


def _episodes(env: Any, policy: Policy, request: Request) -> Played:
    log = EpisodeLog(policy.lanes, env.metadata.get("group_by"))
    log.limit(request.episodes)
    observations, infos = env.reset(seed=request.seed)
    resets, finished, answers = np.ones(policy.lanes, dtype=bool), _Finished(), AnswerLog(env)
    guard = LaneGuard(policy.lanes)
    observations = guard.observe(observations)
    for _ in range(MAX_STEPS):
        _check_finite(guard)
        actions = policy.act(observations, resets)
        answers.step(policy, infos, log.counting())
        observations, rewards, terminated, truncated, infos = env.step(actions)
        guard.step += 1
        guard.look({"reward": rewards[None]}, guard.step)
        guard.observe(observations)
        resets = np.logical_or(terminated, truncated)
        log.step(rewards, resets, infos)
        if not log.wanting():
            _check_finite(guard)
            log.report(finished)
            return Played(finished, answers.summary())
    raise ExperimentError(f"evaluate: an episode did not end within {MAX_STEPS:,} steps")


def _check_finite(guard: LaneGuard) -> None:
    """Raises ExperimentError where a reward or an observation is not finite: no mean would say anything."""
    found = guard.finding()
    if found is not None:
        raise ExperimentError(f"evaluate: {found.message}")
