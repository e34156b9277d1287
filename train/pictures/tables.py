"""Tables in Markdown."""


def heading(*cells: str) -> tuple[str, str]:
    """The first two lines of a table.

    Args:
        cells: Names of the columns.
    """
    return row(*cells), "|---" * len(cells) + "|"


def row(*cells: str) -> str:
    """A line of a table.

    Args:
        cells: One for each column.
    """
    return f"| {' | '.join(cells)} |"
