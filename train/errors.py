"""The one error a user sees: a single line that names the offender, the legal values and the nearest one."""

import difflib
from collections.abc import Iterable


class ExperimentError(ValueError):
    """Something the user wrote is wrong: a file, a key, a value, an option or a checkpoint.

    The command prints it as one line on stderr and ends with exit code 2.

    Args:
        message: What is wrong, starting with the dotted path of the offender. Line breaks become spaces.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def unknown_message(path: str, name: object, known: Iterable[str]) -> str:
    """Say that a name does not exist, which one is nearest, and which exist.

    Args:
        path: Dotted path of the place where the name stands.
        name: The name that is not known.
        known: The names that are.

    Returns:
        For example `core.type: unknown 'lowpass'; did you mean 'low_pass'? known: low_pass, lstm, mlp`.
    """
    names = sorted(known)
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ";"
    return f"{path}: unknown {name!r}{hint} known: {', '.join(names)}"


def unknown(path: str, name: object, known: Iterable[str], limit: int = 30) -> ExperimentError:
    """An `ExperimentError` for a name that does not exist; of a long list only the nearest names are shown.

    Args:
        path: Dotted path of the place where the name stands.
        name: The name that is not known.
        known: The names that are.
        limit: The number of names from which on only the eight nearest are shown.
    """
    names = sorted(known)
    if len(names) > limit:
        near = difflib.get_close_matches(str(name), names, n=8, cutoff=0.3)
        names = near or names[:8]
    return ExperimentError(unknown_message(path, name, names))


def reason(error: BaseException) -> str:
    """The first line that says something in an exception's message.

    Args:
        error: Any exception. The class is named where the message alone would not say what is wrong.
    """
    lines = (line.strip() for line in str(error).splitlines())
    first = next((line for line in lines if line), "")
    if first and isinstance(error, ValueError | OSError | ImportError) or " " in first:
        return first
    return f"{type(error).__name__} {first}".strip()
