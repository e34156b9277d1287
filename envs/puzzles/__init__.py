"""Supervised puzzles as episodes of one step: observation, answer, score.

A `PuzzleTask` draws batches of problems and scores answers; the environments around it are the same for all
puzzles.
"""

from engram.envs.puzzles.batched import BatchedPuzzle
from engram.envs.puzzles.fixed import FixedProblems
from engram.envs.puzzles.single import SinglePuzzle
from engram.envs.puzzles.task import Problems, PuzzleTask

__all__ = ["BatchedPuzzle", "FixedProblems", "Problems", "PuzzleTask", "SinglePuzzle"]
