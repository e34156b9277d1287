"""Plain data come back from bytes with their types and bits; nothing else goes in."""

import numpy as np
import pytest

from engram.agents.columns.packing import is_plain, pack, unpack

PLAIN = [
    None,
    True,
    -(2**127),
    0.1,
    float("inf"),
    "caf\u00e9",
    b"\x00\xff",
    b"",
    [1, [2.5]],
    (1, ("a", None)),
    {"a": 1, 3: {"b": (2,)}, (1, 2): []},
    np.float32(0.1),
    np.bool_(True),
    np.arange(6, dtype=np.int64).reshape(2, 3),
    np.arange(12, dtype=np.float32).reshape(3, 4).T[::2],
    np.zeros((0, 3)),
    np.array(2.5),
    np.array([True, False]),
    np.array(["one", "three"]),
    np.array([1 + 2j]),
    np.array([np.arange(2), "x", None, 4], dtype=object),
]


def same(one, other):
    if isinstance(one, np.ndarray) and one.dtype == object:
        return all(same(*pair) for pair in zip(one.ravel(), other.ravel(), strict=True))
    if isinstance(one, np.ndarray | np.generic):
        alike = (one.dtype, one.shape) == (other.dtype, other.shape)
        return type(one) is type(other) and alike and one.tobytes() == other.tobytes()
    if isinstance(one, dict):
        return same([*one.items()], [*other.items()])
    if isinstance(one, list | tuple):
        return type(one) is type(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    return type(one) is type(other) and one == other


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_what_is_plain_comes_back(value):
    assert is_plain(value)
    assert same(unpack(pack(value)), value)
    nested = {"deep": [value, (value,)]}
    assert same(unpack(pack(nested)), nested)


def test_bits_of_numbers_that_are_not_finite():
    numbers = np.array([0x7FF8000000000001, 0xFFF0000000000000, 0x8000000000000000], np.uint64).view(float)
    assert unpack(pack(numbers)).tobytes() == numbers.tobytes()


def test_arrays_are_the_callers_own():
    numbers = np.arange(3)
    back = unpack(pack([numbers, numbers]))
    back[0][0] = 7
    assert back[1].tolist() == numbers.tolist() == [0, 1, 2]


class Number(int):
    """A whole number of another type."""


@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}, [int], Number(1), np.array([object()]), np.zeros(1, [("a", int)]), np.ma.array([1])],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_plain_is_refused(value):
    assert not is_plain(value)
    with pytest.raises(TypeError, match=r"is no plain data$"):
        pack({"deep": [value]})


def test_numbers_that_are_alike_take_less_than_their_bytes():
    """Weights of a size have exponents in common; compressed as they lie, they do not."""
    numbers = np.random.default_rng(0).normal(size=4_000).astype(np.float32)
    assert len(pack(numbers)) < 0.9 * numbers.nbytes
