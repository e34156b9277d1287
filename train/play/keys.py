"""Keys and their effects. They are named as `curses.window.getkey` names them."""

from collections.abc import Callable
from typing import Any

from gymnasium.spaces import Discrete, Space

from engram.envs.forms.actions import DOWN, LEFT, RIGHT, STAY, UP
from engram.train.play.session import Session

QUIT = ("q", "\x1b")
LEAP = 10  # steps
_MOVES = {
    **dict.fromkeys(("KEY_UP", "w"), UP),
    **dict.fromkeys(("KEY_DOWN", "s"), DOWN),
    **dict.fromkeys(("KEY_LEFT", "a"), LEFT),
    **dict.fromkeys(("KEY_RIGHT", "d"), RIGHT),
    **dict.fromkeys((" ", "."), STAY),
}


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
        self._actions = _MOVES if session.game else {str(n): space.dtype.type(n) for n in _numbers(space)}
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
            moves = f"{min(self._actions)}-{max(self._actions)} actions"
        return f"{moves}   r new episode   h {'hide' if self.show_hidden else 'show'} what is hidden   q quit"

    def _toggle(self) -> None:
        self.show_hidden = not self.show_hidden


def has_keys(space: Space[Any]) -> bool:
    """Return whether one digit can name each action of a space."""
    return isinstance(space, Discrete) and set(_numbers(space)) <= set(range(10))


def _numbers(space: Any) -> range:
    """The actions of a `Discrete` space."""
    return range(int(space.start), int(space.start + space.n))
