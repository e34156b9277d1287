"""What every registered environment promises, single form and batched form."""

import inspect
import json
import pickle
import re
import warnings
from functools import partial

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec, load_env_creator
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import FlattenObservation
from stable_baselines3.common.env_checker import check_env as check_for_stable_baselines

import engram.envs
from engram.envs.conformance import require_vector_env
from engram.envs.forms.batched_env import BatchedEnv
from engram.envs.forms.parameters import read_meanings
from engram.envs.games.oracles import ORACLES

# Arguments that make episodes short, so that random actions meet their ends; other ids are swept as they are.
SHORT = {
    "engram/CuedCatch-v0": {"initial_cue_duration": 2, "num_trials": 6, "reward_free_trials": 2},
    "engram/Maze-v0": {"positions": 5, "pixels": 1},
    "engram/Ponder-v0": {"puzzle_config": {"bits": 4}, "ponder_steps": 3},
    "engram/PrefixSums-v0": {"bits": 4},
    "engram/SequenceRecall-v0": {
        "sequence_length": 2,
        "demo_light_on_frames": 3,
        "demo_light_off_frames": 2,
        "pause_frames": 2,
        "timeout_frames": 60,
    },
    "engram/TMaze-v0": {"level": 0, "teleport_delay": 2, "limbo_time": 3, "timeout_frames": 60},
    "engram/DoorKey-v0": {"size": 5, "max_steps": 5},
    "engram/Fetch-v0": {"size": 5, "max_steps": 5},
    "engram/FindObj-v0": {"size": 4, "max_steps": 5},
    "engram/GoToLocal-v0": {"size": 6, "distractors": 3, "max_steps": 5},
    "engram/GoToObj-v0": {"size": 5, "max_steps": 5},
    "engram/Memory-v0": {"size": 7, "start": "mixed", "max_steps": 9},
    "engram/MultiRoom-v0": {"rooms": [1, 2], "room_size": 4, "max_steps": 8},
    "engram/Pickup-v0": {"size": 4, "distractors": 2, "max_steps": 5},
    "engram/PickupDist-v0": {"distractors": 3, "max_steps": 5},
    "engram/UnlockPickup-v0": {"distractors": 1, "max_steps": 5},
    "engram/Copying-v0": {"symbols": 3, "span": {"low": 1, "high": 4}, "length": [1, 2]},
    "engram/SequentialDigits-v0": {"size": [3, 4]},
    "engram/TemporalOrder-v0": {"variant": "three_symbols", "scale": 0.1},
    "engram/IBL-v0": {"preset": "paper", "min_block": 1, "max_block": 3, "blocks_per_session": 2},
}
SECTIONS = (
    "Description",
    "Observation",
    "Action",
    "Reward",
    "End",
    "Info",
    "Arguments",
    "Reset options",
    "Source",
)
ABOUT_SHAPES = (
    r"^It seems .* is an image but the upper and lower bounds|^The minimal resolution for an image"
    r"|^It seems .* is an image but its `dtype` is \(float32\)"
    r"|^Treating image space as channels-last"
    r"|^Your observation .* has an unconventional shape \(neither an image, nor a 1D vector\)"
)
LANES = 4

every_id = pytest.mark.parametrize("env_id", engram.envs.IDS)
every_game = pytest.mark.parametrize("env_id", engram.envs.GAMES)


def short(env_id):
    return SHORT.get(env_id, {})


def require(env_id, **arguments):
    """`require_vector_env`; what has a `max_steps` of its own, like the checker, is given ready to make."""
    arguments |= short(env_id)
    if "max_steps" in arguments:
        require_vector_env(partial(gymnasium.make_vec, env_id, **arguments))
    else:
        require_vector_env(env_id, **arguments)


