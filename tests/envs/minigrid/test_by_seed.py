"""With one seed, every level is minigrid's own in `SyncVectorEnv(SAME_STEP)`, in every output."""

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from engram.envs import GRIDS
from tests.envs.minigrid.twins import assert_same_view, make_original, play

pytest.importorskip("minigrid")

BRIEF, LONG = 12, 1_000  # episodes


def by_size(name, env_id, sizes, **changes):
    return [
        (f"engram/{name}-v0", {"size": size, **changes}, env_id.format(size=size), changes) for size in sizes
    ]


FAMILIES = {
    "PickupDist": [
        ("engram/PickupDist-v0", {}, "BabyAI-PickupDist-v0", {}),
        ("engram/PickupDist-v0", {"wrong_pickup_ends": True}, "BabyAI-PickupDistDebug-v0", {}),
    ],
    "GoToLocal": [
        ("engram/GoToLocal-v0", {}, "BabyAI-GoToLocal-v0", {}),
        *(
            (
                "engram/GoToLocal-v0",
                {"size": size, "distractors": things - 1},
                f"BabyAI-GoToLocalS{size}N{things}-v0",
                {},
            )
            for size, things in (
                *((5, 2), (6, 2), (6, 3), (6, 4), (7, 4), (7, 5)),
                *((8, things) for things in range(2, 8)),
            )
        ),
    ],
    "GoToObj": [
        ("engram/GoToObj-v0", {}, "BabyAI-GoToObj-v0", {}),
        ("engram/GoToObj-v0", {"size": 4}, "BabyAI-GoToObjS4-v0", {}),
        ("engram/GoToObj-v0", {"size": 6}, "BabyAI-GoToObjS6-v1", {}),
    ],
    "Memory": [
        *by_size("Memory", "MiniGrid-MemoryS{size}-v0", [7], max_steps=245),
        *by_size("Memory", "MiniGrid-MemoryS{size}-v0", [9, 11, 13], max_steps=50),
        *(
            (our_id, {**ours, "random_length": True}, their_id, theirs)
            for our_id, ours, their_id, theirs in by_size(
                "Memory", "MiniGrid-MemoryS{size}Random-v0", [13, 17], max_steps=50
            )
        ),
    ],
    "MultiRoom": [
        ("engram/MultiRoom-v0", {"rooms": 2, "room_size": 4}, "MiniGrid-MultiRoom-N2-S4-v0", {}),
        ("engram/MultiRoom-v0", {"rooms": 6, "room_size": 5}, "MiniGrid-MultiRoom-N4-S5-v0", {}),
        ("engram/MultiRoom-v0", {"rooms": 4, "room_size": 5}, "MiniGrid-MultiRoom-N4-S5-v1", {}),
        ("engram/MultiRoom-v0", {}, "MiniGrid-MultiRoom-N6-v0", {}),
    ],
    "DoorKey": by_size("DoorKey", "MiniGrid-DoorKey-{size}x{size}-v0", [5, 6, 8, 16], max_steps=80),
    "Fetch": [
        ("engram/Fetch-v0", {"size": 5, "distractors": 1}, "MiniGrid-Fetch-5x5-N2-v0", {}),
        ("engram/Fetch-v0", {"size": 6, "distractors": 1}, "MiniGrid-Fetch-6x6-N2-v0", {}),
        ("engram/Fetch-v0", {}, "MiniGrid-Fetch-8x8-N3-v0", {}),
    ],
    "UnlockPickup": [
        ("engram/UnlockPickup-v0", {}, "BabyAI-UnlockPickup-v0", {}),
        ("engram/UnlockPickup-v0", {"distractors": 4}, "BabyAI-UnlockPickupDist-v0", {}),
        ("engram/UnlockPickup-v0", {"max_steps": 288}, "MiniGrid-UnlockPickup-v0", {}),
    ],
    "Pickup": [("engram/Pickup-v0", {"max_steps": 100}, "BabyAI-Pickup-v0", {"max_steps": 100})],
    "FindObj": by_size("FindObj", "BabyAI-FindObjS{size}-v0", [5, 6, 7], max_steps=100),
}
"""Our id and arguments, minigrid's id and what is changed of its own arguments, by level."""

