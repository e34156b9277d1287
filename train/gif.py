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


def write_gif(
    module: Any,
    env_id: str,
    env_config: Mapping[str, Any],
    greedy: bool,
    seed: int,
    file: Path,
) -> None:
    """Play one episode in the single environment and write its frames.

    Args:
        module: An RLModule.
        env_id: The environment's id.
        env_config: Its settings.
        greedy: The likeliest action; else drawn.
        seed: Of the environment and of drawn actions.
        file: Where to write.

    Raises:
        ExperimentError: the environment does not render, or the file cannot be written.
    """
    env: Any = make_rendered(env_id, env_config)
    policy = make_policy(module, 1, greedy)
    observation, _ = env.reset(seed=seed)
    frames, ended, resets = [_frame(env)], False, np.ones(1, dtype=bool)
    while not ended and len(frames) < MAX_FRAMES:
        batch = (
            {k: v[None] for k, v in observation.items()}
            if isinstance(observation, dict)
            else observation[None]
        )
        action = policy.act(batch, resets)[0]
        observation, _, terminated, truncated, _ = env.step(action)
        ended, resets = bool(terminated or truncated), np.zeros(1, dtype=bool)
        frames.append(_frame(env))
    duration = 1000 / env.unwrapped.metadata.get("render_fps", 10)  # ms per frame
    env.close()
    try:
        imageio.mimsave(file, frames, format="GIF", duration=duration, loop=0)  # type: ignore[arg-type]
    except (OSError, ValueError) as error:
        raise ExperimentError(f"--gif {file}: {reason(error)}") from None


def _frame(env: Any) -> Array:
    """One rendered picture; a board of a few cells is enlarged to something visible."""
    picture = np.asarray(env.render(), dtype=np.uint8)
    factor = max(1, 240 // max(picture.shape[:2]))
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)
