"""Known answers of the T-maze, in both forms."""

import numpy as np
import pytest
from gymnasium.error import ResetNeeded

from engram.envs.games.oracles import TMazeOracle
from engram.envs.games.tmaze.batched import BatchedTMaze
from engram.envs.games.tmaze.rules import (
    LOOK,
    MAZE_WALLS,
    SIDES,
    SPECKLE_SHARE,
    WORLD,
    TMazeRules,
    world_masks,
)
from engram.envs.games.tmaze.single import TMaze

from . import play as playing

FORMS = [TMaze, BatchedTMaze]
BOTH_SIDES = {"which_goal": ["left", "right"]}


def play(env, act, options=None, seed=0):
    """First episode of each lane: observations, returns, lengths, successes."""
    seen, _, returns, lengths, facts = playing.play(env, act, options, seed)
    return seen, returns, lengths, facts["success"]


def test_oracle_earns_the_best_return():
    _, returns, lengths, success = play(BatchedTMaze(2), TMazeOracle(2).act, BOTH_SIDES)
    assert returns == pytest.approx([0.613, 0.611], abs=1e-12)
    assert lengths.tolist() == [389, 391]
    assert success.all()


@pytest.mark.parametrize(("side", "best"), [("left", 0.613), ("right", 0.611)])
def test_oracle_earns_the_best_return_on_pycolab(side, best):
    env, oracle = TMaze(), TMazeOracle()
    observation, _ = env.reset(seed=0, options={"which_goal": side})
    earned, terminated = 0.0, False
    while not terminated:
        observation, reward, terminated, _, info = env.step(oracle.act(observation[None])[0])
        earned += reward
    assert earned == pytest.approx(best, abs=1e-12)
    assert info == {"level": 4, "limbo_time": 280, "delay": 281, "success": True}


@pytest.mark.parametrize("level", range(6))
def test_oracle_walks_the_shortest_way_at_each_level(level):
    west, east = MAZE_WALLS[level]
    moves = np.array([94 - (west + 3), (east - 3) - 94]) + 5
    _, returns, lengths, _ = play(BatchedTMaze(2, level=level), TMazeOracle(2).act, BOTH_SIDES)
    goal_frame = 49 + 280 + 1 + moves  # teleport, limbo, one ignored action, walk
    assert lengths.tolist() == (goal_frame + 2).tolist()
    assert returns == pytest.approx(1 - 0.001 * goal_frame)


def test_the_wrong_goal_costs_one():
    oracle = TMazeOracle(2)
    _, returns, _, success = play(
        BatchedTMaze(2), lambda seen: oracle.act(seen, np.array([1, 0])), BOTH_SIDES
    )
    assert returns == pytest.approx([-1.389, -1.387])
    assert not success.any()


def test_random_and_idle_policies_run_into_the_timeout():
    rng = np.random.default_rng(0)
    for act in (lambda seen: rng.integers(5, size=32), lambda seen: np.full(32, 4)):
        _, returns, lengths, success = play(BatchedTMaze(32), act)
        assert returns == pytest.approx(np.full(32, -0.998))
        assert (lengths == 1000).all()
        assert not success.any()


def test_timeline_of_the_fastest_player():
    seen, *_ = play(BatchedTMaze(2), TMazeOracle(2).act, BOTH_SIDES)
    cue, pad = seen[..., 1].any(axis=(2, 3)), seen[..., 3].any(axis=(2, 3))
    assert cue[:50].all()
    assert not cue[50:389].any()
    assert not pad[:49].any()
    assert pad[49].all()
    limbo = seen[50:329]
    assert (limbo == limbo[0]).all()
    assert (seen[329] != limbo[0]).any()
    assert (seen[329] == seen[330]).all()  # two actions are ignored
    assert (seen[330] != seen[331]).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("form", [TMaze, BatchedTMaze])
def test_results_are_split_by_what_is_drawn(form):
    assert form(level=[0, 1]).metadata["group_by"] == "level"
    assert form(limbo_time=[3]).metadata["group_by"] == "level"
    assert form(limbo_time=[3, 5]).metadata["group_by"] == "limbo_time"


def test_limbo_times_are_drawn_and_lived():
    """Every time comes up about as often, and an oracle's episode is as much longer as its limbo is."""
    env = BatchedTMaze(300, level=0, teleport_delay=2, limbo_time=[3, 7, 20])
    _, _, lengths, _ = play(env, TMazeOracle(300).act)
    env.reset(seed=0)
    times = np.array([env.hidden_choices(lane)["limbo_time"] for lane in range(300)])
    sides = np.array([env.hidden_choices(lane)["which_goal"] for lane in range(300)])
    assert set(times) == {3, 7, 20}
    assert np.bincount(times)[[3, 7, 20]].min() > 70
    for side in SIDES:
        assert len(set((lengths - times)[sides == side])) == 1


