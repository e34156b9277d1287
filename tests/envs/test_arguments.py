"""Absurd values for every argument of every environment, of both forms: one clear line, or they are legal."""

import inspect
import itertools
import math

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import load_env_creator
from gymnasium.vector import AutoresetMode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import engram.envs
from engram.envs.arguments import MOST_BYTES, shown
from engram.envs.conformance.compare import first_difference
from tests.envs.test_conformance import short

HUGE = 10**20  # limbo_time: 100000000000000000000
WHOLE = [-HUGE, -(2**63) - 1, -1, 0, 2**31, 2**32, 10**12, 2**62, 2**63 - 1, 2**63, HUGE, 10**400, 10**5000]
OTHERS = [
    None,
    True,
    0.5,
    1e300,
    -1e300,
    math.nan,
    math.inf,
    -math.inf,
    1j,
    "",
    "online ",
    "1",
    "nonsense" * 1000,
    "a\nb",
    "\0",
    "\ud800",
    b"train",
    [],
    [[]],
    [None],
    [1, "2"],
    [3, HUGE],
    [math.nan],
    {},
    {"low": 1},
    {"low": 1, "high": HUGE},
    {"low": -HUGE, "high": 3},
    {"low": None, "high": [3]},
    {"train": HUGE},
    {"train": math.nan, "test": None},
    {1: 2},
    {"bits": HUGE},
    {"nonsense": 1},
    set(),
    object(),
    range(3),
    np.int64(-(2**63)),
    np.uint64(2**64 - 1),
    np.float64("nan"),
    np.array([[1, 2], [3, 4]]),
    np.array("x"),
    AutoresetMode.DISABLED,
    int,
]
ABSURD = WHOLE + OTHERS


def forms(env_id):
    """Both constructors, by name."""
    spec = gymnasium.spec(env_id)
    return {
        "single": load_env_creator(spec.entry_point),
        "batched": load_env_creator(spec.vector_entry_point),
    }


ARGUMENTS = [
    (env_id, form, name)
    for env_id in engram.envs.IDS
    for form, make in forms(env_id).items()
    for name in inspect.signature(make).parameters
]
every_argument = pytest.mark.parametrize(("env_id", "form", "name"), ARGUMENTS)


def check(env_id, form, arguments, name):
    """Refused in one line that begins with the argument's name and says what is legal; or played."""
    try:
        env = forms(env_id)[form](**arguments)
    except ValueError as error:
        message = str(error)
        named = ("split: 'online' ",) if name == "path" else ()  # which goes with no path
        assert message.startswith((f"{name}: ", f"{name}.", *named)), message
        assert "\n" not in message
        assert len(message) < 400, message
        assert "legal" in message or "known: " in message or "puzzle_config" in message, message
        return
    env.reset(seed=0)
    env.step(env.action_space.sample())


@every_argument
def test_an_absurd_value_is_refused_in_one_line_or_works(env_id, form, name):
    for value in ABSURD:
        check(env_id, form, {**short(env_id), name: value}, name)


@pytest.mark.parametrize(
    ("env_id", "name", "value", "message"),
    [
        (
            "TMaze",
            "limbo_time",
            HUGE,
            r"limbo_time: 1(0){20} is too large; legal: 0 \(no limbo\) or >= 3 env steps, or a list of "
            r"these, at most 1000000000; nearest: 1000000000",
        ),
        ("TMaze", "limbo_time", [3, HUGE], r"limbo_time: 1(0){20} is too large"),
        ("TMaze", "teleport_delay", 2**63, r"teleport_delay: 9\d+ is too large; .* at most 1000000000"),
        ("TMaze", "timeout_frames", 2**63, r"timeout_frames: 9\d+ is too large; legal: -1 \(never\) or"),
        ("TMaze", "level", 10**5000, r"level: there is no level int of thousands of digits; .*nearest: 5"),
        ("TMaze", "num_envs", 10**12, r"num_envs: 1(0){12} lanes would take .* legal: at most \d{5}; near"),
        ("CuedCatch", "num_trials", HUGE, r"num_trials: .* is too large; legal: >= 1 trials, at most 100000"),
        ("CuedCatch", "initial_cue_duration", HUGE, r"initial_cue_duration: .* at most 100000"),
        ("CuedCatch", "reward_sigma", 10**400, r"reward_sigma: 1(0){79}\.\.\. is no .* at most 1e\+09"),
        ("SequenceRecall", "sequence_length", HUGE, r"sequence_length: .* at most 1000000; nearest: 1000000"),
        ("SequenceRecall", "pause_frames", HUGE, r"pause_frames: .* at most 1000000000; nearest"),
        ("Copying", "span", {"low": 1, "high": HUGE}, r"span.high: .* is too large; .* at most 1000000"),
        ("Copying", "length", HUGE, r"length: .* is too large; .* at most 1000000; nearest: 1000000"),
        ("SequentialDigits", "size", HUGE, r"size: .* is too large; .* at most 512; nearest: 512"),
        ("TemporalOrder", "scale", 1e300, r"scale: 1e\+300 is too large; .* at most 10000; nearest: 10000"),
        ("Maze", "positions", HUGE + 1, r"positions: .* legal: odd numbers >= 3, at most 999; nearest: 999"),
        ("Maze", "canvas", HUGE, r"canvas: .* is too large; legal: >= 24 pixels .*, at most 4096; nearest"),
        ("PrefixSums", "bits", HUGE, r"bits: .* is too large; legal: >= 1 bits, at most 1000000; nearest"),
        ("PrefixSums", "split_sizes", 7, r"split_sizes: 7 is no mapping; legal: numbers by name, such as"),
        ("ImageClassification", "size", HUGE, r"size: .* is too large; legal: None, or >= 8 .*at most 1024"),
        ("ImageClassification", "path", 7, r"path: 7 is no path; legal: the name of a file or a folder"),
        ("Ponder", "puzzle_config", 5, r"puzzle_config: 5 is no mapping; legal: arguments by name"),
        (
            "Ponder",
            "puzzle_config",
            {"bits": HUGE},
            r"puzzle_config\.bits: .* is too large; legal: >= 1 bits",
        ),
        ("Ponder", "ponder_steps", HUGE, r"ponder_steps: .* is too large; .* at most 1000000000"),
        (
            "Chess",
            "path",
            "x" * 5000,
            r"path: 'x{79}\.\.\. cannot be read: File name too long; legal: a path",
        ),
        ("Chess", "data_seed", -HUGE, r"data_seed: -1(0){20} is too small; legal: >= 0; nearest: 0"),
    ],
    ids=itertools.count(),
)
def test_what_the_line_says(env_id, name, value, message):
    for form, make in forms(f"engram/{env_id}-v0").items():
        if name in inspect.signature(make).parameters:
            with pytest.raises(ValueError, match=rf"^{message}"):
                make(**{name: value})
        else:
            assert (form, name) == ("single", "num_envs")


