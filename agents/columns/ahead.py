"""Sampling ahead: remote runners sample the next batch while learners learn from this one."""

import functools
import time
from typing import Any

from ray.rllib.env.env_runner_group import EnvRunnerGroup

from engram.agents.columns.fragment import ColumnSet

TAG = "sample_ahead"

WEIGHTS = "set_state"
"""Tag under which RLlib sends weights."""

Sampled = tuple[list[ColumnSet], list[Any]]
"""Fragments, and metrics of the runners."""


class SamplesAhead:
    """Batches of remote runners, each sampled while the one before it is learned from.

    A runner does one thing after the other: what it is asked for before it is sent new weights it does with
    the old ones. So a batch is sampled by weights that are one update older than those that learn from it.

    Args:
        runners: The runners of an algorithm, remote ones.
        steps: Env steps of a batch.
        rounds: Fragments of each lane that make a batch.
        timeout_s: Seconds that runners may take for it; None: any.
    """

    def __init__(self, runners: EnvRunnerGroup, steps: int, rounds: int, timeout_s: float | None) -> None:
        self.runners = runners
        self.steps = steps
        self.timeout_s = timeout_s
        self._ask = functools.partial(_sample, rounds=rounds)

    def next(self) -> Sampled:
        """Returns a batch and asks for the one behind it; nothing where no runner answers in time."""
        fragments: list[ColumnSet] = []
        metrics: list[Any] = []
        while sum(fragment.env_steps() for fragment in fragments) < self.steps:
            self._request()
            answers = self.runners.fetch_ready_async_reqs(tags=TAG, timeout_seconds=self.timeout_s)
            if not answers:
                break
            for _, (sampled, told) in answers:
                fragments += sampled
                metrics += told
        # RLlib sends a runner no weights while it has not taken the ones before.
        self.runners.fetch_ready_async_reqs(tags=WEIGHTS, timeout_seconds=self.timeout_s)
        self._request()
        return fragments, metrics

    def _request(self) -> None:
        """Asks those runners for a batch that are not at one already."""
        self.runners.foreach_env_runner_async(self._ask, tag=TAG)


def _sample(runner: Any, rounds: int) -> Sampled:
    """Samples some fragments in a runner."""
    fragments: list[ColumnSet] = []
    metrics: list[Any] = []
    for _ in range(rounds):
        fragments += runner.sample()
        metrics.append(runner.get_metrics())
    return fragments, metrics


def throw_away(runners: EnvRunnerGroup, timeout_s: float | None) -> None:
    """Throws away what remote runners have been asked to sample.

    Args:
        runners: The runners of an algorithm.
        timeout_s: Seconds after which those that are not done are left alone; None: none are.
    """
    until = time.monotonic() + (float("inf") if timeout_s is None else timeout_s)
    while runners.num_in_flight_async_reqs() and time.monotonic() < until:
        runners.fetch_ready_async_reqs(timeout_seconds=1.0, return_obj_refs=True)
