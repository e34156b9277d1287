"""Base of the games that run on pycolab's engine, one episode at a time, as Gymnasium environments.

pycolab 1.2 is used without its `ascii_art` helpers, which fail on NumPy >= 1.24; nothing else in it does.
R rows, C columns, K planes.
"""

from __future__ import annotations

import copyreg
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from pycolab.engine import Engine, Palette

from engram.envs.arguments import check_options, shown
from engram.envs.arrays import Bytes
from engram.envs.forms.actions import ACTIONS, LEGAL_ACTIONS
from engram.envs.forms.boards import RENDER_MODES, Look, check_render_mode
from engram.envs.forms.copies import WholeCopies
from engram.envs.forms.rules import Rules

RulesT = TypeVar("RulesT", bound=Rules)


def _reduce_palette(palette: Palette) -> tuple[type[Palette], tuple[list[str]]]:
    """Copy an engine's palette, which by itself looks up its attributes before it has any."""
    return Palette, (list(palette),)


copyreg.pickle(Palette, _reduce_palette)


class PycolabGame(WholeCopies, gymnasium.Env[Bytes, np.int64], Generic[RulesT]):
    """One game at a time on pycolab's engine.

    A game supplies `look`, `_draw` (its hidden choices), `_make_engine` (an engine for one episode) and
    `_facts` (the info dict). Actions reach the engine's things as 0 up, 1 down, 2 left, 3 right, 4 stay. An
    episode ends where the engine says so, always as a termination.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium declares it so)
        "render_modes": list(RENDER_MODES),
        "render_fps": 10,
    }
    look: ClassVar[Look]

    def __init__(self, rules: RulesT, render_mode: str | None = None) -> None:
        """Set up a game.

        Args:
            rules: the game's parameters.
            render_mode: None, "ansi" (text) or "rgb_array" (16 pixels a cell); `gymnasium.make` takes "human"
                (a window) too.

        Raises:
            ValueError: an argument is not legal.
        """
        self.rules = rules
        self.metadata = {**type(self).metadata, "group_by": rules.group_by}
        self.render_mode = check_render_mode(render_mode)
        self.observation_space = self.look.space
        self.action_space = gymnasium.spaces.Discrete(ACTIONS)
        self._engine: Engine | None = None
        self._board: Bytes | None = None
        self._hidden: dict[str, Any] = {}

    @abstractmethod
    def _draw(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Draw the hidden choices of an episode from `self.np_random`, or take them from `options`."""

    @abstractmethod
    def _make_engine(self, hidden: Mapping[str, Any]) -> Engine:
        """Make the engine of one episode, ready for its first frame."""

    @abstractmethod
    def _facts(self) -> dict[str, Any]:
        """Return the entries of `info` for the present frame."""

    @property
    def memory_delay(self) -> int:
        """Env steps from cue to choice, see `engram.envs.forms.rules.Rules`."""
        return self.rules.memory_delay

    @property
    def board(self) -> Bytes:
        """The board as painted, before repaint: ASCII codes, uint8 (R, C).

        Raises:
            ResetNeeded: the environment was never reset.
        """
        if self._board is None:
            raise ResetNeeded("call reset() first: there is no board yet")
        return self._board

    @property
    def hidden_choices(self) -> dict[str, Any]:
        """What was drawn for this episode; `reset(options=...)` with it repeats the episode."""
        return dict(self._hidden)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Bytes, dict[str, Any]]:
        """Start an episode; hidden choices named in `options` are not drawn.

        Raises:
            ValueError: an unknown or illegal option.
        """
        super().reset(seed=seed)
        self._hidden = self._draw(check_options(options))
        self._engine = self._make_engine(self._hidden)
        observation, _, _ = self._engine.its_showtime()
        return self._show(observation.board), self._facts()

    def step(self, action: np.int64 | int) -> tuple[Bytes, float, bool, bool, dict[str, Any]]:
        """Play one frame.

        Raises:
            ResetNeeded: there is no episode, or it has ended.
            ValueError: `action` is not one of 0 .. 4.
        """
        if self._engine is None or self._engine.game_over:
            raise ResetNeeded("call reset() first: there is no episode to step")
        if not self.action_space.contains(action):
            raise ValueError(f"action: {shown(action)} is not legal; legal: {LEGAL_ACTIONS}")
        observation, reward, _ = self._engine.play(int(action))
        planes = self._show(observation.board)
        return planes, float(reward or 0.0), bool(self._engine.game_over), False, self._facts()

    def render(self) -> Any:
        """Render the present board: text, or RGB uint8 (16 R, 16 C, 3); None without a render mode."""
        return self.look.render(self.board, self.render_mode)

    def _show(self, board: Bytes) -> Bytes:
        self._board = board.copy()
        return self.look.observe(self._board)
