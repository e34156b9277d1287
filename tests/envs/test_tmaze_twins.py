"""The two forms of the T-maze are the same game: same hidden choices and actions, same everything."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engram.envs.oracles import TMazeOracle
from engram.envs.tmaze import rules
from engram.envs.tmaze.batched import BatchedTMaze
from engram.envs.tmaze.single import TMaze

UP, DOWN, LEFT, RIGHT, STAY = range(5)

PARAMS = st.fixed_dictionaries(
    {
        "level": st.one_of(
            st.sampled_from(rules.LEVELS), st.lists(st.sampled_from(rules.LEVELS), min_size=1)
        ),
        "teleport_delay": st.integers(0, 9),
        "limbo_time": st.sampled_from([0, 3, 4, 5, 11, [0, 3, 11]]),
        "timeout_frames": st.one_of(st.just(-1), st.integers(1, 40), st.integers(41, 200)),
        "cue_after_teleport": st.booleans(),
    }
)


def seeker(rng, lanes, noise):
    """Walks to either goal, with some noise."""
    oracle, sides = TMazeOracle(lanes), rng.integers(2, size=lanes)

    def act(observations):
        random = rng.integers(5, size=lanes)
        return np.where(rng.random(lanes) < noise, random, oracle.act(observations, sides))

    return act


def outward(rng, lanes):
    """Presses on to the outer wall of one side, then down: the edges of the world at level 5."""
    sideways = rng.integers(LEFT, RIGHT + 1, size=lanes)
    oracle = TMazeOracle(lanes)

    def act(observations):
        in_room = observations[..., 1].any(axis=(1, 2))  # the cue is seen
        action = np.where(rng.random(lanes) < 0.85, sideways, rng.integers(5, size=lanes))
        return np.where(in_room, oracle.act(observations), action)

    return act


POLICIES = {
    "seeks": lambda rng, lanes: seeker(rng, lanes, 0.02),
    "strays": lambda rng, lanes: seeker(rng, lanes, 0.3),
    "random": lambda rng, lanes: seeker(rng, lanes, 1.0),
    "outward": outward,
}


@settings(max_examples=60, deadline=None)
@given(
    PARAMS,
    st.sampled_from(sorted(POLICIES)),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["SameStep", "NextStep"]),
)
def test_batched_equals_single(params, policy, seed, autoreset):
    lanes, steps = 3, 150
    rng = np.random.default_rng(seed)
    act = POLICIES[policy](rng, lanes)
    batched = BatchedTMaze(num_envs=lanes, autoreset_mode=autoreset, **params)
    singles = [TMaze(**params) for _ in range(lanes)]
    observations, _ = batched.reset(seed=seed)
    over = np.ones(lanes, bool)
    begin_again(batched, singles, observations, over)
    over = np.zeros(lanes, bool)
    for _ in range(steps):
        actions = act(observations)
        observations, rewards, terminated, _, info = batched.step(actions)
        begun, boards = over, batched.board
        over = np.zeros(lanes, bool)
        for lane in np.flatnonzero(~begun):
            seen, reward, over[lane], _, facts = singles[lane].step(actions[lane])
            assert (reward, over[lane]) == (rewards[lane], terminated[lane])
            if over[lane] and autoreset == "SameStep":
                assert np.array_equal(seen, info["final_obs"][lane])
                assert facts == {name: info["final_info"][name][lane] for name in facts}
            else:
                assert np.array_equal(seen, observations[lane])
                assert np.array_equal(singles[lane].board, boards[lane])
                assert facts == {name: info[name][lane] for name in facts}
        assert not rewards[begun].any()
        assert not terminated[begun].any()
        if autoreset == "SameStep":
            begun, over = over, np.zeros(lanes, bool)
        begin_again(batched, singles, observations, begun)


def begin_again(batched, singles, observations, lanes):
    for lane in np.flatnonzero(lanes):
        seen, _ = singles[lane].reset(options=batched.hidden_choices(lane))
        assert np.array_equal(seen, observations[lane])
        assert np.array_equal(singles[lane].board, batched.board[lane])


def walk_to_goal(level, side, leg_column, pad_column):
    """Actions from the start over one teleporter cell and limbo to one cell of a goal."""
    west, east = rules.MAZE_WALLS[level]
    column = (west + 1 if side == 0 else east - 3) + leg_column
    aside = {93: [LEFT], 94: [], 95: [RIGHT]}[pad_column]
    return [*aside, UP, UP, *[STAY] * 4, *[LEFT if side == 0 else RIGHT] * abs(94 - column), *[DOWN] * 5]


def check_all_ends(level, pads):
    """Every pair of last actions from every goal cell; all lanes arrive on the same frame."""
    params = {"level": level, "teleport_delay": 0, "limbo_time": 3, "timeout_frames": -1}
    walks = [walk_to_goal(level, *where) for where in itertools.product(range(2), range(3), pads)]
    pairs = list(itertools.product(range(5), repeat=2))
    longest = max(map(len, walks))
    walks = [[STAY] * (longest - len(walk)) + walk for walk in walks]
    batched = BatchedTMaze(num_envs=len(walks) * len(pairs), autoreset_mode="NextStep", **params)
    batched.reset(seed=1)
    hidden = batched.hidden_choices(0)
    batched.reset(options=hidden)
    for actions in zip(*walks, strict=True):
        batched.step(np.repeat(actions, len(pairs)))
    singles = []
    for walk, _ in (ends := list(itertools.product(walks, pairs))):
        singles.append(single := TMaze(**params))
        single.reset(options=hidden)
        for action in walk:
            single.step(action)
    for frame, over in ((0, False), (1, True)):
        seen, rewards, terminated, _, _ = batched.step(np.array([pair[frame] for _, pair in ends]))
        boards = batched.board
        assert (terminated == over).all()
        for lane, (single, (_, pair)) in enumerate(zip(singles, ends, strict=True)):
            planes, reward, ended, _, _ = single.step(pair[frame])
            assert (reward, ended) == (rewards[lane], over)
            assert np.array_equal(single.board, boards[lane])
            assert np.array_equal(planes, seen[lane])


def test_every_way_to_end_at_level_0():
    check_all_ends(0, pads=[94])


def test_every_way_to_end_at_the_edge_of_the_world():
    check_all_ends(5, pads=[93, 94, 95])
