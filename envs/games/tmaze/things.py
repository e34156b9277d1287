"""The T-maze's things on pycolab's stage: they share one `Scene`, and the order of updates is the rule.

The window never leaves its own coordinates ("true"): a jump rolls the scenery under it, as in the published
game.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pycolab.plot import Plot
from pycolab.things import Backdrop, Drape, Sprite

from engram.envs.forms.actions import MOVES, STAY
from engram.envs.forms.rules import NEVER, timeout_frame
from engram.envs.games.tmaze import rules
from engram.envs.games.tmaze.rules import Mask, TMazeRules

Cells = tuple[int, int]  # rows, columns


@dataclass
class Scene:
    """What the things of one episode tell each other."""

    game: TMazeRules
    level: int
    limbo_time: int
    corner: Cells = rules.START_CORNER  # of the window, true
    jumps: dict[int, Cells] = field(default_factory=dict)  # frame -> cells the world moves on by
    roll: Cells | None = None  # this frame's jump
    walk: Cells = (0, 0)  # this frame's move of the player on the screen
    paths: frozenset[int] = frozenset()  # actions that were not blocked when the player last looked
    deaf_until: int = 0  # actions are ignored up to this frame
    teleported_on: int = NEVER
    timeout: int = field(init=False)
    success: bool = False

    def __post_init__(self) -> None:
        self.timeout = timeout_frame(self.game.timeout_frames)


class Stage(Backdrop):  # type: ignore[misc]
    """Blank ground; being first in each frame, it keeps the clock and turns the action into movement."""

    def __init__(self, curtain: Any, palette: Any, scene: Scene) -> None:
        super().__init__(curtain, palette)
        curtain.fill(ord(" "))
        self._scene = scene

    def update(self, actions: Any, board: Any, layers: Any, things: Any, the_plot: Plot) -> None:
        """Charge the step or end the episode, then jump, move the window, or send the player across it."""
        scene, frame = self._scene, the_plot.frame
        if frame >= scene.timeout:
            the_plot.terminate_episode()
        elif frame > 1:
            the_plot.add_reward(rules.STEP_REWARD)
        scene.walk, scene.roll = (0, 0), scene.jumps.pop(frame, None)
        if scene.roll is not None:
            scene.deaf_until = frame + 1
        elif frame > scene.deaf_until and actions in scene.paths:
            self._move(MOVES[actions])

    def _move(self, move: Cells) -> None:
        row, col = (at + by for at, by in zip(self._scene.corner, move, strict=True))
        if 0 <= row <= rules.NW_MAX[0] and 0 <= col <= rules.NW_MAX[1]:
            self._scene.corner = (row, col)
        else:
            self._scene.walk = move


class Scenery(Drape):  # type: ignore[misc]
    """A part of the world, of which the window shows a piece."""

    def __init__(self, curtain: Any, character: str, scene: Scene, world: Mask) -> None:
        super().__init__(curtain, character)
        self._scene = scene
        self._world = world

    def update(
        self, actions: Any, board: Any, layers: Any, backdrop: Any, things: Any, the_plot: Plot
    ) -> None:
        """Follow the window."""
        self.follow()

    def follow(self) -> None:
        """Roll the world if this frame jumps, then show the piece under the window."""
        if self._scene.roll is not None:
            rows, cols = self._scene.roll
            self._world = np.roll(self._world, (-rows, -cols), axis=(0, 1))
        row, col = self._scene.corner
        self.curtain[:] = self._world[row : row + rules.WINDOW_ROWS, col : col + rules.WINDOW_COLS]


class Cue(Drape):  # type: ignore[misc]
    """A block fixed to the screen, on the side of the rewarded goal; gone on the frame after the teleport."""

    def __init__(self, curtain: Any, character: str, scene: Scene, side: str) -> None:
        super().__init__(curtain, character)
        self._scene = scene
        curtain[rules.cue_cells(side)] = True

    def update(
        self, actions: Any, board: Any, layers: Any, backdrop: Any, things: Any, the_plot: Plot
    ) -> None:
        """Disappear in time."""
        if the_plot.frame == self._scene.teleported_on + 1 and not self._scene.game.cue_after_teleport:
            self.curtain.fill(False)


class Player(Sprite):  # type: ignore[misc]
    """Stays in the middle of the window, but where the window can go no further.

    It looks for open paths when the walls have moved and the goals have not: a goal's old place on the
    screen may hide a wall, which then does not block. That lets it leave a goal through the end wall, after
    the reward.
    """

    def __init__(self, corner: Any, position: Any, character: str, scene: Scene) -> None:
        super().__init__(corner, position, character)
        self._scene = scene

    def update(
        self, actions: Any, board: Any, layers: Any, backdrop: Any, things: Any, the_plot: Plot
    ) -> None:
        """Walk on the screen if the stage says so, then look which moves the next frame will allow."""
        row, col = self._beside(self._scene.walk)
        self._position = self.Position(row, col)
        self._scene.paths = frozenset(
            action for action, move in enumerate(MOVES[:STAY]) if board[self._beside(move)] != ord("#")
        )

    def _beside(self, move: Cells) -> Cells:
        return self.position.row + move[0], self.position.col + move[1]


class Teleporter(Scenery):
    """Appears after a delay and takes the player, once."""

    def update(
        self, actions: Any, board: Any, layers: Any, backdrop: Any, things: Any, the_plot: Plot
    ) -> None:
        """Show the pad when it is time; from a player on it, plan the journey."""
        if the_plot.frame < self._scene.game.teleport_delay - 1:
            return
        self.follow()
        player = things["P"].position
        if self._scene.teleported_on == NEVER and self.curtain[player]:
            self._scene.teleported_on = the_plot.frame
            self._plan(
                the_plot.frame, (self._scene.corner[0] + player.row, self._scene.corner[1] + player.col)
            )

    def _plan(self, frame: int, here: Cells) -> None:
        limbo_time, maze_row = self._scene.limbo_time, rules.maze_top(self._scene.level) + 1
        if not limbo_time:
            self._scene.jumps[frame + 1] = (maze_row - here[0], 0)
            return
        self._scene.jumps[frame + 1] = (rules.LIMBO[0] - here[0], rules.LIMBO[1] - here[1])
        self._scene.jumps[frame + limbo_time] = (maze_row - rules.LIMBO[0], rules.MAZE_COL - rules.LIMBO[1])


class Goal(Scenery):
    """Judges the player on the frame after its arrival, and ends the episode one frame later."""

    def __init__(self, curtain: Any, character: str, scene: Scene, world: Mask, cued: bool) -> None:
        super().__init__(curtain, character, scene, world)
        self._cued = cued

    def update(
        self, actions: Any, board: Any, layers: Any, backdrop: Any, things: Any, the_plot: Plot
    ) -> None:
        """Compare the player with where this goal was painted last, then follow the window."""
        if the_plot.frame < self._scene.timeout and self.curtain[things["P"].position]:
            the_plot.add_reward(rules.GOAL_REWARD if self._cued else -rules.GOAL_REWARD)
            self._scene.success = self._cued
            self._scene.timeout = the_plot.frame + 1
        self.follow()
