"""The two forms of each game are the same game: same hidden choices and actions, same everything."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import load_env_creator
from hypothesis import given, settings
from hypothesis import strategies as st

import engram.envs
from engram.envs.forms.actions import ACTIONS, LEFT, RIGHT
from engram.envs.forms.pycolab_game import PycolabGame
from engram.envs.games.cued_catch.batched import BatchedCuedCatch
from engram.envs.games.cued_catch.single import CuedCatch
from engram.envs.games.oracles import ORACLES, TMazeOracle
from engram.envs.games.sequence_recall.batched import BatchedSequenceRecall
from engram.envs.games.sequence_recall.single import SequenceRecall
from engram.envs.games.tmaze import rules as tmaze_rules
from engram.envs.games.tmaze.batched import BatchedTMaze
from engram.envs.games.tmaze.single import TMaze

LANES, STEPS = 3, 150
TIMEOUTS = st.one_of(st.just(-1), st.integers(1, 40), st.integers(41, 200))


@dataclass(frozen=True)
class Game:
    """Forms of a game, its parameters as a strategy, and policies that reach its corners.

    A policy is made with a generator and a number of lanes; it maps observations to actions (B,).
    """

    single: Callable[..., Any]
    batched: Callable[..., Any]
    parameters: st.SearchStrategy[dict[str, Any]]
    policies: dict[str, Callable[..., Any]]


def noisy(make_policy, noise):
    """A policy that acts at random on a part of the steps."""

    def make(rng, lanes):
        policy = make_policy(rng, lanes)

        def act(observations):
            random = rng.integers(ACTIONS, size=lanes)
            return np.where(rng.random(lanes) < noise, random, policy(observations))

        return act

    return make


def three_grades(make_policy):
    return {
        "seeks": noisy(make_policy, 0.02),
        "strays": noisy(make_policy, 0.3),
        "random": noisy(make_policy, 1.0),
    }


def one_or_more(values):
    return st.one_of(values, st.lists(values, min_size=1, max_size=3))


def either_goal(rng, lanes):
    """Walks to either goal of the T-maze."""
    oracle, sides = TMazeOracle(lanes), rng.integers(2, size=lanes)
    return lambda observations: oracle.act(observations, sides)


def outward(rng, lanes):
    """Presses on to the outer wall of one side, then down: the edges of the T-maze's world at level 5."""
    sideways = rng.integers(LEFT, RIGHT + 1, size=lanes)
    oracle = TMazeOracle(lanes)

    def act(observations):
        in_room = observations[..., 1].any(axis=(1, 2))  # the cue is seen
        action = np.where(rng.random(lanes) < 0.85, sideways, rng.integers(ACTIONS, size=lanes))
        return np.where(in_room, oracle.act(observations), action)

    return act


def persistent(rng, lanes):
    """Goes one way for a while, then another: through lights and along walls."""
    ways = rng.integers(ACTIONS, size=lanes)

    def act(observations):
        np.copyto(ways, rng.integers(ACTIONS, size=lanes), where=rng.random(lanes) < 0.15)
        return ways.copy()

    return act


def cued_catch_parameters(num_trials):
    return st.fixed_dictionaries(
        {
            "initial_cue_duration": st.integers(1, 4),
            "cue_duration": st.integers(1, 9),
            "num_trials": st.just(num_trials),
            "reward_free_trials": one_or_more(st.integers(0, num_trials)),
            "always_show_ball_symbol": st.booleans(),
            "reward_sigma": st.sampled_from([0.0, 0.5]),
        }
    )


