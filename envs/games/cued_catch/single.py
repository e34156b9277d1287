"""Cued Catch of the LP-RNN paper on pycolab's engine; `engram.envs.games.cued_catch.batched` is its twin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pycolab.engine import Engine

from engram.envs.forms.boards import Look
from engram.envs.forms.parameters import Parametrized
from engram.envs.forms.pycolab_game import PycolabGame
from engram.envs.games.cued_catch import rules
from engram.envs.games.cued_catch.rules import CuedCatchRules
from engram.envs.games.cued_catch.things import Background, Ball, GameState, Player, Signs


class CuedCatch(Parametrized, PycolabGame[CuedCatchRules], task=CuedCatchRules):
    """Four cues are taught once; then, a hundred times, catch the ball that the cue stands for.

    Description:
        Two of four cues (blocks in the bottom rows, told apart by their columns) stand for the top ball, two
        for the bottom ball. A lesson shows each cue for `initial_cue_duration` env steps, cue 3 first, with
        the bar that stands for its ball (left half of the screen: top; right half: bottom) and with markers
        at the sides that are seen in the lesson only. Then come `num_trials` trials of 7 steps each: a cue,
        drawn anew in each trial, is shown while the two balls fly in from the right, and the ball is caught
        if the player is in its row when they arrive. The first `reward_free_trials` trials earn nothing. The
        player has two places, and may move at any time, in the lesson too. With D for
        `initial_cue_duration`, trial k begins on frame 4 D - 1 + 7 k and is decided by the action chosen 5
        frames later at the latest (the balls are then drawn in the player's column); its reward comes on
        the next frame. With the defaults the lesson ends with frame 39 and the first reward is that of frame
        325.

    Observation:
        `Box(0, 1, (7, 12, 5), uint8)`: one plane each for player `P`, top ball `a`, bottom ball `b`, cues,
        bars and markers `Q`, and blank; a cell is 1 in exactly one plane. A ball hides the player.

    Action:
        `Discrete(5)`: 0 up, 1 down, 2 left, 3 right, 4 stay; left and right do nothing.

    Reward:
        1 for each ball caught from trial `reward_free_trials` on, else 0; with `reward_sigma` above 0, normal
        noise on top, hit or miss. The best return is `num_trials` - `reward_free_trials`, 60.0 with the
        defaults; without memory, as in random play, half of that is expected (100 random episodes: 29.5).

    End:
        When the last trial is over: after 4 D - 1 + 7 `num_trials` env steps, 739 with the defaults; always a
        termination. The last observation shows one more cue.

    Info:
        `reward_free_trials` (int) of the episode; `delay` (int): env steps from the last observation of the
        lesson to the first one whose action decides a paid trial, 7 `reward_free_trials` + 5, or 0 where the
        bar is always shown; `caught` (int): balls caught so far in paid trials; `success` (bool): the episode
        is over and all of them were. Results are split by `reward_free_trials`.

    Reset options:
        `cue_is_top` (4 booleans, two of them true), `trial_cues` (`num_trials` + 1 cues, 0 to 3), `noise` (a
        number for each trial that is not reward-free) and `reward_free_trials` (int) replace what the seed
        would have drawn, for one episode. To replay a recorded episode, make the environment with its
        parameters, call `reset(options=meta["hidden"])` with its hidden choices, and step through its
        actions; `trial_reset_frames` and `noise_frames`, which it holds too, are checked against the
        parameters.

    Source:
        LP-RNN ("Concrete"), arXiv 1805.04955, section 5.2.1 and appendix B.1. Rules are those of the
        published game, frame by frame, except that left and right, which it does not know, do nothing, and
        that there is no action to quit.
    """

    look: ClassVar[Look] = rules.LOOK
    best_return: ClassVar[str] = "60"
    _state: GameState

    def _draw(self, options: Mapping[str, Any]) -> dict[str, Any]:
        return self.rules.draw(self.np_random, options, lanes=1).choices(0)

    def _make_engine(self, hidden: Mapping[str, Any]) -> Engine:
        self._state = state = GameState(self.rules, **hidden)
        engine = Engine(rules.ROWS, rules.COLS)
        engine.set_backdrop(" ", Background, state)
        engine.add_sprite("P", (rules.BALL_ROWS[0], rules.PLAYER_COL), Player, state)
        for glyph, row in zip("ab", rules.BALL_ROWS, strict=True):
            engine.add_sprite(glyph, (row, rules.BALL_START), Ball, state)
        engine.add_drape("Q", Signs, state)
        engine.set_z_order(rules.Z_ORDER)
        return engine

    def _facts(self) -> dict[str, Any]:
        state = self._state
        paid = self.rules.num_trials - state.reward_free_trials
        return {
            "reward_free_trials": state.reward_free_trials,
            "delay": int(self.rules.delays(state.reward_free_trials)),
            "caught": state.caught,
            "success": state.over and state.caught == paid,
        }
