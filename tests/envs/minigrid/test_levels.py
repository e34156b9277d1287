"""What the parameters of the levels do beside minigrid's own."""

import gymnasium
import numpy as np
import pytest
import scipy.stats

from engram.envs.minigrid.cells import CELLS, KINDS, THINGS
from engram.envs.minigrid.levels.memory import MemoryLevel
from engram.envs.minigrid.levels.pickup_dist import PickupDistLevel
from engram.envs.minigrid.oracles import ORACLES
from engram.envs.minigrid.things import most_things
from engram.envs.minigrid.view import VIEW

KNOWN, NOVEL = ["red", "green", "blue", "purple"], ["yellow", "grey"]
EPISODES = 300
PAPER = {
    "target": "green ball",
    "distractor_colors": KNOWN,
    "novel_colors": NOVEL,
    "novel_share": 0.25,
    "wrong_pickup_ends": True,
}


def make(env_id, lanes=EPISODES, **arguments):
    return gymnasium.make_vec(env_id, lanes, vectorization_mode="vector_entry_point", **arguments)


def things_of(envs):
    """Kind and colour of what lies in each lane."""
    return [
        [(cell.kind, cell.color) for cell in (CELLS[code] for code in grid.flat) if cell.kind in THINGS]
        for grid in envs._world.grids
    ]


def missions_of(envs):
    return [envs._text(lane) for lane in range(envs.num_envs)]


def test_known_and_novel_distractors_in_one_run():
    envs = make("engram/PickupDist-v0", **PAPER)
    _, info = envs.reset(seed=0)
    assert envs.metadata["group_by"] == "distractors"
    assert abs((info["distractors"] == "novel").mean() - 0.25) < 0.1  # 4 standard errors
    for kind, things in zip(info["distractors"], things_of(envs), strict=True):
        assert len(things) == len(set(things)) == 5
        assert ("ball", "green") in things
        others = {color for thing, color in things if (thing, color) != ("ball", "green")}
        assert others <= set(NOVEL if kind == "novel" else KNOWN)
    assert set(missions_of(envs)) == {"pick up the green ball"}


@pytest.mark.parametrize(("share", "told"), [(0, {"known"}), (1, {"novel"})])
def test_shares_of_all_and_none(share, told):
    _, info = make("engram/PickupDist-v0", **{**PAPER, "novel_share": share}).reset(seed=0)
    assert set(info["distractors"]) == told


def test_results_are_split_where_something_is_held_out_alone():
    envs = make("engram/PickupDist-v0")
    _, info = envs.reset(seed=0)
    assert envs.metadata["group_by"] is None
    assert set(info["distractors"]) == {"known"}


def test_targets_are_drawn_from_a_list():
    targets = [f"{color} {kind}" for color in KNOWN for kind in ("key", "ball", "box")]
    for env_id, verb in (("engram/PickupDist-v0", "pick up"), ("engram/GoToLocal-v0", "go to")):
        envs = make(env_id, target=targets, distractor_colors=KNOWN)
        envs.reset(seed=0)
        assert set(missions_of(envs)) == {f"{verb} the {target}" for target in targets}
        for text, things in zip(missions_of(envs), things_of(envs), strict=True):
            assert sum(text.endswith(f"{color} {kind}") for kind, color in things) == 1
            assert {color for _, color in things} <= set(KNOWN)


def test_kinds_colours_and_numbers_of_distractors():
    envs = make(
        "engram/GoToLocal-v0", distractors=2, distractor_colors="red", distractor_types=["box", "key"]
    )
    envs.reset(seed=0)
    assert {thing for things in things_of(envs) for thing in things} == {("box", "red"), ("key", "red")}
    assert {len(things) for things in things_of(envs)} == {3}


def finals(envs, act, episodes):
    """Success and info of episodes, as they end."""
    observations, _ = envs.reset(seed=1)
    ended = []
    while len(ended) < episodes:
        observations, _, terminated, truncated, info = envs.step(act(observations))
        for lane in np.flatnonzero(terminated | truncated):
            ended.append({name: values[lane] for name, values in info["final_info"].items()})
    return ended