def make_batched(env_id, lanes=LANES, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return gymnasium.make_vec(
            env_id, num_envs=lanes, vectorization_mode="vector_entry_point", **short(env_id), **arguments
        )


def make_sync(env_id, mode):
    return SyncVectorEnv(
        [lambda: gymnasium.make(env_id, disable_env_checker=True, **short(env_id))] * LANES,
        autoreset_mode=mode,
    )


def assert_same(one, other):
    """Equal arrays, or containers of such, dtypes included; object arrays element by element."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, tuple | list) or (isinstance(one, np.ndarray) and one.dtype == object):
        assert type(one) is type(other)
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    else:
        assert np.asarray(one).dtype == np.asarray(other).dtype
        assert np.array_equal(one, other)


def lanes_of(observations, lanes):
    """Observations of some lanes, or of one."""
    if isinstance(observations, dict):
        return {name: values[lanes] for name, values in observations.items()}
    return observations[lanes]


def assert_same_lanes(one, other, goes_on):
    """What a step gives, equal but for what is seen and told of lanes that begin anew, by chance, in it."""
    assert_same(one[1:4], other[1:4])
    assert_same(lanes_of(one[0], goes_on), lanes_of(other[0], goes_on))
    assert one[4].keys() == other[4].keys()
    for key in one[4].keys() - {"final_info"}:
        assert_same(one[4][key][goes_on], other[4][key][goes_on])


def test_every_namespaced_id_is_listed():
    assert sorted(engram.envs.IDS) == sorted(
        name for name in gymnasium.registry if name.startswith("engram/")
    )
    assert SHORT.keys() <= set(engram.envs.IDS)


@every_id
def test_single_form_passes_gymnasiums_checker(env_id):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(env_id).unwrapped)
        check_env(gymnasium.make(env_id, **short(env_id)).unwrapped)


@every_id
@pytest.mark.parametrize("arguments", [lambda env_id: {}, short], ids=["default", "short"])
def test_single_form_passes_stable_baselines_checker(env_id, arguments):
    """Flat, as an MlpPolicy reads it, without a warning; as it is, with those about shapes alone.

    Stable-Baselines takes every Box of three axes for an image, which ought to be in 0 .. 255 and not small,
    and wonders about two axes.
    """
    env = gymnasium.make(env_id, **arguments(env_id))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_for_stable_baselines(FlattenObservation(env))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_for_stable_baselines(env.unwrapped)
    texts = [str(warning.message) for warning in caught]
    assert [text for text in texts if not re.search(ABOUT_SHAPES, text)] == []


@every_id
def test_spec_is_plain_data(env_id):
    spec = gymnasium.spec(env_id)
    assert isinstance(spec.entry_point, str)
    assert isinstance(spec.vector_entry_point, str)
    assert EnvSpec.from_json(spec.to_json()) == spec
    assert json.loads(spec.to_json())["id"] == env_id


@every_id
def test_classes_work_with_their_own_defaults(env_id):
    spec = gymnasium.spec(env_id)
    for entry in (spec.entry_point, spec.vector_entry_point):
        env = load_env_creator(entry)()
        _, info = env.reset(seed=0)
        assert {env.metadata["group_by"] or "success", "success"} <= info.keys()
        assert set(env.metadata.get("tells", ())) <= info.keys()
        if getattr(env, "memory_delay", None) is not None:
            assert env.memory_delay >= 0
            assert "delay" in info
        if env_id in (*engram.envs.PUZZLES, *engram.envs.SEQUENCES, *engram.envs.TRIALS):
            assert {"target", "mask"} <= info.keys()


@every_id
def test_the_docstring_is_a_page(env_id):
    page = inspect.getdoc(load_env_creator(gymnasium.spec(env_id).entry_point))
    assert [section for section in SECTIONS if not re.search(rf"^{section}:$", page, re.MULTILINE)] == []


@every_id
@pytest.mark.parametrize("form", ["entry_point", "vector_entry_point"])
def test_the_page_says_what_each_argument_means(env_id, form):
    creator = load_env_creator(getattr(gymnasium.spec(env_id), form))
    names = list(inspect.signature(creator).parameters)
    assert list(read_meanings(creator)) == names
    assert list(inspect.signature(creator.__init__).parameters) == ["self", *names]


@every_id
def test_import_by_id(env_id):
    envs = gymnasium.make_vec(f"engram.envs:{env_id}", num_envs=3, vectorization_mode="vector_entry_point")
    assert isinstance(envs, BatchedEnv)
    assert envs.spec.id == env_id
    assert envs.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert type(envs).metadata["autoreset_mode"] is AutoresetMode.SAME_STEP


@every_id
def test_two_single_copies_agree(env_id):
    copies = [gymnasium.make(env_id, **short(env_id)) for _ in range(2)]
    copies[0].action_space.seed(0)
    for seed in (7, 8):
        assert_same(*[env.reset(seed=seed)[0] for env in copies])
        over = False
        while not over:
            action = copies[0].action_space.sample()
            one, other = [env.step(action) for env in copies]
            assert_same(one, other)
            _, _, terminated, truncated, _ = one
            assert not truncated or env_id in engram.envs.GRIDS
            over = terminated or truncated


@every_id
@pytest.mark.parametrize("mode", ["SameStep", "NextStep"])
def test_batched_form_passes_the_vector_checker(env_id, mode):
    require(env_id, vectorization_mode="vector_entry_point", autoreset_mode=mode)


@every_id
def test_single_form_in_a_sync_vector_env_passes_the_vector_checker(env_id):
    require(env_id, vectorization_mode="sync")


@every_id
def test_both_forms_have_the_same_spaces(env_id):
    envs, single = make_batched(env_id), gymnasium.make(env_id, **short(env_id))
    assert envs.single_observation_space == single.observation_space
    assert envs.single_action_space == single.action_space


@every_id
def test_rewards_are_float64(env_id):
    envs = make_batched(env_id)
    envs.reset(seed=0)
    envs.action_space.seed(0)
    assert {envs.step(envs.action_space.sample())[1].dtype for _ in range(20)} == {np.dtype(np.float64)}


@every_game
def test_a_cell_is_in_one_plane(env_id):
    envs = make_batched(env_id)
    observations, _ = envs.reset(seed=0)
    envs.action_space.seed(0)
    for _ in range(20):
        assert (observations.sum(axis=-1) == 1).all()
        observations, *_ = envs.step(envs.action_space.sample())


def best_play(env_id):
    """(observations, info) -> actions: the scripted player, who ignores info, or else the targets, if any."""
    if env_id in ORACLES:
        oracle = ORACLES[env_id](LANES)
        return lambda observations, info: oracle.act(observations)
    return lambda observations, info: info.get("target")


def play_to_an_end(env_id, mode):
    """The same episode in every lane of both, to the end of lane 0's, which solves it; the others stray.

    Where it is not known how to solve it, lane 0 strays, too.

    Some of these may end with it, where episodes have a fixed length.
    """
    ours, theirs = make_batched(env_id, autoreset_mode=mode.value), make_sync(env_id, mode)
    ours.reset(seed=0)
    hidden = ours.hidden_choices(0)
    mine, other = ours.reset(options=hidden), theirs.reset(options=dict(hidden))
    assert_same(mine, other)
    best = best_play(env_id)
    ours.action_space.seed(0)
    while not (len(mine) > 2 and (mine[2] | mine[3]).any()):
        if len(mine) > 2:
            assert_same(mine, other)
        actions = ours.action_space.sample()
        known = best(mine[0], mine[-1])
        actions[0] = actions[0] if known is None else known[0]
        mine, other = ours.step(actions), theirs.step(actions)
    assert (mine[2] | mine[3])[0]
    return ours, theirs, mine, other


@every_id
def test_same_step_autoreset_is_gymnasiums(env_id):
    ours, _, mine, other = play_to_an_end(env_id, AutoresetMode.SAME_STEP)
    goes_on = ~(mine[2] | mine[3])
    assert {"final_obs", "_final_obs", "final_info", "_final_info"} <= mine[4].keys()
    assert_same_lanes(mine, other, goes_on)
    for key in ("final_obs", "_final_obs", "final_info", "_final_info"):
        assert_same(mine[4][key], other[4][key])
    if best_play(env_id)(mine[0], mine[4]) is not None:
        assert mine[4]["final_info"]["success"][0]
        assert not mine[4]["success"][0]  # that is the new episode's
    fresh = gymnasium.make(env_id, **short(env_id))
    assert_same(lanes_of(mine[0], 0), fresh.reset(options=ours.hidden_choices(0))[0])


@every_id
def test_next_step_autoreset_is_gymnasiums(env_id):
    ours, theirs, mine, other = play_to_an_end(env_id, AutoresetMode.NEXT_STEP)
    assert_same(mine, other)
    goes_on = ~(mine[2] | mine[3])
    actions = np.zeros_like(ours.action_space.sample())
    mine, other = ours.step(actions), theirs.step(actions)
    assert_same_lanes(mine, other, goes_on)
    fresh = gymnasium.make(env_id, **short(env_id))
    assert_same(lanes_of(mine[0], 0), fresh.reset(options=ours.hidden_choices(0))[0])
    assert_same(lanes_of(ours.step(actions)[0], 0), fresh.step(actions[0])[0])


@every_id
def test_a_state_can_be_pickled(env_id):
    envs = make_batched(env_id)
    seen, _ = envs.reset(seed=0)
    state = pickle.loads(pickle.dumps(envs.get_state()))
    envs.reset(seed=1)
    assert_same(envs.set_state(state), seen)


@every_id
def test_a_foreign_state_is_refused(env_id):
    envs = make_batched(env_id)
    envs.reset(seed=0)
    state = envs.get_state()
    with pytest.raises(ValueError, match=r"state\.game\.\w+: shape"):
        make_batched(env_id, lanes=LANES + 1).set_state(state)
    with pytest.raises(ValueError, match=r"state\.game: holds \['other'\]; expected"):
        envs.set_state(state | {"game": {"other": np.zeros(1)}})


def render_modes(env_id):
    return load_env_creator(gymnasium.spec(env_id).entry_point).metadata["render_modes"]


@pytest.mark.parametrize(
    ("env_id", "mode"),
    [(env_id, mode) for env_id in engram.envs.IDS for mode in render_modes(env_id)],
)
def test_every_lane_is_rendered(env_id, mode):
    envs = make_batched(env_id, render_mode=mode)
    envs.reset(seed=0)
    frames = envs.render()
    assert len(frames) == LANES
    single = gymnasium.make(env_id, render_mode=mode, **short(env_id))
    single.reset(options=envs.hidden_choices(1))
    assert_same(np.array(frames[1]), np.array(single.render()))
    assert make_batched(env_id).render() is None
