"""Tables on the screen, and whole ones where the output goes into a file or another command."""

import logging
import warnings

from rich.console import Console
from rich.measure import measure_renderables
from rich.table import Table


def print_table(table: Table) -> None:
    """Prints a table, never narrower than it needs to be where no terminal sets a limit."""
    console = Console(markup=False, emoji=False)  # a path in a cell is no instruction
    if not console.is_terminal:
        console = Console(width=_MOST, markup=False, emoji=False)
        needed = measure_renderables(console, console.options, [table]).maximum
        console = Console(width=needed, markup=False, emoji=False)
        with console.capture() as printed:
            console.print(table)
        print("\n".join(line.rstrip() for line in printed.get().splitlines()))
        return
    console.print(table)


_MOST = 10_000  # characters of a line


def quiet() -> None:
    """Silence RLlib's, Tune's and Gymnasium's messages in this process."""
    import ray.rllib  # noqa: F401 (sets its own level when it is imported, so it comes first)

    logging.getLogger("ray").setLevel(logging.ERROR)
    logging.getLogger("ray.rllib").setLevel(logging.ERROR)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # it calls a trial that was interrupted an error
    warnings.filterwarnings("ignore", module=r"gymnasium\.")
    warnings.filterwarnings("ignore", category=DeprecationWarning)
