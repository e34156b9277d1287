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


def unknown(path: str, name: object, known: Iterable[str], limit: int = 30) -> ExperimentError:
    """An error for a value that is none of the known names.

    Args:
        path: Dotted path of the value.
        name: The value.
        known: The legal values.
        limit: Where there are more, only the nearest are shown.

    Returns:
        For example `run: unknown 'PPOO'; did you mean 'PPO'? known: APPO, IMPALA, PPO`.
    """
    from engram.memory.options import unknown_message  # here, because it imports torch

    return ExperimentError(unknown_message(path, name, _nearest(name, known, limit)))


def unknown_key(path: str, key: str, known: Iterable[str], limit: int = 30) -> ExperimentError:
    """An error for a key that a section does not have.

    Args:
        path: Dotted path of the section.
        key: The key.
        known: The section's keys.
        limit: Where there are more, only the nearest are shown.

    Returns:
        For example `config.lrr: unknown key; did you mean 'lr'? known: gamma, lr`.
    """
    from engram.memory.options import unknown_key_message

    return ExperimentError(unknown_key_message(path, key, _nearest(key, known, limit)))


def _nearest(name: object, known: Iterable[str], limit: int) -> list[str]:
    names = sorted(known)
    if len(names) <= limit:
        return names
    return difflib.get_close_matches(str(name), names, n=8, cutoff=0.3) or names[:8]


def reason(error: BaseException) -> str:
    """The first line that says something in an exception's message.

    Args:
        error: Any exception. The class is named where the message alone would not say what is wrong.
    """
    lines = (line.strip() for line in str(error).splitlines())
    first = next((line for line in lines if line), "")
    if (first and isinstance(error, ValueError | OSError | ImportError)) or " " in first:
        return first
    return f"{type(error).__name__} {first}".strip()