def test_memory_delay_is_the_longest():
    assert BatchedTMaze(1, limbo_time=[20, 3]).memory_delay == TMaze(limbo_time=[20, 3]).memory_delay == 21


@pytest.mark.parametrize(("limbo_time", "delay"), [(280, 281), (3, 4), (20, 21), (0, 2)])
def test_memory_delay_is_what_an_episode_shows(limbo_time, delay):
    env = BatchedTMaze(1, limbo_time=limbo_time)
    assert env.memory_delay == TMaze(limbo_time=limbo_time).memory_delay == delay
    seen, _, lengths, _ = play(env, TMazeOracle().act)
    last_cue = np.flatnonzero(seen[:-1, 0, ..., 1].any(axis=(1, 2)))[-1]
    walk = range(1, lengths[0] - 2)
    still = [n for n in walk if (seen[n] == seen[n - 1]).all()]
    assert still[-1] - last_cue == delay  # the first action that counts is chosen on the last still frame


@pytest.mark.parametrize("form", FORMS)
def test_each_episode_says_its_delay(form):
    env = form(limbo_time=[0, 7, 20])
    for limbo_time, delay in ((0, 2), (7, 8), (20, 21)):
        _, info = env.reset(seed=0, options={"limbo_time": limbo_time})
        assert info["delay"] == delay


@pytest.mark.parametrize("form", FORMS)
def test_without_memory_there_is_no_delay(form):
    env = form(cue_after_teleport=True)
    assert env.memory_delay == 0
    assert env.reset(seed=0)[1]["delay"] == 0


def test_hidden_choices_are_uniform_and_fresh():
    env = BatchedTMaze(512, level=[0, 2, 3], timeout_frames=1)
    stay = np.full(512, 4)
    env.reset(seed=3)
    drawn = []
    for _ in range(4):
        drawn.append([env.hidden_choices(lane) for lane in range(0, 512, 8)])
        env.step(stay)
    flat = [choice for episode in drawn for choice in episode]
    levels, goals = [choice["level"] for choice in flat], [choice["which_goal"] for choice in flat]
    assert {0, 2, 3} == set(levels)
    assert all(abs(levels.count(level) / len(flat) - 1 / 3) < 0.1 for level in (0, 2, 3))
    assert abs(goals.count("left") / len(flat) - 0.5) < 0.1
    masks = {choice["speckle"].tobytes() for choice in flat}
    assert len(masks) == len(flat)
    rows = [choice["speckle"][choice["speckle"].any(axis=1)] for choice in flat]
    assert abs(np.concatenate(rows).mean() - SPECKLE_SHARE) < 0.005


def test_single_form_draws_the_same_way():
    env = TMaze(level=[1, 5])
    drawn = []
    for seed in range(200):
        env.reset(seed=seed)
        drawn.append(env.hidden_choices)
    assert abs(np.mean([choice["level"] for choice in drawn]) - 3) < 0.5
    assert abs(np.mean([choice["which_goal"] == "left" for choice in drawn]) - 0.5) < 0.12
    assert abs(np.mean([choice["speckle"].mean() for choice in drawn]) - SPECKLE_SHARE) < 0.001


def test_choices_may_be_given_per_lane():
    env = BatchedTMaze(3)
    speckle = np.zeros((3, *WORLD), bool)
    speckle[1] = world_masks()["*"]
    options = {"which_goal": ["right", "left", "right"], "level": [5, 0, 2], "speckle": speckle}
    _, info = env.reset(options=options)
    assert info["level"].tolist() == [5, 0, 2]
    choices = [env.hidden_choices(lane) for lane in range(3)]
    assert [choice["which_goal"] for choice in choices] == options["which_goal"]
    assert [bool(choice["speckle"].any()) for choice in choices] == [False, True, False]


