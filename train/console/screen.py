"""What verbs print: tables and texts, whole where the output goes into a file or another command; JSON."""

import json
import logging
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.measure import measure_renderables
from rich.table import Table
from rich.text import Text

from engram.train.console.files import naming, typed_path

Part = str | Text | Table
"""A line as it stands, a text that wraps between words in a terminal, or a table."""

_MOST = 10_000  # characters of a line


def is_terminal() -> bool:
    """Return whether the output goes to a terminal."""
    return _console().is_terminal


def _console(**settings: Any) -> Console:
    return Console(markup=False, emoji=False, highlight=False, **settings)  # a path is no instruction


def show(*parts: Part, result: Any = None) -> None:
    """Print, in a terminal no wider than it is, elsewhere as wide as needed.

    Args:
        parts: What to print, one below the other.
        result: Numbers, texts, lists and mappings, printed as one last line of JSON; None: no such line.
    """
    console = _console()
    for part in parts:
        if isinstance(part, str):
            print(part)
        elif console.is_terminal:
            console.print(part)
        else:
            _print_whole(part)
    if result is not None:
        print(to_json(result))


def _print_whole(part: Text | Table) -> None:
    console = _console(width=_MOST)
    needed = measure_renderables(console, console.options, [part]).maximum
    console = _console(width=max(1, needed))
    with console.capture() as printed:
        console.print(part)
    print("\n".join(line.rstrip() for line in printed.get().splitlines()))


def make_table(header: Iterable[str], rows: Iterable[Sequence[str | Text]] = ()) -> Table:
    """Make a table without lines.

    Args:
        header: Names of the columns.
        rows: A cell for each column.
    """
    table = Table(*header, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    return table


def to_json(values: Any) -> str:
    """Write one line of strict JSON: NaN and infinities, which JSON does not have, become null.

    Args:
        values: Numbers, texts, lists and mappings of them.
    """
    return json.dumps(json.loads(json.dumps(values), parse_constant=lambda name: None), allow_nan=False)


def write_json(path: str, values: Any) -> str:
    """Write what `--out` asks for, as `to_json` does.

    Args:
        path: Where to.
        values: Numbers, texts, lists and mappings of them.

    Returns:
        A line that says so.

    Raises:
        ExperimentError: It cannot be written.
    """
    with naming(f"--out: {path} cannot be written"):
        typed_path(path).write_text(to_json(values), encoding="utf-8")
    return f"written: {path}"


def quiet() -> None:
    """Silence RLlib's, Tune's and Gymnasium's messages in this process."""
    import ray.rllib  # noqa: F401 (sets its own level when it is imported, so it comes first)

    logging.getLogger("ray").setLevel(logging.ERROR)
    logging.getLogger("ray.rllib").setLevel(logging.ERROR)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # it calls a trial that was interrupted an error
    warnings.filterwarnings("ignore", module=r"gymnasium\.")
    warnings.filterwarnings("ignore", category=DeprecationWarning)
