"""Sequence Recall of the LP-RNN paper on pycolab's engine; `sequence_recall.batched` is its fast twin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pycolab.engine import Engine

from engram.envs.forms.boards import Look
from engram.envs.forms.parameters import Parametrized
from engram.envs.forms.pycolab_game import PycolabGame
from engram.envs.games.sequence_recall import rules
from engram.envs.games.sequence_recall.rules import SequenceRecallRules
from engram.envs.games.sequence_recall.things import Background, GameState, Light, Mask, Pen, Player


class SequenceRecall(Parametrized, PycolabGame[SequenceRecallRules], task=SequenceRecallRules):
    """Four lights flash one after the other; when the pen opens, visit them in that order.

    Description:
        The player waits in a pen between four lights: 1 left, 2 top, 3 right, 4 bottom. `sequence_length`
        flashes are shown, each of a light drawn anew: `demo_light_off_frames` of darkness, then
        `demo_light_on_frames` of light. `pause_frames` after the last of them the pen opens; moves before are
        ignored. Then the player is to enter the lights in the order of their flashes. A light that is
        entered lights up, right or wrong, and takes its turn in the sequence; the next one can be entered
        once this one was left, be it the same again. Only the border of the board stops the player. With
        the defaults the lights flash on frames 30-89, 120-179, 210-269 and 300-359, and the action chosen on
        frame 361 is the first that moves the player.

    Observation:
        `Box(0, 1, (17, 21, 8), uint8)`: one plane each for player `P`, the lights `1`, `2`, `3` and `4` while
        they are lit, dark lights `M`, border or pen `#`, and blank; a cell is 1 in exactly one plane.

    Action:
        `Discrete(5)`: 0 up, 1 down, 2 left, 3 right, 4 stay.

    Reward:
        +1 on entering a light that is the right one, 0 for a wrong one. -0.005 per step from the second on,
        none on the last step of an episode. With the defaults the best return is 2.1105 on average over all
        256 sequences, each between 2.085 and 2.145 (21 and 9 moves: the first light is 3 away; then 2 moves
        enter the same light again, 5 the one beside, 6 the one opposite). Guessing four lights earns about
        -0.9 on average, random play -1.09, doing nothing -4.99.

    End:
        Three steps after entering the last light of the sequence, or after `timeout_frames`, whichever is
        first (a timeout two steps after the last light comes with the end, one later); always a termination.

    Info:
        `sequence_length` (int) of the episode; `delay` (int): env steps from the last observation that shows
        the first flash to the first one whose action counts; `recalled` (int): right lights entered so far;
        `success` (bool): all of them. Results are split by `sequence_length`, or by `delay` where flashes or
        pauses are drawn.

    Reset options:
        `sequence` (a text such as "4413", or a list of lights), `sequence_length`, `demo_light_on_frames`,
        `demo_light_off_frames` and `pause_frames` (int) replace what the seed would have drawn, for one
        episode. A sequence brings its own length, which must not exceed the longest `sequence_length`. To
        replay a recorded episode, make the environment with its parameters, call
        `reset(options=meta["hidden"])` with its hidden choices, and step through its actions.

    Source:
        LP-RNN ("Concrete"), arXiv 1805.04955, section 5.2.3 and appendix B.3. Rules are those of the
        published game, frame by frame, except that there is no action to quit.
    """

    look: ClassVar[Look] = rules.LOOK
    best_return: ClassVar[str] = "2.11 on average"
    _state: GameState

    def _draw(self, options: Mapping[str, Any]) -> dict[str, Any]:
        return self.rules.draw(self.np_random, options, lanes=1).choices(0)

    def _make_engine(self, hidden: Mapping[str, Any]) -> Engine:
        self._state = state = GameState(
            hidden["sequence"],
            on=hidden["demo_light_on_frames"],
            off=hidden["demo_light_off_frames"],
            pause=hidden["pause_frames"],
            timeout_frames=self.rules.timeout_frames,
        )
        engine = Engine(rules.ROWS, rules.COLS)
        engine.set_backdrop(" #", Background, state)
        engine.add_sprite("P", rules.START, Player, state)
        for light in rules.LIGHTS:
            engine.add_drape(light, Light, state)
        engine.add_drape("M", Mask, state)
        engine.add_drape("%", Pen, state)
        engine.set_z_order(rules.Z_ORDER)
        return engine

    def _facts(self) -> dict[str, Any]:
        state = self._state
        return {
            "sequence_length": len(state.sequence),
            "delay": state.delay,
            "recalled": state.recalled,
            "success": state.recalled == len(state.sequence),
        }
