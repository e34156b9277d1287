"""The command in processes of their own, with the stand-in environments importable."""

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
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


def run_forked(*arguments, cwd=None, timeout=240, before=None):
    """Runs the command to its end, forked from a process that has done its imports.

    Args:
        arguments: What is typed behind `rllib`.
        cwd: Where it runs; None: here.
        timeout: Seconds until it is ended by force.
        before: Called in the process before the command.

    Returns:
        `CompletedProcess` with text.
    """
    with tempfile.TemporaryDirectory(prefix="forked_") as folder:
        printed = [Path(folder, name) for name in ("stdout", "stderr")]
        typed = [str(each) for each in arguments]
        place = os.fspath(cwd or Path.cwd())
        process = FORKS.Process(target=_run, args=(typed, place, printed, environment(), before))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
        texts = [path.read_text() for path in printed]
        return subprocess.CompletedProcess(typed, process.exitcode, *texts)


def _run(arguments, cwd, printed, environ, before):
    os.setsid()
    heed_ctrl_c()
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(cwd)
    sys.path[:0] = [cwd, HERE]
    for number, path in enumerate(printed, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), number)
    sys.stdin, sys.stdout, sys.stderr = open(os.devnull), open(1, "w"), open(2, "w")  # noqa: SIM115
    sys.argv = ["rllib", *arguments]
    if before is not None:
        before()
    from engram.train import cli

    cli.main()