@pytest.mark.parametrize(
    ("env_id", "arguments", "least"),
    [
        ("engram/Memory-v0", {"size": 7}, 1.0),
        ("engram/Memory-v0", {"size": 13}, 1.0),
        ("engram/Memory-v0", {"size": [7, 11], "random_length": True, "start": "mixed"}, 1.0),
        ("engram/Memory-v0", {"size": 13, "start": "mixed", "facing": "any"}, 1.0),
        ("engram/PickupDist-v0", {}, 0.97),
        ("engram/PickupDist-v0", PAPER, 0.97),
    ],
)
def test_oracles_find_what_is_asked_for(env_id, arguments, least):
    envs = make(env_id, 32, **arguments)
    ended = finals(envs, ORACLES[env_id](32).act, EPISODES)
    assert np.mean([info["success"] for info in ended]) >= least


def test_a_wrong_choice_in_memory_is_the_end():
    envs = make("engram/Memory-v0", 32, size=7)
    oracle = ORACLES["engram/Memory-v0"](32)

    def act(observations):
        """The right way, and the wrong turn in the end."""
        chosen = oracle.act(observations)
        return np.where(oracle._chose & (chosen < 2), 1 - chosen, chosen)

    ended = finals(envs, act, 64)
    assert not any(info["success"] for info in ended)


