"""The board of a population: a small actor on which members post how they stand.

It holds nothing that members do not post again with their next report: one that died comes back empty, and
fills.
"""

from typing import Any, NamedTuple

import numpy as np
import ray
from numpy.typing import NDArray
from ray.exceptions import RayError

PATIENCE = 60.0
"""Seconds that a member waits for the board, or for the weights of another."""


class Standing(NamedTuple):
    """How a member stands.

    Attributes:
        member: Its number.
        env_steps: Env steps that it has trained.
        returns: Returns of its last episodes, (n,).
        values: Its live hyperparameters.
        weights: One reference to its weights and optimiser, in a list, for the board not to fetch them.
        gains: What it has gained between its looks, as tuples of env steps, gain and hyperparameters.
    """

    member: int
    env_steps: int
    returns: NDArray[np.float64]
    values: dict[str, float]
    weights: list[Any]
    gains: list[tuple[int, float, dict[str, float]]]

    @property
    def mean(self) -> float:
        """The mean return; NaN where there is none."""
        return float(self.returns.mean()) if len(self.returns) else float("nan")


def board_class() -> type:
    """Makes the actor's class anew: so it travels whole, and its process need not import this package."""

    class Board:
        """Standings by member, the newest of each, as plain tuples."""

        def __init__(self) -> None:
            self._standings: dict[int, tuple[Any, ...]] = {}

        def post(self, *standing: Any) -> None:
            """Takes in how a member stands now."""
            self._standings[standing[0]] = standing

        def standings(self) -> list[tuple[Any, ...]]:
            """Those that have been posted, in the order of members."""
            return [self._standings[member] for member in sorted(self._standings)]

    return Board


def open_board(name: str) -> Any:
    """Returns a board's actor, which lives as long as who asked first: the driver.

    Args:
        name: Its name, among those of this driver and its workers.
    """
    make = ray.remote(board_class()).options(
        name=name, get_if_exists=True, num_cpus=0, max_restarts=-1, max_task_retries=1
    )
    return make.remote()


class Seat:
    """A member's connection to the board; where the board is gone, there is nothing on it."""

    def __init__(self, name: str) -> None:
        """Connects at the first use.

        Args:
            name: The board's name.
        """
        self._name = name
        self._actor: Any = None

    def post(self, standing: Standing) -> None:
        """Posts how a member stands; does not wait."""
        try:
            self._board().post.remote(*standing)
        except (RayError, ValueError):
            self._actor = None

    def standings(self) -> dict[int, Standing]:
        """Reads the board: standings by member."""
        try:
            found = ray.get(self._board().standings.remote(), timeout=PATIENCE)
        except (RayError, ValueError):
            self._actor = None
            return {}
        return {member: Standing(member, *others) for member, *others in found}

    def _board(self) -> Any:
        if self._actor is None:
            self._actor = open_board(self._name)
        return self._actor


def fetch(standing: Standing) -> dict[str, Any] | None:
    """Gets a member's weights and optimiser; None where they are gone with its process."""
    try:
        state: dict[str, Any] = ray.get(standing.weights[0], timeout=PATIENCE)
    except RayError:
        return None
    return state
