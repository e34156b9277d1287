"""Tasks that need memory, as Gymnasium environments; importing this package registers them.

| id | single form | batched form |
|---|---|---|
| `engram/TMaze-v0` | `engram.envs.tmaze.single:TMaze` | `engram.envs.tmaze.batched:BatchedTMaze` |

Elsewhere use `"engram.envs:engram/TMaze-v0"`: the part before the colon imports this package first.
"""

from gymnasium.envs.registration import register

IDS = ("engram/TMaze-v0",)

register(
    "engram/TMaze-v0",
    entry_point="engram.envs.tmaze.single:TMaze",
    vector_entry_point="engram.envs.tmaze.batched:BatchedTMaze",
)
