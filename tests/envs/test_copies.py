"""Copies of every environment, of both forms, at any point: they play on alike, and each by itself."""

import copy
import hashlib
import itertools
import pickle
from functools import partial

import cloudpickle
import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import engram.envs
from engram.envs.conformance.compare import first_difference
from tests.envs.test_conformance import make_batched, short

LANES = 3


def by_pickle(env):
    return pickle.loads(pickle.dumps(env))


def by_cloudpickle(env):
    return cloudpickle.loads(cloudpickle.dumps(env))


WAYS = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": by_pickle,
    "cloudpickle": by_cloudpickle,
}
WHEN = {"before reset": None, "after reset": 0, "mid-episode": 7}

# Settings with other parts in them: finite sets, lists to draw from, a canvas, stagger.
VARIANTS = [
    ("engram/Chess-v0", {"split": "valid", "split_sizes": {"valid": 5}}),
    ("engram/CuedCatch-v0", {"reward_free_trials": [1, 2], "num_trials": 3, "reward_sigma": 0.5}),
    ("engram/ImageClassification-v0", {"split": "train", "crop": True, "flip": True, "size": 17}),
    ("engram/ImageClassification-v0", {"data": "shapes", "normalise": False}),
    ("engram/Maze-v0", {"positions": 5, "split": "test", "split_sizes": {"test": 7}, "canvas": 20}),
    ("engram/Maze-v0", {"positions": 7, "style": "feb2021", "reward": "fraction"}),
    ("engram/Ponder-v0", {"puzzle": "engram/Maze-v0", "shown": "first", "credit": "gain", "ponder_steps": 4}),
    ("engram/PrefixSums-v0", {"bits": 5, "split": "train"}),
    ("engram/PrefixSums-v0", {"bits": 30, "split": "valid", "split_sizes": {"valid": 9}}),
    ("engram/SequenceRecall-v0", {"sequence_length": [1, 2], "demo_light_on_frames": [2, 4]}),
    ("engram/SequentialDigits-v0", {"size": [3, 5], "split": "test", "stagger": True}),
    (
        "engram/TMaze-v0",
        {"level": [0, 2], "teleport_delay": 2, "limbo_time": [0, 4], "timeout_frames": 90},
    ),
    ("engram/TemporalOrder-v0", {"variant": "order_only", "scale": 0.4, "stagger": True}),
]
ONLINE_CHESS = ("engram/Chess-v0", {})  # each problem is searched for
SWIFT = [(env_id, short(env_id)) for env_id in engram.envs.IDS if env_id != ONLINE_CHESS[0]] + VARIANTS[:1]
CASES = SWIFT + VARIANTS[1:]
FORMS = {
    "single": lambda env_id, **arguments: (
        gymnasium.make(env_id, disable_env_checker=True, **arguments).unwrapped
    ),
    "same step": lambda env_id, **arguments: gymnasium.make_vec(
        env_id, LANES, vectorization_mode="vector_entry_point", **arguments
    ),
    "next step": lambda env_id, **arguments: gymnasium.make_vec(
        env_id,
        LANES,
        vectorization_mode="vector_entry_point",
        autoreset_mode=AutoresetMode.NEXT_STEP,
        **arguments,
    ),
}


def every(cases):
    return pytest.mark.parametrize(("env_id", "arguments"), cases, ids=itertools.count())


def begin(env, played):
    """Reset with a seed and play some steps; without a number, nothing."""
    if played is None:
        return
    env.action_space.seed(5)
    env.reset(seed=3)
    play(env, played)


def play(env, steps, sees=True):
    """What the next steps give, renders too, by actions that the environment's own space draws.

    Single forms are reset after an end, without a seed.
    """
    tape = []
    for step in range(steps):
        try:
            tape.append(env.step(env.action_space.sample()))
        except ResetNeeded:
            tape.append(env.reset())
        if sees and step % 10 == 0:
            tape.append(env.render())
    return tape


def play_after(env, played, steps, sees=True):
    """`play`, after a reset with a seed where there was none yet."""
    if played is not None:
        return play(env, steps, sees)
    env.action_space.seed(5)
    return [env.reset(seed=3), *play(env, steps, sees)]


def digest(tape):
    """What two tapes share if all in them is the same; it is had sooner than a comparison piece by piece."""

    def feed(part):
        if isinstance(part, dict):
            for key, value in part.items():
                feed(key)
                feed(value)
        elif isinstance(part, tuple | list) or (isinstance(part, np.ndarray) and part.dtype == object):
            sums.update(f"{type(part)} {len(part)}".encode())
            for each in part:
                feed(each)
        elif isinstance(part, np.ndarray):
            sums.update(f"{part.dtype.str} {part.shape}".encode())
            sums.update(part.tobytes())
        else:
            sums.update(repr(part).encode())

    sums = hashlib.sha256()
    feed(tape)
    return sums.digest()


