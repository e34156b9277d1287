"""Looking at a pickle runs nothing, misses no cut, and finds the plain data in it."""

import contextlib
import datetime
import pickle
import random

import numpy as np
import pytest
from planted import Planted

from engram.train.runs import pickles

PLAIN = {
    "numbers": [1, 2.5, -3, 10**30, True, None],
    "text": "wörter",
    "bytes": b"\x00" * 300,
    "set": {1, 2},
    "nested": ({"a": [()]},),
}


class Holder:
    """Keeps what it is given."""

    def __init__(self, **values):
        self.__dict__ |= values


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_cut_anywhere_is_not_whole(protocol):
    data = pickle.dumps(PLAIN | {"made": Holder(a=1), "array": np.arange(5.0)}, protocol)
    assert pickles.is_whole(data)
    assert not [length for length in range(len(data)) if pickles.is_whole(data[:length])]


@pytest.mark.parametrize("protocol", [4, 5])
def test_plain_data_reads_back(protocol):
    assert pickles.outline(pickle.dumps(PLAIN, protocol)) == PLAIN
    assert pickles.is_plain(PLAIN)


def test_numbers_of_numpy_are_numbers():
    numbers = {"a": np.float64(2.5), "b": np.int64(7), "c": np.float32(0.5), "d": np.bool_(True)}
    found = pickles.outline(pickle.dumps(numbers))
    assert found == {"a": 2.5, "b": 7, "c": 0.5, "d": True}
    assert [type(value) for value in found.values()] == [float, int, float, bool]


def test_objects_are_stand_ins_that_tell_their_state():
    found = pickles.outline(pickle.dumps([Holder, Holder(a=[1]), datetime.date(2020, 1, 2)]))
    kind, made, date = found
    assert kind.called == "Holder"
    assert made.state == {"a": [1]}
    assert made.maker.called == "Holder"
    assert isinstance(date, pickles.StandIn)
    assert not pickles.is_plain({"x": [found]})


def test_looking_runs_nothing(tmp_path):
    data = pickle.dumps({"a": Planted(tmp_path / "ran"), "b": 3})
    assert pickles.is_whole(data)
    assert pickles.outline(data)["b"] == 3
    assert not (tmp_path / "ran").exists()
    pickle.loads(data)
    assert (tmp_path / "ran").exists(), "this test plants nothing"


def test_a_claim_of_endless_room_is_refused():
    """A loader makes room for the largest number that an object is filed under."""
    assert not pickles.is_whole(b"\x80\x04Nr\xff\xff\xff\xff.")


def test_noise_is_no_pickle():
    draw = random.Random(0)
    for _ in range(2000):
        data = draw.randbytes(draw.randrange(40))
        pickles.is_whole(data)
        with contextlib.suppress(ValueError):
            pickles.outline(data)
