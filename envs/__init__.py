"""Tasks that need memory or thought, as Gymnasium environments; importing this package registers them.

Games are played step by step:

| id | folder | what must be remembered |
|---|---|---|
| `engram/CuedCatch-v0` | `cued_catch` | which ball each of four cues stands for, taught once |
| `engram/SequenceRecall-v0` | `sequence_recall` | the order in which lights flashed |
| `engram/TMaze-v0` | `tmaze` | on which side the reward waits |

These three have a single form on pycolab's engine (`single`) and a batched one in NumPy (`batched`), which
agree frame for frame; other games may be written batched alone, with one lane of it as the single form.
`gymnasium.make_vec(id, num_envs, vectorization_mode="vector_entry_point")` makes the batched one.
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

Grid levels of MiniGrid and BabyAI (`minigrid`), batched, and one lane of that as the single form:

| id | what must be found, or remembered |
|---|---|
| `engram/DoorKey-v0` | a key, a door, a goal |
| `engram/Fetch-v0` | the thing that the mission names, and no other |
| `engram/FindObj-v0` | a thing in one of nine rooms |
| `engram/GoToLocal-v0` | the thing that the mission names, among others |
| `engram/GoToObj-v0` | the only thing in a room |
| `engram/Memory-v0` | a cue, along a hallway |
| `engram/MultiRoom-v0` | the way through rooms, door by door |
| `engram/Pickup-v0` | the thing that the mission names, in nine rooms |
| `engram/PickupDist-v0` | the thing that the mission names, among others |
| `engram/UnlockPickup-v0` | a key, a door, a box |

Trials of a neuroscience task in sessions (`ibl`), batched, and one lane of that as the single form:

| id | what must be remembered |
|---|---|
| `engram/IBL-v0` | which side is favoured at present, from the results of many trials |

Atari games of ALE are registered by `ale_py`; what trains them is in `atari`.

Every environment registered here, in both forms, can be copied and pickled at any step, and the copy plays on
alike, by itself (`engram.envs.forms.copies`).

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
GRIDS = (
    "engram/DoorKey-v0",
    "engram/Fetch-v0",
    "engram/FindObj-v0",
    "engram/GoToLocal-v0",
    "engram/GoToObj-v0",
    "engram/Memory-v0",
    "engram/MultiRoom-v0",
    "engram/Pickup-v0",
    "engram/PickupDist-v0",
    "engram/UnlockPickup-v0",
)
TRIALS = ("engram/IBL-v0",)
IDS = (*GAMES, *PUZZLES, *SEQUENCES, *GRIDS, *TRIALS, "engram/Ponder-v0")


def _register(env_id: str, single: str, batched: str | None = None) -> None:
    """Register `engram/X-v0`: class `X` of module `single`, `BatchedX` of `batched` or the same module."""
    name = env_id.removeprefix("engram/").partition("-")[0]
    register(
        env_id,
        entry_point=f"engram.envs.{single}:{name}",
        vector_entry_point=f"engram.envs.{batched or single}:Batched{name}",
    )


_register("engram/CuedCatch-v0", "games.cued_catch.single", "games.cued_catch.batched")
_register("engram/SequenceRecall-v0", "games.sequence_recall.single", "games.sequence_recall.batched")
_register("engram/TMaze-v0", "games.tmaze.single", "games.tmaze.batched")
_register("engram/Chess-v0", "puzzles.chess.env")
_register("engram/ImageClassification-v0", "puzzles.image_classification.env")
_register("engram/Maze-v0", "puzzles.maze.env")
_register("engram/PrefixSums-v0", "puzzles.prefix_sums.env")
_register("engram/Ponder-v0", "puzzles.ponder")
_register("engram/Copying-v0", "sequences.copying")
_register("engram/SequentialDigits-v0", "sequences.sequential_digits")
_register("engram/TemporalOrder-v0", "sequences.temporal_order")
_register("engram/DoorKey-v0", "minigrid.levels.door_key")
_register("engram/Fetch-v0", "minigrid.levels.fetch")
_register("engram/FindObj-v0", "minigrid.levels.find_obj")
_register("engram/GoToLocal-v0", "minigrid.levels.go_to_local")
_register("engram/GoToObj-v0", "minigrid.levels.go_to_obj")
_register("engram/Memory-v0", "minigrid.levels.memory")
_register("engram/MultiRoom-v0", "minigrid.levels.multi_room")
_register("engram/Pickup-v0", "minigrid.levels.pickup")
_register("engram/PickupDist-v0", "minigrid.levels.pickup_dist")
_register("engram/UnlockPickup-v0", "minigrid.levels.unlock_pickup")
_register("engram/IBL-v0", "ibl.single", "ibl.batched")
