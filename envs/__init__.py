"""Tasks that need memory or thought, as Gymnasium environments; importing this package registers them.

Games are played step by step:

| id | folder | what must be remembered |
|---|---|---|
| `engram/CuedCatch-v0` | `cued_catch` | which ball each of four cues stands for, taught once |
| `engram/SequenceRecall-v0` | `sequence_recall` | the order in which lights flashed |
| `engram/TMaze-v0` | `tmaze` | on which side the reward waits |

Each has a single form on pycolab's engine (`single`) and a batched one in NumPy (`batched`), which
`gymnasium.make_vec(id, num_envs, vectorization_mode="vector_entry_point")` makes; they agree frame for frame.
`engram.envs.oracles` holds a scripted player of the best return for each.

Puzzles are episodes of one step, an answer to what is seen; the right one is in `info["target"]`:

| id | folder | what must be found |
|---|---|---|
| `engram/Chess-v0` | `chess` | the move that mates |
| `engram/ImageClassification-v0` | `image_classification` | the class of a picture |
| `engram/Maze-v0` | `maze` | the way through a maze seen from above |
| `engram/PrefixSums-v0` | `prefix_sums` | the parity of all bits up to each one |

They have the same two forms, on one generator of problems in NumPy (`engram.envs.puzzles`).
`engram/Ponder-v0` (`puzzles.ponder`) shows one of them for several steps, each a moment of thought.

Elsewhere use `"engram.envs:engram/TMaze-v0"`: the part before the colon imports this package first.
"""

from gymnasium.envs.registration import register

GAMES = ("engram/CuedCatch-v0", "engram/SequenceRecall-v0", "engram/TMaze-v0")
PUZZLES = (
    "engram/Chess-v0",
    "engram/ImageClassification-v0",
    "engram/Maze-v0",
    "engram/PrefixSums-v0",
)
IDS = (*GAMES, *PUZZLES, "engram/Ponder-v0")

register(
    "engram/CuedCatch-v0",
    entry_point="engram.envs.cued_catch.single:CuedCatch",
    vector_entry_point="engram.envs.cued_catch.batched:BatchedCuedCatch",
)
register(
    "engram/SequenceRecall-v0",
    entry_point="engram.envs.sequence_recall.single:SequenceRecall",
    vector_entry_point="engram.envs.sequence_recall.batched:BatchedSequenceRecall",
)
register(
    "engram/TMaze-v0",
    entry_point="engram.envs.tmaze.single:TMaze",
    vector_entry_point="engram.envs.tmaze.batched:BatchedTMaze",
)
register(
    "engram/Chess-v0",
    entry_point="engram.envs.chess.single:Chess",
    vector_entry_point="engram.envs.chess.batched:BatchedChess",
)
register(
    "engram/ImageClassification-v0",
    entry_point="engram.envs.image_classification.single:ImageClassification",
    vector_entry_point="engram.envs.image_classification.batched:BatchedImageClassification",
)
register(
    "engram/Maze-v0",
    entry_point="engram.envs.maze.single:Maze",
    vector_entry_point="engram.envs.maze.batched:BatchedMaze",
)
register(
    "engram/PrefixSums-v0",
    entry_point="engram.envs.prefix_sums.single:PrefixSums",
    vector_entry_point="engram.envs.prefix_sums.batched:BatchedPrefixSums",
)
register(
    "engram/Ponder-v0",
    entry_point="engram.envs.puzzles.ponder:Ponder",
    vector_entry_point="engram.envs.puzzles.ponder:BatchedPonder",
)
