"""An environment in a person's hands: the episode so far. It knows no keys and no screen."""

from collections.abc import Mapping
from enum import EnumType
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from engram.envs.forms.actions import STAY
from engram.envs.forms.pycolab_game import PycolabGame
from engram.envs.forms.single_lane import SingleGame

LONGEST_WAIT = 1000  # env steps


class Session:
    """Episodes of one environment, one after the other.

    Args:
        env: A single environment with `Discrete` actions, which renders as text or, in the mode `rgb_array`,
            to pixels.
        seed: Of the first episode; None: a random one.

    Attributes:
        env: The environment.
        game: The board game inside it; None: it is another kind of environment.
        action_names: What its actions are called, in order; empty: it does not say.
        info: What it said with the present frame.
        frame: Env steps taken in this episode.
        total: Return of this episode so far.
        reward: Of the last step; None: there was none yet.
        over: Whether the episode has ended.
        returns: Of the finished episodes.
    """

    def __init__(self, env: gym.Env[Any, Any], seed: int | None = None) -> None:
        self.env: Any = env
        self.game = env.unwrapped if isinstance(env.unwrapped, PycolabGame | SingleGame) else None
        self.action_names = _action_names(env)
        self.returns: list[float] = []
        self.begin(seed)

    def begin(self, seed: int | None = None) -> None:
        """Start an episode; one that has not ended is dropped."""
        _, self.info = self.env.reset(seed=seed)
        self.frame, self.total, self.over = 0, 0.0, False
        self.reward: float | None = None

    def step(self, action: int) -> None:
        """Take one action; nothing happens once the episode is over."""
        if self.over:
            return
        _, reward, terminated, truncated, self.info = self.env.step(action)
        self.frame += 1
        self.reward = float(reward)
        self.total += self.reward
        self.over = bool(terminated or truncated)
        if self.over:
            self.returns.append(self.total)

    def stay(self, steps: int = 1) -> None:
        """Do nothing for some steps, or to the end of the episode. For board games."""
        for _ in range(steps):
            self.step(STAY)

    def stay_until_change(self) -> None:
        """Do nothing until the board looks different, the episode ends or `LONGEST_WAIT` is over."""
        before = self.text
        for _ in range(LONGEST_WAIT):
            self.stay()
            if self.over or self.text != before:
                return

    @property
    def text(self) -> str:
        """The present frame, rendered as text."""
        return str(self.env.render())

    @property
    def pixels(self) -> NDArray[np.uint8] | None:
        """The present frame (height, width, 3); None where the environment renders as text."""
        return np.asarray(self.env.render(), np.uint8) if self.env.render_mode == "rgb_array" else None

    @property
    def hidden(self) -> Mapping[str, Any]:
        """Hidden choices of the game in this episode; empty for other environments."""
        return self.game.hidden_choices if self.game else {}


def _action_names(env: gym.Env[Any, Any]) -> list[str]:
    """Names of actions, of `get_action_meanings` (Atari, ours) or the enumeration `actions` (minigrid)."""
    bare: Any = env.unwrapped
    if hasattr(bare, "get_action_meanings"):
        return [str(name).lower() for name in bare.get_action_meanings()]
    actions = getattr(bare, "actions", None)
    return list(actions.__members__) if isinstance(actions, EnumType) else []
