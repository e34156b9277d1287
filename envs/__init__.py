"""Tasks that need memory, as Gymnasium environments; importing this package registers them.

| id | folder | what must be remembered |
|---|---|---|
| `engram/CuedCatch-v0` | `cued_catch` | which ball each of four cues stands for, taught once |
| `engram/SequenceRecall-v0` | `sequence_recall` | the order in which lights flashed |
| `engram/TMaze-v0` | `tmaze` | on which side the reward waits |

Each has a single form on pycolab's engine (`single`) and a batched one in NumPy (`batched`), which
`gymnasium.make_vec(id, num_envs, vectorization_mode="vector_entry_point")` makes; they agree frame for frame.

Elsewhere use `"engram.envs:engram/TMaze-v0"`: the part before the colon imports this package first.
"""

from gymnasium.envs.registration import register

IDS = ("engram/CuedCatch-v0", "engram/SequenceRecall-v0", "engram/TMaze-v0")

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
