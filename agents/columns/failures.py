"""Failures of remote runners that a restart does not mend.

RLlib lets the process of a runner that raises end, starts another one, and forgets why: a trial whose
environment always fails in the same way would go on for ever, and sample nothing.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from ray.rllib.env.env_runner import EnvRunner
from ray.rllib.env.env_runner_group import EnvRunnerGroup

from engram.agents.columns.inputs import NoLegalActionError


class TellsFailure(EnvRunner):  # type: ignore[misc]
    """Mixin of an env runner, whose process outlives a failure for good and remembers it.

    Attributes:
        failure: The last one, in words; empty: there was none.
    """

    failure = ""

    def apply(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Calls a function with this runner.

        Raises:
            NoLegalActionError: The environment has left nothing to do. All other errors end the process.
        """
        outcome = super().apply(partial(_outcome, func), *args, **kwargs)
        if isinstance(outcome, NoLegalActionError):
            self.failure = str(outcome)
            raise outcome
        return outcome


def _outcome(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What a function returns, or the failure for good that it raises, or that made it raise."""
    try:
        return func(*args, **kwargs)
    except Exception as error:
        found: BaseException | None = error
        while found is not None and not isinstance(found, NoLegalActionError):
            found = found.__cause__
        if found is None:
            raise
        return found


def check_failures(env_runners: EnvRunnerGroup, indices: Iterable[int]) -> None:
    """Raises the failure of the first of some remote runners that has one."""
    failures = env_runners.foreach_env_runner(
        _failure, remote_worker_ids=list(indices), local_env_runner=False
    )
    for failure in failures:
        if failure:
            raise NoLegalActionError(failure)


def _failure(runner: TellsFailure) -> str:
    return runner.failure