@every([ONLINE_CHESS, *CASES])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("when", WHEN)
@pytest.mark.slow
def test_a_copy_plays_on_alike_for_long(env_id, arguments, form, when):
    steps = 40 if (env_id, arguments) == ONLINE_CHESS else 400
    check_copies(env_id, arguments, form, WHEN[when], steps)


@every(CASES)
@pytest.mark.parametrize("form", ["single", "same step"])
@pytest.mark.parametrize("when", WHEN)
def test_a_copy_plays_on_alike(env_id, arguments, form, when):
    check_copies(env_id, arguments, form, WHEN[when], 25)


def check_copies(env_id, arguments, form, played, steps):
    """A tape of the copies, of the original after all of them, and of another one that nobody copied."""
    make = partial(FORMS[form], env_id, render_mode="rgb_array", **arguments)
    env, untouched = make(), make()
    for each in (env, untouched):
        begin(each, played)
    expected = play_after(untouched, played, steps)
    wanted = digest(expected)
    twins = {name: way(env) for name, way in WAYS.items()}
    for name, twin in {**twins, "the original": env}.items():
        assert type(twin) is type(env)
        tape = play_after(twin, played, steps)
        assert digest(tape) == wanted, f"{name}: {first_difference(expected, tape)}"


@every(SWIFT)
@pytest.mark.parametrize("form", ["single", "same step"])
def test_neither_moves_the_other(env_id, arguments, form):
    """Each is played by turns, a few steps at a time, the copy with other actions."""
    env, untouched = FORMS[form](env_id, **arguments), FORMS[form](env_id, **arguments)
    for each in (env, untouched):
        begin(each, 4)
    twins = [way(env) for way in WAYS.values()]
    for twin, seed in zip(twins, itertools.count(100), strict=False):
        twin.action_space.seed(seed)
    for _ in range(3):
        for twin in twins:
            play(twin, 3, sees=False)
        assert first_difference(play(untouched, 3, sees=False), play(env, 3, sees=False)) is None


@every(SWIFT)
def test_a_copy_of_a_copy_plays_on_alike(env_id, arguments):
    env = FORMS["same step"](env_id, **arguments)
    begin(env, 5)
    twin = env
    for way in WAYS.values():
        twin = way(twin)
        play(way(twin), 5, sees=False)
    assert first_difference(play(env, 10, sees=False), play(twin, 10, sees=False)) is None


@every(SWIFT)
def test_states_go_over_to_copies_and_back(env_id, arguments):
    env = FORMS["same step"](env_id, **arguments)
    begin(env, 6)
    state, space = by_pickle(env.get_state()), copy.deepcopy(env.action_space)
    twin = by_pickle(env)
    expected = play(env, 10, sees=False)
    play(twin, 4, sees=False)
    for each in (twin, env):
        each.set_state(state)
        each.action_space = copy.deepcopy(space)
        assert first_difference(expected, play(each, 10, sees=False)) is None


@pytest.mark.parametrize("env_id", engram.envs.IDS)
@pytest.mark.parametrize("way", ["deepcopy", "pickle", "cloudpickle"])
def test_wrapped_ones_are_copied_whole(env_id, way):
    """As `gymnasium.make` wraps them; and as lanes of a `SyncVectorEnv`."""
    make = partial(gymnasium.make, env_id, **dict(SWIFT)[env_id])
    sync = SyncVectorEnv([make] * 2, autoreset_mode=AutoresetMode.SAME_STEP)
    for env in (make(), sync):
        for played in WHEN.values():
            begin(env, played)
            twin = WAYS[way](env)
            expected = play_after(twin, played, 8, sees=False)
            assert first_difference(expected, play_after(env, played, 8, sees=False)) is None


def test_masks_of_a_copy_stay_what_they_are():
    """The mask that stands under every name of `info` cannot be written to, in a copy neither."""
    env = make_batched("engram/TMaze-v0")
    begin(env, 2)
    for way in WAYS.values():
        info = way(env).step(np.zeros(env.num_envs, np.int64))[-1]
        assert not info["_delay"].flags.writeable


def test_a_copy_of_a_tmaze_is_small():
    """Tables that are the same for all are not in it."""
    assert len(pickle.dumps(make_batched("engram/TMaze-v0", lanes=1))) < 120_000