HAPPENS = {
    "PickupDist": {"box opened", "failures", "things taken"},
    "GoToLocal": {"box opened", "things taken"},
    "GoToObj": set(),
    "Memory": {"failures"},
    "MultiRoom": {"closed door open", "open door closed"},
    "DoorKey": {"locked door open", "open door closed", "closed door open", "things taken"},
    "Fetch": {"failures"},
    "UnlockPickup": {"locked door open", "open door closed", "closed door open", "box opened"},
    "Pickup": {"closed door open", "open door closed", "box opened", "things taken"},
    "FindObj": {"closed door open", "open door closed"},
}
"""What must have happened in long plays of a level, beside successes and ends by time."""

ACTIONS = {f"action {action}" for action in range(7)}


def test_every_level_is_compared():
    assert {f"engram/{family}-v0" for family in FAMILIES} == set(GRIDS)


@pytest.mark.parametrize("family", FAMILIES)
def test_some_episodes_are_minigrids(family):
    for seed, case in enumerate(FAMILIES[family][:2]):
        met = play(*case, episodes=BRIEF, seed=seed)
        assert met["successes"]
        assert met.keys() >= ACTIONS


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_many_episodes_are_minigrids(family):
    happened = set()
    for seed, case in enumerate(FAMILIES[family]):
        met = play(*case, episodes=LONG, seed=seed)
        assert met.keys() >= ACTIONS
        happened |= {name for name, times in met.items() if times}
    assert happened >= HAPPENS[family] | {"successes", "out of time"}


@pytest.mark.parametrize("family", FAMILIES)
def test_success_at_the_limit_sets_both_flags_as_minigrid_does(family):
    """One episode that succeeds, played again with just as many steps."""
    our_id, ours, their_id, theirs = FAMILIES[family][0]
    for seed in range(9):
        free = play(our_id, ours, their_id, theirs, episodes=1, lanes=1, seed=seed, guided=1.0)
        if free["successes"]:
            break
    limit = {"max_steps": sum(free[action] for action in ACTIONS)}
    met = play(our_id, ours | limit, their_id, theirs | limit, episodes=1, lanes=1, seed=seed, guided=1.0)
    assert (met["successes"], met["both flags"]) == (1, 1)


def test_it_goes_on_as_minigrid_does_after_a_reset_without_a_seed():
    ours = gymnasium.make_vec("engram/PickupDist-v0", 3, vectorization_mode="vector_entry_point")
    theirs = make_original("BabyAI-PickupDist-v0", 3)
    for seed in (5, None, None, 5):
        assert_same_view(ours.reset(seed=seed)[0], theirs.reset(seed=seed)[0])


def test_next_step_autoreset_is_minigrids():
    ours = gymnasium.make_vec(
        "engram/GoToObj-v0",
        4,
        vectorization_mode="vector_entry_point",
        autoreset_mode=AutoresetMode.NEXT_STEP,
        size=5,
        max_steps=9,
    )
    theirs = make_original("BabyAI-GoToObj-v0", 4, mode=AutoresetMode.NEXT_STEP, room_size=5, max_steps=9)
    assert_same_view(ours.reset(seed=0)[0], theirs.reset(seed=0)[0])
    for actions in np.random.default_rng(0).integers(7, size=(100, 4)):
        mine, other = ours.step(actions), theirs.step(actions)
        assert_same_view(mine[0], other[0])
        for one, its in zip(mine[1:4], other[1:4], strict=True):
            assert np.array_equal(one, its)


@pytest.mark.parametrize("env_id", ["engram/PickupDist-v0", "engram/Memory-v0"])
def test_the_single_form_is_lane_0(env_id):
    ours = gymnasium.make_vec(env_id, 2, vectorization_mode="vector_entry_point", max_steps=9)
    single = gymnasium.make(env_id, max_steps=9)
    batch, one = ours.reset(seed=3)[0], single.reset(seed=3)[0]
    for action in np.random.default_rng(0).integers(7, size=60):
        assert all(np.array_equal(batch[name][0], one[name]) for name in batch)
        batch, rewards, terminated, truncated, _ = ours.step(np.full(2, action))
        one, reward, *ends, _ = single.step(action)
        assert (rewards[0], terminated[0], truncated[0]) == (reward, *ends)
        if any(ends):
            one, _ = single.reset()
