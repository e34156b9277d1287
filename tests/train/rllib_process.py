"""The command in a process of its own, with the stand-in environments importable."""

import os
import signal
import sys
from pathlib import Path

HERE = str(Path(__file__).parent)


def command(*arguments):
    """The `rllib` command as a list for subprocess."""
    return [sys.executable, "-m", "engram.train", *map(str, arguments)]


def environment():
    """The environment of a process that runs the command; the stand-ins are importable in it."""
    return {**os.environ, "PYTHONPATH": HERE, "COLUMNS": "200"}


def heed_ctrl_c():
    """For `preexec_fn`: what a shell runs in the background ignores Ctrl-C, and so would its children."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
