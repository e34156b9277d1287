"""Inspect pickles without loading them: loading one runs whatever code it names."""

import hashlib
import io
import pickle
import pickletools
from typing import Any

import numpy as np

_MEMO = ("PUT", "BINPUT", "LONG_BINPUT")
_known: dict[bytes, bool] = {}
"""What was found of a content, by its digest: the checkpoints of a run share their largest file."""


def is_whole(data: bytes) -> bool:
    """Whether a pickle can be read to its end; nothing in it is built or run.

    The last byte of a pickle says that it ends there, so that a file that was cut off anywhere is not whole.
    """
    digest = hashlib.blake2b(data).digest()
    if digest not in _known:
        _known[digest] = _ends(data)
    return _known[digest]


def _ends(data: bytes) -> bool:
    try:
        for operation, argument, _ in pickletools.genops(io.BytesIO(data)):
            if operation.name in _MEMO and not 0 <= int(argument or 0) <= len(data):
                return False  # a loader would make room for that many objects
    except Exception:  # pickletools raises many kinds for what is not a pickle
        return False
    return True


class StandIn:
    """Stands where a pickle names a class or a function, or an object that one of them would make.

    Attributes:
        name: `module.name` of a class or a function; empty for what it would have made.
        maker: The stand-in of what would have made this; None for a class or a function.
        arguments: What the maker would have been called with.
        state: What the object would have been filled with.
    """

    name: str
    maker: "StandIn | None"
    arguments: tuple[Any, ...]
    state: Any

    def __new__(cls, *arguments: Any, **named: Any) -> "StandIn":
        """Pickle calls this on a stand-in where it would make an instance of the class."""
        made = object.__new__(StandIn)
        made.name, made.state, made.arguments = "", None, (*arguments, *named.values())
        made.maker = cls if isinstance(cls, StandIn) else None
        return made

    def __call__(self, *arguments: Any, **named: Any) -> "StandIn":
        """Makes nothing but another stand-in."""
        return StandIn.__new__(self, *arguments, **named)  # type: ignore[arg-type]

    def __setstate__(self, state: Any) -> None:
        """Keeps the state."""
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        """Drops items of a mapping of its own kind."""

    def append(self, value: Any) -> None:
        """Drops items of a list of its own kind."""

    add = append

    @property
    def called(self) -> str:
        """A class's own name, also of one that was pickled by its code; empty for anything else."""
        if self.name:
            return self.name.rpartition(".")[2]
        texts = [argument for argument in self.arguments[:2] if isinstance(argument, str)]
        return texts[0] if self.maker is not None and "class" in self.maker.name and texts else ""


def _number(dtype: Any, data: bytes) -> Any:
    """A NumPy number as the number of Python that it is."""
    return np.frombuffer(data, dtype, 1)[0].item()


_NUMBERS = {
    "numpy.dtype": np.dtype,
    "numpy._core.multiarray.scalar": _number,
    "numpy.core.multiarray.scalar": _number,  # of NumPy 1
}


class _Outliner(pickle._Unpickler):
    """Builds plain data; the one written in Python, because it makes instances through `StandIn` too."""

    def find_class(self, module: str, name: str) -> Any:
        """A stand-in for every name but those of numbers."""
        if (number := _NUMBERS.get(f"{module}.{name}")) is not None:
            return number
        found = StandIn()
        found.name = f"{module}.{name}"
        return found

    def persistent_load(self, pid: Any) -> Any:
        """A stand-in for what lies outside of the pickle."""
        return StandIn()


def outline(data: bytes) -> Any:
    """A pickle's plain data, with a `StandIn` for every object, class and function; none of it is run.

    Raises:
        ValueError: the pickle is cut off or broken.
    """
    try:
        return _Outliner(io.BytesIO(data)).load()
    except Exception as error:  # whatever broken data makes of it
        raise ValueError(f"no whole pickle: {type(error).__name__}") from None


def is_plain(value: Any, depth: int = 40) -> bool:
    """Whether an outline holds no stand-in, down to a depth beyond which nothing counts as plain."""
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return depth > 0 and all(is_plain(each, depth - 1) for each in value)
    return not isinstance(value, StandIn)
