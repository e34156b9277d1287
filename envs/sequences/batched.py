"""Sequences in batched form: each lane shows its own, one token a step.

B lanes, L steps of the longest sequence, K kinds of tokens, R rows and C columns of tokens when rendered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from typing_extensions import override

from engram.envs.arguments import check_flag, check_keys, check_known, check_options
from engram.envs.arrays import Array, Bytes, Flags, Floats, Ints
from engram.envs.forms.batched_env import Lanes
from engram.envs.forms.batched_task import BatchedTask
from engram.envs.forms.boards import Look
from engram.envs.sequences.task import Chance, IntegerRange, Sequences, SequenceTask

START = "start"
"""Reset option beside those of the task: the step of its sequence at which a lane begins."""

RANDOM = "random"
"""Value of that option: a step drawn for each lane."""

_GRAY = (128, 128, 128)
_UNSEEN = " "


class BatchedSequences(BatchedTask[SequenceTask]):
    """Plays B sequences at once, each of its own length.

    An episode shows the tokens of one sequence; the answer to each is due at once, as the action of that
    step. `target`, `mask` and `scored` in `info` are those of the present observation. The observation after
    the last answer shows nothing (all zeros) and asks nothing.

    Observation:
        uint8 (B, K), fresh at each step.

    Source:
        LP-RNN ("Concrete"), arXiv 1805.04955, section 5.1, has `stagger` ("non-temporally-aligned").
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium declares it so)
        **BatchedTask.metadata,
        "tells": ("target", "mask", "scored"),
    }

    def __init__(
        self,
        task: SequenceTask,
        num_envs: int = 1,
        stagger: bool = False,
        render_mode: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
    ) -> None:
        """Set up `num_envs` lanes.

        Args:
            task: draws the sequences.
            num_envs: number of lanes (B, default 1).
            stagger: whether the first episode begins at a random step (default false), so that lanes are not
                aligned in time; steps before it earn nothing.
            render_mode: None, "ansi" (text) or "rgb_array": the tokens shown so far, row by row.
            autoreset_mode: when a finished lane begins anew, see `BatchedEnv`.

        Raises:
            ValueError: an argument is not legal.
        """
        self.stagger = check_flag("stagger", stagger)
        self.look = _look(task)
        super().__init__(task, num_envs, render_mode, autoreset_mode)

    @override
    def _interface(self) -> tuple[gymnasium.spaces.Box, int]:
        return gymnasium.spaces.Box(0, 1, (len(self.rules.alphabet),), np.uint8), self.rules.classes

    @override
    def _allocate(self) -> None:
        tokens, task = len(self.rules.alphabet), self.rules
        self._nothing = tokens  # instead of a token, once a sequence is over
        self._one_hot = np.eye(tokens + 1, tokens, dtype=np.uint8)
        self._hidden = {
            name: np.zeros((self.num_envs, *legal.shape), np.int64) for name, legal in task.hidden.items()
        }
        self._now = self._blank()
        self._start, self._step, self._correct, self._worth = np.zeros((4, self.num_envs), np.int64)

    @property
    def chance(self) -> Chance:
        """Chance level, see `Chance`."""
        return self.rules.chance

    @override
    def hidden_choices(self, lane: int) -> dict[str, Any]:
        choices = {name: values[lane].tolist() for name, values in self._hidden.items()}
        return choices | {START: int(self._start[lane])}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Bytes, dict[str, Any]]:
        """Start a sequence in every lane.

        Options are the task's hidden choices, for all lanes or one per lane, and `start`: the step at which
        the lane begins, or "random", which is what `stagger` means.

        Raises:
            ValueError: an unknown or illegal option.
        """
        default = {START: RANDOM} if self.stagger else {}
        return super().reset(seed=seed, options=default | check_options(options))

    def _begin(self, lanes: Ints, options: Mapping[str, Any]) -> None:
        check_keys("options", options, [*self.rules.hidden, START])
        hidden = self.rules.draw(self.np_random, lanes.size)
        for name, legal in self.rules.hidden.items():
            if name in options:
                hidden[name] = legal.check(name, options[name], lanes.size)
        sequences = self.rules.lay_out(hidden)
        starts = self._starts(options.get(START, 0), sequences.lengths)
        for name, values in hidden.items():
            self._hidden[name][lanes] = values
        self._write(lanes, sequences)
        self._start[lanes] = self._step[lanes] = starts
        self._correct[lanes] = 0
        self._worth[lanes] = _count_from(starts, self._now.scored[lanes])

    def _starts(self, value: Any, lengths: Ints) -> Ints:
        """Return the step at which each sequence begins, (lanes,)."""
        if isinstance(value, str):
            check_known(f"options.{START}", value, [RANDOM])
            return self.np_random.integers(lengths)
        starts = IntegerRange(0, self.rules.longest - 1).check(START, value, lengths.size)
        late = np.flatnonzero(starts >= lengths)
        if late.size:
            start, last = starts[late[0]], lengths[late[0]] - 1
            raise ValueError(
                f"options.{START}: {start} is beyond the sequence; legal: 0 to {last}; nearest: {last}"
            )
        return starts

    @override
    def _lane_bytes(self) -> int:
        """Adds sequences as drawn and as kept, a few numbers for each step."""
        return super()._lane_bytes() + 40 * self.rules.longest

    def _blank(self) -> Sequences:
        """Make arrays to write sequences into, with one more step, which stays blank."""
        sample = self.rules.lay_out(self.rules.draw(np.random.default_rng(0), 1))
        shape = (self.num_envs, self.rules.longest + 1)
        return Sequences(
            tokens=np.full(shape, self._nothing, np.uint8),
            targets=np.zeros(shape, np.int64),
            masks=np.zeros(shape, np.bool_),
            scored=np.zeros(shape, np.bool_),
            lengths=np.zeros(self.num_envs, np.int64),
            facts={name: np.zeros(self.num_envs, np.int64) for name in sample.facts},
        )

    def _write(self, lanes: Ints, sequences: Sequences) -> None:
        """Put sequences into lanes, blank beyond their own lengths."""
        now, own = self._now, np.arange(self.rules.longest) < sequences.lengths[:, None]
        now.tokens[lanes, :-1] = np.where(own, sequences.tokens, np.uint8(self._nothing))
        now.targets[lanes, :-1] = np.where(own, sequences.targets, 0)
        now.masks[lanes, :-1] = own & sequences.masks
        now.scored[lanes, :-1] = own & sequences.scored
        now.lengths[lanes] = sequences.lengths
        for name, values in sequences.facts.items():
            now.facts[name][lanes] = values

    def _advance(self, actions: Ints) -> tuple[Floats, Flags]:
        place = self._lanes, self._step
        right = self._now.scored[place] & (actions == self._now.targets[place])
        self._correct += right
        np.minimum(self._step + 1, self._now.lengths, out=self._step)
        return right / self._worth, self._step == self._now.lengths

    def _observe(self, lanes: Lanes) -> Bytes:
        return self._one_hot[self._now.tokens[self._lanes[lanes], self._step[lanes]]]

    def _boards(self, lanes: Lanes) -> Bytes:
        """Return the tokens shown so far, row by row: ASCII codes, uint8 (lanes, R, C)."""
        codes = np.frombuffer((self.rules.alphabet + _UNSEEN).encode(), np.uint8)
        time = np.arange(self.rules.longest)
        shown = (time >= self._start[lanes, None]) & (time <= self._step[lanes, None])
        columns = np.broadcast_to(self.rules.columns(self._now.facts), self.num_envs)[lanes]
        boards = np.full((len(shown), self.look.rows, self.look.cols), ord(_UNSEEN), np.uint8)
        rows, times = np.nonzero(shown)
        boards[rows, *np.divmod(times, columns[rows])] = codes[self._now.tokens[lanes][rows, times]]
        return boards

    def _facts(self) -> dict[str, Array]:
        place = self._lanes, self._step
        return {
            **self._now.facts,
            "target": self._now.targets[place],
            "mask": self._now.masks[place],
            "scored": self._now.scored[place],
            "correct": self._correct,
            "success": self._correct == self._worth,
        }

    def _state(self) -> dict[str, Array]:
        progress = {"start": self._start, "step": self._step, "correct": self._correct}
        return {**self._hidden, **progress}

    def _restored(self) -> None:
        self._write(self._lanes, self.rules.lay_out(self._hidden))
        self._worth[:] = _count_from(self._start, self._now.scored)


def _count_from(starts: Ints, scored: Flags) -> Ints:
    """Count the scored steps (P, L) from `starts` (P,) on."""
    return np.asarray((scored & (np.arange(scored.shape[1]) >= starts[:, None])).sum(axis=1))


def _look(task: SequenceTask) -> Look:
    """Return how a task's tokens are rendered: black where nothing was shown yet."""
    colours = {char: task.colours.get(char, _GRAY) for char in task.alphabet}
    rows = -(-task.longest // task.width)
    return Look(rows, task.width, task.alphabet + _UNSEEN, colours=colours)
