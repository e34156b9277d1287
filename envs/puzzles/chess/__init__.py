"""Chess puzzles: find the move. `engram/Chess-v0`, its rules, its generator and its files."""

from engram.envs.puzzles.chess.csv_files import read_csv, write_csv
from engram.envs.puzzles.chess.generator import LEVELS, generate
from engram.envs.puzzles.chess.puzzle import ChessPuzzle

__all__ = ["LEVELS", "ChessPuzzle", "generate", "read_csv", "write_csv"]
