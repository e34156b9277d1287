"""Tables in Markdown."""

from collections.abc import Iterable, Iterator


def table(heading: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield the lines of a table: the names of its columns, and rows with a cell for each."""
    names = list(heading)
    for cells in (names, None, *rows):
        yield "|---" * len(names) + "|" if cells is None else f"| {' | '.join(cells)} |"
