"""Every way to end an episode of the T-maze, in both forms: its last two screens have rules of their own."""

import itertools

import numpy as np

from engram.envs.forms.actions import ACTIONS, DOWN, LEFT, RIGHT, STAY, UP
from engram.envs.games.tmaze import rules
from engram.envs.games.tmaze.batched import BatchedTMaze
from engram.envs.games.tmaze.single import TMaze


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
    pairs = list(itertools.product(range(ACTIONS), repeat=2))
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
