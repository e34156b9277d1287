"""Returns that end before their episode does: where a number of `info`, such as the lives left, falls.

B lanes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


class ReturnCuts:
    """Finds the steps at which returns end, by a number that environments tell with each step."""

    def __init__(self, key: str, lanes: int) -> None:
        """Starts before the first reset.

        Args:
            key: Of `info`, whose values are numbers, (B,).
            lanes: B.
        """
        self.key, self._lanes = key, lanes
        self._before: NDArray[Any] = np.empty(0)

    def restart(self, infos: Mapping[str, Any]) -> None:
        """Takes in what a reset of all lanes tells."""
        self._before = self._told(infos)

    def step(self, ended: NDArray[np.bool_], infos: Mapping[str, Any]) -> NDArray[np.bool_]:
        """Returns the lanes in which the number has fallen within the episode, (B,).

        Args:
            ended: Lanes whose episode has ended in this step; what is told of them is the next one's.
            infos: Of the step.

        Raises:
            ValueError: A lane tells no number.
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
        """The numbers, (B,); raises ValueError where there are none, or not one of each lane."""
        if self.key not in infos:
            known = ", ".join(sorted(name for name in infos if not name.startswith("_"))) or "nothing"
            raise ValueError(f"cut_returns_at: info has no {self.key!r}; it tells: {known}")
        numbers = np.array(infos[self.key])
        if numbers.dtype.kind not in "iufb" or numbers.shape != (self._lanes,):
            raise ValueError(
                f"cut_returns_at: info[{self.key!r}] is {numbers.dtype} of shape {numbers.shape}; legal: a "
                f"number of each of {self._lanes} lanes"
            )
        told = np.isfinite(numbers) & np.asarray(infos.get(f"_{self.key}", True))
        if not told.all():
            lane = int(np.flatnonzero(~told)[0])
            raise ValueError(f"cut_returns_at: info[{self.key!r}] has no number of lane {lane} in this step")
        return numbers
