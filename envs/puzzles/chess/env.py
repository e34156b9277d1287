"""Chess puzzles, one at a time; `chess.batched` is its batched form."""

from __future__ import annotations

from collections.abc import Mapping

from engram.envs.puzzles import Puzzle
from engram.envs.puzzles.chess.puzzles import make_chess


class Chess(Puzzle):
    """A chess position with exactly one right move is shown; answer with the two squares of that move.

    Description:
        A supervised puzzle as an episode of one step. Positions are generated, or come from a file of
        Lichess's puzzles. Generated ones hold exactly one move that mates at once, or (level "two") one that
        forces mate in two. The board is shown from the mover's side: for black it is turned over, rank 8
        first; files stay, so that the king side is always on the right. Rights to castle and to capture en
        passant are not shown.

    Observation:
        `Box(0, 1, (12, 8, 8), uint8)`: planes of king, queens, bishops, knights, rooks and pawns of the side
        to move, then those of the other side. Row 0 is the mover's first rank, column 0 is file a.

    Action:
        `MultiBinary(64)`: 1 on the square that the piece leaves and on the one where it goes, 0 elsewhere;
        square 8 row + column. The piece that a pawn becomes is not asked for.

    Reward:
        "exact": 1 if all squares are right, else 0. "fraction": the share of squares that are right;
        answering nothing earns 62/64.

    End:
        After one step, always a termination.

    Info:
        `target` (int8, 64): the right answer; `mask` (bool, 64): the squares that count, here all; `rating`
        (int): Lichess's, or 500, 1000, 1500 for the levels in order; `men` (int): pieces on the board;
        `white_to_move` (bool); `success` (bool): all squares were right. Results are split by `men`. The
        published tensors have neither `rating` nor `white_to_move`.

    Arguments:
        level: of generated puzzles. "few" (default): mate in one with 5 to 9 men put down at random. "full":
            mate in one from games of random moves, 20 men in the mean. "two": mate in two on boards as in
            "few".
        split: "online" (default): fresh puzzles without end, from the seed of `reset`, some 100 a second on
            one core ("full": 40, "two": 6); "train", "valid" or "test": one of three finite sets, drawn epoch
            by epoch.
        data_seed: of the finite sets (default 0), at least 0: what is generated, or how a file's easy
            puzzles are divided.
        split_sizes: numbers of puzzles, `{"train": 2000, "valid": 500, "test": 500}` if they are generated,
            `{"train": 480000, "valid": 120000, "test": 100000}` of a file.
        path: a file of Lichess's puzzles (`.csv`, `.csv.zst`) or of `engram.envs.puzzles.chess.write_csv`; or
            a folder with the published tensors (`data.pth` and `targets.pth` or `segm.pth`). Sorted by
            rating, "train" and "valid" divide the easiest puzzles, "test" holds those that come next.
        reward: "exact" (default) or "fraction".
        render_mode: None or "rgb_array" (the mover's pieces green, the other's red).

    Reset options:
        `problem`: an `engram.envs.puzzles.Problems` of one puzzle, instead of a drawn one.

    Source:
        Puzzles of database.lichess.org (CC0), as used in "Datasets for Studying Generalization from Easy to
        Hard Examples", arXiv 2108.06011, and "A Simple Loss Function for Convergent Algorithm Synthesis using
        RNNs" (Delta loss, 2023). The generated ones are this package's own.
    """

    def __init__(
        self,
        level: str = "few",
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
        super().__init__(make_chess(level, split, data_seed, split_sizes, path), reward, render_mode)
