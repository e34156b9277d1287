"""Try an environment out in a process of its own, with a time limit.

A constructor may hang in C code, end the process, print, start threads or crash, and what it left running
ends with it. A process is forked where that is safe, which costs a few milliseconds.
"""

import faulthandler
import importlib
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path
from traceback import walk_stack
from types import FrameType
from typing import Any, NoReturn

from engram.train.console.errors import ExperimentError, reason

VARIABLE = "ENGRAM_ENV_SECONDS"
DEFAULT = 60.0  # s
PRINTED, STACK = "printed", "stack"
_START = 120.0  # s for a process to start in, where it has to import everything anew
_FORKS = sys.platform == "linux"  # elsewhere a forked process may not use what its parent has loaded

_MORE = f"{VARIABLE}=600 waits ten minutes, {VARIABLE}=0 for ever, without this check"

Say = Callable[[str], None]
"""Called by the task with what it is about to do, to be named if it never comes back."""


def seconds() -> float:
    """Return the seconds an environment may take for its first steps; 0: no limit, and no trying out.

    Raises:
        ExperimentError: the environment variable holds something else.
    """
    text = os.environ.get(VARIABLE, "")
    try:
        limit = float(text) if text else DEFAULT
    except ValueError:
        limit = -1.0
    if not 0 <= limit < float("inf"):
        raise ExperimentError(f"{VARIABLE}: expected seconds, 0 for no limit and no check, got {text!r}")
    return limit


def sees_registrations() -> bool:
    """Return whether the child process knows environments that were registered in this one."""
    return _FORKS


@contextmanager
def alarm(subject: str) -> Iterator[None]:
    """Interrupt Python code of this process that hangs, where the system can; not C code.

    Args:
        subject: What is done, for the error.

    Raises:
        ExperimentError: it takes longer than `seconds`.
    """
    from engram.memory.blame import innermost

    def ring(number: int, frame: FrameType | None) -> None:
        stack = [(each.f_code.co_filename, line) for each, line in walk_stack(frame)]
        place = innermost(stack)
        raise Hanging(
            f"{subject} has not ended after {limit:g} s{f' (in {place})' if place else ''}; {_MORE}"
        )

    limit = seconds()
    possible = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if not possible or limit == 0:
        yield
        return
    previous = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        yield
    except Hanging as error:
        raise ExperimentError(str(error)) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


class Hanging(BaseException):
    """Raised inside what hangs; no `except Exception` there stops it."""


def run_guarded(task: Callable[..., Any], arguments: tuple[Any, ...], subject: str) -> Any:
    """Run a task in a process of its own.

    Args:
        task: Called with a `Say` and the arguments. What it returns is sent back.
        arguments: The other arguments.
        subject: What is tried out, for errors.

    Raises:
        ExperimentError: raised by the task; or it raises something else, takes too long, or dies.
    """
    limit = seconds()
    context: Any = multiprocessing.get_context("fork" if _FORKS else "spawn")
    with tempfile.TemporaryDirectory(prefix="engram_") as folder:
        for name in (PRINTED, STACK):
            (Path(folder) / name).touch()
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_run_child, args=(sender, folder, task, arguments))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # against forking where there are threads: ours are idle
            process.start()
        sender.close()
        try:
            return _await_answer(receiver, process, Path(folder), subject, limit)
        finally:
            _end(process)
            receiver.close()


