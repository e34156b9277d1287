"""Tasks that need memory or thought, as Gymnasium environments; importing this package registers them.

Games are played step by step:

| id | folder | what must be remembered |
|---|---|---|
| `engram/CuedCatch-v0` | `cued_catch` | which ball each of four cues stands for, taught once |
| `engram/SequenceRecall-v0` | `sequence_recall` | the order in which lights flashed |
| `engram/TMaze-v0` | `tmaze` | on which side the reward waits |

Each of these games has a single form on pycolab's engine (`single`) and a batched one in NumPy (`batched`);
they agree frame for frame. `gymnasium.make_vec(id, num_envs, vectorization_mode="vector_entry_point")` makes
the batched one.
`engram.envs.games.oracles` holds a scripted player of the best return for each.

Puzzles are episodes of one step, an answer to what is seen; the right one is in `info["target"]`:

| id | folder | what must be found |
|---|---|---|
| `engram/Chess-v0` | `chess` | the move that mates |
| `engram/ImageClassification-v0` | `image_classification` | the class of a picture |
| `engram/Maze-v0` | `maze` | the way through a maze seen from above |
| `engram/PrefixSums-v0` | `prefix_sums` | the parity of all bits up to each one |

They have the same two forms, on one generator of problems in NumPy (`engram.envs.puzzles`).
`engram/Ponder-v0` (`puzzles.ponder`) shows one of them for several steps, each a moment of thought.

Sequences of symbols with a target per step (`sequences`), batched, and one lane of that as the single form:

| id | what must be remembered |
|---|---|
| `engram/Copying-v0` | a string, over a long blank |
| `engram/SequentialDigits-v0` | the pixels of a digit, seen one by one |
| `engram/TemporalOrder-v0` | which markers came, in which order |

Every environment, in both forms, can be copied and pickled at any step, and the copy plays on alike, by
itself (`engram.envs.forms.copies`).

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
SEQUENCES = ("engram/Copying-v0", "engram/SequentialDigits-v0", "engram/TemporalOrder-v0")
IDS = (*GAMES, *PUZZLES, *SEQUENCES, "engram/Ponder-v0")

register(
    "engram/CuedCatch-v0",
    entry_point="engram.envs.games.cued_catch.single:CuedCatch",
    vector_entry_point="engram.envs.games.cued_catch.batched:BatchedCuedCatch",
)
register(
    "engram/SequenceRecall-v0",
    entry_point="engram.envs.games.sequence_recall.single:SequenceRecall",
    vector_entry_point="engram.envs.games.sequence_recall.batched:BatchedSequenceRecall",
)
register(
    "engram/TMaze-v0",
    entry_point="engram.envs.games.tmaze.single:TMaze",
    vector_entry_point="engram.envs.games.tmaze.batched:BatchedTMaze",
)
register(
    "engram/Chess-v0",
    entry_point="engram.envs.puzzles.chess.env:Chess",
    vector_entry_point="engram.envs.puzzles.chess.env:BatchedChess",
)
register(
    "engram/ImageClassification-v0",
    entry_point="engram.envs.puzzles.image_classification.env:ImageClassification",
    vector_entry_point="engram.envs.puzzles.image_classification.env:BatchedImageClassification",
)
register(
    "engram/Maze-v0",
    entry_point="engram.envs.puzzles.maze.env:Maze",
    vector_entry_point="engram.envs.puzzles.maze.env:BatchedMaze",
)
register(
    "engram/PrefixSums-v0",
    entry_point="engram.envs.puzzles.prefix_sums.env:PrefixSums",
    vector_entry_point="engram.envs.puzzles.prefix_sums.env:BatchedPrefixSums",
)
register(
    "engram/Ponder-v0",
    entry_point="engram.envs.puzzles.ponder:Ponder",
    vector_entry_point="engram.envs.puzzles.ponder:BatchedPonder",
)
register(
    "engram/Copying-v0",
    entry_point="engram.envs.sequences.copying:Copying",
    vector_entry_point="engram.envs.sequences.copying:BatchedCopying",
)
register(
    "engram/SequentialDigits-v0",
    entry_point="engram.envs.sequences.sequential_digits:SequentialDigits",
    vector_entry_point="engram.envs.sequences.sequential_digits:BatchedSequentialDigits",
)
register(
    "engram/TemporalOrder-v0",
    entry_point="engram.envs.sequences.temporal_order:TemporalOrder",
    vector_entry_point="engram.envs.sequences.temporal_order:BatchedTemporalOrder",
)
