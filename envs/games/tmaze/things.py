"""The T-maze's sprites and drapes in pycolab: they share one `GameState`; their order is part of the rules.

The window never leaves its own coordinates ("true"): a jump rolls the scenery under it, as in the published
game.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pycolab.plot import Plot
from typing_extensions import override

from engram.envs.forms.actions import MOVES, STAY
from engram.envs.forms.rules import NEVER, timeout_frame
from engram.envs.forms.things import GameBackdrop, GameDrape, GameSprite
from engram.envs.games.tmaze import rules
from engram.envs.games.tmaze.rules import Mask, TMazeRules

Cells = tuple[int, int]  # rows, columns


@dataclass
class GameState:
    """State of one episode, which its sprites and drapes share."""

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


class Background(GameBackdrop[GameState]):
    """Blank ground; being first in each frame, it keeps the clock and turns the action into movement."""

    @override
    def _update(self, action: Any, board: Any, things: Any, plot: Plot) -> None:
        """Charge the step or end the episode, then jump, move the window, or send the player across it."""
        state, frame = self._state, plot.frame
        if frame >= state.timeout:
            plot.terminate_episode()
        elif frame > 1:
            plot.add_reward(rules.STEP_REWARD)
        state.walk, state.roll = (0, 0), state.jumps.pop(frame, None)
        if state.roll is not None:
            state.deaf_until = frame + 1
        elif frame > state.deaf_until and action in state.paths:
            self._move(MOVES[action])

    def _move(self, move: Cells) -> None:
        row, col = (at + by for at, by in zip(self._state.corner, move, strict=True))
        if 0 <= row <= rules.NW_MAX[0] and 0 <= col <= rules.NW_MAX[1]:
            self._state.corner = (row, col)
        else:
            self._state.walk = move


class Scenery(GameDrape[GameState]):
    """A part of the world, of which the window shows a piece."""

    def __init__(self, curtain: Any, character: str, state: GameState, world: Mask) -> None:
        super().__init__(curtain, character, state)
        self._world = world

    @override
    def _update(self, action: Any, board: Any, things: Any, plot: Plot) -> None:
        """Follow the window."""
        self.follow()

    def follow(self) -> None:
        """Roll the world if this frame jumps, then show the piece under the window."""
        if self._state.roll is not None:
            rows, cols = self._state.roll
            self._world = np.roll(self._world, (-rows, -cols), axis=(0, 1))
        row, col = self._state.corner
        self.curtain[:] = self._world[row : row + rules.WINDOW_ROWS, col : col + rules.WINDOW_COLS]


class Cue(GameDrape[GameState]):
    """A block fixed to the screen, on the side of the rewarded goal; gone on the frame after the teleport."""

    def __init__(self, curtain: Any, character: str, state: GameState, side: str) -> None:
        super().__init__(curtain, character, state)
        curtain[rules.cue_cells(side)] = True

    @override
    def _update(self, action: Any, board: Any, things: Any, plot: Plot) -> None:
        """Disappear after the teleport."""
        if plot.frame == self._state.teleported_on + 1 and not self._state.game.cue_after_teleport:
            self.curtain.fill(False)


class Player(GameSprite[GameState]):
    """Stays in the middle of the window, but where the window can go no further.

    It looks for open paths when the walls have moved and the goals have not: a goal's old place on the
    screen may hide a wall, which then does not block. That lets it leave a goal through the end wall, after
    the reward.
    """

    @override
    def _update(self, action: Any, board: Any, things: Any, plot: Plot) -> None:
        """Walk on the screen if the background says so, then see which moves the next frame allows."""
        row, col = self._beside(self._state.walk)
        self._position = self.Position(row, col)
        self._state.paths = frozenset(
            action for action, move in enumerate(MOVES[:STAY]) if board[self._beside(move)] != ord("#")
        )

    def _beside(self, move: Cells) -> Cells:
        return self.position.row + move[0], self.position.col + move[1]


class Teleporter(Scenery):
    """Appears after a delay and takes the player, once."""

    @override
    def _update(self, action: Any, board: Any, things: Any, plot: Plot) -> None:
        """Show the pad when it is time; from a player on it, plan the journey."""
        if plot.frame < self._state.game.teleport_delay - 1:
            return
        self.follow()
        player = things["P"].position
        if self._state.teleported_on == NEVER and self.curtain[player]:
            self._state.teleported_on = plot.frame
            self._plan(plot.frame, (self._state.corner[0] + player.row, self._state.corner[1] + player.col))

    def _plan(self, frame: int, here: Cells) -> None:
        limbo_time, maze_row = self._state.limbo_time, rules.maze_top(self._state.level) + 1
        if not limbo_time:
            self._state.jumps[frame + 1] = (maze_row - here[0], 0)
            return
        self._state.jumps[frame + 1] = (rules.LIMBO[0] - here[0], rules.LIMBO[1] - here[1])
        self._state.jumps[frame + limbo_time] = (maze_row - rules.LIMBO[0], rules.MAZE_COL - rules.LIMBO[1])


class Goal(Scenery):
    """Judges the player on the frame after its arrival, and ends the episode one frame later."""

    def __init__(self, curtain: Any, character: str, state: GameState, world: Mask, cued: bool) -> None:
        super().__init__(curtain, character, state, world)
        self._cued = cued

    @override
    def _update(self, action: Any, board: Any, things: Any, plot: Plot) -> None:
        """Compare the player with where this goal was painted last, then follow the window."""
        if plot.frame < self._state.timeout and self.curtain[things["P"].position]:
            plot.add_reward(rules.GOAL_REWARD if self._cued else -rules.GOAL_REWARD)
            self._state.success = self._cued
            self._state.timeout = plot.frame + 1
        self.follow()
