"""A new run starts from another run's weights: which are taken over, and whether they fit.

A network's state is a mapping: name of a weight or running statistic to an array.
"""

import pickle
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from ray.rllib.core import (
    COMPONENT_LEARNER,
    COMPONENT_LEARNER_GROUP,
    COMPONENT_RL_MODULE,
    DEFAULT_MODULE_ID,
)
from ray.rllib.core.rl_module.rl_module import RLModule

from engram.agents.models.moments import normalized_by
from engram.agents.models.parts import Parts
from engram.agents.models.recurrent import ColumnarModule
from engram.memory.options import unknown_key_message, unknown_message

STATE = Path(
    COMPONENT_LEARNER_GROUP, COMPONENT_LEARNER, COMPONENT_RL_MODULE, DEFAULT_MODULE_ID, "module_state.pkl"
)
"""The file of a checkpoint that holds the network's state."""

State = Mapping[str, NDArray[Any]]
Wanted = Mapping[str, bool | tuple[str, ...]]
"""Part to whether it is taken over, or to those of its members that are."""


class Start(NamedTuple):
    """What a network starts from.

    Attributes:
        source: The checkpoint.
        copied: Part to the number of weights and statistics that are taken over.
        new: Parts that are not taken over, or not wholly.
        state: What is taken over.
    """

    source: str
    copied: dict[str, int]
    new: list[str]
    state: dict[str, NDArray[Any]]


def start_of(module: ColumnarModule) -> Start | None:
    """Reads what a module's `init_from` and `init` ask for; None: it starts from scratch.

    Raises:
        ValueError: No such checkpoint, no such part, or a weight that does not fit.
    """
    parts = module.parts()
    weights = {parts.named(name): name for name in module.state_dict()}
    own = {name: tuple(module.state_dict()[weight].shape) for name, weight in weights.items()}
    wanted = _wanted(module.model_config.get("init", {}), parts, own)
    source = module.model_config.get("init_from")
    if source is None:
        return None
    stored = _named_state(source, parts)
    _check_normalization(own, stored, source, wanted)
    for name in dict.fromkeys([*own, *stored]):
        if _is_wanted(name, parts, wanted):
            _check_fits(name, own, stored, source, parts)
    copied = {weights[name]: stored[name] for name in own if _is_wanted(name, parts, wanted)}
    if not copied:
        raise ValueError(f"init: takes nothing over from {source}; leave init_from out")
    counts = Counter(str(parts.part_of(name)) for name in copied)
    rest = [name for name in module.state_dict() if name not in copied]
    new = dict.fromkeys(part for name in rest if (part := parts.part_of(name)))
    return Start(source, dict(counts), list(new), copied)


def _named_state(source: str, parts: Parts) -> State:
    """Reads the state from a checkpoint, by the names that weights have in its own network.

    Raises:
        ValueError: There is none that can be read.
    """
    try:
        stored = read_state(source)
    except ValueError as error:
        raise ValueError(f"init_from: {error}") from None
    if parts.names:  # numbers are those of the source's own space
        parts = _parts_of(source, parts)
    return {parts.named(name): value for name, value in stored.items()}


def _parts_of(source: str, alike: Parts) -> Parts:
    """The parts of a checkpoint's network; where that cannot be built any more, `alike`."""
    try:
        module = RLModule.from_checkpoint(str((Path(source).expanduser() / STATE).parent))
        parts: Parts = module.parts()
    except Exception:  # another version's class may be elsewhere, or anything
        return alike
    return parts


def read_state(source: str) -> State:
    """Reads the network's state from a checkpoint's folder.

    Raises:
        ValueError: There is none that can be read.
    """
    file = Path(source).expanduser() / STATE
    try:
        state = pickle.loads(file.read_bytes())
        return {name: np.asarray(value) for name, value in state.items()}
    except Exception as error:  # a broken pickle raises anything
        raise ValueError(f"{file} cannot be read: {type(error).__name__}: {error}") from None


def _wanted(init: Mapping[str, Any], parts: Parts, own: Iterable[str]) -> Wanted:
    """Fills the defaults of `init` in; raises ValueError for what it cannot say."""
    wanted: dict[str, bool | tuple[str, ...]] = {part: part not in parts.heads for part in parts.prefixes}
    for part, value in init.items():
        if part not in parts.prefixes:
            raise ValueError(unknown_key_message("init", part, parts.prefixes))
        if not isinstance(value, bool | list | tuple) or value in ([], ()):
            raise ValueError(f"init.{part}: expected true, false or a list of its members, got {value!r}")
        wanted[part] = value if isinstance(value, bool) else tuple(value)
        paths = {parts.members(name) for name in own if parts.part_of(name) == part}
        for member in () if isinstance(value, bool) else value:
            if not any(_lies_in(path, member) for path in paths):
                members = {one for path in paths for one in path.split(".") if one}
                raise ValueError(unknown_message(f"init.{part}", member, members))
    return wanted


def _is_wanted(name: str, parts: Parts, wanted: Wanted) -> bool:
    part = parts.part_of(name)
    if part is None:
        return False
    asked = wanted[part]
    return asked if isinstance(asked, bool) else any(_lies_in(parts.members(name), one) for one in asked)


def _lies_in(path: str, member: str) -> bool:
    """Whether a dotted path leads through a member, named by one or more of its names in a row."""
    return f".{member}." in f".{path}."


def _check_normalization(own: Iterable[str], stored: Iterable[str], source: str, wanted: Wanted) -> None:
    """Raises ValueError where what is taken over would see other numbers than it learned from."""
    here, there = normalized_by(own), normalized_by(stored)
    needed = {
        "normalize_observations": "normalization" if here["normalize_observations"] else "encoder",
        "normalize_rewards": "heads",
    }
    for setting, part in needed.items():
        if here[setting] != there[setting] and wanted.get(part):
            raise ValueError(
                f"init_from: {source} was trained with {setting}: {str(there[setting]).lower()}, here it is "
                f"{str(here[setting]).lower()}; say the same, or leave that part out by init: "
                f"{{{part}: false}}"
            )


def _check_fits(
    name: str, own: Mapping[str, tuple[int, ...]], stored: State, source: str, parts: Parts
) -> None:
    """Raises ValueError where a weight has another shape here than there, or is in one place only."""
    here, there = own.get(name), stored[name].shape if name in stored else None
    if here == there:
        return
    here_words, there_words = ("missing" if shape is None else str(shape) for shape in (here, there))
    raise ValueError(
        f"init_from: {name} is {there_words} in {source} and {here_words} here; leave that part out "
        f"by init: {{{parts.part_of(name)}: false}}"
    )
