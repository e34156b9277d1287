"""`rllib play`: an environment in this terminal, played by hand."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engram.train import completion
from engram.train.commands.options import mapping
from engram.train.console.errors import ExperimentError, one_line

if TYPE_CHECKING:
    from engram.train.play.keys import Keyboard

EXAMPLES = """
rllib play engram/TMaze-v0
rllib play minigrid:BabyAI-GoToLocal-v0
rllib play ALE/Breakout-v5
rllib play engram/TMaze-v0 --env-config '{limbo_time: 20}' --fps 5 --show-hidden
"""


def command(
    env_id: Annotated[
        str,
        typer.Argument(
            metavar="ENV_ID",
            help="An environment that renders as text or pixels.",
            autocompletion=completion.envs,
        ),
    ],
    env_config: Annotated[str | None, typer.Option(help="Environment settings as YAML.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the first episode.")] = None,
    show_hidden: Annotated[
        bool, typer.Option("--show-hidden", help="Show what the player has to remember (key h).")
    ] = False,
    fps: Annotated[
        float | None,
        typer.Option(min=0.1, max=100, help="Frames per second; default: the game waits for a key."),
    ] = None,
) -> None:
    """Play an environment by hand in this terminal; the keys are shown below the board."""
    settings = mapping(env_config, "--env-config")
    check_terminal()
    from engram.train.console.screen import show
    from engram.train.play import screen  # not on every system

    keyboard = start(env_id, settings, seed, show_hidden, fps)
    with one_line(f"play: {env_id}"):
        screen.run(keyboard, env_id, fps)
    keyboard.session.env.close()
    returns = keyboard.session.returns
    if returns:
        mean = sum(returns) / len(returns)
        show(f"episodes: {len(returns)}   mean return: {mean:.3f}   last: {returns[-1]:.3f}")


def check_terminal() -> None:
    """Refuse to play where there is no terminal.

    Raises:
        ExperimentError: Keys or pictures go elsewhere, or Python cannot draw in a terminal.
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


def start(
    env_id: str,
    env_config: Mapping[str, Any] | None = None,
    seed: int | None = None,
    show_hidden: bool = False,
    fps: float | None = None,
) -> "Keyboard":
    """Make the environment and begin its first episode.

    Args:
        env_id: The environment's id.
        env_config: Its settings.
        seed: Of the first episode; None: a random one.
        show_hidden: Whether what the game hides is shown from the start.
        fps: Frames per second that pass without a key; None: the game waits.

    Raises:
        ExperimentError: There is no such environment, it has no such setting, or keys cannot play it.
    """
    from engram.train.environments.facts import make_rendered
    from engram.train.play.keys import BY_NUMBER, Keyboard, has_keys
    from engram.train.play.session import Session

    env = _drawn(make_rendered(env_id, env_config or {}, ("ansi", "rgb_array"), "play"))
    if not has_keys(env.action_space):
        last = len(BY_NUMBER) - 1
        raise ExperimentError(f"play: {env_id} takes actions {env.action_space}; keys name 0 to {last} only")
    with one_line(f"play: {env_id}"):
        session = Session(env, seed)
    if fps is not None and session.game is None:
        raise ExperimentError(f"--fps: {env_id} has no action that waits, as engram's games have")
    return Keyboard(session, show_hidden)


def _drawn(env: Any) -> Any:
    """An environment whose pictures a terminal can show: a level of minigrid as text."""
    from engram.envs.wrappers.grids import EncodedGrid, GridText, is_grid

    return GridText(EncodedGrid(env)) if is_grid(env) else env
