"""Sequence Recall's sprites and drapes in pycolab, which share one `GameState`.

Order of a frame: the background charges the step and goes on with the demonstration, a free player moves and
switches the lights it enters and leaves, then the lights, the mask of the dark ones and the pen show it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pycolab.plot import Plot
from typing_extensions import override

from engram.envs.forms.actions import MOVES
from engram.envs.forms.rules import timeout_frame
from engram.envs.forms.things import GameBackdrop, GameDrape, GameSprite
from engram.envs.games.sequence_recall import rules

DARK = ""  # instead of a light


@dataclass
class GameState:
    """State of one episode, which its sprites and drapes share; a light goes by its character."""

    sequence: str
    on: int
    off: int
    pause: int
    timeout_frames: int
    lit: str = DARK
    free: bool = False  # the pen is open
    entered: int = 0  # lights entered, right or wrong
    recalled: int = 0  # right ones
    last_frame: int = field(init=False)

    def __post_init__(self) -> None:
        self.last_frame = timeout_frame(self.timeout_frames)

    @property
    def delay(self) -> int:
        """Env steps from the last sight of the first light to the first observation whose action counts."""
        return len(self.sequence[1:]) * (self.off + self.on) + self.pause

    @property
    def done(self) -> bool:
        """All lights have been entered."""
        return self.entered == len(self.sequence)

    def demonstrated(self, frame: int) -> str | None:
        """Return what is lit on a frame before the pen opens; None from then on."""
        index, age = divmod(frame, self.off + self.on)
        if index < len(self.sequence):
            return self.sequence[index] if age >= self.off else DARK
        opening = len(self.sequence) * (self.off + self.on) + self.pause
        return DARK if frame < opening else None


class Background(GameBackdrop[GameState]):
    """Ground and border; being first in each frame, it charges the step and leads the demonstration."""

    def __init__(self, curtain: Any, palette: Any, state: GameState) -> None:
        super().__init__(curtain, palette, state)
        curtain[rules.wall_cells()] = ord("#")

    @override
    def _update(self, action: Any, board: Any, things: Any, plot: Plot) -> None:
        """Charge the step or end the episode; light the next light, or open the pen."""
        state = self._state
        if plot.frame >= state.last_frame:
            plot.terminate_episode()
        elif plot.frame > 1:
            plot.add_reward(rules.STEP_REWARD)
        if not state.free:
            shown = state.demonstrated(plot.frame)
            state.free = shown is None
            state.lit = shown or DARK


class Player(GameSprite[GameState]):
    """Walks when the pen is open, until it has entered as many lights as were shown."""

    @override
    def _update(self, action: Any, board: Any, things: Any, plot: Plot) -> None:
        """Move, then see whether a light was entered or left."""
        state = self._state
        if not state.free or state.done:
            return
        self._move(MOVES[action], board)
        here = next((light for light in rules.LIGHTS if things[light].disc[self.position]), DARK)
        if here and not state.lit:
            self._enter(here, plot)
        elif not here:
            state.lit = DARK

    def _move(self, move: tuple[int, int], board: Any) -> None:
        there = self.Position(self.position.row + move[0], self.position.col + move[1])
        if board[there] != ord("#"):
            self._position = there

    def _enter(self, light: str, plot: Plot) -> None:
        state = self._state
        if light == state.sequence[state.entered]:
            state.recalled += 1
            plot.add_reward(rules.LIGHT_REWARD)
        state.lit = light
        state.entered += 1
        # The end is set a frame later, so a timeout up to then still counts.
        if state.done and state.last_frame > plot.frame + 1:
            state.last_frame = plot.frame + rules.FAREWELL


class Light(GameDrape[GameState]):
    """A disc, painted while it is lit."""

    def __init__(self, curtain: Any, character: str, state: GameState) -> None:
        super().__init__(curtain, character, state)
        self.disc = rules.light_cells(rules.LIGHTS.index(character) + 1)

    @override
    def _update(self, action: Any, board: Any, things: Any, plot: Plot) -> None:
        """Show the disc while this light is lit."""
        self.curtain[:] = self.disc & (self._state.lit == self.character)


class Mask(GameDrape[GameState]):
    """Covers the lights that are dark."""

    @override
    def _update(self, action: Any, board: Any, things: Any, plot: Plot) -> None:
        """Cover the lights that are dark."""
        self.curtain.fill(False)
        for light in rules.LIGHTS:
            self.curtain[things[light].disc & ~things[light].curtain] = True


class Pen(GameDrape[GameState]):
    """Rings the player until the demonstration is over; only for show, as the player waits by itself."""

    def __init__(self, curtain: Any, character: str, state: GameState) -> None:
        super().__init__(curtain, character, state)
        curtain[rules.pen_cells()] = True

    @override
    def _update(self, action: Any, board: Any, things: Any, plot: Plot) -> None:
        """Disappear when the player is free."""
        if self._state.free:
            self.curtain.fill(False)
