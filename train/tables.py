"""Tables on the screen, and whole ones where the output goes into a file or another command."""

from rich.console import Console
from rich.measure import measure_renderables
from rich.table import Table


def print_table(table: Table) -> None:
    """Prints a table, never narrower than it needs to be where no terminal sets a limit.

    Args:
        table: What to print.
    """
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
