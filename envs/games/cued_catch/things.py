"""Cued Catch's sprites and drapes in pycolab, which share one `GameState`; each keeps its own time.

Order of a frame: the background ends lessons and trials, the player moves and is judged by the balls as they
were drawn last, the balls move on, the signs change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pycolab.plot import Plot
from typing_extensions import override

from engram.envs.forms.actions import DOWN, UP
from engram.envs.forms.things import GameBackdrop, GameDrape, GameSprite
from engram.envs.games.cued_catch import rules
from engram.envs.games.cued_catch.rules import CuedCatchRules

TOP, BOTTOM = rules.BALL_ROWS
BALL_END = 2  # column where a trial's balls are seen last


@dataclass
class GameState:
    """State of one episode, which its sprites and drapes share."""

    game: CuedCatchRules
    cue_is_top: Sequence[bool]
    trial_cues: Sequence[int]
    noise: Sequence[float]  # of the trials that are not reward-free
    reward_free_trials: int
    lesson: int | None = rules.CUES - 1  # the cue that is taught, None after the lessons
    trial: int = 0
    new_cue: bool = False  # this frame is the first to show the trial's cue
    caught: int = 0
    over: bool = False

    @property
    def cue(self) -> int:
        """The cue of the lesson or the trial."""
        return self.trial_cues[self.trial] if self.lesson is None else self.lesson


class Background(GameBackdrop[GameState]):
    """Blank ground; being first in each frame, it ends lessons and trials."""

    def __init__(self, curtain: Any, palette: Any, state: GameState) -> None:
        super().__init__(curtain, palette, state)
        self._frames_left = state.game.initial_cue_duration

    @override
    def _update(self, action: Any, board: Any, things: Any, plot: Plot) -> None:
        """Go on to the next cue to be taught, or to the next trial, or to the end."""
        self._state.new_cue = False
        if self._state.lesson is not None:
            self._teach()
        elif things["a"].position.col == BALL_END:
            self._begin_trial(plot)

    def _teach(self) -> None:
        if not self._frames_left:
            self._frames_left = self._state.game.initial_cue_duration
            self._state.lesson = self._state.lesson - 1 if self._state.lesson else None
            self._state.new_cue = self._state.lesson is None
        self._frames_left -= 1

    def _begin_trial(self, plot: Plot) -> None:
        state = self._state
        state.trial += 1
        state.new_cue = True
        if state.trial == state.game.num_trials:
            state.over = True
            plot.terminate_episode()


class Player(GameSprite[GameState]):
    """Moves between the rows of the two balls, and meets them when they reach its column."""

    @override
    def _update(self, action: Any, board: Any, things: Any, plot: Plot) -> None:
        """Move; then judge, if the balls have come."""
        row, col = self.position
        self._position = self.Position({UP: TOP, DOWN: BOTTOM}.get(action, row), col)
        balls = [things[glyph].position for glyph in "ab"]
        if balls[0].col == col:
            wanted = balls[0] if self._state.cue_is_top[self._state.cue] else balls[1]
            self._judge(self.position == wanted, plot)

    def _judge(self, caught: bool, plot: Plot) -> None:
        paid = self._state.trial - self._state.reward_free_trials
        if paid >= 0:
            self._state.caught += caught
            plot.add_reward(caught + self._state.noise[paid])


class Ball(GameSprite[GameState]):
    """Waits out of sight for the end of the lessons, then comes from the right again and again."""

    def __init__(self, corner: Any, position: Any, character: str, state: GameState) -> None:
        super().__init__(corner, position, character, state)
        self._visible = False

    @override
    def _update(self, action: Any, board: Any, things: Any, plot: Plot) -> None:
        """Come one column nearer, or start again."""
        if self._state.lesson is not None:
            return
        self._visible = True
        row, col = self.position
        self._position = self.Position(row, rules.BALL_START if col == BALL_END else col - 1)


class Signs(GameDrape[GameState]):
    """Cues, the bars that stand for the two balls, and the markers of a lesson."""

    def __init__(self, curtain: Any, character: str, state: GameState) -> None:
        super().__init__(curtain, character, state)
        self._frames_left = 0

    @override
    def _update(self, action: Any, board: Any, things: Any, plot: Plot) -> None:
        """Show the lesson; or the trial's cue, for its time."""
        state = self._state
        self.curtain.fill(False)
        if state.lesson is not None:
            self._show(*rules.MARKERS, rules.cue_cells(state.cue), self._bar())
            return
        if state.new_cue:
            self._frames_left = state.game.cue_duration
        if self._frames_left:
            self._frames_left -= 1
            self._show(rules.cue_cells(state.cue), *[self._bar()] * state.game.always_show_ball_symbol)

    def _bar(self) -> tuple[slice, slice]:
        return rules.bar_cells(self._state.cue_is_top[self._state.cue])

    def _show(self, *blocks: tuple[slice, slice]) -> None:
        for block in blocks:
            self.curtain[block] = True
