"""Ctrl-C: every running trial saves a checkpoint after its current iteration, then the run ends.

A second Ctrl-C ends the run at once, without saving.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler


class Interrupt:
    """Whether the user has asked to stop, and by which signal. One per process: `INTERRUPT`."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __reduce__(self) -> str:
        """Ray Tune pickles callbacks and schedulers; in another process this is that process's own object."""
        return "INTERRUPT"

    @property
    def requested(self) -> bool:
        """True once a signal has come."""
        return self.signal is not None

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.signal = number
        print(
            "\nStopping: each running trial saves a checkpoint after its current iteration", file=sys.stderr
        )
        print("(once more: stop now, without saving).", file=sys.stderr, flush=True)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM inside the `with` block."""
        self.signal = None
        numbers = (signal.SIGINT, signal.SIGTERM)
        previous = [signal.signal(number, self._receive) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, previous, strict=True):
                signal.signal(number, handler)

    def listen_again(self) -> None:
        """Take the signals back from `ray.init`, which installs a handler of its own."""
        signal.signal(signal.SIGTERM, self._receive)


INTERRUPT = Interrupt()


class SavingScheduler(FIFOScheduler):  # type: ignore[misc]
    """First in, first out; after an interrupt, a trial's next result pauses it, which saves a checkpoint."""

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Decide how a trial goes on after a result."""
        decision = TrialScheduler.PAUSE if INTERRUPT.requested else TrialScheduler.CONTINUE
        return str(decision)

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """Start no trial once the run is to end."""
        return None if INTERRUPT.requested else super().choose_trial_to_run(tune_controller)


class EndWhenSaved(Callback):  # type: ignore[misc]
    """Ends Tune's loop once no trial runs any more after an interrupt."""

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Called by Tune many times a second."""
        if INTERRUPT.requested and not any(trial.status == Trial.RUNNING for trial in trials):
            os.kill(os.getpid(), signal.SIGUSR1)  # Tune's own "leave the loop, keep the experiment's state"