@pytest.mark.parametrize("size", [7, 9, 11, 17])
def test_beside_the_cue_it_is_seen_at_once(size):
    envs = make("engram/Memory-v0", 40, size=size, start="cue")
    seen, info = envs.reset(seed=0)
    assert set(info["start"]) == {"cue"}
    assert (seen["direction"] == 0).all()
    for image, things in zip(seen["image"], things_of(envs), strict=True):
        assert (
            image[VIEW // 2 - 1, VIEW - 1, 0] == {"key": 5, "ball": 6}[things[1][0]]
        )  # row by row the second


def seen_from_the_crossing(size):
    """Things in view at the crossing, looking back."""
    envs = make("engram/Memory-v0", 1, size=size)
    envs.reset(seed=0)
    envs._world.agent[:] = envs._world.place_of(0, size - 2 - 1 + 1, size // 2)
    envs._world.direction[:] = 2
    kinds = envs._observe(slice(None))["image"][..., 0]
    return int(np.isin(kinds, [KINDS.index(kind) for kind in THINGS]).sum())


def test_memory_is_needed_from_size_11_on():
    assert {size: seen_from_the_crossing(size) for size in (7, 9, 11, 13)} == {7: 3, 9: 3, 11: 2, 13: 2}
    assert [MemoryLevel(size).memory_delay for size in (7, 9, 11, 13)] == [0, 0, 8, 10]
    assert gymnasium.make("engram/Memory-v0", size=11).unwrapped.memory_delay == 8
    assert gymnasium.make("engram/DoorKey-v0").unwrapped.memory_delay is None


def test_the_delay_is_that_of_the_shortest_way():
    """From beside the cue straight on to the crossing: the step there is the one that needs it."""
    envs = make("engram/Memory-v0", 16, size=17, random_length=True, start="cue")
    _, info = envs.reset(seed=0)
    assert len(set(info["delay"])) > 4
    steps, ahead = np.zeros(16, int), np.full(16, 2)
    for _ in range(16):
        before = envs._world.agent.copy()
        envs.step(ahead)
        steps += envs._world.agent != before
    assert np.array_equal(info["delay"], np.where(steps > 6, steps, 0))


def test_mixed_starts():
    _, info = make("engram/Memory-v0", start="mixed", cue_share=0.3).reset(seed=0)
    assert abs((info["start"] == "cue").mean() - 0.3) < 0.11  # 4 standard errors


def test_drawn_directions_are_of_those_who_do_not_begin_beside_the_cue():
    envs = make("engram/Memory-v0", start="mixed", facing="any")
    seen, info = envs.reset(seed=0)
    at_cue = info["start"] == "cue"
    assert set(seen["direction"][at_cue]) == {0}
    counts = np.bincount(seen["direction"][~at_cue], minlength=4)
    assert scipy.stats.chisquare(counts).pvalue > 1e-3


def test_sizes_and_numbers_of_rooms_are_drawn():
    _, info = make("engram/Memory-v0", size={"low": 7, "high": 11}).reset(seed=0)
    assert set(info["size"]) == {7, 9, 11}
    _, info = make("engram/MultiRoom-v0", 64, rooms={"low": 1, "high": 3}, room_size=4).reset(seed=0)
    assert set(info["rooms"]) == {1, 2, 3}


@pytest.mark.parametrize(
    ("env_id", "arguments", "message"),
    [
        ("Memory", {"size": 8}, "size: 8 is even; legal: odd, from 7 on; nearest: 9"),
        ("Memory", {"size": 5}, "size: 5 is too small; .*nearest: 7"),
        ("Memory", {"start": "que"}, "start: unknown 'que'; did you mean 'cue'"),
        ("Memory", {"cue_share": 0.2}, "cue_share: 0.2 has no effect with start: any; legal: start: mixed"),
        ("Memory", {"facing": "left"}, "facing: unknown 'left'; known: any, away"),
        (
            "Memory",
            {"start": "cue", "facing": "any"},
            "facing: any has no effect with start: cue; legal: start: any, start: mixed",
        ),
        ("Memory", {"start": "mixed", "cue_share": 2}, "cue_share: 2 is no share; legal: 0 to 1; nearest: 1"),
        ("Memory", {"random_length": 1}, "random_length: 1 is not a boolean"),
        ("Memory", {"max_steps": 0}, "max_steps: 0 is too small; legal: >= 1 env steps, or none; nearest: 1"),
        ("MultiRoom", {"rooms": 0}, "rooms: 0 is too small; .*nearest: 1"),
        ("MultiRoom", {"rooms": 12}, "rooms: 12 is too large; .* at most 11; nearest: 11"),
        (
            "MultiRoom",
            {"rooms": [2, 21], "room_size": 4},
            "rooms: 21 is too large; .* at most 20; nearest: 20",
        ),
        ("MultiRoom", {"room_size": 3}, "room_size: 3 is too small; .*nearest: 4"),
        ("PickupDist", {"distractors": 30}, "distractors: 30 is too large; .*nearest: 7"),
        (
            "PickupDist",
            {"distractor_colors": "red"},
            "distractors: 4 are too many, there are 2 different ones",
        ),
        ("PickupDist", {"distractor_colors": ["pink"]}, "distractor_colors: unknown 'pink'; known: blue"),
        ("PickupDist", {"distractor_colors": []}, r"distractor_colors: \[\]; legal: one or more of blue"),
        ("PickupDist", {"distractor_types": "dor"}, "distractor_types: unknown 'dor'"),
        ("PickupDist", {"target": "green bal"}, "target: unknown 'green bal'; did you mean 'green ball'"),
        (
            "PickupDist",
            {"target": []},
            r"target: \[\]; legal: drawn, a thing such as 'green ball', or a list",
        ),
        ("PickupDist", {"target": ["drawn", "red key"]}, "legal: drawn, a thing such as"),
        (
            "PickupDist",
            {"novel_share": 0.5},
            "novel_share: has no effect without novel_colors; legal: both, or neither",
        ),
        (
            "PickupDist",
            {"novel_share": 0.5, "novel_colors": NOVEL},
            "novel_colors: no effect with target: drawn; legal: a target by name",
        ),
        (
            "PickupDist",
            {"target": "red key", "distractor_colors": KNOWN, "novel_colors": "yellow", "novel_share": 1},
            "there are 3 different",
        ),
        (
            "PickupDist",
            {"target": "red key", "novel_colors": NOVEL, "novel_share": 0.5},
            r"novel_colors: known distractors may have .*, too \(distractor_colors: all, unless set\)",
        ),
        (
            "PickupDist",
            {"target": "red key", "distractor_colors": ["red", "grey"], "novel_colors": ["grey", "blue"]}
            | {"novel_share": 0.5},
            "novel_colors: known distractors may have grey, too; legal: colours that distractor_colors lacks",
        ),
        (
            "PickupDist",
            {"target": "red key", "distractors": 0, "distractor_colors": KNOWN}
            | {"novel_colors": NOVEL, "novel_share": 0.5},
            "novel_colors: no effect with distractors: 0",
        ),
        ("PickupDist", {"wrong_pickup_ends": "yes"}, "wrong_pickup_ends: 'yes' is not a boolean"),
        ("GoToLocal", {"size": 3}, "size: 3 is too small; .*nearest: 4"),
        ("GoToObj", {"size": 1000}, "size: 1000 is too large"),
        ("DoorKey", {"size": 4}, "size: 4 is too small; .*nearest: 5"),
        ("Fetch", {"size": 4, "distractors": 3}, "distractors: 3 is too large; .*nearest: 2"),
        ("FindObj", {"size": 3}, "size: 3 is too small; .*nearest: 4"),
        ("Pickup", {"distractors": -1}, "distractors: -1 is too small; .*nearest: 0"),
        ("Pickup", {"distractors": 54}, "distractors: 54 is too large; .*nearest: 53"),
        ("UnlockPickup", {"distractors": 17}, "distractors: 17 is too large; .*nearest: 16"),
    ],
)
def test_what_is_not_legal_is_refused(env_id, arguments, message):
    for make_one in (gymnasium.make, make):
        with pytest.raises(ValueError, match=message):
            make_one(f"engram/{env_id}-v0", **arguments)


def test_an_unknown_argument_names_the_nearest():
    with pytest.raises(TypeError, match=r"unknown 'distracters'; did you mean 'distractors'\?"):
        make("engram/PickupDist-v0", distracters=3)


def test_the_fullest_rooms_can_be_drawn():
    for size in (4, 5, 6, 7, 9):
        most = most_things(size) - 1
        for env_id in ("engram/GoToLocal-v0", "engram/PickupDist-v0"):
            if env_id == "engram/PickupDist-v0":
                most = min(most, 17)  # no two of its things are alike
            envs = make(env_id, 10, size=size, distractors=most)
            envs.reset(seed=0)
            assert {len(things) for things in things_of(envs)} == {most + 1}


@pytest.mark.parametrize(("rooms", "room_size"), [(20, 4), (11, 10), (5, 24)])
def test_the_most_rooms_can_be_drawn(rooms, room_size):
    _, info = make("engram/MultiRoom-v0", 2, rooms=rooms, room_size=room_size).reset(seed=0)
    assert info["rooms"].tolist() == [rooms] * 2


def test_a_state_holds_the_draws_to_come():
    """Lanes go on with their own generators: many episodes later all is still equal."""
    envs, others = (make("engram/MultiRoom-v0", 5, rooms=[1, 2], room_size=5, max_steps=7) for _ in range(2))
    rng = np.random.default_rng(0)
    envs.reset(seed=2)
    for actions in rng.integers(7, size=(33, 5)):
        envs.step(actions)
    others.set_state(envs.get_state())
    for actions in rng.integers(7, size=(100, 5)):
        mine, theirs = envs.step(actions), others.step(actions)
        for name in mine[0]:
            assert np.array_equal(mine[0][name], theirs[0][name])
        assert all(np.array_equal(one, other) for one, other in zip(mine[1:4], theirs[1:4], strict=True))


def test_lanes_are_seeded_one_after_the_other():
    together, alone = make("engram/Fetch-v0", 3), make("engram/Fetch-v0", 1)
    seen, _ = together.reset(seed=7)
    for lane in range(3):
        own, _ = alone.reset(seed=7 + lane)
        for name in seen:
            assert np.array_equal(seen[name][lane], own[name][0])


def test_levels_are_plain_parameters():
    assert PickupDistLevel() == PickupDistLevel(7, 4)
    assert PickupDistLevel(distractor_colors=["red", "blue"], distractors=2).colors == ("blue", "red")
