"""Atari lanes: what ALE's own vector environment does not promise, and what a user sees of it.

B lanes.
"""

import pickle
from functools import partial

import numpy as np
import pytest
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from engram.envs.atari.lanes import AtariLanes
from engram.envs.atari.single import Atari
from engram.envs.conformance import require_vector_env

vector_env = pytest.importorskip("ale_py.vector_env", reason="ale_py is missing: engram[atari]")

SMALL = {"img_height": 20, "img_width": 24}
SAME_STEP, NEXT_STEP = AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP


def lanes(game="breakout", num_envs=2, **options):
    return AtariLanes(num_envs, game, **SMALL | options)


@pytest.fixture(scope="module")
def breakout():
    """Two lanes that are reset anew by each test."""
    env = lanes()
    yield env
    env.close()


def play(env, steps, seed=0):
    """Plays through all actions in turn; returns what reset and steps gave."""
    yield env.reset(seed=seed)
    for step in range(steps):
        yield env.step(np.full(env.num_envs, step % 4))


def same(one, other):
    """Whether two plays give the same observations, rewards and ends."""
    return all(
        np.array_equal(a[0], b[0]) and all(map(np.array_equal, a[1:-1], b[1:-1]))
        for a, b in zip(one, other, strict=True)
    )


def differ(one, other):
    return any(not np.array_equal(a[0], b[0]) for a, b in zip(one, other, strict=True))


def test_an_action_that_there_is_not_is_refused_and_the_game_goes_on(breakout):
    breakout.reset(seed=0)
    for actions, said in (
        ([4, 0], r"actions\[0\]: 4 is not legal; legal: 0 NOOP, 1 FIRE, 2 RIGHT, 3 LEFT"),
        ([0, -1], r"actions\[1\]: -1 is not legal"),
        ([0.0, 1.0], r"actions: float64 \(2,\); legal: whole numbers, one per lane \(2,\)"),
        ([0], r"actions: int64 \(1,\); legal: whole numbers, one per lane"),
        ([True, False], r"actions: bool"),
    ):
        with pytest.raises(ValueError, match=said):
            breakout.step(np.array(actions))
    for kind in (np.int8, np.uint8, np.int32, np.int64):
        assert breakout.step(np.array([1, 2], kind))[1].dtype == np.float64
    assert breakout.step([1, 2])[0].shape == (2, 20, 24, 4)


def test_seeds(breakout):
    first = list(play(breakout, 20, seed=5))
    for seed in (
        5,
        np.int64(5),
        np.uint32(5),
        2**31 + 5,
        2**32 + 5,
        [5, 6],
        (5, 2**31 + 6),
        np.array([5, 6]),
    ):
        assert same(first, play(breakout, 20, seed=seed)), seed
    for seed in (7, [6, 5]):
        assert differ(first, list(play(breakout, 20, seed=seed))), seed


@pytest.mark.parametrize(
    ("seed", "said"),
    [
        (-1, "seed: -1 is too small; legal: whole numbers >= 0; nearest: 0"),
        (0.5, "seed: 0.5 is not a whole number"),
        ([1], r"seed: 1 of them; legal: a whole number >= 0, or one per lane \(2\)"),
        ([1, -2], "seed: -2 is too small"),
    ],
)
def test_seeds_that_are_none(breakout, seed, said):
    with pytest.raises(ValueError, match=said):
        breakout.reset(seed=seed)  # before anything is reset


def test_games_without_a_seed_differ_and_go_on(breakout):
    games = [breakout.reset(seed=seed)[0] for seed in (3, None, None)]
    assert len({game.tobytes() for game in games}) > 1
    again = [breakout.reset(seed=seed)[0] for seed in (3, None, None)]
    assert all(map(np.array_equal, games, again))


