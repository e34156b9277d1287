"""Atari: one game as a single environment, one lane of `AtariLanes`."""

from __future__ import annotations

import dataclasses
from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode

from engram.envs.arguments import check_known
from engram.envs.arrays import Bytes
from engram.envs.atari.lanes import SEEDS, GameLanes
from engram.envs.atari.options import FRAMES_PER_SECOND, AtariOptions
from engram.envs.forms.parameters import Parametrized

SCREEN = (210, 160)
"""Rows and columns of a picture that is rendered, pixels."""


class GameLane(gymnasium.Env[Bytes, Any]):
    """What `Atari` does, with its options in one."""

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium declares it so)
        "render_modes": ["rgb_array"],
        "render_fps": FRAMES_PER_SECOND,
        "tells": GameLanes.metadata["tells"],
    }

    def __init__(self, options: AtariOptions, render_mode: str | None = None) -> None:
        """Set up a game.

        Args:
            options: what is played and how it is shown.
            render_mode: None, or "rgb_array": the screen in colours. A second console then plays the same
                game, at twice the cost.

        Raises:
            ModuleNotFoundError: there is no ale_py.
            ValueError: an argument is not legal.
        """
        if render_mode is not None:
            check_known("render_mode", render_mode, self.metadata["render_modes"])
        self.render_mode = render_mode
        self._lane = GameLanes(options, autoreset_mode=AutoresetMode.NEXT_STEP)
        self._screen: GameLanes | None = None
        self._picture: Bytes | None = None
        if render_mode is not None:
            rows, columns = SCREEN
            look = dataclasses.replace(
                options, img_height=rows, img_width=columns, grayscale=False, stack_num=1
            )
            self._screen = GameLanes(look, autoreset_mode=AutoresetMode.NEXT_STEP)
        fps = FRAMES_PER_SECOND / options.frameskip
        self.metadata = {**type(self).metadata, "render_fps": fps, "rules": self._lane.metadata["rules"]}
        self.observation_space = self._lane.single_observation_space
        self.action_space = self._lane.single_action_space
        self._over = True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Bytes, dict[str, Any]]:
        """Start a game; seed and options as of `AtariLanes`."""
        super().reset(seed=seed)
        drawn = int(self.np_random.integers(SEEDS)) if seed is None else seed
        observations, info = self._lane.reset(seed=drawn, options=options)
        if self._screen is not None:
            self._picture = self._screen.reset(seed=drawn)[0][0]
        self._over = False
        return observations[0], _of_one(info)

    def step(self, action: Any) -> tuple[Bytes, float, bool, bool, dict[str, Any]]:
        """Play one action.

        Raises:
            ResetNeeded: there is no game, or it is over.
            ValueError: `action` is not legal.
        """
        if self._over:
            raise ResetNeeded("call reset() first: there is no episode to step")
        actions = np.asarray(action)[None]
        observations, rewards, terminated, truncated, info = self._lane.step(actions)
        if self._screen is not None:
            self._picture = self._screen.step(actions)[0][0]
        ends = bool(terminated[0]), bool(truncated[0])
        self._over = any(ends)
        return observations[0], float(rewards[0]), *ends, _of_one(info)

    def render(self) -> Any:
        """Render the screen, uint8 (210, 160, 3); None without a render mode."""
        return self._picture

    def close(self) -> None:
        """End the consoles."""
        for lanes in filter(None, (self._lane, self._screen)):
            lanes.close()

    def get_action_meanings(self) -> list[str]:
        """Return what the actions are called, in order."""
        return list(self._lane.actions)


class Atari(Parametrized, GameLane, task=AtariOptions):
    """An Atari game.

    Observation:
        The latest `stack_num` frames as planes of one picture, uint8 (rows, columns, stack_num * planes), the
        newest one last; in the first steps of a game, zeros for those from before it.

    Action:
        `Discrete(n)`: those that do something in the game, 3 to 18 of them; `get_action_meanings` names them.

    Reward:
        The game's own, neither clipped nor scaled.

    End:
        Terminated when the game is over, truncated after `max_num_frames_per_episode`. A lost life ends
        nothing.

    Info:
        `score` so far; `lives`; `episode_frame_number`, frames of this game, those before its first step
        included. Of lanes that begin anew in the step that ends a game, `lives` in `final_info` are those
        before that step.

    Source:
        Bellemare et al., The Arcade Learning Environment, arXiv 1207.4708.
    """


def _of_one(info: dict[str, Any]) -> dict[str, Any]:
    return {name: values[0].item() for name, values in info.items() if not name.startswith("_")}
