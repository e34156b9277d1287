"""The states of environments, as far as they can be taken: from one, lanes play on as if nothing had been.

B lanes.
"""

import inspect
import io
import pickle
from collections.abc import Callable
from typing import Any

import cloudpickle
from gymnasium.utils import EzPickle
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv
from typing_extensions import override

from engram.agents.columns.packing import is_plain

MOST_BYTES = 64 * 2**20
"""Of all that is pickled of the lanes' environments; what is larger is not kept in checkpoints."""


class UnsavedError(Exception):
    """The state of environments that cannot be taken; says why, in one line."""


def save_env(env: Any) -> dict[str, Any]:
    """Takes the state of an environment and of the wrappers around it.

    An environment with `get_state()` and `set_state(state)` of its own, such as every batched one of this
    package, says itself what belongs to its state: plain data, which are stored as such. Any other is pickled
    with its wrappers, copies of a single one each by itself. Of wrappers alone everything is pickled but what
    they are around.

    Args:
        env: Single or batched, wrapped or not.

    Returns:
        Plain data.

    Raises:
        UnsavedError: It cannot be pickled, takes too many bytes, or lives in other processes.
    """
    return _state_of(env, _Pickles(MOST_BYTES))


def _state_of(env: Any, pickles: "_Pickles") -> dict[str, Any]:
    inner = env.unwrapped
    if isinstance(inner, AsyncVectorEnv):
        raise UnsavedError("its lanes are processes of their own (gym_env_vectorize_mode: async)")
    if isinstance(inner, SyncVectorEnv):
        state: dict[str, Any] = {"lanes": [_state_of(each, pickles) for each in inner.envs]}
    elif _tells_state(inner):
        own = inner.get_state()
        state = {"own": own} if is_plain(own) else {"own_pickled": pickles.dump(own)}
    else:
        return {"whole": pickles.dump(env)}
    return state if env is inner else {**state, "wrappers": pickles.dump(env, outside=inner)}


def restore_env(env: Any, state: dict[str, Any]) -> Any:
    """Returns an environment that goes on from a state.

    Args:
        env: Made with the same arguments as the one whose state it is; not to be used any more.
        state: From `save_env`.

    Raises:
        ValueError: The state is of another number of lanes.
        Exception: Whatever a class of a user's raises.
    """
    if "whole" in state:
        return pickle.loads(state["whole"])
    inner = env.unwrapped
    if "lanes" in state:
        pairs = zip(inner.envs, state["lanes"], strict=True)
        inner.envs = [restore_env(*pair) for pair in pairs]
    else:
        inner.set_state(state["own"] if "own" in state else pickle.loads(state["own_pickled"]))
    return _Loading(state["wrappers"], inner).load() if "wrappers" in state else env


def _tells_state(env: Any) -> bool:
    """Whether an environment has a state to get without arguments and to set with one."""
    methods = getattr(type(env), "get_state", None), getattr(type(env), "set_state", None)
    return all(_takes(method, count) for count, method in enumerate(methods, start=1))


def _takes(method: Callable[..., Any] | None, count: int) -> bool:
    """Whether a method can be called with so many arguments, `self` included."""
    try:
        inspect.signature(method).bind(*[None] * count)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


class _Pickles:
    """Pickles objects one by one, so many bytes in all.

    Args:
        room: Bytes.
    """

    def __init__(self, room: int) -> None:
        self._room = room

    def dump(self, value: Any, outside: Any = None) -> bytes:
        """Pickles an object; `outside`, an object that it holds, is left out.

        Raises:
            UnsavedError: It cannot be pickled, or there is no more room.
        """
        file = _BoundedFile(self._room)
        try:
            _Dumping(file, outside).dump(value)
        except UnsavedError:
            raise
        except Exception as error:  # a class of a user's may raise anything
            said = " ".join(f"{type(error).__name__}: {error}".split())
            raise UnsavedError(f"{_name_of(value)} cannot be pickled ({said})") from None
        self._room -= file.tell()
        return file.getvalue()


def _name_of(value: Any) -> str:
    """The class of an environment without its wrappers, or of anything else."""
    return type(getattr(value, "unwrapped", value)).__name__


class _BoundedFile(io.BytesIO):
    """Takes so many bytes.

    Args:
        room: How many.
    """

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room

    @override
    def write(self, data: Any) -> int:
        if self.tell() + len(data) > self._room:
            raise UnsavedError(f"its environments are more than {MOST_BYTES >> 20} MiB")
        return super().write(data)


class _Dumping(cloudpickle.Pickler):  # type: ignore[misc]
    """Leaves one object out."""

    def __init__(self, file: io.BytesIO, outside: Any) -> None:
        super().__init__(file)
        self._outside = outside

    def persistent_id(self, value: Any) -> Any:
        """Whether it is that object.

        Raises:
            UnsavedError: A pickle of the value would be of its constructor's arguments alone.
        """
        if self._outside is not None and value is self._outside:
            return True
        if isinstance(value, EzPickle) and type(value).__getstate__ is EzPickle.__getstate__:
            raise UnsavedError(
                f"{type(value).__name__} is pickled as it was made (EzPickle), without its state"
            )
        return None


class _Loading(pickle.Unpickler):
    """Puts an object in the place of the one that was left out."""

    def __init__(self, data: bytes, outside: Any) -> None:
        super().__init__(io.BytesIO(data))
        self._outside = outside

    @override
    def persistent_load(self, pid: Any) -> Any:
        return self._outside