GAMES = {
    "engram/CuedCatch-v0": Game(
        CuedCatch,
        BatchedCuedCatch,
        st.integers(1, 8).flatmap(cued_catch_parameters),
        three_grades(lambda rng, lanes: ORACLES["engram/CuedCatch-v0"](lanes).act),
    ),
    "engram/SequenceRecall-v0": Game(
        SequenceRecall,
        BatchedSequenceRecall,
        st.fixed_dictionaries(
            {
                "sequence_length": one_or_more(st.integers(1, 5)),
                "demo_light_on_frames": one_or_more(st.integers(0, 5)),
                "demo_light_off_frames": one_or_more(st.integers(0, 5)),
                "pause_frames": one_or_more(st.integers(0, 5)),
                "timeout_frames": TIMEOUTS,
            }
        ),
        three_grades(lambda rng, lanes: ORACLES["engram/SequenceRecall-v0"](lanes).act)
        | {"persists": persistent},
    ),
    "engram/TMaze-v0": Game(
        TMaze,
        BatchedTMaze,
        st.fixed_dictionaries(
            {
                "level": st.one_of(
                    st.sampled_from(tmaze_rules.LEVELS),
                    st.lists(st.sampled_from(tmaze_rules.LEVELS), min_size=1),
                ),
                "teleport_delay": st.integers(0, 9),
                "limbo_time": st.sampled_from([0, 3, 4, 5, 11, [0, 3, 11]]),
                "timeout_frames": TIMEOUTS,
                "cue_after_teleport": st.booleans(),
            }
        ),
        three_grades(either_goal) | {"outward": outward},
    ),
}


def test_every_game_has_twins():
    assert sorted(GAMES) == sorted(id_ for id_ in engram.envs.GAMES if has_own_engine(id_))


def has_own_engine(env_id):
    """Whether the single form is another implementation and no lane of the batched one."""
    return issubclass(load_env_creator(gymnasium.spec(env_id).entry_point), PycolabGame)


@pytest.mark.parametrize("game", GAMES.values(), ids=GAMES)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_batched_equals_single(game, data):
    params = data.draw(game.parameters, label="parameters")
    policy = data.draw(st.sampled_from(sorted(game.policies)), label="policy")
    seed = data.draw(st.integers(0, 2**32 - 1), label="seed")
    autoreset = data.draw(st.sampled_from(["SameStep", "NextStep"]), label="autoreset")
    batched = game.batched(num_envs=LANES, autoreset_mode=autoreset, **params)
    singles = [game.single(**params) for _ in range(LANES)]
    check_twins(batched, singles, game.policies[policy](np.random.default_rng(seed), LANES), seed)


def check_twins(batched, singles, act, seed):
    """Play on through the ends of episodes, each single form with its lane's hidden choices and actions."""
    same_step = batched.autoreset_mode.value == "SameStep"
    observations, info = batched.reset(seed=seed)
    over = np.zeros(LANES, bool)
    begin_again(batched, singles, observations, info, ~over)
    for _ in range(STEPS):
        actions = act(observations)
        observations, rewards, terminated, truncated, info = batched.step(actions)
        assert not truncated.any()
        begun, boards = over, batched.board
        over = np.zeros(LANES, bool)
        for lane in np.flatnonzero(~begun):
            seen, reward, over[lane], _, facts = singles[lane].step(actions[lane])
            assert (reward, over[lane]) == (rewards[lane], terminated[lane])
            if over[lane] and same_step:
                assert np.array_equal(seen, info["final_obs"][lane])
                check_facts(facts, info["final_info"], lane)
            else:
                assert np.array_equal(seen, observations[lane])
                assert np.array_equal(singles[lane].board, boards[lane])
                check_facts(facts, info, lane)
        assert not rewards[begun].any()
        assert not terminated[begun].any()
        if same_step:
            begun, over = over, np.zeros(LANES, bool)
        begin_again(batched, singles, observations, info, begun)


def begin_again(batched, singles, observations, info, lanes):
    for lane in np.flatnonzero(lanes):
        hidden = batched.hidden_choices(lane)
        seen, facts = singles[lane].reset(options=hidden)
        assert same_choices(singles[lane].hidden_choices, hidden)
        assert np.array_equal(seen, observations[lane])
        assert np.array_equal(singles[lane].board, batched.board[lane])
        check_facts(facts, info, lane)


def check_facts(facts, info, lane):
    """The single form's info is the lane's, in plain Python."""
    assert facts.keys() == {name for name in info if not name.startswith(("_", "final_"))}
    assert facts == {name: info[name][lane] for name in facts}
    assert {type(value) for value in facts.values()} <= {int, bool}


def same_choices(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)
