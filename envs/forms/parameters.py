"""Constructors that follow from one declaration of a task's parameters.

A declaration is a class or function: its arguments are the parameters, with their types and defaults; `Args:`
in its docstring says what each means; calling it checks them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import Parameter, Signature
from typing import Any

from engram.envs.arguments import check_known

_ARGUMENTS = re.compile(r"^(?:Args|Arguments):\n((?: {4}.*\n|\n)+)", re.MULTILINE)
_ENTRY = re.compile(r"^ {4}(?=\w+: )", re.MULTILINE)
_LANES = "num_envs"  # stands first, as `gymnasium.make_vec` has it


class Parametrized:
    """Mixin that takes a task's parameters where the next base takes the task.

    `class BatchedTMaze(Parametrized, BatchedGame[TMazeRules], task=TMazeRules)` takes the parameters of
    `TMazeRules`, and those of `BatchedGame` but its first, by name or by place. `inspect.signature` shows
    them, and the docstring of the class gets their meanings. Such a class needs no `__init__`; a batched one
    makes its arrays in `_allocate`.

    Raises:
        ValueError: an argument is not legal.
        TypeError: an argument is unknown; names the nearest one.
    """

    _task: Callable[..., Any]
    _task_parameters: Mapping[str, Parameter]

    def __init_subclass__(cls, task: Callable[..., Any] | None = None, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if task is None:
            return
        form: Any = super().__init__
        of_task, (_self, _task, *of_form) = parameters_of(task), parameters_of(form).values()
        lanes = [each for each in of_form if each.name == _LANES]
        cls._task, cls._task_parameters = staticmethod(task), of_task
        parameters = [*lanes, *of_task.values(), *(each for each in of_form if each.name != _LANES)]
        declare(cls, parameters, read_meanings(form) | read_meanings(task))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    def _construct(self, given: dict[str, Any]) -> None:
        form: Any = super().__init__
        of_task = {name: given.pop(name) for name in self._task_parameters if name in given}
        form(self._task(**of_task), **given)


def parameters_of(creator: Callable[..., Any]) -> dict[str, Parameter]:
    """Return the parameters of a class or function by name, with evaluated annotations."""
    return dict(inspect.signature(creator, eval_str=True).parameters)


def declare(cls: Any, parameters: Sequence[Parameter], meanings: Mapping[str, str]) -> None:
    """Give a class a constructor that passes its arguments to `_construct`, as a dict by name.

    Args:
        cls: the class; it has a method `_construct`.
        parameters: of the constructor, in their order.
        meanings: of the parameters, see `read_meanings`; the docstring's own `Arguments:` win over them.
    """
    signature = Signature(parameters)

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 (it becomes one)
        for name in kwargs:
            _check_known(type(self).__name__, name, signature)
        try:
            given = signature.bind(*args, **kwargs)
        except TypeError as error:  # too many, or one given twice
            raise TypeError(f"{type(self).__name__}: {error}") from None
        self._construct(dict(given.arguments))

    own = Parameter("self", Parameter.POSITIONAL_OR_KEYWORD)
    constructor: Any = __init__
    constructor.__signature__ = Signature([own, *parameters], return_annotation=None)
    constructor.__annotations__ = {each.name: each.annotation for each in parameters}
    constructor.__qualname__ = f"{cls.__qualname__}.__init__"
    constructor.__module__ = cls.__module__
    constructor.__doc__ = "See the class for what the arguments mean."
    cls.__init__ = constructor
    if cls.__doc__:
        cls.__doc__ = _with_arguments(cls.__doc__, signature.parameters, meanings)


def _check_known(name: str, argument: str, signature: Signature) -> None:
    try:
        check_known(name, argument, list(signature.parameters))
    except ValueError as error:
        raise TypeError(str(error)) from None


def read_meanings(creator: Any) -> dict[str, str]:
    """Read a docstring's entries about arguments: name -> `name: meaning`, with line breaks."""
    return _entries(_ARGUMENTS.search(_clean(creator.__doc__)))


def _entries(section: re.Match[str] | None) -> dict[str, str]:
    entries = _ENTRY.split(section[1])[1:] if section else []
    return {entry.partition(":")[0]: f"{entry.rstrip()}\n" for entry in entries}


def _with_arguments(page: str, names: Iterable[str], meanings: Mapping[str, str]) -> str:
    """Return a docstring with a section `Arguments:` that has an entry for each name."""
    text = _clean(page)
    own = _ARGUMENTS.search(text)
    entries = {**meanings, **_entries(own)}
    section = "Arguments:\n" + "".join(f"    {entries[name]}" for name in names if name in entries)
    before, after = (text[: own.start()], text[own.end() :]) if own else _halves(text)
    return f"{before.rstrip()}\n\n{section}\n{after}"


def _halves(text: str) -> tuple[str, str]:
    """Split a docstring where its `Arguments:` belong."""
    before, heading, after = text.partition("\nReset options:\n")
    return before, f"{heading}{after}".lstrip("\n")


def _clean(text: str | None) -> str:
    return f"{inspect.cleandoc(text or '')}\n"
