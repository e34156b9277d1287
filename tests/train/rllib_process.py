"""The command in a process of its own, with the stand-in environments importable."""

import os
import sys
from pathlib import Path

HERE = str(Path(__file__).parent)


def command(*arguments):
    """The `rllib` command as a list for subprocess."""
    return [sys.executable, "-m", "engram.train", *map(str, arguments)]


def environment():
    """The environment of a process that runs the command; the stand-ins are importable in it."""
    return {**os.environ, "PYTHONPATH": HERE, "COLUMNS": "200"}
