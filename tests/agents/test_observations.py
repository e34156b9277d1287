"""Observations as floats: different ones differ, of sane size, element by element, for every encoder."""

import warnings

import numpy as np
import pytest
import torch
from gymnasium import spaces

from engram.agents import make_encoder
from engram.agents.models.observations import make_reader
from engram.agents.models.symbols import MOST_SYMBOLS

INT32 = 2**31 - 1
FLOAT32 = float(np.finfo(np.float32).max)


def box(low, high, dtype, shape=(2, 2, 3)):
    return spaces.Box(low, high, shape, dtype)


def mixed(lows, highs, dtype=np.int64):
    return spaces.Box(np.full((2, 2, 3), lows, dtype), np.full((2, 2, 3), highs, dtype), dtype=dtype)


def read(space, *observations, scale="auto"):
    reader = make_reader(space, scale, "encoder")
    return reader(torch.from_numpy(np.stack(observations)), torch.float32).numpy()


def filled(space, value):
    return np.full(space.shape, value, space.dtype)


BOXES = {
    "bytes": box(0, 255, np.uint8),
    "flags": box(0, 1, np.uint8),
    "bool": box(0, 1, np.bool_),
    "int8": box(-128, 127, np.int8),
    "uint16": box(0, 65_535, np.uint16),
    "int32": box(0, INT32, np.int32),
    "int32_signed": box(-INT32 - 1, INT32, np.int32),
    "uint32": box(0, 2**32 - 1, np.uint32),
    "int64": box(-(2**63), 2**63 - 1, np.int64),
    "uint64": box(0, 2**64 - 1, np.uint64),
    "a_million": box(1_000_000, 1_000_010, np.int32),
    "far_down": box(-1010, -1000, np.int64),
    "far_up": box(2**62, 2**62 + 10, np.int64),
    "far_up_unsigned": box(2**63 + 5, 2**63 + 15, np.uint64),
    "signed": box(-5, 5, np.int8),
    "late_counter": box(10_000, 100_000, np.int32),
    "lopsided": box(-1, 255, np.int16),
    "flag_and_counter": mixed([0, 0, 0], [1, 10_000, INT32]),
    "constant": mixed([3, 0, 0], [3, 1, 1]),
    "floats": box(0, 1, np.float32),
    "unbounded": box(-np.inf, np.inf, np.float32),
    "huge_floats": box(-FLOAT32, FLOAT32, np.float32),
    "float64": box(-np.inf, np.inf, np.float64),
    "float16": box(-1, 1, np.float16),
}


