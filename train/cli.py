"""The `rllib` command: registers the verbs, and prints errors as one line each."""

import contextlib
import importlib
import io
import os
import sys
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperOption

from engram.train.console.errors import ExperimentError, reason, unknown

VERBS = (
    "train",
    "evaluate",
    "analyze",
    "export",
    "play",
    "probe-core",
    "probe-thinking",
    "compare-thinking",
    "extrapolate",
    "results",
    "transfer",
    "schedule",
    "picture",
    "list",
    "describe",
    "schema",
    "version",
)
"""In the order of `--help`; each is a module of `engram.train.commands`."""

app = typer.Typer(
    name="rllib",
    add_completion=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Train and evaluate policies that remember: `rllib train -f FILE`, `rllib evaluate CHECKPOINT`.",
    epilog="Names at the press of Tab: `rllib --install-completion`, then open a new shell.",
)


def _register(verb: str) -> None:
    module = importlib.import_module(f"engram.train.commands.{verb.replace('-', '_')}")
    examples = "".join(f"  {line}\n\n" for line in module.EXAMPLES.split("\n") if line)
    app.command(verb, epilog=f"Examples:\n\n{examples}" if examples else None)(module.command)


for _verb in VERBS:
    _register(_verb)

# The class of all wrong uses of options, wherever this version of typer keeps it.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]


def main() -> None:
    """Entry point of the scripts `rllib` and `engram`; 2 as exit code: a line for each thing to mend."""
    with contextlib.suppress(OSError):  # the working folder may be gone
        sys.path.append(os.getcwd())  # last, so that a user's own classes are found and hide nothing
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # the name of a file may hold what is no text
    try:
        name = "engram" if Path(sys.argv[0]).stem == "engram" else "rllib"
        code = _command().main(sys.argv[1:] or ["--help"], name, standalone_mode=False)
    except ExperimentError as error:
        code = _complain(*error.lines)
    except UsageError as error:
        code = _complain(_usage(error))
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except (OSError, UnicodeError, RecursionError, MemoryError) as error:  # what no command has foreseen
        code = _complain(f"{type(error).__name__}: {reason(error)}")
    sys.exit(code)


def _command() -> Any:
    """The command, without the options of the completion in its help; the last line there names them."""
    command = typer.main.get_command(app)
    for option in command.params:
        if isinstance(option, TyperOption) and option.name in ("install_completion", "show_completion"):
            option.hidden = True
    return command


def _usage(error: Any) -> str:
    """What is wrong with the options, and the help of an argument that is missing."""
    message: str = error.format_message()
    if message.startswith("No such command"):
        typed = message.split("'")[1]
        return f"{unknown('command', typed, VERBS)}; environments, cores and others: rllib list"
    meaning = getattr(getattr(error, "param", None), "help", None)
    return f"{message} {meaning}" if message.startswith("Missing argument") and meaning else message


def _complain(*messages: str) -> int:
    """Print errors, a line for each; the exit code."""
    for message in messages:
        print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return 2
