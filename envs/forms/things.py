"""Bases of the backdrop, sprites and drapes of a pycolab game: all share the state of one episode.

pycolab updates the backdrop first, then the others group by group; that order is part of a game's rules.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Generic, TypeVar

from pycolab.plot import Plot
from pycolab.things import Backdrop, Drape, Sprite

StateT = TypeVar("StateT")


class _Thing(Generic[StateT]):
    """Plays frames with the state that it is made with, its last argument."""

    def __init__(self, *own: Any) -> None:
        *of_pycolab, state = own
        super().__init__(*of_pycolab)
        self._state: StateT = state

    def update(self, actions: Any, board: Any, layers: Any, backdrop: Any, things: Any, plot: Plot) -> None:
        """Hand on to `_update` what games need."""
        self._update(actions, board, things, plot)

    @abstractmethod
    def _update(self, action: Any, board: Any, things: Any, plot: Plot) -> None:
        """Play a frame; `things` are the sprites and drapes by character."""


class GameBackdrop(_Thing[StateT], Backdrop):  # type: ignore[misc]
    """Blank ground."""

    def __init__(self, curtain: Any, palette: Any, state: StateT) -> None:
        super().__init__(curtain, palette, state)
        curtain.fill(ord(" "))

    def update(self, actions: Any, board: Any, layers: Any, things: Any, plot: Plot) -> None:  # type: ignore[override]
        """Hand on to `_update` what games need."""
        self._update(actions, board, things, plot)


class GameSprite(_Thing[StateT], Sprite):  # type: ignore[misc]
    """Something one cell large."""


class GameDrape(_Thing[StateT], Drape):  # type: ignore[misc]
    """Something of many cells."""
