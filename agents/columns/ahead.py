"""Sampling ahead: remote runners sample the next batch while learners learn from this one."""

import functools
import logging
import math
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
        timeout_s: Seconds that runners may take for a fragment; None: any.
    """

    def __init__(self, runners: EnvRunnerGroup, steps: int, rounds: int, timeout_s: float | None) -> None:
        self.runners = runners
        self.steps = steps
        self.timeout_s = None if timeout_s is None else rounds * timeout_s
        self._ask = functools.partial(_sample, rounds=rounds)

    def next(self) -> Sampled:
        """Returns a batch and asks for the one behind it; nothing where no runner answers in time.

        What a runner that was late adds beyond the size of a batch is thrown away.
        """
        fragments: list[ColumnSet] = []
        metrics: list[Any] = []
        while self._missing(fragments):
            self._request()
            answers = self.runners.fetch_ready_async_reqs(tags=TAG, timeout_seconds=self.timeout_s)
            if not answers:
                logging.getLogger(__name__).warning(
                    "no runner has sampled in %s s; sample_timeout_s may be too short", self.timeout_s
                )
                break
            for sampled, told in (each for _, rounds in answers for each in rounds):
                if self._missing(fragments):
                    fragments += sampled
                    metrics.append(told)
        if fragments:
            # RLlib sends a runner no weights while it has not taken the ones before.
            self.runners.fetch_ready_async_reqs(tags=WEIGHTS, timeout_seconds=self.timeout_s)
        self._request()
        return fragments, metrics

    def _missing(self, fragments: list[ColumnSet]) -> bool:
        return sum(fragment.env_steps() for fragment in fragments) < self.steps

    def _request(self) -> None:
        """Asks those runners for a batch that are not at one already."""
        self.runners.foreach_env_runner_async(self._ask, tag=TAG)


def _sample(runner: Any, rounds: int) -> list[tuple[list[ColumnSet], Any]]:
    """Samples some fragments in a runner, each with what the runner has measured."""
    return [(runner.sample(), runner.get_metrics()) for _ in range(rounds)]


def throw_away(runners: EnvRunnerGroup, timeout_s: float | None) -> None:
    """Waits for what remote runners have been asked to do, and throws away what they sampled.

    Args:
        runners: The runners of an algorithm.
        timeout_s: Seconds after which those that are not done are left alone; None: none are.
    """
    until = time.monotonic() + (math.inf if timeout_s is None else timeout_s)
    while runners.num_in_flight_async_reqs() and time.monotonic() < until:
        runners.fetch_ready_async_reqs(timeout_seconds=1.0, return_obj_refs=True)
