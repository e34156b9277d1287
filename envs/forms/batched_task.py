"""Bases of batched forms with `Rules`, rendered as boards of characters.

B lanes, R rows, C columns, K planes.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Generic, TypeVar

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from typing_extensions import override

from engram.envs.arguments import check_actions
from engram.envs.arrays import Bytes, Ints
from engram.envs.forms.actions import ACTIONS, LEGAL_ACTIONS
from engram.envs.forms.batched_env import ALL, BatchedEnv, Lanes
from engram.envs.forms.boards import RENDER_MODES, Look, check_render_mode
from engram.envs.forms.rules import Rules

RulesT = TypeVar("RulesT", bound=Rules)


class BatchedTask(BatchedEnv, Generic[RulesT]):
    """Many episodes of one task at once; an action is a whole number.

    A task supplies `look`, `_interface`, `_boards` and what `BatchedEnv` asks for but `_checked`.

    Attributes:
        rules: the task's parameters.
        look: how boards are shown.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium declares it so)
        **BatchedEnv.metadata,
        "render_modes": list(RENDER_MODES),
        "render_fps": 10,
    }
    look: Look

    def __init__(
        self,
        rules: RulesT,
        num_envs: int = 1,
        render_mode: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
    ) -> None:
        """Set up `num_envs` lanes.

        Args:
            rules: the task's parameters.
            num_envs: number of lanes (B, default 1).
            render_mode: None, "ansi" (text) or "rgb_array" (16 pixels a cell).
            autoreset_mode: when a finished lane begins anew, see `BatchedEnv`.

        Raises:
            ValueError: an argument is not legal.
        """
        self.rules = rules
        self.render_mode = check_render_mode(render_mode)
        seen, self._actions = self._interface()
        choice: gymnasium.spaces.Discrete[np.int64] = gymnasium.spaces.Discrete(self._actions)
        super().__init__(seen, choice, rules.group_by, num_envs, autoreset_mode)

    @abstractmethod
    def _interface(self) -> tuple[gymnasium.spaces.Box, int]:
        """Return the observation space of one lane and the number of actions."""

    @abstractmethod
    def _boards(self, lanes: Lanes) -> Bytes:
        """Return the boards of the lanes as painted: ASCII codes, uint8 (lanes, R, C)."""

    @property
    def memory_delay(self) -> int:
        """Env steps from cue to choice, see `engram.envs.forms.rules.Rules`."""
        return self.rules.memory_delay

    @property
    def board(self) -> Bytes:
        """Boards as painted, before repaint: ASCII codes, uint8 (B, R, C).

        Raises:
            ResetNeeded: the environment was never reset.
        """
        self._check_started()
        return self._boards(ALL)

    def render(self) -> tuple[Any, ...] | None:
        """Render every lane: text, or RGB uint8 (16 R, 16 C, 3); None without a render mode."""
        if self.render_mode is None:
            return None
        return tuple(self.look.render(board, self.render_mode) for board in self.board)

    @property
    def _legal_actions(self) -> str:
        """The legal actions in words."""
        return f"0 to {self._actions - 1}"

    @override
    def _checked(self, actions: Any) -> Ints:
        return check_actions(actions, self.num_envs, self._actions, self._legal_actions)


class BatchedGame(BatchedTask[RulesT]):
    """Many games at once, seen as the planes of their boards.

    A game supplies what `BatchedTask` asks for, `look` as an attribute of the class, and `_observe` only
    where it knows a faster way than through the boards.
    """

    @override
    def _interface(self) -> tuple[gymnasium.spaces.Box, int]:
        return self.look.space, ACTIONS

    def _observe(self, lanes: Lanes) -> Bytes:
        """Return fresh observations of the lanes, (lanes, R, C, K)."""
        return self.look.observe(self._boards(lanes))

    @property
    def _legal_actions(self) -> str:
        return LEGAL_ACTIONS
