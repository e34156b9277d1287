"""One episode as a moving picture."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import imageio
import numpy as np

from engram.train.environments import make_rendered
from engram.train.errors import ExperimentError, reason
from engram.train.policy import Array, make_policy

MAX_FRAMES = 10_000
_LONGEST = 655_350  # ms that a GIF can show one picture
_SIDE = 240  # pixels


class Reel:
    """Pictures in a row, and how long each is shown; one that equals the last prolongs that one.

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
        """Write a GIF that plays for ever.

        Args:
            file: Where to.

        Raises:
            OSError: it cannot be written.
        """
        duration = self.durations if len(self.pictures) > 1 else self.durations[0]
        imageio.mimsave(file, self.pictures, format="GIF", duration=duration, loop=0)  # type: ignore[arg-type]


def write_gif(
    module: Any,
    env_id: str,
    env_config: Mapping[str, Any],
    greedy: bool,
    seed: int,
    file: Path,
    hold: float,
) -> None:
    """Play one episode in the single environment and write its frames.

    Args:
        module: An RLModule.
        env_id: The environment's id.
        env_config: Its settings.
        greedy: The likeliest action; else drawn.
        seed: Of the environment and of drawn actions.
        file: Where to write.
        hold: Seconds that an unchanging picture is shown at most.

    Raises:
        ExperimentError: the environment does not render, or the file cannot be written.
    """
    env: Any = make_rendered(env_id, env_config, "rgb_array", "--gif")
    policy = make_policy(module, 1, greedy)
    reel = Reel(1000 / env.unwrapped.metadata.get("render_fps", 10), 1000 * hold)
    observation, _ = env.reset(seed=seed)
    reel.add(_frame(env))
    frames, ended, resets = 1, False, np.ones(1, dtype=bool)
    while not ended and frames < MAX_FRAMES:
        batch = (
            {k: v[None] for k, v in observation.items()}
            if isinstance(observation, dict)
            else np.asarray(observation)[None]
        )
        action = policy.act(batch, resets)[0]
        observation, _, terminated, truncated, _ = env.step(action)
        ended, resets = bool(terminated or truncated), np.zeros(1, dtype=bool)
        reel.add(_frame(env))
        frames += 1
    env.close()
    try:
        reel.write(file)
    except (OSError, ValueError) as error:
        raise ExperimentError(f"--gif {file}: {reason(error)}") from None


def _frame(env: Any) -> Array:
    """One rendered picture; a board of a few cells is enlarged to something visible."""
    picture = np.asarray(env.render(), dtype=np.uint8)
    factor = max(1, _SIDE // max(picture.shape[:2]))
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)
