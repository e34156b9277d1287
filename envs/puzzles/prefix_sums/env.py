"""Prefix sums: the environment, in both forms."""

from __future__ import annotations

from engram.envs.forms.parameters import Parametrized
from engram.envs.puzzles import BatchedPuzzle, SinglePuzzle
from engram.envs.puzzles.prefix_sums.task import make_prefix_sums


class BatchedPrefixSums(Parametrized, BatchedPuzzle, task=make_prefix_sums):
    """`PrefixSums` in B lanes; see there for the task."""


class PrefixSums(SinglePuzzle, of=BatchedPrefixSums):
    """A string of bits is shown; answer with the parity of all bits up to each position.

    Description:
        A supervised puzzle as an episode of one step. Bits are drawn independently, 0 and 1 alike. Answer j
        is t_j = (b_1 + ... + b_j) mod 2, so that the last one hangs on every bit: a network trained on short
        strings does longer ones only if it has learned to go on thinking.

    Observation:
        `Box(-0.5, 0.5, (1, bits), float32)`: a bit 0 as -0.5, a bit 1 as +0.5.

    Action:
        `MultiBinary(bits)`: all prefix sums at once.

    Reward:
        "exact": 1 if every sum is right, else 0. "fraction": the share of sums that are right; guessing
        earns 0.5 on average.

    End:
        After one step, always a termination.

    Info:
        `target` (int8, `bits`): the right answer; `mask` (bool, `bits`): the positions that count, here all;
        `size` (int): `bits`; `success` (bool): every sum was right. Results are split by `size`.

    Arguments:
        render_mode: None or "rgb_array" (a row of squares, a bit 1 white).

    Reset options:
        `problem`: an `engram.envs.puzzles.Problems` of one string, instead of a drawn one.

    Source:
        Data of "Can You Learn an Algorithm? Generalizing from Easy to Hard Problems with Recurrent Networks",
        as used in "A Simple Loss Function for Convergent Algorithm Synthesis using RNNs" (Delta loss, 2023).
    """
