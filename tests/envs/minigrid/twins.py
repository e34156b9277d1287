"""Our grids beside minigrid's own, played with the same seed and the same actions."""

import contextlib
import io
import warnings
from collections import Counter
from functools import partial

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import engram.envs  # noqa: F401 (registers)
from engram.envs.minigrid.cells import CELLS
from engram.envs.minigrid.mission import tokens_of
from tests.envs.minigrid.guide import Guide


def make_original(env_id, lanes, mode=AutoresetMode.SAME_STEP, **arguments):
    """Minigrid's environment in lanes."""
    import minigrid  # noqa: F401 (registers; only these tests need it)

    one = partial(gymnasium.make, env_id, disable_env_checker=True, **arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some ids are old
        return SyncVectorEnv([one] * lanes, autoreset_mode=mode)


def tokens(texts):
    return np.stack([tokens_of(text) for text in texts])


def assert_same_view(ours, theirs):
    """Observations of all lanes."""
    assert ours["image"].dtype == theirs["image"].dtype
    assert np.array_equal(ours["image"], theirs["image"])
    assert np.array_equal(ours["direction"], theirs["direction"])
    assert np.array_equal(ours["mission"], tokens(theirs["mission"]))


def play(our_id, arguments, their_id, changes, episodes, lanes=8, seed=0, guided=0.5):
    """Play until that many episodes ended, comparing everything; return how often things happened."""
    ours = gymnasium.make_vec(our_id, lanes, vectorization_mode="vector_entry_point", **arguments)
    theirs, guide, met = make_original(their_id, lanes, **changes), Guide(ours, seed, guided), Counter()
    with contextlib.redirect_stdout(io.StringIO()):  # minigrid tells of levels that it draws again
        assert_same_view(ours.reset(seed=seed)[0], theirs.reset(seed=seed)[0])
        while met["episodes"] < episodes:
            actions = guide.act()
            before, held = ours._world.cells.copy(), ours._world.carried.copy()
            mine, other = ours.step(actions), theirs.step(actions)
            assert_same_view(mine[0], other[0])
            for one, its in zip(mine[1:4], other[1:4], strict=True):
                assert one.dtype == its.dtype
                assert np.array_equal(one, its)
            ended = mine[2] | mine[3]
            assert ("final_obs" in mine[4]) == ("final_obs" in other[4]) == ended.any()
            if ended.any():
                assert_same_ends(mine, other, ended)
            count(met, ours, mine, actions, ended, before, held)
    return met


def assert_same_ends(mine, other, ended):
    """Last observations, and for whom there are any."""
    for key in ("_final_obs", "_final_info"):
        assert np.array_equal(mine[4][key], ended)
        assert np.array_equal(other[4][key], ended)
    for lane, last in enumerate(other[4]["final_obs"]):
        got = mine[4]["final_obs"][lane]
        if last is None:
            assert got is None
            continue
        assert got.keys() == last.keys()
        assert np.array_equal(got["image"], last["image"])
        assert got["direction"] == last["direction"]
        assert np.array_equal(got["mission"], tokens_of(last["mission"]))
    assert np.array_equal(mine[4]["final_info"]["success"][ended], mine[1][ended] > 0)


def count(met, ours, step, actions, ended, before, held):
    """Note what happened in a step."""
    _, rewards, terminated, truncated, _ = step
    met["episodes"] += int(ended.sum())
    met["successes"] += int((rewards > 0).sum())
    met["failures"] += int((terminated & (rewards == 0)).sum())
    met["out of time"] += int((truncated & ~terminated).sum())
    met["both flags"] += int((truncated & terminated).sum())
    for action in actions:
        met[f"action {action}"] += 1
    lanes, places = np.nonzero((before != ours._world.cells) & ~ended[:, None])
    for code, now in zip(before[lanes, places], ours._world.cells[lanes, places], strict=True):
        one, other = CELLS[code], CELLS[now]
        if one.kind == "door":
            met[f"{one.state} door {other.state}"] += 1
        elif one.kind == "box" and held[lanes[0]] == ours._world.carried[lanes[0]]:
            met["box opened"] += 1
    met["things taken"] += int(((held != ours._world.carried) & ~ended).sum())
