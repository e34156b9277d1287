"""Base of the games in batched form: boards of characters, five actions.

B lanes, R rows, C columns, K planes.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import gymnasium
from gymnasium.vector import AutoresetMode

from engram.envs.actions import ACTIONS, LEGAL_ACTIONS
from engram.envs.batched_task import ALL, BatchedTask, Flags, Floats, Ints, Lanes, RulesT
from engram.envs.boards import RENDER_MODES, Bytes, Look, check_render_mode

__all__ = ["ALL", "BatchedGame", "Flags", "Floats", "Ints", "Lanes", "RulesT"]


class BatchedGame(BatchedTask[RulesT]):
    """Many games at once, on plain arrays and one random generator.

    A game supplies `look`, `_begin`, `_advance`, `_boards`, `_facts`, `_state`, `hidden_choices`, and
    `_observe` where it knows a faster way than through the boards. Everything returned is the caller's to
    keep: later steps do not change it.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium declares it so)
        **BatchedTask.metadata,
        "render_modes": list(RENDER_MODES),
        "render_fps": 10,
    }
    look: ClassVar[Look]

    def __init__(
        self,
        rules: RulesT,
        num_envs: int = 1,
        render_mode: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
    ) -> None:
        """Set up `num_envs` lanes.

        Args:
            rules: the game's parameters.
            num_envs: number of lanes (B).
            render_mode: None, "ansi" or "rgb_array".
            autoreset_mode: see `BatchedTask`.

        Raises:
            ValueError: an argument is not legal.
        """
        super().__init__(rules, self.look.space, gymnasium.spaces.Discrete(ACTIONS), num_envs, autoreset_mode)
        self.render_mode = check_render_mode(render_mode)

    @abstractmethod
    def _boards(self, lanes: Lanes) -> Bytes:
        """Boards of the lanes as painted, (lanes, R, C)."""

    def _observe(self, lanes: Lanes) -> Bytes:
        """Observations of the lanes, fresh, (lanes, R, C, K)."""
        return self.look.observe(self._boards(lanes))

    @property
    def _legal_actions(self) -> str:
        return LEGAL_ACTIONS

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