def test_rendering():
    text = [TMaze(render_mode="ansi"), BatchedTMaze(2, render_mode="ansi")]
    pixels = [TMaze(render_mode="rgb_array"), BatchedTMaze(2, render_mode="rgb_array")]
    for env in text + pixels:
        env.reset(seed=0, options={"which_goal": "left"})
    room = [
        "   #####   ",
        "   #   #   ",
        "   #   #   ",
        "   # P #   ",
        "QQ #####   ",
        "QQ         ",
        "QQ         ",
    ]
    assert text[0].render().splitlines() == room
    assert [frame.splitlines() for frame in text[1].render()] == [room, room]
    image = pixels[0].render()
    assert image.shape == (7 * 16, 11 * 16, 3)
    assert image[3 * 16, 5 * 16].tolist() == list(LOOK.colours["P"])
    assert len(pixels[1].render()) == 2
    assert np.array_equal(pixels[1].render()[1], image)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"level": 7}, r"level: there is no level 7; legal: 0, 1, 2, 3, 4, 5, .*nearest: 5"),
        ({"level": [0, -1]}, r"level: there is no level -1"),
        ({"level": []}, r"level: the list is empty"),
        ({"level": 2.5}, r"level: 2.5 is not a whole number"),
        ({"level": True}, r"level: True is not a whole number"),
        ({"level": "4"}, r"level: '4' is not a whole number"),
        ({"teleport_delay": -1}, r"teleport_delay: -1 is too small; legal: >= 0 env steps; nearest: 0"),
        ({"limbo_time": -3}, r"limbo_time: -3 is too small; legal: 0 \(no limbo\) or >= 3 env steps"),
        ({"limbo_time": []}, r"limbo_time: the list is empty; legal: 0 \(no limbo\) or >= 3"),
        ({"limbo_time": [3, 2]}, r"limbo_time: 2 is too short"),
        ({"limbo_time": 1}, r"limbo_time: 1 is too short; legal: 0 .* nearest: 3"),
        ({"limbo_time": 2}, r"limbo_time: 2 is too short"),
        ({"timeout_frames": 0}, r"timeout_frames: 0 would end .* nearest: 1"),
        ({"timeout_frames": -2}, r"timeout_frames: -2 is too small; legal: -1 \(never\) or >= 1"),
        ({"cue_after_teleport": "yes"}, r"cue_after_teleport: 'yes' is not a boolean"),
        (
            {"render_mode": "ascii"},
            r"render_mode: unknown 'ascii'; did you mean 'ansi'\? known: ansi, .*rgb_array",
        ),
    ],
)
def test_illegal_arguments_are_named(form, arguments, message):
    with pytest.raises(ValueError, match=message):
        form(**arguments)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"goal": "left"}, r"options.goal: unknown 'goal'"),
        ({"which_goal": "lefd"}, r"options.which_goal: unknown 'lefd'; did you mean 'left'\?"),
        ({"which_goal": 0}, r"options.which_goal: unknown 0"),
        ({"which_goal": ["left"] * 5}, r"options.which_goal: shape \(5,\) does not fit"),
        ({"level": 6}, r"options.level: there is no level 6"),
        (
            {"speckle": np.zeros((7, 11), bool)},
            r"options.speckle: shape \(7, 11\) does not fit; legal: \(77, 191\)",
        ),
    ],
)
def test_illegal_reset_options_are_named(form, options, message):
    with pytest.raises(ValueError, match=message):
        form().reset(options=options)


def test_illegal_use_of_the_single_form():
    env = TMaze(timeout_frames=1)
    for use in (lambda: env.step(0), lambda: env.board):
        with pytest.raises(ResetNeeded):
            use()
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"action: 5 is not legal"):
        env.step(5)
    env.step(4)
    with pytest.raises(ResetNeeded):
        env.step(4)


def test_illegal_use_of_the_batched_form():
    env = BatchedTMaze(2)
    stay = np.full(2, 4)
    for use in (lambda: env.step(stay), lambda: env.board, env.get_state):
        with pytest.raises(ResetNeeded):
            use()
    env.reset(seed=0)
    for actions, message in [
        ([0, 5], r"actions\[1\]: 5 is not legal"),
        ([-1, 0], r"actions\[0\]: -1 is not legal"),
        ([0], r"one per lane \(2,\)"),
        ([0.0, 1.0], r"actions: float64"),
    ]:
        with pytest.raises(ValueError, match=message):
            env.step(np.array(actions))
    with pytest.raises(ValueError, match=r"num_envs: 0 is too small"):
        BatchedTMaze(0)
    with pytest.raises(
        ValueError, match=r"autoreset_mode: unknown 'Disabled'; .*known: NEXT_STEP, NextStep, SAME_STEP"
    ):
        BatchedTMaze(1, autoreset_mode="Disabled")


def test_defaults_are_the_papers():
    assert TMaze().rules == BatchedTMaze().rules == TMazeRules(4, 50, 280, 1000, False)
