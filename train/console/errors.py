"""The error a user sees: a line for each mistake, with the legal values and the nearest one."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

LONGEST = 500
"""Characters of a reason that are shown."""


class ExperimentError(ValueError):
    """Something the user wrote is wrong: a file, a key, a value, an option or a checkpoint.

    The command prints a line for each message on stderr and ends with exit code 2.

    Args:
        messages: What is wrong, each starting with the dotted path of the offender. Line breaks become
            spaces, and what is said twice is kept once.

    Attributes:
        lines: The messages.
    """

    def __init__(self, *messages: str) -> None:
        self.lines = tuple(dict.fromkeys(" ".join(message.split()) for message in messages))
        super().__init__("; ".join(self.lines))


class Errors:
    """Collects what is wrong, so that a user sees all of it at once.

    Example:
        errors = Errors()
        for key, value in section.items():
            with errors.kept():
                check(key, value)
        errors.check()
    """

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, error: ExperimentError) -> None:
        """Keep an error instead of raising it."""
        self.lines += error.lines

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep the error that is raised inside, and go on behind."""
        try:
            yield
        except ExperimentError as error:
            self.add(error)

    def check(self) -> None:
        """Raise all that was kept as one error, if there is any.

        Raises:
            ExperimentError: with a line for each.
        """
        if self.lines:
            raise ExperimentError(*self.lines)


def unknown(path: str, name: object, known: Iterable[str], limit: int = 30) -> ExperimentError:
    """An error for a value that is none of the known names.

    Args:
        path: Dotted path of the value.
        name: The value.
        known: The legal values.
        limit: Where there are more, only the nearest are shown, and how many there are.

    Returns:
        For example `run: unknown 'PPOO'; did you mean 'PPO'? known: APPO, IMPALA, PPO`.
    """
    from engram.memory.options import unknown_message  # here, because it imports torch

    return ExperimentError(unknown_message(path, name, known, limit))


def unknown_key(path: str, key: str, known: Iterable[str], limit: int = 30) -> ExperimentError:
    """An error for a key that a section does not have.

    Args:
        path: Dotted path of the section.
        key: The key.
        known: The section's keys.
        limit: Where there are more, only the nearest are shown, and how many there are.

    Returns:
        For example `config.lrr: unknown key; did you mean 'lr'? known: gamma, lr`.
    """
    from engram.memory.options import unknown_key_message

    return ExperimentError(unknown_key_message(path, key, known, limit))


def quotes_hint(value: object) -> str:
    """Return a hint for an error where text was expected and YAML read true or false.

    Args:
        value: What was found.
    """
    return " (yes, no, on and off are true and false unless in quotes)" if isinstance(value, bool) else ""


def reason(error: BaseException) -> str:
    """The first line that says something in an exception's message, and what it announces by a colon.

    Args:
        error: Any exception. The class is named where the message alone would not say what is wrong.
    """
    said = [line.strip() for line in str(error).splitlines() if line.strip()]
    announces = bool(said) and said[0].endswith(":") and not said[0].startswith("Traceback")
    first = _cut(" ".join(said[: 2 if announces else 1]))
    if first.startswith("pygame is not installed"):  # Gymnasium names another package of the same name
        return 'pygame is not installed; pip install "engram[render]"'
    if (first and isinstance(error, ValueError | OSError | ImportError)) or " " in first:
        return first
    return f"{type(error).__name__} {first}".strip()


def _cut(line: str) -> str:
    """A line that fits some rows of a terminal."""
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} ..."


@contextmanager
def one_line(what: str) -> Iterator[None]:
    """Turn whatever foreign code raises inside into one line.

    Args:
        what: Said before the reason, such as `play: MyEnv-v0`.

    Raises:
        ExperimentError: In place of any exception; one that is raised inside passes as it is.
    """
    try:
        yield
    except ExperimentError:
        raise
    except Exception as error:
        raise ExperimentError(f"{what}: {reason(error)}") from None


def last_words(traceback: str) -> str:
    """What went wrong, in one line: the last exception of a traceback that says more than its class.

    A class is called by its own name, without its module's.

    Args:
        traceback: As Ray reports it from a worker, chained exceptions included.
    """
    lines = [line.strip() for line in traceback.strip().splitlines()]
    exception = re.compile(r"(?:[A-Za-z_]\w*\.)*(\w*(Error|Exception|Died)\b.*: \S.*)")
    said = [found[1] for found in map(exception.match, lines) if found]
    return (said or lines or ["no message"])[-1]
