"""Digits drawn by strokes and digits read from files, at any resolution."""

import gzip
import itertools
import math
import struct

import numpy as np
import pytest

from engram.envs.data.digits.sets import SPLIT_SIZES, StrokeDigits, open_digits
from engram.envs.data.digits.strokes import NUMBERS, glyphs, rasterise
from engram.envs.sequences.sequential_digits import SequentialDigits

FINITE = ("train", "valid", "test")


def test_a_digit_drawn_pixel_by_pixel():
    """The slow twin: no turn, slant or shift, full size, and the distance of each centre to each segment."""
    upright = np.array([[0.5, 0.5, 1.0, 1.0, 0.5, 0.5, 0.25]])  # half a line's width: 0.06
    for label, size in itertools.product(range(10), (4, 11, 16)):
        drawn = rasterise(np.array([label]), upright, size)[0]
        for row, col in itertools.product(range(size), repeat=2):
            centre = (col + 0.5) / size, (row + 0.5) / size
            near = min(distance(centre, *ends) for ends in glyphs()[label])
            assert drawn[row, col] == (near <= max(0.06, 0.5 / size))


def distance(point, begin, end):
    way = end - begin
    share = min(1.0, max(0.0, np.dot(point - begin, way) / np.dot(way, way)))
    return math.dist(point, begin + share * way)


def test_looks_turn_slant_stretch_shift_and_ink():
    """A one, whose stem is a vertical line: where its ink lies tells each number of its look."""
    middle = np.full(NUMBERS, 0.5)

    def ink(**changes):
        names = ("turn", "slant", "width", "height", "right", "down", "pen")
        look = np.array([[changes.get(name, value) for name, value in zip(names, middle, strict=True)]])
        rows, cols = np.nonzero(rasterise(np.array([1]), look, 200)[0])
        return rows / 200, cols / 200

    rows, cols = ink()
    assert np.ptp(ink(height=0.999)[0]) > np.ptp(rows) > np.ptp(ink(height=0.0)[0])
    assert np.ptp(ink(width=0.999)[1]) > np.ptp(ink(width=0.0)[1])
    assert ink(right=0.0)[1].mean() == pytest.approx(cols.mean() - 0.08, abs=0.005)
    assert ink(down=0.0)[0].mean() == pytest.approx(rows.mean() - 0.08, abs=0.005)
    assert len(ink(pen=0.999)[0]) > 1.2 * len(rows) > 1.4 * len(ink(pen=0.0)[0])
    for name in ("turn", "slant"):
        lean = [np.polyfit(*ink(**{name: value}), 1)[0] for value in (0.0, 0.5, 0.999)]
        assert abs(lean[2] - lean[0]) > 0.3
        assert min(lean[0], lean[2]) < lean[1] < max(lean[0], lean[2])


def test_every_third_pixel_of_a_larger_picture_is_the_smaller_picture():
    """Pixels are samples at their centres, so resolutions agree."""
    digits, numbers = open_digits(), np.arange(40)
    for size in (10, 14, 19):
        assert np.array_equal(digits.pixels(numbers, 3 * size)[:, 1::3, 1::3], digits.pixels(numbers, size))


@pytest.mark.parametrize("size", [2, 5, 10, 14, 24, 40])
def test_digits_leave_ink_and_paper_at_any_resolution(size):
    share = open_digits().pixels(np.arange(100), size).mean(axis=(1, 2))
    assert share.min() > 0
    assert share.max() < 1 or size < 5
    assert share.mean() == pytest.approx(0.24, abs=0.02) or size < 10


def test_digits_can_be_told_apart():
    """By the nearest of 1000 others, at the resolutions of small experiments."""
    train, test = open_digits("train"), open_digits("test")
    for size in (10, 14):
        known = train.pixels(np.arange(1000), size).reshape(1000, -1).astype(float)
        new = test.pixels(np.arange(200), size).reshape(200, -1).astype(float)
        nearest = (known.sum(axis=1) - 2 * new @ known.T).argmin(axis=1)
        assert (train.labels(nearest) == test.labels(np.arange(200))).mean() >= 0.95


def test_a_number_is_always_the_same_digit_and_splits_share_none():
    numbers = np.arange(300)
    for split in ("online", *FINITE):
        pixels = open_digits(split).pixels(numbers, 20)
        assert np.array_equal(pixels, open_digits(split).pixels(numbers, 20))
        assert np.array_equal(pixels[[7, 3]], open_digits(split).pixels(np.array([7, 3]), 20))
        assert not np.array_equal(pixels, open_digits(split, data_seed=1).pixels(numbers, 20))
        assert np.array_equal(open_digits(split).labels(numbers), numbers % 10)
    pictures = [
        {picture.tobytes() for picture in open_digits(split).pixels(numbers, 40)}
        for split in ("online", *FINITE)
    ]
    assert [len(each) for each in pictures] == [300] * 4
    assert not any(one & other for one, other in itertools.combinations(pictures, 2))


