"""Base of the games in batched form: boards of characters, five actions.

B lanes, R rows, C columns, K planes.
"""

from __future__ import annotations

from gymnasium.vector import AutoresetMode

from engram.envs.arrays import Bytes
from engram.envs.forms.actions import ACTIONS, LEGAL_ACTIONS
from engram.envs.forms.batched_env import Lanes
from engram.envs.forms.batched_task import BatchedTask, RulesT


class BatchedGame(BatchedTask[RulesT]):
    """Many games at once, seen as the planes of their boards.

    A game supplies what `BatchedTask` asks for, `look` as an attribute of the class, and `_observe` only
    where it knows a faster way than through the boards.
    """

    def __init__(
        self,
        rules: RulesT,
        num_envs: int = 1,
        render_mode: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
    ) -> None:
        """Set up `num_envs` lanes; see `BatchedTask` for the arguments.

        Raises:
            ValueError: an argument is not legal.
        """
        super().__init__(rules, self.look.space, ACTIONS, num_envs, render_mode, autoreset_mode)

    def _observe(self, lanes: Lanes) -> Bytes:
        """Observations of the lanes, fresh, (lanes, R, C, K)."""
        return self.look.observe(self._boards(lanes))

    @property
    def _legal_actions(self) -> str:
        return LEGAL_ACTIONS
