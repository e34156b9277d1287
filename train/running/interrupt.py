"""Ctrl-C: every running trial saves a checkpoint after its current iteration, then the run ends.

A trial whose first iteration has not ended is not waited for: there is nothing new in it to save. A second
Ctrl-C ends the run at once, without saving. SIGTERM and SIGHUP do the same as Ctrl-C, but wait only so long:
whoever sends them, a batch system or a terminal that goes away, kills what does not end soon.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from typing_extensions import override

_HANGUP: signal.Signals | None = getattr(signal, "SIGHUP", None)
_TWICE = 1.0  # s; `timeout` signals its child and then the child's group: that is one signal, not two


PATIENCE = 20.0
"""Seconds that trials have for their current iteration after another signal than Ctrl-C."""


class Interrupt:
    """Whether the user has asked to stop, and by which signal. One per process: `INTERRUPT`.

    Attributes:
        signal: The signal's number, None before it has come.
        waits_for: Ids of the running trials that have ended an iteration since they started.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self.waits_for: set[str] = set()
        self._first = self._at = 0.0
        self._on_terminal: list[int] = []

    def __reduce__(self) -> str:
        """Ray Tune pickles callbacks and schedulers; in another process this is that process's own object."""
        return "INTERRUPT"

    @property
    def requested(self) -> bool:
        """True once a signal has come."""
        return self.signal is not None

    @property
    def overdue(self) -> bool:
        """True once whoever has sent the signal may lose patience."""
        hurries = self.requested and self.signal != signal.SIGINT
        return hurries and time.monotonic() - self._first > PATIENCE

    def _receive(self, number: int, frame: FrameType | None) -> None:
        before, self._at = self._at, time.monotonic()
        if self.requested:
            if self._at - before < _TWICE:
                return
            raise KeyboardInterrupt
        self.signal, self._first = number, self._at
        if number == _HANGUP:
            self._leave_terminal()
        print(f"\nStopping: {self._next()}", file=sys.stderr, flush=True)

    def _leave_terminal(self) -> None:
        """Lets what would be printed on a terminal that is gone, which raises, go nowhere."""
        for descriptor in self._on_terminal:
            os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)

    def _next(self) -> str:
        if not self.waits_for:
            return "no running trial has ended an iteration, so nothing new is to be saved."
        limit = "" if self.signal == signal.SIGINT else f", if that ends within {PATIENCE:g} s"
        return (
            "each running trial that has ended an iteration saves a checkpoint after its current one"
            f"{limit}\n(once more: stop now, without saving)."
        )

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take SIGINT, SIGTERM and, unless `nohup` has it ignored, SIGHUP inside the `with` block."""
        self.signal, self.waits_for = None, set()
        self._on_terminal = [each.fileno() for each in (sys.stdout, sys.stderr) if each.isatty()]
        numbers = [signal.SIGINT, signal.SIGTERM]
        if _HANGUP is not None and signal.getsignal(_HANGUP) is not signal.SIG_IGN:
            numbers.append(_HANGUP)
        previous = [signal.signal(number, self._receive) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, previous, strict=True):
                signal.signal(number, handler)

    def listen_again(self) -> None:
        """Take SIGTERM back from `ray.init`, whose C++ part installs a handler of its own."""
        signal.signal(signal.SIGTERM, self._receive)


INTERRUPT = Interrupt()


class SavingScheduler(FIFOScheduler):  # type: ignore[misc]
    """First in, first out; after an interrupt, a trial's next result pauses it, which saves a checkpoint."""

    @override
    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Decide how a trial goes on after a result."""
        decision = TrialScheduler.PAUSE if INTERRUPT.requested else TrialScheduler.CONTINUE
        return str(decision)

    @override
    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """Start no trial once the run is to end."""
        return None if INTERRUPT.requested else super().choose_trial_to_run(tune_controller)


@contextmanager
def ray_kept_apart() -> Iterator[None]:
    """Let signals be this process's own: Ray, started inside the `with` block, neither takes nor gets them.

    Ray's servers stand in the process group of who starts them, and a SIGTERM to the group, as schedulers of
    clusters and `timeout` send it, would end them before anything is saved. Here they get groups of their
    own; they still end with this process. `ray.init` also installs handlers of SIGTERM.
    """
    from ray._private import services, utils

    class InOwnGroup(services.ConsolePopen):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **settings: Any) -> None:
            super().__init__(*arguments, **settings, process_group=0)

    before = services.ConsolePopen, utils.set_sigterm_handler
    if os.name == "posix":
        services.ConsolePopen, utils.set_sigterm_handler = InOwnGroup, lambda handler: None
    try:
        yield
    finally:
        services.ConsolePopen, utils.set_sigterm_handler = before


class EndWhenSaved(Callback):  # type: ignore[misc]
    """Ends Tune's loop after an interrupt once no trial runs any more that has something new to save."""

    @override
    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        running = {trial.trial_id for trial in trials if trial.status == Trial.RUNNING}
        INTERRUPT.waits_for &= running
        if INTERRUPT.requested and (INTERRUPT.overdue or not INTERRUPT.waits_for):
            os.kill(os.getpid(), signal.SIGUSR1)  # Tune's own "leave the loop, keep the experiment's state"

    @override
    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        INTERRUPT.waits_for.add(trial.trial_id)