def _await_answer(receiver: Connection, process: Any, folder: Path, subject: str, limit: float) -> Any:
    deadline, doing = time.monotonic() + max(limit, _START), ""
    kind: str
    value: Any
    while connection.wait([receiver, process.sentinel], max(0.0, deadline - time.monotonic())):
        try:
            kind, value = receiver.recv() if receiver.poll() else ("dead", None)
        except EOFError:
            kind, value = "dead", None
        except Exception as error:  # a class of its spaces that cannot be imported here, say
            raise ExperimentError(f"{subject}: what it tells cannot be read: {reason(error)}") from None
        if kind == "dead":
            raise ExperimentError(f"{subject}: {_death(process, doing)}{_place(folder)}{_last_words(folder)}")
        if kind == "doing":
            deadline = deadline if doing else time.monotonic() + limit
            doing = value
        elif kind == "done":
            return value
        elif kind == "wrong":
            raise ExperimentError(*value)
        else:
            raise ExperimentError(f"{subject}: {doing} {value}{_last_words(folder)}")
    where = _stuck_at(process, folder)
    raise ExperimentError(f"{subject}: {doing} has not ended after {limit:g} s{where}; {_MORE}")


def _death(process: Any, doing: str) -> str:
    process.join(5)
    code = process.exitcode or 0
    if code < 0:
        return f"{doing} ends the process by {signal.Signals(-code).name}"
    return f"{doing} ends the process, exit code {code}"


def _last_words(folder: Path) -> str:
    """Return the last line that was printed, if any."""
    text = (folder / PRINTED).read_text(encoding="utf-8", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"; it printed: {lines[-1][:200]}" if lines else ""


def _stuck_at(process: Any, folder: Path) -> str:
    """The line of a user's own file in which a process hangs, even in C code."""
    if hasattr(signal, "SIGUSR1"):
        os.kill(process.pid, signal.SIGUSR1)
        time.sleep(0.2)
    return _place(folder)


def _place(folder: Path) -> str:
    """Return the line of a user's own file in the printed stack, in brackets."""
    from engram.memory.blame import innermost

    frames = []
    for line in (folder / STACK).read_text(encoding="utf-8", errors="replace").splitlines():
        _, quote, rest = line.partition('File "')
        file, _, rest = rest.partition('", line ')
        number = rest.partition(" ")[0]
        if quote and number.isdigit():
            frames.append((file, int(number)))
    place = innermost(frames)
    return f" (in {place})" if place else ""


def _end(process: Any) -> None:
    """Kill a child process and all that it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (OSError, AttributeError):  # it never came so far, or this system has no process groups
        process.kill()
    process.join()
    process.close()


def _run_child(
    sender: Connection, folder: str, task: Callable[..., Any], arguments: tuple[Any, ...]
) -> NoReturn:
    """Run a task in the child process."""
    if hasattr(os, "setsid"):
        os.setsid()  # a group of its own, to be killed as a whole; and Ctrl-C is for the parent
    printed = os.open(Path(folder) / PRINTED, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    sys.stdout = sys.stderr = open(printed, "w", buffering=1, encoding="utf-8")  # noqa: SIM115
    stack = open(Path(folder) / STACK, "w")  # noqa: SIM115
    faulthandler.disable()  # enabled before, it would not take a signal back from who has taken it since
    faulthandler.enable(stack, all_threads=False)
    if hasattr(faulthandler, "register"):
        faulthandler.register(signal.SIGUSR1, file=stack, all_threads=False)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)  # a pool of threads does not survive a fork
    if not _FORKS:
        importlib.import_module("engram.agents")  # which is not the environment's fault
    sender.send(("doing", "its import"))
    _answer(sender, task, arguments)
    sys.stdout.flush()
    os._exit(0)  # threads that do not end, and what is to run at exit, stay behind


def _answer(sender: Connection, task: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    from engram.memory.blame import explain

    try:
        answer = "done", task(lambda doing: sender.send(("doing", doing)), *arguments)
    except ExperimentError as error:
        answer = "wrong", error.lines
    except SystemExit as error:
        answer = "raised", f"calls sys.exit({error.code!r})"
    except BaseException as error:  # whatever somebody's environment raises, KeyboardInterrupt among it
        answer = "raised", f"raises {explain(error)}"
    try:
        sender.send(answer)
    except Exception as error:  # spaces of an unknown class, say, that cannot be pickled
        sender.send(("raised", f"gives what cannot be sent to another process: {explain(error)}"))
