"""Levels whose episodes minigrid draws, played in a batch from injected layouts, frame for frame."""

import contextlib
import io
from collections import Counter

import gymnasium
import numpy as np
import pytest

from engram.envs.minigrid.batched import BatchedGrid
from engram.envs.minigrid.cells import CELLS, EMPTY, WALL, code_of
from engram.envs.minigrid.layout import Layout
from engram.envs.minigrid.level import GridLevel
from engram.envs.minigrid.mission import LENGTH
from engram.envs.minigrid.objectives import GoTo, Open, PickUp, ReachGoal
from engram.envs.minigrid.original import layout_of
from tests.envs.minigrid.guide import Guide
from tests.envs.minigrid.twins import count, make_original, tokens

pytest.importorskip("minigrid")

LEVELS = {
    "MiniGrid-ObstructedMaze-1Dlhb-v0": PickUp,
    "MiniGrid-ObstructedMaze-2Dlhb-v0": PickUp,
    "MiniGrid-ObstructedMaze-Full-v1": PickUp,
    "MiniGrid-KeyCorridorS3R3-v0": PickUp,
    "MiniGrid-BlockedUnlockPickup-v0": PickUp,
    "MiniGrid-FourRooms-v0": ReachGoal,
    "MiniGrid-LavaCrossingS9N2-v0": ReachGoal,
    "MiniGrid-SimpleCrossingS11N5-v0": ReachGoal,
    "BabyAI-GoToObjMaze-v0": GoTo,
    "BabyAI-GoToRedBallGrey-v0": GoTo,
    "BabyAI-GoToDoor-v0": GoTo,
    "BabyAI-Pickup-v0": PickUp,
    "BabyAI-FindObjS5-v0": PickUp,
    "BabyAI-UnblockPickup-v0": PickUp,
    "BabyAI-KeyInBox-v0": Open,
    "BabyAI-Unlock-v0": Open,
    "BabyAI-UnlockLocalDist-v0": Open,
}
"""What ends an episode, by minigrid's id."""

WITH_CONTENTS = {name for name in LEVELS if "hb" in name or "Full" in name or "KeyInBox" in name}
BRIEF, LONG, STEPS = 3, 60, 100  # episodes, and the most steps of one


class Given(GridLevel):
    """A level of a shape and an objective, whose layouts are given."""

    def __init__(self, layout, objective):
        self.layout, self._objective = layout, objective

    @property
    def shape(self):
        return self.layout.cells.shape

    @property
    def objective(self):
        return self._objective

    def _draw(self, draws):
        return self.layout


def play(env_id, episodes):
    """Play episodes one after the other, each from the layout minigrid drew; return what happened."""
    theirs, met = make_original(env_id, 1).envs[0].unwrapped, Counter()
    for seed in range(episodes):
        with contextlib.redirect_stdout(io.StringIO()):
            seen, _ = theirs.reset(seed=seed)
        layout = layout_of(theirs)
        ours = BatchedGrid(Given(layout, LEVELS[env_id]))
        mine = ours.reset(options={"layout": layout})
        met["contents"] += int(any(CELLS[code].contents for code in layout.cells.flat))
        guide = Guide(ours, seed)
        for _ in range(STEPS):
            assert np.array_equal(mine[0]["image"][0], seen["image"])
            assert mine[0]["direction"][0] == seen["direction"]
            assert np.array_equal(mine[0]["mission"], tokens([seen["mission"]]))
            actions, before, held = guide.act(), ours._world.cells.copy(), ours._world.carried.copy()
            mine = ours.step(actions)
            seen, reward, terminated, truncated, _ = theirs.step(int(actions[0]))
            assert (mine[1][0], mine[2][0], mine[3][0]) == (reward, terminated, truncated)
            count(met, ours, mine, actions, mine[2] | mine[3], before, held)
            if terminated or truncated:
                last = mine[4]["final_obs"][0]
                assert np.array_equal(last["image"], seen["image"])
                assert last["direction"] == seen["direction"]
                break
    return met


@pytest.mark.parametrize("env_id", LEVELS)
def test_some_frames_are_minigrids(env_id):
    met = play(env_id, BRIEF)
    assert (met["contents"] > 0) == (env_id in WITH_CONTENTS)


@pytest.mark.slow
def test_many_frames_are_minigrids():
    met = sum((play(env_id, LONG) for env_id in LEVELS), Counter())
    for event in ("successes", "failures", "box opened", "things taken", "locked door open", "contents"):
        assert met[event], event


def room(**changes):
    cells = np.full((7, 7), WALL, np.uint8)
    cells[1:6, 1:6] = EMPTY
    cells[3, 4] = code_of("ball", "green")
    return Layout(cells, (2, 3), 0, "pick up the green ball", 20)._replace(**changes)


def make(lanes=2):
    return gymnasium.make_vec("engram/PickupDist-v0", lanes, vectorization_mode="vector_entry_point")


def test_layouts_are_given_for_all_lanes_or_one_by_one():
    envs = make()
    envs.reset(seed=0, options={"layout": room()})
    envs.step(np.array([2, 0]))
    *_, info = step = envs.step(np.array([3, 3]))
    assert step[1].tolist() == [1 - 0.9 * (2 / 20), 0.0]
    assert info["final_info"]["success"].tolist() == [True, False]
    seen, _ = envs.reset(options={"layout": [room(), room(direction=2)]})
    assert seen["direction"].tolist() == [0, 2]


def test_a_layout_that_was_drawn_can_be_given():
    envs, others = make(), make()
    seen, info = envs.reset(seed=3)
    layouts = [envs.hidden_choices(lane)["layout"] for lane in range(2)]
    again, told = others.reset(options={"layout": layouts})
    for name in seen:
        assert np.array_equal(seen[name], again[name])
    assert info["distractors"].tolist() == told["distractors"].tolist()


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ("here", r"options\.layout: 'here'"),
        ([room()] * 3, r"options\.layout: .*legal: a Layout, or 2 of them"),
        ([1, 2], r"options\.layout: 1 is no engram\.envs\.minigrid\.layout\.Layout"),
        (room(cells=np.zeros((3, 3), np.uint8)), r"options\.layout\.cells: uint8 \(3, 3\)"),
        (room(cells=np.full((7, 7), 200, np.uint8)), r"options\.layout\.cells"),
        (room(agent=(0, 0)), r"options\.layout\.agent: \(0, 0\)"),
        (room(agent=(9, 1)), r"options\.layout\.agent: \(9, 1\)"),
        (room(direction=4), r"options\.layout\.direction: 4; legal: 0 to 3"),
        (room(max_steps=0), r"options\.layout\.max_steps: 0; legal: >= 1"),
        (room(mission="go " * (LENGTH + 1)), r"has 14 words; legal: at most 13"),
    ],
)
def test_what_cannot_be_played_is_refused(layout, message):
    with pytest.raises(ValueError, match=message):
        make().reset(options={"layout": layout})


def test_other_options_are_refused():
    with pytest.raises(ValueError, match=r"options\.layuot: unknown 'layuot'; did you mean 'layout'\?"):
        make().reset(options={"layuot": room()})
    memory = gymnasium.make("engram/Memory-v0", size=7)
    with pytest.raises(ValueError, match=r"options\.layout: 1 things in 1 grids; legal: three in each"):
        memory.reset(options={"layout": room()})
