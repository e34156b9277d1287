"""Cued Catch's things on pycolab's stage: they share one `Scene`; each keeps its own time.

Order of a frame: the stage says what is going on, the player moves and is judged by the balls as they were
drawn last, the balls move on, the signs change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pycolab.plot import Plot
from pycolab.things import Backdrop, Drape, Sprite

from engram.envs.forms.actions import DOWN, UP
from engram.envs.games.cued_catch import rules
from engram.envs.games.cued_catch.rules import CuedCatchRules

TOP, BOTTOM = rules.BALL_ROWS
BALL_END = 2  # column where a trial's balls are seen last


@dataclass
class Scene:
    """What the things of one episode tell each other."""

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


class Stage(Backdrop):  # type: ignore[misc]
    """Blank ground; being first in each frame, it ends lessons and trials."""

    def __init__(self, curtain: Any, palette: Any, scene: Scene) -> None:
        super().__init__(curtain, palette)
        curtain.fill(ord(" "))
        self._scene = scene
        self._frames_left = scene.game.initial_cue_duration

    def update(self, actions: Any, board: Any, layers: Any, things: Any, the_plot: Plot) -> None:
        """Go on to the next cue to be taught, or to the next trial, or to the end."""
        self._scene.new_cue = False
        if self._scene.lesson is not None:
            self._teach()
        elif things["a"].position.col == BALL_END:
            self._begin_trial(the_plot)

    def _teach(self) -> None:
        if not self._frames_left:
            self._frames_left = self._scene.game.initial_cue_duration
            self._scene.lesson = self._scene.lesson - 1 if self._scene.lesson else None
            self._scene.new_cue = self._scene.lesson is None
        self._frames_left -= 1

    def _begin_trial(self, the_plot: Plot) -> None:
        scene = self._scene
        scene.trial += 1
        scene.new_cue = True
        if scene.trial == scene.game.num_trials:
            scene.over = True
            the_plot.terminate_episode()


class Player(Sprite):  # type: ignore[misc]
    """Moves between the rows of the two balls, and meets them when they reach its column."""

    def __init__(self, corner: Any, position: Any, character: str, scene: Scene) -> None:
        super().__init__(corner, position, character)
        self._scene = scene

    def update(
        self, actions: Any, board: Any, layers: Any, backdrop: Any, things: Any, the_plot: Plot
    ) -> None:
        """Move; then judge, if the balls have come."""
        row, col = self.position
        self._position = self.Position({UP: TOP, DOWN: BOTTOM}.get(actions, row), col)
        balls = [things[glyph].position for glyph in "ab"]
        if balls[0].col == col:
            wanted = balls[0] if self._scene.cue_is_top[self._scene.cue] else balls[1]
            self._judge(self.position == wanted, the_plot)

    def _judge(self, caught: bool, the_plot: Plot) -> None:
        paid = self._scene.trial - self._scene.reward_free_trials
        if paid >= 0:
            self._scene.caught += caught
            the_plot.add_reward(caught + self._scene.noise[paid])


class Ball(Sprite):  # type: ignore[misc]
    """Waits out of sight for the end of the lessons, then comes from the right again and again."""

    def __init__(self, corner: Any, position: Any, character: str, scene: Scene) -> None:
        super().__init__(corner, position, character)
        self._visible = False
        self._scene = scene

    def update(
        self, actions: Any, board: Any, layers: Any, backdrop: Any, things: Any, the_plot: Plot
    ) -> None:
        """Come one column nearer, or start again."""
        if self._scene.lesson is not None:
            return
        self._visible = True
        row, col = self.position
        self._position = self.Position(row, rules.BALL_START if col == BALL_END else col - 1)


class Signs(Drape):  # type: ignore[misc]
    """Cues, the bars that stand for the two balls, and the markers of a lesson."""

    def __init__(self, curtain: Any, character: str, scene: Scene) -> None:
        super().__init__(curtain, character)
        self._scene = scene
        self._frames_left = 0

    def update(
        self, actions: Any, board: Any, layers: Any, backdrop: Any, things: Any, the_plot: Plot
    ) -> None:
        """Show the lesson; or the trial's cue, for its time."""
        scene = self._scene
        self.curtain.fill(False)
        if scene.lesson is not None:
            self._show(*rules.MARKERS, rules.cue_cells(scene.cue), self._bar())
            return
        if scene.new_cue:
            self._frames_left = scene.game.cue_duration
        if self._frames_left:
            self._frames_left -= 1
            self._show(rules.cue_cells(scene.cue), *[self._bar()] * scene.game.always_show_ball_symbol)

    def _bar(self) -> tuple[slice, slice]:
        return rules.bar_cells(self._scene.cue_is_top[self._scene.cue])

    def _show(self, *blocks: tuple[slice, slice]) -> None:
        for block in blocks:
            self.curtain[block] = True