@pytest.mark.parametrize(
    ("env_id", "arguments", "message"),
    [
        (
            "Maze",
            {"split": "test", "split_sizes": {"test": 10**8}},
            r"10+ mazes would take .* at most \d{6};",
        ),
        ("Maze", {"positions": 401, "split": "test"}, r"split_sizes.test: 1000 mazes would take .* 6\d\d;"),
        ("Chess", {"split": "valid", "split_sizes": {"valid": 10**8}}, r"10+ puzzles would take more than 2"),
        ("PrefixSums", {"split": "train", "split_sizes": {"train": 10**9}}, r"strings would take .*at most"),
        ("PrefixSums", {"bits": 10**6, "split": "train"}, r"split_sizes.train: 8000 strings would take"),
        (
            "ImageClassification",
            {"data": "shapes", "split": "test", "split_sizes": {"test": 10**7}},
            r"split_sizes.test: 10+ pictures would take",
        ),
        ("ImageClassification", {"split": "test", "size": 10**4}, r"size: 10000 is too large; .* at most 10"),
    ],
)
def test_a_set_that_would_take_gigabytes_is_refused(env_id, arguments, message):
    for make in forms(f"engram/{env_id}-v0").values():
        with pytest.raises(ValueError, match=message):
            make(**arguments)


@pytest.mark.parametrize("env_id", engram.envs.IDS)
def test_more_lanes_than_memory_are_refused_with_their_number(env_id):
    make = forms(env_id)["batched"]
    with pytest.raises(ValueError, match=r"^num_envs: 10+ lanes would take more than 2 GiB") as caught:
        make(num_envs=10**12)
    most = int(str(caught.value).rsplit(" ", 1)[1])
    assert 10_000 < most < MOST_BYTES


@pytest.mark.parametrize("env_id", engram.envs.IDS)
@pytest.mark.parametrize("form", ["single", "batched"])
def test_a_bad_seed_or_bad_options_change_nothing(env_id, form):
    """The message about a seed is Gymnasium's own."""
    env = forms(env_id)[form](**short(env_id))
    for seed in (-1, 0.5, "1", -HUGE):
        with pytest.raises(gymnasium.error.Error, match="Seed must be"):
            env.reset(seed=seed)
    first, _ = env.reset(seed=HUGE)
    assert first_difference(first, env.reset(seed=HUGE)[0]) is None
    names = env.hidden_choices if form == "single" else env.hidden_choices(0)
    for name in names:
        for value in ABSURD:
            check_option(env, name, value)
    for options in (5, "which_goal", ["level"]):
        with pytest.raises(ValueError, match=r"options: .* is no mapping; legal: hidden choices by name"):
            env.reset(options=options)
    with pytest.raises(ValueError, match=r"^options\.nonsense: unknown 'nonsense'"):
        env.reset(options={"nonsense": HUGE})


def check_option(env, name, value):
    """Refused in one line that begins with the option's name; or played."""
    try:
        env.reset(options={name: value})
    except ValueError as error:
        message = str(error)
        assert message.startswith((f"options.{name}: ", "options: a sequence of")), message
        assert "\n" not in message
        assert len(message) < 400, message
        return
    env.step(env.action_space.sample())


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    argument=st.sampled_from(ARGUMENTS),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(WHOLE[:-1]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["low", "high", "train", "test", "bits", "x"]), inner, max_size=3
            )
        ),
        max_leaves=5,
    ),
)
def test_whatever_is_given(argument, value):
    env_id, form, name = argument
    check(env_id, form, {**short(env_id), name: value}, name)


def test_values_are_shown_on_one_line():
    assert shown("a\nb") == r"'a\nb'"
    assert shown(np.eye(2)) == "array([[1., 0.], [0., 1.]])"
    assert shown("x" * 100) == "'" + "x" * 79 + "..."
    assert shown([10**5000]) == "list of thousands of digits"