@pytest.mark.parametrize("mode", [SAME_STEP, "SAME_STEP", "SameStep", NEXT_STEP, "NEXT_STEP", "NextStep"])
def test_modes_by_name_value_and_themselves_each_in_its_own_metadata(breakout, mode):
    before = dict(vector_env.AtariVectorEnv.metadata)
    env = lanes(num_envs=1, autoreset_mode=mode)
    env.close()
    wanted = NEXT_STEP if mode in (NEXT_STEP, "NEXT_STEP", "NextStep") else SAME_STEP
    assert env.autoreset_mode is env.metadata["autoreset_mode"] is wanted
    assert breakout.metadata["autoreset_mode"] is SAME_STEP
    assert vector_env.AtariVectorEnv.metadata == before


def test_frames_are_those_of_ales_own_vector_environment(breakout):
    """Stacks, rewards and ends, bit for bit, through the end of games."""
    options = {"num_threads": 2, "reward_clipping": False, "repeat_action_probability": 0.25}
    theirs = vector_env.AtariVectorEnv("breakout", 2, autoreset_mode="SameStep", **SMALL, **options)
    one, other = play(breakout, 250, seed=1), play(theirs, 250, seed=1)
    ends = 0
    for ours, ales in zip(one, other, strict=True):
        np.testing.assert_array_equal(ours[0], ales[0].transpose(0, 2, 3, 1))
        if len(ours) == 2:
            continue
        for mine, its in zip(ours[1:4], ales[1:4], strict=True):
            np.testing.assert_array_equal(mine, its)
        for lane in np.flatnonzero(ours[2] | ours[3]):
            ends += 1
            np.testing.assert_array_equal(
                ours[4]["final_obs"][lane], ales[4]["final_obs"][lane].transpose(1, 2, 0)
            )
    assert ends >= 2
    theirs.close()


def test_a_life_is_no_episode_and_a_score_is_a_whole_game(breakout):
    scores, lost, games, frames = np.zeros(2), 0, 0, 0
    lives = None
    for result in play(breakout, 300, seed=2):
        info = result[-1]
        if len(result) == 5:
            scores += result[1]
            ended = result[2] | result[3]
            lost += int((~ended & (info["lives"] < lives)).sum())
            for lane in np.flatnonzero(ended):
                final = info["final_info"]
                assert final["score"][lane] == scores[lane]
                assert final["lives"][lane] <= 1
                assert frames[lane] < final["episode_frame_number"][lane] <= frames[lane] + 4
                games += 1
            assert ("final_info" in info) == ended.any()
            scores[ended] = 0
        np.testing.assert_array_equal(info["score"], scores)
        lives, frames = info["lives"], info["episode_frame_number"]
    assert games >= 2
    assert lost >= 4 * games


def test_rewards_are_the_games_own():
    env = lanes("ms_pacman", 1)
    rewards = [float(result[1][0]) for result in play(env, 200) if len(result) == 5]
    env.close()
    assert max(rewards) >= 10


def test_a_game_that_is_cut_short_is_truncated():
    env = lanes(num_envs=1, max_num_frames_per_episode=40, noop_max=0)
    flags = [(bool(result[2][0]), bool(result[3][0])) for result in play(env, 10) if len(result) == 5]
    env.close()
    assert flags == [(False, False)] * 9 + [(False, True)]


def test_before_an_episode_there_are_zeros(breakout):
    observations, _ = breakout.reset(seed=0)
    assert not observations[..., :3].any()
    assert observations[..., 3].any()
    after = breakout.step(np.array([1, 1]))[0]
    np.testing.assert_array_equal(after[..., 2], observations[..., 3])


