"""The T-maze of the LP-RNN paper on pycolab's engine; `engram.envs.games.tmaze.batched` is its fast twin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pycolab.engine import Engine

from engram.envs.forms.boards import Look
from engram.envs.forms.parameters import Parametrized
from engram.envs.forms.pycolab_game import PycolabGame
from engram.envs.games.tmaze import rules
from engram.envs.games.tmaze.rules import TMazeRules
from engram.envs.games.tmaze.things import Background, Cue, GameState, Goal, Player, Scenery, Teleporter


class TMaze(Parametrized, PycolabGame[TMazeRules], task=TMazeRules):
    """A cue, a long wait in limbo, then a maze whose right end only the cue told.

    Description:
        The player starts in a small room. A block at the lower left or lower right of the screen is the
        cue: the reward waits on that side. After `teleport_delay` observations a teleporter appears in the
        room's top row; stepping on it (or standing there) moves the player to limbo, where nothing can be
        done and nothing changes, and `limbo_time` steps later into a T-shaped maze with a goal at the end
        of either arm. Bits of wall, sprinkled anew in each episode, surround the maze. The window follows
        the player. Frame by frame: the cue is gone from the frame after the teleport; moves are ignored on
        the frame that enters the maze and on the next.

    Observation:
        `Box(0, 1, (7, 11, 5), uint8)`: one plane each for player `P`, cue `Q`, wall `#`, teleporter or goal
        `~`, and blank; a cell is 1 in exactly one plane.

    Action:
        `Discrete(5)`: 0 up, 1 down, 2 left, 3 right, 4 stay.

    Reward:
        -0.001 per step from the second on, none on the last step of an episode. +1 on the step after
        entering the goal on the cued side, -1 for the other. With the defaults the best return is 0.613
        (left) or 0.611 (right: that arm is 2 cells longer); a guess earns -0.388 on average, doing nothing
        -0.998.

    End:
        Two steps after entering a goal, or after `timeout_frames`; both are terminations, never truncations.

    Info:
        `level` (int) and `limbo_time` (int, env steps) of the episode; `delay` (int): env steps from the last
        observation that shows the cue to the first one whose action counts; `success` (bool): the cued goal
        was reached. Results are split by level, or by limbo time where several are given.

    Reset options:
        `which_goal` ("left" or "right"), `level` (int), `limbo_time` (int) and `speckle` (bool (77, 191):
        where a bit of wall is kept; world coordinates) replace what the seed would have drawn, for one
        episode. To replay a recorded episode, make the environment with its parameters, call
        `reset(options=meta["hidden"])` with its hidden choices, which hold `which_goal` and, for the same
        picture, `speckle`, and step through its actions.

    Source:
        LP-RNN ("Concrete"), arXiv 1805.04955, section 5.2.2 and appendix B.2. Maps and rules are those of the
        published game, frame by frame, except that its limbo times of 1 and 2, which misplace the player or
        lose a goal, are refused, and that there is no action to quit.
    """

    look: ClassVar[Look] = rules.LOOK
    best_return: ClassVar[str] = "0.613 (goal on the left), 0.611 (right)"
    _state: GameState

    def _draw(self, options: Mapping[str, Any]) -> dict[str, Any]:
        drawn = {
            "level": [self.np_random.choice(self.rules.levels)],
            "which_goal": [self.np_random.integers(len(rules.SIDES))],
            "speckle": [self.np_random.random(rules.WORLD, dtype=np.float32) < rules.SPECKLE_SHARE],
            "limbo_time": [self.np_random.choice(self.rules.limbo_times)],
        } | rules.read_hidden(options, lanes=1)
        (level,), (goal,), (speckle,) = drawn["level"], drawn["which_goal"], drawn["speckle"]
        (limbo,) = drawn["limbo_time"]
        return {
            "level": int(level),
            "limbo_time": int(limbo),
            "which_goal": rules.SIDES[goal],
            "speckle": speckle,
        }

    def _make_engine(self, hidden: Mapping[str, Any]) -> Engine:
        self._state = state = GameState(self.rules, hidden["level"], hidden["limbo_time"])
        masks = rules.world_masks()
        engine = Engine(rules.WINDOW_ROWS, rules.WINDOW_COLS)
        engine.set_backdrop(" ", Background, state)
        engine.update_group("1 scenery")  # what moves before the player looks
        engine.add_drape("*", Scenery, state, masks["*"] & hidden["speckle"])
        engine.add_drape("#", Scenery, state, masks["#"])
        engine.add_drape("Q", Cue, state, hidden["which_goal"])
        engine.update_group("2 player")  # and what moves after; the engine repaints in between
        engine.add_sprite("P", rules.EYE, Player, state)
        engine.add_drape("t", Teleporter, state, masks["t"])
        for glyph, side in zip("lr", rules.SIDES, strict=True):
            engine.add_drape(glyph, Goal, state, masks[glyph], side == hidden["which_goal"])
        engine.set_z_order(rules.Z_ORDER)
        return engine

    def _facts(self) -> dict[str, Any]:
        state = self._state
        return {
            "level": state.level,
            "limbo_time": state.limbo_time,
            "delay": int(self.rules.delays(state.limbo_time)),
            "success": state.success,
        }
