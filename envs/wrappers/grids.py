"""EncodedGrid: levels of minigrid with the true bounds of their codes, and without a word on stdout."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from typing_extensions import override

_AGENT = (">>", "vv", "<<", "^^")  # by direction
_LETTERS = {
    "wall": "##",
    "floor": "..",
    "goal": "GG",
    "lava": "~~",
    "key": "k ",
    "ball": "o ",
    "box": "b ",
}
_DOOR = {"open": "/ ", "closed": "[]", "locked": "[X"}
_COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (90, 90, 255),  # lighter than minigrid's, to be read on black
    "purple": (200, 80, 255),
    "yellow": (255, 255, 0),
    "grey": (140, 140, 140),
}
_HIGHEST = (10, 5, 2)  # kinds of objects, colours, states of a door
_HIGHEST_SEEN_WHOLE = (10, 5, 3)  # where the agent is drawn, with its direction as its state


class EncodedGrid(gym.Wrapper[Any, Any, Any, Any]):
    """A level of minigrid, in whatever wrappers, whose codes keep the bounds that its space says.

    minigrid declares codes of a cell, (kind, colour, state), as 0 to 255, and what is scaled by these bounds
    is crushed. Pictures and what other wrappers make of the codes stay as they are. minigrid prints about
    levels that it throws away; that is kept out of the output.

    Args:
        env: A single environment.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        if not is_grid(env):
            raise ValueError(f"EncodedGrid: {env} is no level of minigrid")
        self.observation_space = _bounded(env.observation_space, list(_codes(env)))

    @override
    def reset(self, **options: Any) -> Any:
        with contextlib.redirect_stdout(io.StringIO()):
            return super().reset(**options)


class GridText(gym.Wrapper[Any, Any, Any, Any]):
    """A level of minigrid drawn as text: two letters a cell, in the object's colour, the agent marked.

    Below it stand the mission and what is carried.

    Args:
        env: A single environment.
    """

    @property
    @override
    def render_mode(self) -> str:  # type: ignore[override]
        return "ansi"

    @override
    def render(self) -> Any:
        level: Any = self.unwrapped
        rows = [
            "".join(self._cell(level, x, y) for x in range(level.grid.width))
            for y in range(level.grid.height)
        ]
        carried = level.carrying
        held = "nothing" if carried is None else f"the {carried.color} {carried.type}"
        return "\n".join([*rows, "", level.mission, f"carries {held}"])

    def _cell(self, level: Any, x: int, y: int) -> str:
        if (x, y) == tuple(level.agent_pos):
            return f"\x1b[7m{_AGENT[level.agent_dir]}\x1b[0m"
        thing = level.grid.get(x, y)
        if thing is None:
            return "  "
        red, green, blue = _COLOURS[thing.color]
        return f"\x1b[38;2;{red};{green};{blue}m{_letters(thing)}\x1b[0m"


def _letters(thing: Any) -> str:
    if thing.type == "door":
        return _DOOR["open" if thing.is_open else "locked" if thing.is_locked else "closed"]
    return _LETTERS.get(thing.type, "??")


def is_grid(env: gym.Env[Any, Any]) -> bool:
    """Return whether an environment is a level of minigrid, which may not be there to ask."""
    return any(base.__module__ == "minigrid.minigrid_env" for base in type(env.unwrapped).__mro__)


def _codes(env: gym.Env[Any, Any]) -> Iterator[tuple[spaces.Box, tuple[int, ...]]]:
    """The spaces of encoded images of a level and its wrappers, each with the highest codes of a cell.

    A wrapper that changes the image has a space of its own for it, which is none of these.
    """
    layer: Any = env
    while True:
        name = type(layer).__name__
        if layer is layer.unwrapped or name == "ViewSizeWrapper":
            yield layer.observation_space["image"], _HIGHEST
        elif name == "FullyObsWrapper":
            yield layer.observation_space["image"], _HIGHEST_SEEN_WHOLE
        if layer is layer.unwrapped:
            return
        layer = layer.env


def _bounded(space: gym.Space[Any], codes: list[tuple[spaces.Box, tuple[int, ...]]]) -> gym.Space[Any]:
    """The space with true bounds in place of those of codes."""
    if isinstance(space, spaces.Dict):
        return spaces.Dict({key: _bounded(part, codes) for key, part in space.spaces.items()})
    for box, highest in codes:
        if space is box:
            high = np.broadcast_to(np.array(highest, np.uint8), box.shape)
            return spaces.Box(np.zeros_like(high), high, dtype=np.uint8)
    return space
