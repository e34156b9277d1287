"""Speed of the puzzle generators on one core.

    OMP_NUM_THREADS=1 python benchmarks/puzzles.py [--rounds 5] [--batch 1024]

A round draws from every generator, one after the other, for about a fifth of a second of processor time; the
figure is the median over rounds of problems per second of processor time (not of the clock: other processes
do not count), observations, targets and masks included.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

from engram.envs.puzzles import PuzzleTask
from engram.envs.puzzles.chess.task import ChessTask
from engram.envs.puzzles.image_classification.task import make_images
from engram.envs.puzzles.maze.task import MazeTask
from engram.envs.puzzles.prefix_sums.task import PrefixSumsTask

SECONDS = 0.2  # of processor time, per round and generator

GENERATORS: dict[str, tuple[PuzzleTask, int | None]] = {
    "chess, few": (ChessTask("few"), 8),
    "chess, full": (ChessTask("full"), 8),
    "chess, two": (ChessTask("two"), 1),
    "digits, 28x28": (make_images("digits", size=28), None),
    "shapes, 32x32": (make_images("shapes"), None),
    "shapes, 32x32, crop and flip": (make_images("shapes", crop=True, flip=True), None),
    "maze 9x9, one at a time": (MazeTask(9), 1),
    "maze 9x9": (MazeTask(9), None),
    "maze 9x9, 1 pixel": (MazeTask(9, pixels=1), None),
    "maze 9x9, 32x32 canvas": (MazeTask(9, canvas=32), None),
    "maze 9x9, feb2021, 32x32 canvas": (MazeTask(9, "feb2021", canvas=32), None),
    "maze 13x13": (MazeTask(13), None),
    "maze 59x59, one at a time": (MazeTask(59), 1),
    "maze 59x59": (MazeTask(59), None),
    "prefix sums, 32 bits": (PrefixSumsTask(32), None),
    "prefix sums, 512 bits": (PrefixSumsTask(512), None),
}
"""Puzzles, and problems in a batch where that is not the command line's."""


def measure(task: PuzzleTask, batch: int, rng: np.random.Generator) -> float:
    """Problems per second of processor time."""
    made, began = 0, time.process_time()
    while True:
        task.draw(rng, batch)
        made += batch
        spent = time.process_time() - began
        if spent >= SECONDS:
            return made / spent


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=1024, help="problems in a batch (default 1024)")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    rates: dict[str, list[float]] = {name: [] for name in GENERATORS}
    for _ in range(options.rounds):
        for name, (puzzles, batch) in GENERATORS.items():
            rates[name].append(measure(puzzles, batch or options.batch, rng))
    print(f"batches of {options.batch}, {options.rounds} rounds, NumPy {np.__version__}")
    for name, values in rates.items():
        spread = f"(min {min(values):,.0f}, max {max(values):,.0f})"
        print(f"{name:32} {statistics.median(values):12,.0f} problems/s  {spread}")


if __name__ == "__main__":
    main()
