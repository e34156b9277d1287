"""Spaces without Gymnasium: written, read, and taken for Gymnasium's."""

import json

import any_spaces
import numpy as np
import pytest
from gymnasium import spaces

from engram.agents.models import spaces as ours
from engram.agents.models.encoders import make_encoder, part_type
from engram.agents.models.nests import leaves_of, with_leaves
from engram.agents.models.space_data import space_data, space_of
from engram.envs.forms.frames import FrameStack

WIDE = {
    "int64": spaces.Box(-(2**63), 2**63 - 1, (2,), np.int64),
    "uint64": spaces.Box(0, 2**64 - 1, (), np.uint64),
    "mixed": spaces.Box(np.array([-np.inf, 0.1], np.float32), np.array([0.3, np.inf], np.float32)),
    "rows": spaces.Box(np.array([[0, 1], [2, 3]]), np.array([[4, 5], [4, 5]]), dtype=np.float64),
    "none": spaces.Box(0, 1, (0, 3)),
    "small": spaces.Discrete(3, dtype=np.int32),
    "frames": FrameStack(5, 6, 3, 4),
}
ALL = {**any_spaces.OBSERVATIONS, **{f"action {key}": one for key, one in any_spaces.ACTIONS.items()}, **WIDE}


def assert_alike(found, space):
    for kind in ("Box", "Discrete", "MultiDiscrete", "MultiBinary", "Dict", "Tuple"):
        same = isinstance(space, getattr(spaces, kind))
        assert isinstance(found, getattr(ours, kind)) is isinstance(space, getattr(ours, kind)) is same
    assert (found.shape, found.dtype) == (space.shape, space.dtype)
    for name in ("low", "high", "n", "start", "nvec"):
        if hasattr(found, name):
            theirs = getattr(space, name)
            np.testing.assert_array_equal(getattr(found, name), theirs)
            assert np.asarray(getattr(found, name)).dtype == np.asarray(theirs).dtype or name in (
                "n",
                "start",
            )
    if isinstance(found, ours.Dict):
        assert [*found.spaces] == [*space.spaces]
        for name, part in found.items():
            assert_alike(part, space[name])
    if isinstance(found, ours.Tuple):
        for part, theirs in zip(found.spaces, space.spaces, strict=True):
            assert_alike(part, theirs)


@pytest.mark.parametrize("name", ALL)
def test_a_space_is_read_as_it_was_written(name):
    data = space_data(ALL[name], "observation_space")
    found = space_of(json.loads(json.dumps(data, allow_nan=False)), "observation_space")
    assert_alike(found, ALL[name])
    assert space_data(found, "") == data
    assert hasattr(found, "vocabulary") == hasattr(ALL[name], "vocabulary")
    assert ours.frames_in(found) == ours.frames_in(ALL[name])


def test_bounds_that_repeat_are_written_once():
    assert space_data(any_spaces.BOARD, "")["high"] == [10, 5, 2]
    assert space_data(WIDE["mixed"], "")["low"] == ["-inf", float(np.float32(0.1))]


TWO = spaces.Discrete(2)


@pytest.mark.parametrize(
    "space", [spaces.Text(3), spaces.Sequence(TWO), spaces.Dict(a=spaces.Text(3)), spaces.Dict({0: TWO})]
)
def test_other_spaces_are_refused(space):
    with pytest.raises(ValueError, match=r"^seen(\.a)?: cannot write .*; known: Box, Discrete, "):
        space_data(space, "seen")


BOX = space_data(any_spaces.OBSERVATIONS["vector"], "")


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"type": "Sets"},
        BOX | {"shape": [-1]},
        BOX | {"shape": [1.5]},
        BOX | {"shape": 3},
        BOX | {"low": "much"},
        BOX | {"low": [0, 1]},
        BOX | {"dtype": "float33"},
        {"type": "Discrete", "n": True, "start": 0, "dtype": "int64"},
        {"type": "Dict", "spaces": [1]},
        {"type": "MultiBinary", "shape": [2**20, 2**20]},
    ],
)
def test_what_describes_no_space_is_refused(data):
    with pytest.raises(ValueError, match=r"^seen: describes no space: "):
        space_of(data, "seen")


@pytest.mark.parametrize("name", any_spaces.OBSERVATIONS)
def test_encoders_are_the_same_for_either(name):
    space = any_spaces.OBSERVATIONS[name]
    found = space_of(space_data(space, ""), "")
    assert part_type(found) == part_type(space)
    one, other = (make_encoder(each, {"type": "auto"}) for each in (space, found))
    assert str(one) == str(other)
    assert one.reader.described() == other.reader.described()


def test_a_part_less():
    whole = spaces.Dict(a=spaces.Discrete(2), mask=spaces.MultiBinary(2))
    assert ours.without(whole, "mask") == spaces.Dict(a=spaces.Discrete(2))
    own = ours.without(space_of(space_data(whole, ""), ""), "mask")
    assert (type(own), [*own.spaces]) == (ours.Dict, ["a"])


def test_leaves_are_in_the_order_of_sorted_names():
    nest = {"b": (1, 2), "a": {"d": 3, "c": 4}}
    assert leaves_of(nest) == [4, 3, 1, 2]
    assert with_leaves(nest, iter(leaves_of(nest))) == nest
    assert [*with_leaves(nest, iter("abcd"))] == ["b", "a"]
