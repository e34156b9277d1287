"""Keys and their effects. They are named as `curses.window.getkey` names them."""

from collections.abc import Callable, Sequence
from typing import Any

from gymnasium.spaces import Discrete, Space

from engram.envs.forms.actions import DOWN, LEFT, RIGHT, STAY, UP
from engram.train.play.session import Session

QUIT = ("q", "\x1b")
LEAP = 10  # steps
BY_NUMBER = "0123456789zxcvbnmt"
"""A key for each action by its number; as many as an Atari game has."""

_MOVES = {
    **dict.fromkeys(("KEY_UP", "w"), UP),
    **dict.fromkeys(("KEY_DOWN", "s"), DOWN),
    **dict.fromkeys(("KEY_LEFT", "a"), LEFT),
    **dict.fromkeys(("KEY_RIGHT", "d"), RIGHT),
    **dict.fromkeys((" ", "."), STAY),
}
_NAMED = {
    "left": ("KEY_LEFT", "a"),
    "right": ("KEY_RIGHT", "d"),
    "forward": ("KEY_UP", "w"),
    "up": ("KEY_UP", "w"),
    "down": ("KEY_DOWN", "s"),
    "pickup": ("p", "KEY_PPAGE"),
    "drop": ("l", "KEY_NPAGE"),
    "toggle": (" ",),
    "wait": (" ", "."),
    "noop": (" ", "."),
    "done": ("\n",),
}
"""Keys beside the one of its number, of an action with a usual name: minigrid's own, and letters."""

_SPOKEN = {"KEY_LEFT": "arrows", "KEY_RIGHT": "arrows", "KEY_UP": "arrows", "KEY_DOWN": "arrows"}
_SPOKEN |= {" ": "space", "\n": "Enter"}


class Keyboard:
    """Applies keys to a session.

    Args:
        session: Whose environment is played; it passes `has_keys`.
        show_hidden: Whether what the game hides is shown from the start.

    Attributes:
        show_hidden: Whether it is shown now.
    """

    def __init__(self, session: Session, show_hidden: bool = False) -> None:
        self.session, self.show_hidden = session, show_hidden
        space = session.env.action_space
        self._actions = _MOVES if session.game else _by_number_and_name(space, session.action_names)
        self._commands: dict[str, Callable[[], None]] = {"r": session.begin, "h": self._toggle}
        if session.game:
            self._commands |= {"f": lambda: session.stay(LEAP), "n": session.stay_until_change}

    def press(self, key: str | None) -> bool:
        """Do what a key says; a key without a meaning does nothing.

        Args:
            key: Its name; None: the time for a key ran out, so a game goes on without one.

        Returns:
            False: the player wants to quit.
        """
        if key is None:
            self.session.stay()
            return True
        name = key.lower() if len(key) == 1 else key
        if name in self._actions:
            self.session.step(self._actions[name])
        elif name in self._commands:
            self._commands[name]()
        return name not in QUIT

    @property
    def help(self) -> str:
        """One line that names the keys."""
        if self.session.game:
            moves = f"arrows/WASD move   space stay   f stay {LEAP}   n stay until something changes"
        else:
            moves = _told(self.session.env.action_space, self.session.action_names)
        return f"{moves}   r new episode   h {'hide' if self.show_hidden else 'show'} what is hidden   q quit"

    def _toggle(self) -> None:
        self.show_hidden = not self.show_hidden


def has_keys(space: Space[Any]) -> bool:
    """Return whether one key can name each action of a space."""
    return isinstance(space, Discrete) and set(_numbers(space)) <= set(range(len(BY_NUMBER)))


def _by_number_and_name(space: Any, names: Sequence[str]) -> dict[str, Any]:
    """Each action by the key of its number, and by those of its name."""
    keys = {BY_NUMBER[number]: space.dtype.type(number) for number in _numbers(space)}
    for number, name in zip(_numbers(space), names, strict=False):
        keys |= dict.fromkeys(_NAMED.get(name, ()), space.dtype.type(number))
    return keys


def _told(space: Any, names: Sequence[str]) -> str:
    """The keys of the actions, in words."""
    numbers = _numbers(space)
    if not names:
        letters = BY_NUMBER[10 : numbers.stop]
        return f"{numbers[0]}-{min(numbers[-1], 9)}{letters} actions"
    return "   ".join(
        " ".join((BY_NUMBER[n], name, _beside(name))).rstrip()
        for n, name in zip(numbers, names, strict=False)
    )


def _beside(name: str) -> str:
    """The key of its name by which an action is best reached, in brackets; empty: there is none."""
    keys = _NAMED.get(name)
    return f"({_SPOKEN.get(keys[0], keys[0])})" if keys else ""


def _numbers(space: Any) -> range:
    """The actions of a `Discrete` space."""
    return range(int(space.start), int(space.start + space.n))
