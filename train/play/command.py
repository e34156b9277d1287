"""The command: checks, then hands over to the screen."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from engram.train.console.errors import ExperimentError, reason
from engram.train.environments.facts import make_rendered
from engram.train.play.keys import Keyboard, has_keys
from engram.train.play.session import Session


@dataclass(frozen=True)
class Request:
    """What to play.

    Attributes:
        env_id: The environment's id.
        env_config: Its settings.
        seed: Of the first episode; None: a random one.
        show_hidden: Whether what the game hides is shown from the start.
        fps: Frames per second that pass without a key; None: the game waits.
    """

    env_id: str
    env_config: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    show_hidden: bool = False
    fps: float | None = None


def play(request: Request) -> None:
    """Play in this terminal until the player quits, then print the returns.

    Args:
        request: What to play.

    Raises:
        ExperimentError: this is no terminal, or the environment cannot be played in one.
    """
    check_terminal()
    from engram.train.play import screen  # not on every system

    keyboard = start(request)
    with _one_line(request.env_id):
        screen.run(keyboard, request.env_id, request.fps)
    keyboard.session.env.close()
    _print_returns(keyboard.session.returns)


@contextmanager
def _one_line(env_id: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # whatever a foreign environment or a strange terminal raises
        raise ExperimentError(f"play: {env_id}: {reason(error)}") from None


def check_terminal() -> None:
    """Refuse to play where there is no terminal.

    Raises:
        ExperimentError: keys or pictures go elsewhere, or Python cannot draw in a terminal.
    """
    for name in ("stdin", "stdout"):
        if not getattr(sys, name).isatty():
            raise ExperimentError(f"play: {name} is no terminal; play needs one, without a pipe or a file")
    try:
        import curses  # noqa: F401
    except ImportError:
        raise ExperimentError(
            "play: this Python has no curses, as on Windows; use WSL, or pip install windows-curses"
        ) from None


def start(request: Request) -> Keyboard:
    """Make the environment and begin its first episode.

    Args:
        request: What to play.

    Raises:
        ExperimentError: no such environment, an unknown setting, or it cannot be played by keys.
    """
    env = make_rendered(request.env_id, request.env_config, "ansi", "play")
    if not has_keys(env.action_space):
        raise ExperimentError(
            f"play: {request.env_id} takes actions {env.action_space}; keys name 0 to 9 only"
        )
    with _one_line(request.env_id):
        session = Session(env, request.seed)
    if request.fps is not None and session.game is None:
        raise ExperimentError(f"--fps: {request.env_id} has no action that waits, as engram's games have")
    return Keyboard(session, request.show_hidden)


def _print_returns(returns: list[float]) -> None:
    if returns:
        mean = sum(returns) / len(returns)
        print(f"episodes: {len(returns)}   mean return: {mean:.3f}   last: {returns[-1]:.3f}")
