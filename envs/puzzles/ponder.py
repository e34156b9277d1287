"""Puzzles shown for several steps: each step is a moment of thought, its action the answer so far.

B lanes, T steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import load_env_creator
from gymnasium.vector import AutoresetMode
from typing_extensions import override

from engram.envs import PUZZLES
from engram.envs.arguments import MOST_STEPS, check_at_least, check_known, check_mapping
from engram.envs.arrays import Array, Flags, Floats, Ints
from engram.envs.forms.batched_env import Lanes
from engram.envs.forms.parameters import Parametrized
from engram.envs.puzzles.batched import BatchedPuzzle
from engram.envs.puzzles.single import SinglePuzzle
from engram.envs.puzzles.task import PuzzleTask

SHOWN = ("always", "first")
CREDITS = ("last", "gain")


def find_task(
    puzzle: str | PuzzleTask = "engram/PrefixSums-v0", puzzle_config: Mapping[str, Any] | None = None
) -> PuzzleTask:
    """Find the task to think about.

    Args:
        puzzle: id of one of this package's puzzles (default "engram/PrefixSums-v0"), or a `PuzzleTask`.
        puzzle_config: arguments of the puzzle by name, where it is an id, such as `{"bits": 8}`.

    Raises:
        ValueError: an argument is not legal.
    """
    arguments = check_mapping("puzzle_config", puzzle_config, "arguments by name, such as {bits: 8}")
    if isinstance(puzzle, PuzzleTask):
        if arguments:
            raise ValueError("puzzle_config: goes with an id; puzzle is an object that has its arguments")
        return puzzle
    spec = gymnasium.spec(check_known("puzzle", puzzle, PUZZLES))
    try:
        env: Any = load_env_creator(str(spec.entry_point))(**arguments)
    except TypeError as error:
        raise ValueError(f"puzzle_config: {error}") from None
    except ValueError as error:
        raise ValueError(f"puzzle_config.{error}") from None
    task: PuzzleTask = env.unwrapped.task
    return task


class PonderedPuzzle(BatchedPuzzle):
    """Puzzles that are shown for several steps each."""

    def __init__(
        self,
        task: PuzzleTask,
        num_envs: int = 1,
        ponder_steps: int = 30,
        shown: str = "always",
        credit: str = "last",
        reward: str = "exact",
        render_mode: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
    ) -> None:
        """Set up `num_envs` lanes.

        Args:
            task: draws and scores the problems; this environment's own, for it may be restarted.
            num_envs: number of lanes (B, default 1).
            ponder_steps: env steps of an episode (T, default 30), at least 1.
            shown: "always" (default) or "first".
            credit: "last" (default) or "gain".
            reward: "exact" (default) or "fraction".
            render_mode: None or "rgb_array" (the puzzle, whether shown or not).
            autoreset_mode: when a lane shows the next problem, see `BatchedEnv`.

        Raises:
            ValueError: an argument is not legal.
        """
        self.ponder_steps = check_at_least("ponder_steps", ponder_steps, 1, ">= 1 env steps", MOST_STEPS)
        self.shown = check_known("shown", shown, SHOWN)
        self.credit = check_known("credit", credit, CREDITS)
        super().__init__(task, num_envs, reward, render_mode, autoreset_mode)

    @override
    def _allocate(self) -> None:
        super()._allocate()
        self._step = np.zeros(self.num_envs, np.int64)
        self._scores = np.zeros(self.num_envs)

    def _state(self) -> dict[str, Array]:
        return super()._state() | {"step": self._step, "scores": self._scores}

    def _begin(self, lanes: Ints, options: Mapping[str, Any]) -> None:
        super()._begin(lanes, options)
        self._step[lanes], self._scores[lanes] = 0, 0.0

    def _advance(self, actions: Array) -> tuple[Floats, Flags]:
        before, self._scores = self._scores, self._judge(actions)
        self._step += 1
        over = self._step == self.ponder_steps
        if self.credit == "gain":
            return np.where(self._step > 1, self._scores - before, 0.0), over
        return np.where(over, self._scores, 0.0), over

    def _observe(self, lanes: Lanes) -> Array:
        observations = super()._observe(lanes)
        if self.shown == "first":
            observations[self._step[lanes] > 0] = 0
        return observations


class BatchedPonder(Parametrized, PonderedPuzzle, task=find_task):
    """`Ponder` in B lanes; see there for the task."""


class Ponder(SinglePuzzle, of=BatchedPonder):
    """A puzzle is shown for some steps; each action is the answer so far, the last one counts.

    Description:
        Thinking as acting: a recurrent policy that is stepped T times on one puzzle is a network of T
        iterations, longer episodes are more thought than it was trained for, and its return shows whether
        more thought helps or harms.

    Observation:
        The puzzle's, the same at each step; with `shown` "first" zeros from the second on, so that the
        puzzle must be kept in memory (papers: no recall).

    Action:
        The puzzle's: a whole answer.

    Reward:
        `credit` "last": the score of the last answer, 0 before. "gain": 0 at the first step, then the score
        of this answer less that of the one before, in sum the last less the first score: thought that harms
        is seen at once. A score is what `reward` says: "exact" or "fraction" of the positions that count.

    End:
        After `ponder_steps` steps, always a termination.

    Info:
        The puzzle's, `target` and `mask` at each step; `success` (bool): the present answer is right.

    Reset options:
        `problem`: as for the puzzle.

    Source:
        Our form of the networks in "Thinking Deeply with Recurrence" (2021) and "A Simple Loss Function for
        Convergent Algorithm Synthesis using RNNs" (2023), whose iterations these steps are.
    """
