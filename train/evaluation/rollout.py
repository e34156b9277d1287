"""Episodes of a policy: the loop that plays them, and their summary.

B lanes.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.vector import VectorEnv

from engram.agents.columns.episodes import EPISODES, Episode, EpisodeLog
from engram.agents.columns.finite import LaneGuard
from engram.agents.columns.trials import TRIALS, per_trial
from engram.train.console.errors import ExperimentError
from engram.train.evaluation.agent import Agent
from engram.train.evaluation.answers import AnswerLog
from engram.train.evaluation.policy import Array, Policy
from engram.train.evaluation.summary import summarise

MAX_LANES = 256
MAX_STEPS = 1_000_000  # env steps of one lane: where a policy never ends an episode


class Step(NamedTuple):
    """One step of B lanes.

    Attributes:
        infos: The infos that came with the observations acted on.
        rewards: (B,).
        ended: Lanes whose episode ended in this step, bool (B,).
        next_infos: The infos of this step.
    """

    infos: Mapping[str, Any]
    rewards: Array
    ended: Array
    next_infos: Mapping[str, Any]


def play_steps(envs: VectorEnv[Any, Any, Any], policy: Policy, seed: int) -> Iterator[Step]:
    """Play, one step after the other, until the caller has seen enough.

    Args:
        envs: B lanes.
        policy: Acts in B lanes.
        seed: Of the environments and of drawn actions.

    Raises:
        ExperimentError: A reward or an observation is not finite, so that no mean would say anything; or
            the caller has not seen enough after `MAX_STEPS`.
    """
    torch.manual_seed(seed)
    guard = LaneGuard(envs.num_envs)
    observations, infos = envs.reset(seed=seed)
    resets = np.ones(envs.num_envs, dtype=bool)
    guard.observe(observations)
    _check_finite(guard)
    for step in range(1, MAX_STEPS + 1):
        actions = policy.act(observations, resets, infos)
        observations, rewards, terminated, truncated, next_infos = envs.step(actions)
        guard.step = step
        guard.look({"reward": rewards[None]}, step)
        guard.observe(observations)
        _check_finite(guard)
        resets = np.logical_or(terminated, truncated)
        yield Step(infos, rewards, resets, next_infos)
        infos = next_infos
    raise ExperimentError(f"evaluate: an episode did not end within {MAX_STEPS:,} steps")


def _check_finite(guard: LaneGuard) -> None:
    found = guard.finding()
    if found is not None:
        raise ExperimentError(f"evaluate: {found.message}")


class Played(NamedTuple):
    """Episodes that were played.

    Attributes:
        episodes: The episodes, in the order in which they ended.
        answers: Cross-entropies of the answers in them, see `AnswerLog.summary`.
        trials: Means over their trials, see `engram.agents.columns.trials`; empty where there are none.
    """

    episodes: list[Episode]
    answers: dict[str, Any]
    trials: dict[str, float]

    def summary(self) -> dict[str, Any]:
        """Return means over the episodes, see `summarise`, the cross-entropies and means over trials."""
        return summarise(self.episodes) | self.answers | ({TRIALS: self.trials} if self.trials else {})


class _Finished(list[Episode]):
    """Collects the episodes that an `EpisodeLog` reports, and sums over their trials."""

    def __init__(self) -> None:
        super().__init__()
        self.sums: dict[str, float] = {}

    def log_value(self, key: str | tuple[str, str], value: Any, **_: Any) -> None:
        if key == EPISODES:
            self.append(Episode(*value))
        elif key[0] == TRIALS:
            self.sums[key[1]] = value


def play_episodes(agent: Agent, episodes: int, seed: int = 0) -> Played:
    """Play a number of episodes, many side by side.

    Every lane plays a number of episodes that is fixed beforehand, so that short episodes do not count more
    often than long ones.

    Args:
        agent: The agent that plays.
        episodes: Number of episodes.
        seed: Of the environments and of drawn actions.

    Raises:
        ExperimentError: See `Agent.make_envs` and `play_steps`.
    """
    lanes = min(episodes, MAX_LANES)
    with closing(agent.make_envs(lanes)) as envs:
        policy = agent.make_policy(lanes)
        log, answers, finished = EpisodeLog.of(envs), AnswerLog(envs), _Finished()
        log.limit(episodes)
        for step in play_steps(envs, policy, seed):
            answers.step(policy, step.infos, log.counting())
            log.step(step.rewards, step.ended, step.next_infos)
            if not log.wanting():
                break
        log.report(finished)
        return Played(finished, answers.summary(), per_trial(finished.sums) if finished.sums else {})
