"""The command in processes of their own, with the stand-in environments importable."""

import atexit
import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = str(Path(__file__).parent)
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["ray.tune", "engram.agents.algorithms", "engram.train.running.command"])


def command(*arguments):
    """The `rllib` command as a list for subprocess."""
    return [sys.executable, "-m", "engram.train", *map(str, arguments)]


def environment():
    """The environment of a process that runs the command; the stand-ins are importable in it."""
    return {**os.environ, "PYTHONPATH": HERE, "COLUMNS": "200"}


def heed_ctrl_c():
    """For `preexec_fn`: what a shell runs in the background ignores Ctrl-C, and so would its children."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Forked:
    """The `rllib` command, forked from a process that has done its imports, in a session of its own.

    Args:
        arguments: What is typed behind `rllib`.
        merged: Whether stderr is read with stdout.
        cwd: Where it runs; None: here.
    """

    def __init__(self, *arguments, merged=False, cwd=None):
        self._folder = tempfile.TemporaryDirectory(prefix="forked_")
        self.stdout = Path(self._folder.name, "stdout")
        self.stderr = self.stdout if merged else Path(self._folder.name, "stderr")
        place = os.fspath(cwd or Path.cwd())
        typed = [str(each) for each in arguments]
        self._process = FORKS.Process(
            target=_run, args=(typed, place, self.stdout, self.stderr, environment())
        )
        atexit.register(self.kill)  # before multiprocessing waits for it
        self._process.start()
        self.pid = self._process.pid

    def lines(self):
        """What is printed to stdout, line by line, until the process ends."""
        end = time.monotonic() + 240
        while not self.stdout.exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        with self.stdout.open() as file:
            line = ""
            while True:
                running = self._process.is_alive()
                line += file.readline()
                if line.endswith("\n"):
                    yield line
                    line = ""
                elif running:
                    time.sleep(0.05)
                else:
                    return

    def end(self, timeout=240):
        """Waits for its end; `CompletedProcess` with text."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            self.kill()
            raise TimeoutError(self.stdout.read_text() + self.stderr.read_text())
        printed = self.stdout.read_text(), self.stderr.read_text()
        atexit.unregister(self.kill)
        self._folder.cleanup()
        return subprocess.CompletedProcess([], self._process.exitcode, *printed)

    def kill(self):
        """Ends it as `kill -9` does."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


def _run(arguments, cwd, stdout, stderr, environ):
    os.setsid()
    heed_ctrl_c()
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(cwd)
    sys.path[:0] = [cwd, HERE]
    for number, path in ((1, stdout), (2, stderr)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), number)
    sys.stdin, sys.stdout, sys.stderr = open(os.devnull), open(1, "w"), open(2, "w")  # noqa: SIM115
    sys.argv = ["rllib", *arguments]
    from engram.train import cli

    cli.main()
