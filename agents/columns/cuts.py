"""Returns that end before their episode does: where a number of `info`, such as the lives left, falls.

B lanes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


class ReturnCuts:
    """Finds the steps at which returns end, by a number that environments tell with each step."""

    def __init__(self, key: str) -> None:
        """Starts before the first reset.

        Args:
            key: Of `info`, whose values are numbers, (B,).
        """
        self.key = key
        self._before: NDArray[Any] = np.empty(0)

    def restart(self, infos: Mapping[str, Any]) -> None:
        """Takes in what a reset of all lanes tells."""
        self._before = self._told(infos)

    def step(self, ended: NDArray[np.bool_], infos: Mapping[str, Any]) -> NDArray[np.bool_]:
        """Returns the lanes in which the number has fallen within the episode, (B,).

        Args:
            ended: Lanes whose episode has ended in this step; what is told of them is the next one's.
            infos: Of the step.
        """
        now = self._told(infos)
        before, self._before = self._before if len(self._before) else now, now
        return (now < before) & ~ended

    def get_state(self) -> NDArray[Any]:
        """The numbers of the last step, (B,)."""
        return self._before

    def set_state(self, state: NDArray[Any] | None) -> None:
        """Goes on from `get_state()`, or from a step of which nobody knows the numbers."""
        self._before = np.empty(0) if state is None else state

    def _told(self, infos: Mapping[str, Any]) -> NDArray[Any]:
        """The numbers, (B,).

        Raises:
            ValueError: There are none; names what is told.
        """
        numbers = np.asarray(infos.get(self.key))
        if numbers.dtype.kind not in "iufb":
            known = ", ".join(sorted(name for name in infos if not name.startswith("_"))) or "nothing"
            raise ValueError(
                f"cut_returns_at: info has no number {self.key!r} of every lane; it tells: {known}"
            )
        return numbers.copy()
