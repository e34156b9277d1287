"""Supervised puzzles as episodes of one step: an observation, an answer, a score.

A family of puzzles is a `Puzzles` object, which makes batches of problems; the environments around it are the
same for all families.
"""

from engram.envs.puzzles.batched import BatchedPuzzle
from engram.envs.puzzles.fixed import FixedPuzzles
from engram.envs.puzzles.puzzles import Problems, Puzzles
from engram.envs.puzzles.single import Puzzle

__all__ = ["BatchedPuzzle", "FixedPuzzles", "Problems", "Puzzle", "Puzzles"]
