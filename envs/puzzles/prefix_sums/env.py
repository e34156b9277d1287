"""Prefix sums, one string at a time; `prefix_sums.batched` is its batched form."""

from __future__ import annotations

from collections.abc import Mapping

from engram.envs.puzzles import Puzzle
from engram.envs.puzzles.prefix_sums.puzzles import make_prefix_sums


class PrefixSums(Puzzle):
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
        bits: length of a string (default 32), at least 1.
        split: "online" (default): fresh strings without end, from the seed of `reset`; "train", "valid" or
            "test": one of three finite sets made from `data_seed`, drawn epoch by epoch. Strings of a
            finite set that are shorter than 24 bits all differ, within and between the three sets.
        data_seed: of the finite sets (default 0), at least 0.
        split_sizes: numbers of strings, such as `{"train": 8000, "valid": 2000, "test": 10000}` (the
            default, as in the paper; strings of less than 15 bits are divided 2 : 1/2 : 5/2).
        path: a folder with `{bits}_data.npy` and `{bits}_targets.npy`, the published strings and sums
            (P, bits) of zeros and ones, or the same as `.pth`, to be used instead of generated ones. "test"
            takes all of them, "train" and "valid" share them 4 : 1.
        reward: "exact" (default) or "fraction".
        render_mode: None or "rgb_array" (a row of squares, a bit 1 white).

    Reset options:
        `problem`: an `engram.envs.puzzles.Problems` of one string, instead of a drawn one.

    Source:
        Data of "Can You Learn an Algorithm? Generalizing from Easy to Hard Problems with Recurrent Networks",
        as used in "A Simple Loss Function for Convergent Algorithm Synthesis using RNNs" (Delta loss, 2023).
    """

    def __init__(
        self,
        bits: int = 32,
        split: str = "online",
        data_seed: int = 0,
        split_sizes: Mapping[str, int] | None = None,
        path: str | None = None,
        reward: str = "exact",
        render_mode: str | None = None,
    ) -> None:
        """See the class.

        Raises:
            ValueError: an argument is not legal.
        """
        super().__init__(make_prefix_sums(bits, split, data_seed, split_sizes, path), reward, render_mode)