def test_sizes_of_splits():
    assert {split: open_digits(split).count for split in FINITE} == SPLIT_SIZES
    assert open_digits("train", split_sizes={"train": 30}).count == 30
    assert open_digits("valid", split_sizes={"train": 30}).count == SPLIT_SIZES["valid"]
    assert open_digits().count > 10**18
    assert StrokeDigits(0, "online", open_digits().count).pixels(np.array([2**62 - 1]), 9).any()


@pytest.fixture
def mnist(tmp_path):
    """A folder like MNIST's: 10 digits for training, 4 for testing; digit n of part p is gray 10 n + p."""
    for part, (name, count) in enumerate((("train", 10), ("t10k", 4))):
        images = np.repeat(10 * np.arange(count) + part, 16).astype(np.uint8).reshape(count, 4, 4)
        images[:, 1, 3], images[:, 3, 1] = 128, 127
        head = struct.pack(">BBBBIII", 0, 0, 8, 3, count, 4, 4)
        (tmp_path / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + images.tobytes()))
        labels = struct.pack(">BBBBI", 0, 0, 8, 1, count) + bytes(
            (number + part) % 10 for number in range(count)
        )
        (tmp_path / f"{name}-labels-idx1-ubyte").write_bytes(labels)
    return tmp_path


def test_scans_are_split_scaled_to_the_nearest_pixel_and_made_black_and_white(mnist):
    found = {split: open_digits(split, str(mnist)) for split in FINITE}
    assert {split: digits.count for split, digits in found.items()} == {"train": 8, "valid": 2, "test": 4}
    labels = {split: digits.labels(np.arange(digits.count)).tolist() for split, digits in found.items()}
    assert labels == {"train": [*range(8)], "valid": [8, 9], "test": [1, 2, 3, 4]}
    numbers = np.array([0, 1])
    assert np.argwhere(found["train"].pixels(numbers, 4)).tolist() == [[0, 1, 3], [1, 1, 3]]
    # Centres of 2 pixels lie at 1/4 and 3/4: on the scan's pixels 1 and 3. Those of 8 halve the scan's.
    assert np.argwhere(found["train"].pixels(numbers, 2)[0]).tolist() == [[0, 1]]
    doubled = found["train"].pixels(numbers, 8)[0]
    assert np.argwhere(doubled).tolist() == [[2, 6], [2, 7], [3, 6], [3, 7]]


def test_scans_in_sets_of_other_sizes(mnist):
    sizes = {"train": 3, "valid": 4, "test": 1}
    found = {split: open_digits(split, str(mnist), split_sizes=sizes) for split in FINITE}
    labels = {split: digits.labels(np.arange(digits.count)).tolist() for split, digits in found.items()}
    assert labels == {"train": [0, 1, 2], "valid": [6, 7, 8, 9], "test": [1]}


def test_shares_of_classes_are_those_of_the_labels(mnist):
    drawn = [open_digits("train", split_sizes={"train": count}) for count in (1, 9, 10, 25)]
    for digits in (*drawn, open_digits("train", str(mnist)), open_digits("test", str(mnist))):
        labels = digits.labels(np.arange(digits.count))
        assert digits.shares == pytest.approx(np.bincount(labels, minlength=10) / digits.count)
    assert open_digits("online").shares == pytest.approx([0.1] * 10)


def test_an_environment_from_files(mnist):
    env = SequentialDigits(4, "valid", str(mnist))
    seen = set()
    for seed in range(20):
        observation, info = env.reset(seed=seed)
        seen.add(info["label"])
        tokens = [observation.argmax()] + [env.step(0)[0].argmax() for _ in range(15)]
        assert np.flatnonzero(tokens).tolist() == [7]
    assert seen == {8, 9}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"split": "online"},
            r"split: 'online' has no end, files have; legal with a path: train, valid, test",
        ),
        ({"split_sizes": {"train": 9}}, r"split_sizes: .*'train': 9.* do not fit into the 10 digits"),
        ({"split": "test", "split_sizes": {"test": 5}}, r"'test': 5\} do not fit into the 4 digits"),
        ({"split_sizes": {"trian": 9}}, r"split_sizes.trian: unknown 'trian'; did you mean 'train'\?"),
        ({"split_sizes": {"train": 0}}, r"split_sizes.train: 0 is too small; legal: >= 1 digits; nearest: 1"),
        ({"data_seed": -1}, r"data_seed: -1 is too small; legal: >= 0; nearest: 0"),
    ],
)
def test_illegal_sets_are_named(mnist, arguments, message):
    with pytest.raises(ValueError, match=message):
        open_digits(**{"split": "train", "path": str(mnist), **arguments})


def test_files_of_other_classes_are_refused(mnist):
    (mnist / "t10k-labels-idx1-ubyte").write_bytes(
        struct.pack(">BBBBI", 0, 0, 8, 1, 4) + bytes([1, 10, 3, 4])
    )
    with pytest.raises(ValueError, match=r"expected digits of classes 0 to 9; found others"):
        open_digits("test", str(mnist))
