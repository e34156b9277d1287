"""Failures of environments and of remote runners: blamed, limited in time, and told in the trial's process.

RLlib lets the process of a runner that raises end, starts another one a minute later, and forgets why: a
trial whose environment always fails in the same way would go on for ever, and sample nothing. A process that
dies by itself is another matter: RLlib starts it anew, and the trial goes on.
"""

import signal
import threading
import traceback
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any, NamedTuple

from gymnasium.vector import async_vector_env, sync_vector_env
from ray.exceptions import RayError
from ray.rllib.env.env_runner import EnvRunner
from ray.rllib.env.env_runner_group import EnvRunnerGroup

from engram.agents.columns.inputs import NoLegalActionError
from engram.memory.blame import explain, innermost

ENV_TIMEOUT_S = 600.0
"""Seconds that a step or a reset of all lanes of a runner may take, where `env_timeout_s` does not say it."""

_LANES = {sync_vector_env.__file__: "i", async_vector_env.__file__: "index"}
"""Files of Gymnasium that go from lane to lane, and what they call the lane's number."""


class EnvError(RuntimeError):
    """An environment has raised something, or does not come back."""


class RunnerError(RuntimeError):
    """A remote runner has raised something that is not its environment's fault."""


class RunnerTracebackError(Exception):
    """The traceback of what was raised in another process, as its message."""


class _HangingError(BaseException):
    """Raised inside a step or reset that takes too long; no `except Exception` there stops it."""


class Failure(NamedTuple):
    """Why a remote runner is of no use any more.

    Attributes:
        kind: The class of the error to raise for it.
        message: What happened, in one line.
        trace: The traceback.
    """

    kind: type[Exception]
    message: str
    trace: str


class TellsFailure(EnvRunner):  # type: ignore[misc]
    """Mixin of an env runner: it says whose fault a failure is, and its process outlives one to tell of it.

    Attributes:
        failure: The last one in a process of its own; None: there was none.
    """

    failure: Failure | None = None

    def apply(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Calls a function with this runner, in its own process.

        Raises:
            RunnerError: It has failed. Failures of Ray itself end the process, as RLlib has it, and so do
                others where `ignore_env_runner_failures` asks for that.
        """
        if self.config.ignore_env_runner_failures:
            return super().apply(func, *args, **kwargs)
        returned, failure = super().apply(partial(_outcome, func), *args, **kwargs)
        if failure is not None:
            self.failure = failure
            raise RunnerError(failure.message)
        return returned

    @abstractmethod
    def counted_steps(self) -> int:
        """Env steps of all lanes so far, those of the fragment that is being sampled included."""

    def _try_env_reset(self, **settings: Any) -> Any:
        with self._watched("reset"):
            return super()._try_env_reset(**settings)

    def _try_env_step(self, actions: Any) -> Any:
        with self._watched("step"):
            return super()._try_env_step(actions)

    @contextmanager
    def _watched(self, doing: str) -> Iterator[None]:
        """Lets the environment do something, within its time.

        Raises:
            EnvError: It raises something, does not come back, or has done so before.
        """
        if self.failure is not None:  # RLlib did not wait for it, and asks again
            raise self.failure.kind(self.failure.message)
        try:
            with _time_limit(getattr(self.config, "env_timeout_s", ENV_TIMEOUT_S)) as limit:
                yield
        except _HangingError as hanging:
            frames = list(traceback.walk_tb(hanging.__traceback__))
            where = innermost((frame.f_code.co_filename, line) for frame, line in reversed(frames))
            said = f"has not ended after {limit:g} s{f' (in {where})' if where else ''}"
            more = (
                "; config.env_timeout_s: .inf waits for ever" if hasattr(self.config, "env_timeout_s") else ""
            )
            raise EnvError(f"{self._scene(f'{doing} {said}', _lane_of(hanging))}{more}") from hanging
        except (Exception, SystemExit) as error:
            known = _in_chain(error, NoLegalActionError) or _in_chain(error, EnvError)
            if known is not None:
                raise known from None
            cause = error.__cause__ if type(error) is RuntimeError and error.__cause__ else error
            raise EnvError(self._scene(f"{doing} raises {explain(cause)}", _lane_of(cause))) from cause

    def _scene(self, said: str, lane: int | None) -> str:
        """`small/Cue-v0: its step raises KeyError: 'x' (my_env.py:3) at env step 160 (lane 0, ...)`."""
        name = str(getattr(self.config.env, "__name__", self.config.env)).rpartition(":")[2]
        where = [*([] if lane is None else [f"lane {lane}"]), f"env runner {self.worker_index or 0}"]
        return f"{name}: its {said} at env step {self.counted_steps():,} ({', '.join(where)})"


@contextmanager
def _time_limit(seconds: float) -> Iterator[float]:
    """Interrupts what this process does inside the block and never ends, unless it never leaves C code.

    Args:
        seconds: Until then; infinite: no limit. There is none either outside of the main thread, where Ray
            does not run runners.
    """
    possible = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if not possible or not seconds < threading.TIMEOUT_MAX:
        yield seconds
        return
    previous = signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield seconds
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise _HangingError


def _lane_of(error: BaseException) -> int | None:
    """The lane in which something was raised, where Gymnasium goes from lane to lane."""
    found = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        name = _LANES.get(frame.f_code.co_filename)
        found = frame.f_locals.get(name, found) if name else found
    return found


def _in_chain(error: BaseException | None, kind: type[Exception]) -> Exception | None:
    """The error of a kind among an error and those that it was raised from."""
    while error is not None and not isinstance(error, kind):
        error = error.__cause__
    return error


def _outcome(
    func: Callable[..., Any], runner: TellsFailure, *args: Any, **kwargs: Any
) -> tuple[Any, Failure | None]:
    """What a function returns, and the failure that it raises."""
    try:
        return func(runner, *args, **kwargs), None
    except RayError:  # a node that is gone, say: another process may have better luck
        raise
    except Exception as error:
        known = _in_chain(error, NoLegalActionError) or _in_chain(error, EnvError)
        trace = "".join(traceback.format_exception(error))
        if known is None:
            message = f"env runner {runner.worker_index}: {explain(error)}"
            return None, Failure(RunnerError, message, trace)
        return None, Failure(type(known), str(known), trace)


def check_failures(env_runners: EnvRunnerGroup, indices: Iterable[int]) -> None:
    """Raises the failure of the first of some remote runners that has one."""
    failures = env_runners.foreach_env_runner(
        _failure, remote_worker_ids=list(indices), local_env_runner=False
    )
    for failure in failures:
        if failure is not None:
            raise failure.kind(failure.message) from RunnerTracebackError(f"\n{failure.trace}")


def _failure(runner: TellsFailure) -> Failure | None:
    return runner.failure