def test_colours():
    env, gray = lanes(num_envs=1, grayscale=False, stack_num=2), lanes(num_envs=1, stack_num=2)
    for colours, grays in zip(play(env, 5), play(gray, 5), strict=True):
        assert colours[0].shape == (1, 20, 24, 6)
        shown = colours[0].reshape(1, 20, 24, 2, 3).mean(-1) > 0
        np.testing.assert_array_equal(shown, grays[0] > 0)
    assert env.single_observation_space.frames == 2
    env.close()
    gray.close()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"game": "breakot"}, "game: unknown 'breakot'; did you mean 'breakout'"),
        ({"img_height": 0}, "img_height: 0 is too small; legal: >= 1 pixels; nearest: 1"),
        ({"img_width": 9999}, "img_width: 9999 is too large; legal: .* nearest: 512"),
        ({"stack_num": 1.5}, "stack_num: 1.5 is not a whole number"),
        ({"frameskip": [2, 5]}, r"frameskip: \[2, 5\] is not a whole number"),
        ({"noop_max": -1}, "noop_max: -1 is too small"),
        ({"num_threads": 0}, "num_threads: 0 is too small"),
        ({"max_num_frames_per_episode": 0}, "max_num_frames_per_episode: 0 is too small"),
        ({"repeat_action_probability": 1.5}, "repeat_action_probability: 1.5 is out of range; legal: 0 to 1"),
        ({"grayscale": "yes"}, "grayscale: 'yes' is not a boolean; legal: true, false"),
        (
            {"reward_clipping": True},
            "reward_clipping: true is not for lanes that train; .* config.clip_rewards",
        ),
        ({"episodic_life": True}, "episodic_life: true is not for lanes that train; legal: false"),
        ({"autoreset_mode": "DISABLED"}, "autoreset_mode: unknown 'DISABLED'"),
        ({"num_envs": 0}, "num_envs: 0 is too small"),
    ],
)
def test_options_that_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        AtariLanes(**options)


def test_an_option_that_there_is_not():
    with pytest.raises(TypeError, match="AtariLanes: unknown 'img_hight'; did you mean 'img_height'"):
        AtariLanes(img_hight=42)


def test_rules_are_told():
    env = lanes(num_envs=1, frameskip=1, repeat_action_probability=0, noop_max=0, use_fire_reset=False)
    env.close()
    assert env.metadata["rules"] == (
        "no sticky actions; a frame per action; no waiting first; an episode is a whole game of up to 30 "
        "min, lost lives end none; rewards are the game's own"
    )


def test_calls_out_of_turn():
    env = lanes(num_envs=1)
    with pytest.raises(ResetNeeded):
        env.step([0])
    with pytest.raises(ValueError, match=r"options.reset_mask: unknown"):
        env.reset(options={"reset_mask": np.array([True])})
    with pytest.raises(TypeError, match="no state that can be taken"):
        pickle.dumps(env)
    env.reset()
    env.close()
    with pytest.raises(ClosedEnvironmentError):
        env.step([0])


def test_a_single_game_is_a_lane_and_rendering_does_not_change_it():
    one, shown, lane = Atari(**SMALL), Atari(**SMALL, render_mode="rgb_array"), lanes("pong", 1)
    games = [env.reset(seed=4)[0] for env in (one, shown)] + [lane.reset(seed=4)[0][0]]
    for step in range(20):
        np.testing.assert_array_equal(games[0], games[1])
        np.testing.assert_array_equal(games[0], games[2])
        picture = shown.render()
        assert (picture.dtype, picture.shape) == (np.uint8, (210, 160, 3))
        games = [env.step(step % 6)[0] for env in (one, shown)] + [lane.step([step % 6])[0][0]]
    assert one.render() is None
    assert one.get_action_meanings()[:2] == ["NOOP", "FIRE"]
    for env in (one, shown, lane):
        env.close()


def test_what_is_rendered_is_the_game():
    """The screen's console plays what the agent's does: the same rewards and frames of it."""
    env = Atari(**SMALL, render_mode="rgb_array")
    env.reset(seed=0)
    scores = 0.0
    for step in range(60):
        *_, info = env.step(step % 6)
        scores += abs(info["score"])
        told = env._screen._before
        assert env._screen._scores[0] == info["score"]
        assert told["episode_frame_number"][0] == info["episode_frame_number"]
    env.close()
    assert scores


@pytest.mark.slow
def test_gymnasiums_checker_passes_the_single_form():
    env = Atari(**SMALL)
    check_env(env, skip_render_check=True)
    env.close()


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["SAME_STEP", "NEXT_STEP"])
def test_promises_of_a_vector_environment(mode):
    make = partial(lanes, "breakout", max_num_frames_per_episode=120, noop_max=10, autoreset_mode=mode)
    require_vector_env(lambda num_envs: make(num_envs=num_envs), num_envs=2, max_steps=100)