@pytest.mark.parametrize("encoder", ["auto", "conv", "mlp"])
@pytest.mark.parametrize("name", BOXES)
def test_different_observations_have_different_features(name, encoder):
    """A step of each element, from its lower bound or zero: seen in that element alone, and sane in size."""
    space = BOXES[name]
    made = make_encoder(space, {"type": encoder})
    low, high = space.low.astype(object), space.high.astype(object)
    wide = np.array(high - low > 1_000, bool)
    start = np.where(wide & (low < 0), 0, space.low).astype(space.dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for index in np.ndindex(space.shape):
            if space.low[index] == space.high[index]:
                continue
            other = start.copy()
            other[index] = min(start[index].item() + 9, high[index])
            first, second = made.prepare(torch.from_numpy(np.stack([start, other])))
            moved = (second - first).abs()
            assert moved[index] >= (0.05 if wide[index] else 9 / max(9, high[index] - low[index]) - 1e-6)
            assert moved.sum() == moved[index]
            assert first.abs().max() <= 1
            features = made(torch.stack([first, second]))
            assert features.isfinite().all()
    extremes = torch.from_numpy(np.stack([space.low, space.high]))
    if np.issubdtype(space.dtype, np.integer):
        assert made.prepare(extremes).abs().max() <= 1 + 1e-6


@pytest.mark.parametrize(
    ("space", "value", "expected"),
    [
        (BOXES["bytes"], 51, 0.2),
        (BOXES["flags"], 1, 1.0),
        (BOXES["int8"], -128, -1.0),
        (BOXES["int8"], 127, 1.0),
        (BOXES["uint16"], 65_535, 1.0),
        (BOXES["a_million"], 1_000_003, 0.3),
        (BOXES["far_down"], -1003, 0.4),
        (BOXES["far_up"], 2**62 + 7, 0.7),
        (BOXES["far_up_unsigned"], 2**63 + 12, 0.7),
        (BOXES["signed"], 0, 0.0),
        (BOXES["lopsided"], 255, 1.0),
        (BOXES["int32"], 9, np.log(10) / np.log(2**31)),
        (BOXES["int32"], INT32, 1.0),
        (BOXES["int32_signed"], -9, -np.log(10) / np.log(2**31)),
        (BOXES["late_counter"], 10_010, np.log(11) / np.log(90_001)),
        (BOXES["int32"], 0, 0.0),
        (BOXES["uint64"], 2**64 - 1, 1.0),
        (BOXES["uint64"], 2**63, 63 / 64),
        (BOXES["huge_floats"], 12.5, 12.5),
        (BOXES["float64"], -3.25, -3.25),
    ],
)
def test_values(space, value, expected):
    np.testing.assert_allclose(read(space, filled(space, value)), expected, rtol=1e-6, atol=1e-6)


def test_each_element_has_a_rule_of_its_own():
    space = mixed([0, 0, 0], [1, 10_000, INT32])
    seen = np.broadcast_to(np.array([1, 2500, 9]), space.shape).astype(np.int64)
    np.testing.assert_allclose(
        read(space, seen)[0, 0, 0],
        [1.0, np.log(2501) / np.log(10_001), np.log(10) / np.log(2**31)],
        rtol=1e-6,
    )


@pytest.mark.parametrize("high", [1, 4, 255])
def test_equal_bounds_are_one_product_as_they_ever_were(high):
    space = box(0, high, np.uint8)
    seen = np.random.default_rng(0).integers(0, high + 1, (50, *space.shape), dtype=np.uint8)
    expected = torch.from_numpy(seen).to(torch.float32) * (1.0 / max(1.0, float(high)))
    assert torch.equal(make_encoder(space, {"type": "mlp"}).prepare(torch.from_numpy(seen)), expected)


@pytest.mark.parametrize(
    ("scale", "space", "value", "expected"),
    [
        ("none", BOXES["bytes"], 10, 10.0),
        ("none", BOXES["int32"], 10, 10.0),
        ("symlog", BOXES["bytes"], 10, np.log(11)),
        ("symlog", BOXES["unbounded"], -10, -np.log(11)),
        ("bounds", box(0, 255, np.float32), 51, 0.2),
        ("bounds", box(-180, 180, np.float32), 45, 0.25),
        ("bounds", box(0, 100_000, np.int32), 25_000, 0.25),
    ],
)
def test_the_scale_option(scale, space, value, expected):
    np.testing.assert_allclose(read(space, filled(space, value), scale=scale), expected, rtol=1e-6)


def test_scalars_are_read_as_one_number():
    assert make_encoder(spaces.Box(0, 10, (), np.int32), {"type": "mlp"})(torch.rand(4, 1)).shape == (4, 128)
    np.testing.assert_allclose(
        read(spaces.Box(0, 10, (), np.int32), np.int32(3), np.int32(4)), [[0.3], [0.4]]
    )


def test_what_is_not_in_the_space_is_no_symbol():
    """RLlib pads sequences with zeros."""
    np.testing.assert_array_equal(
        read(spaces.Discrete(2, start=3), *np.array([0, 3, 4, 5])), [[0, 0], [1, 0], [0, 1], [0, 0]]
    )


def test_several_rows_of_symbols():
    space = spaces.MultiDiscrete([[2, 3], [1, 2]], start=[[0, -1], [4, 0]])
    seen = np.array([[1, -1], [4, 1]])
    np.testing.assert_array_equal(read(space, seen), [[0, 1, 1, 0, 0, 1, 0, 1]])


@pytest.mark.parametrize(
    ("space", "scale", "message"),
    [
        (BOXES["unbounded"], "bounds", r"encoder\.scale: 'bounds' needs finite bounds, 12 of 12 elements"),
        (
            spaces.Discrete(3),
            "none",
            r"encoder\.scale: 'none' is for a Box; Discrete\(3\) has nothing to scale",
        ),
        (spaces.Discrete(MOST_SYMBOLS + 1), "auto", r"as one-hot of 65,537 columns; at most 65,536"),
        (
            spaces.Text(3),
            "auto",
            r"cannot encode the observation space Text\(.*\); an encoder reads texts as rows of tokens",
        ),
        (
            spaces.Sequence(spaces.Discrete(3)),
            "auto",
            r"cannot encode the observation space .*; known: Box, Disc",
        ),
    ],
)
def test_errors(space, scale, message):
    with pytest.raises(ValueError, match=message):
        make_encoder(space, {"type": "mlp", "scale": scale})


def test_the_option_is_checked_by_name():
    with pytest.raises(ValueError, match=r"encoder\.scale: unknown 'bound'; did you mean 'bounds'\?"):
        make_encoder(BOXES["flags"], {"type": "mlp", "scale": "bound"})


def test_conv_refuses_symbols():
    with pytest.raises(ValueError, match=r"'conv' needs observations of shape .*, got \(3,\); use 'mlp'"):
        make_encoder(spaces.Discrete(3), {"type": "conv"})


@pytest.mark.parametrize(
    ("space", "scale", "described"),
    [
        (BOXES["flags"], "auto", None),
        (BOXES["floats"], "auto", None),
        (BOXES["bytes"], "none", None),
        (BOXES["bytes"], "auto", "0 to 255 by their bounds to 0 to 1"),
        (BOXES["signed"], "auto", "each element by its bounds to -1 to 1"),
        (
            BOXES["int32"],
            "auto",
            "each element by its bounds to 0 to 1, its logarithm, since bounds more than 1,000 apart do not "
            "tell what occurs",
        ),
        (
            BOXES["flag_and_counter"],
            "auto",
            "each element by its bounds to 0 to 1; of 8 of 12 the logarithm, since bounds more than 1,000 "
            "apart do not tell what occurs",
        ),
        (BOXES["bytes"], "symlog", "sign(x) log(1 + |x|) of each element"),
        (spaces.MultiDiscrete([3, 2]), "auto", "one-hot, 5 columns"),
        (spaces.MultiBinary(4), "auto", None),
    ],
)
def test_described(space, scale, described):
    assert make_reader(space, scale, "encoder").described() == described


@pytest.mark.parametrize(
    ("space", "scale", "remark"),
    [
        (
            spaces.Box(0, 255, (7, 7, 3), np.uint8),
            "auto",
            "config.model.encoder.scale: none leaves them as they are",
        ),
        (spaces.Box(0, 255, (7, 7, 3), np.uint8), "none", None),
        (spaces.Box(0, 255, (84, 84, 3), np.uint8), "auto", None),
        (spaces.Box(0, 10, (7, 7, 3), np.uint8), "auto", None),
        (
            spaces.Box(0, 255, (3,), np.float32),
            "auto",
            "floats of up to 255 and reach the network as they are",
        ),
        (spaces.Box(0, 255, (3,), np.float32), "bounds", None),
        (BOXES["unbounded"], "auto", None),
        (BOXES["huge_floats"], "auto", None),
        (BOXES["floats"], "auto", None),
    ],
)
def test_remark(space, scale, remark):
    said = make_reader(space, scale, "encoder").remark()
    assert said == remark or remark in said


@pytest.mark.parametrize(
    ("space", "observations", "expected"),
    [
        (spaces.Box(-(2**63), 2**63 - 1, (1,), np.int64), [-(2**63), 0, 2**63 - 1], [-1.0, 0.0, 1.0]),
        (spaces.Box(-(2**63), 0, (1,), np.int64), [-(2**63), 0], [-1.0, 1.0]),
        (spaces.Box(-6e4, 6e4, (1,), np.float16), [-6e4, 0.0, 6e4], [-1.0, 0.0, 1.0]),
        (spaces.Box(0.0, 1e-40, (1,), np.float32), [0.0, 1e-40], [0.0, 1.0]),
    ],
)
def test_bounds_of_any_size_are_minus_one_or_zero_and_one(space, observations, expected):
    reader = make_reader(space, "bounds", "encoder")
    seen = torch.from_numpy(np.array(observations, space.dtype)[:, None])
    assert reader(seen, torch.float32).flatten().tolist() == pytest.approx(expected, abs=1e-3)


def test_nothing_to_see_is_described_as_nothing():
    assert make_reader(spaces.Box(0, 1, (0,), np.float32), "auto", "encoder").described() is None
