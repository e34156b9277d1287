"""One episode as a moving picture, a GIF or a film."""

import importlib.util
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import gymnasium as gym
import imageio
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from typing_extensions import override

from engram.agents.columns.wrappers import split_settings, wrap_lanes
from engram.envs.wrappers import at_edge
from engram.train.console.errors import ExperimentError
from engram.train.console.files import check_out, naming
from engram.train.environments.facts import make_rendered
from engram.train.evaluation.agent import Agent
from engram.train.evaluation.policy import Array
from engram.train.evaluation.rollout import play_steps

MAX_STEPS = 10_000
SUFFIXES = (".gif", ".mp4")
_LONGEST = 655_350  # ms that a GIF can show one picture
_SIDE = 240  # pixels


class Reel:
    """A sequence of pictures with durations; a picture that equals the last makes that one last longer.

    Args:
        pace: Milliseconds per picture.
        hold: Milliseconds that an unchanging picture is shown at most, but no less than one pace.
    """

    def __init__(self, pace: float, hold: float) -> None:
        self.pictures: list[Array] = []
        self.durations: list[float] = []
        self._pace, self._hold = pace, min(max(hold, pace), _LONGEST)

    def add(self, picture: Array) -> None:
        """Append a picture.

        Args:
            picture: RGB uint8 (height, width, 3).
        """
        if self.pictures and np.array_equal(picture, self.pictures[-1]):
            self.durations[-1] = min(self.durations[-1] + self._pace, self._hold)
        else:
            self.pictures.append(picture)
            self.durations.append(self._pace)

    def write(self, file: Path) -> None:
        """Write a GIF that plays for ever, or a film.

        Args:
            file: Where to; the suffix, one of `SUFFIXES`, says what.

        Raises:
            OSError: it cannot be written.
        """
        if file.suffix == ".mp4":
            self._write_film(file)
            return
        duration = self.durations if len(self.pictures) > 1 else self.durations[0]
        imageio.mimsave(file, self.pictures, format="GIF", duration=duration, loop=0)  # type: ignore[arg-type]

    def _write_film(self, file: Path) -> None:
        options: dict[str, Any] = {"format": "FFMPEG", "fps": 1000 / self._pace, "macro_block_size": 1}
        film: Any = imageio.get_writer(file, **options)
        with film:
            for picture in self._frames():
                film.append_data(_even(picture))

    def _frames(self) -> Iterator[Array]:
        """A picture for each pace that it is shown, as films have them."""
        for picture, duration in zip(self.pictures, self.durations, strict=True):
            for _ in range(max(1, round(duration / self._pace))):
                yield picture


def _even(picture: Array) -> Array:
    """A picture with an even number of rows and columns, which is what films can hold."""
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


class _Filmed(gym.Wrapper[Any, Any, Any, Any]):
    """Adds a picture to a reel at each reset and step.

    Args:
        env: A single environment that renders to pixels.
        hold: Seconds that an unchanging picture is shown at most.
    """

    def __init__(self, env: gym.Env[Any, Any], hold: float) -> None:
        super().__init__(env)
        self.reel = Reel(1000 / env.unwrapped.metadata.get("render_fps", 10), 1000 * hold)

    @override
    def reset(self, **options: Any) -> Any:
        result = super().reset(**options)
        self._film()
        return result

    @override
    def step(self, action: Any) -> Any:
        result = super().step(action)
        self._film()
        return result

    def _film(self) -> None:
        """Adds a picture; a board of a few cells is enlarged to something visible."""
        picture = np.asarray(self.env.render(), dtype=np.uint8)
        factor = max(1, _SIDE // max(picture.shape[:2]))
        self.reel.add(picture.repeat(factor, axis=0).repeat(factor, axis=1))


def check_gif(text: str, agent: Agent) -> Path:
    """Refuse, before any episode is played, what `write_gif` could not write.

    Args:
        text: The file, as typed.
        agent: The agent that will play.

    Returns:
        The file.

    Raises:
        ExperimentError: a suffix of another kind, no such folder, no right to write there, a film without the
            package that makes films, an environment that does not render.
    """
    file = check_out(text, "--gif", SUFFIXES)
    if file.suffix == ".mp4" and importlib.util.find_spec("imageio_ffmpeg") is None:
        raise ExperimentError(
            f"--gif {file}: needs one more package: pip install 'engram[video]'; or use .gif"
        )
    _rendered(agent).close()  # type: ignore[no-untyped-call]
    return file


def write_gif(agent: Agent, seed: int, file: Path, hold: float) -> bool:
    """Play one episode in the single environment, of `MAX_STEPS` at most, and write its frames.

    Args:
        agent: The agent that plays.
        seed: Of the environment and of drawn actions.
        file: Where to write, from `check_gif`.
        hold: Seconds that an unchanging picture is shown at most.

    Returns:
        Whether the episode ended.

    Raises:
        ExperimentError: the environment does not render, or the file cannot be written.
    """
    filmed = _Filmed(_rendered(agent), hold)
    _, wrappings = split_settings(agent.env_config)
    envs = wrap_lanes(SyncVectorEnv([lambda: filmed], autoreset_mode=AutoresetMode.DISABLED), wrappings)
    steps = islice(play_steps(agent.tell(envs), agent.make_policy(1), seed), MAX_STEPS)
    whole = any(step.ended[0] for step in steps)
    envs.close()
    with naming(f"--gif {file}"):
        filmed.reel.write(file)
    return whole


def _rendered(agent: Agent) -> gym.Env[Any, Any]:
    return at_edge(make_rendered(agent.env_id, agent.env_config, ("rgb_array",), "--gif"))
