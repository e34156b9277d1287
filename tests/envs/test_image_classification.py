"""Image classification: readers against files made here, what is done to pictures, splits."""

import gzip
import pickle
import struct

import numpy as np
import pytest
from scipy.io import savemat

from engram.envs.data.files.unpickling import NUMPY_NAMES, SafeUnpickler
from engram.envs.puzzles.image_classification.data_sets import (
    DATA_SETS,
    read_cifar10,
    read_digits,
    read_emnist,
    read_svhn,
)
from engram.envs.puzzles.image_classification.env import BatchedImageClassification, ImageClassification
from engram.envs.puzzles.image_classification.pictures import Pictures, fit, random_crop, random_flip
from engram.envs.puzzles.image_classification.shapes import SHAPES, SIDE, draw_shapes
from engram.envs.puzzles.image_classification.task import make_images

BATCH = 4  # pictures in each of CIFAR-10's batches here; 10 000 in the real ones


def cifar_batches(rng):
    """Pixels and labels of five training batches and a test batch."""
    images = rng.integers(256, size=(6, BATCH, 3, 32, 32), dtype=np.uint8)
    return images, rng.integers(10, size=(6, BATCH))


class Python2Pickler(pickle._Pickler):
    """Writes strings as Python 2 did, and NumPy's function under its name of then."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_python2_string(self, text):
        data = text if isinstance(text, bytes) else text.encode("latin1")
        self.write(pickle.BINSTRING + struct.pack("<i", len(data)) + data)
        self.memoize(text)

    dispatch[bytes] = dispatch[str] = save_python2_string

    def save_global(self, obj, name=None):
        module = "numpy.core.multiarray" if obj.__name__ == "_reconstruct" else obj.__module__
        self.write(pickle.GLOBAL + f"{module}\n{obj.__name__}\n".encode())
        self.memoize(obj)

    dispatch[type(np.copy)] = save_global


def write_cifar_python(folder, images, labels):
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    for name, pixels, classes in zip(names, images, labels, strict=True):
        held = {"data": pixels.reshape(BATCH, -1), "labels": classes.tolist(), "batch_label": name}
        with (folder / name).open("wb") as file:
            Python2Pickler(file, protocol=2).dump(held)


def write_cifar_binary(folder, images, labels):
    names = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
    for name, pixels, classes in zip(names, images, labels, strict=True):
        rows = [bytes([label]) + image.tobytes() for image, label in zip(pixels, classes, strict=True)]
        (folder / name).write_bytes(b"".join(rows))


# Readers


@pytest.mark.parametrize("write", [write_cifar_python, write_cifar_binary])
def test_cifar10_is_read(tmp_path, write):
    images, labels = cifar_batches(np.random.default_rng(0))
    write(tmp_path, images, labels)
    train, test = read_cifar10(tmp_path, "train"), read_cifar10(tmp_path, "test")
    assert train.images.dtype == np.uint8
    assert train.labels.dtype == np.int64
    assert np.array_equal(train.images, images[:5].reshape(-1, 3, 32, 32))
    assert np.array_equal(train.labels, labels[:5].reshape(-1))
    assert np.array_equal(test.images, images[5])
    assert np.array_equal(test.labels, labels[5])


def test_the_fixture_is_written_as_python_2_did(tmp_path):
    write_cifar_python(tmp_path, *cifar_batches(np.random.default_rng(0)))
    data = (tmp_path / "test_batch").read_bytes()
    assert b"cnumpy.core.multiarray\n_reconstruct" in data
    assert b"cnumpy\nndarray" in data
    assert b"_codecs" not in data  # as which Python 3 would write bytes


@pytest.mark.parametrize("protocol", [2, 4])
def test_pickles_of_this_numpy_are_read(protocol):
    array = np.arange(6.0).reshape(2, 3)
    names = (
        NUMPY_NAMES
        if protocol > 2
        else {**NUMPY_NAMES, ("_codecs", "encode"): lambda text, _: text.encode("latin1")}
    )
    assert np.array_equal(SafeUnpickler(pickle.dumps(array, protocol), names).load(), array)


def test_broken_cifar10_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"path: .*data_batch_1 is not CIFAR-10's"):
        read_cifar10(tmp_path, "train")
    (tmp_path / "test_batch").write_bytes(pickle.dumps(eval))
    with pytest.raises(ValueError, match=r"it asks for builtins\.eval, which is not read"):
        read_cifar10(tmp_path, "test")
    (tmp_path / "test_batch").write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(ValueError, match="is not CIFAR-10's"):
        read_cifar10(tmp_path, "test")
    (tmp_path / "test_batch.bin").write_bytes(bytes(3074))
    with pytest.raises(ValueError, match=r"path: .*test_batch\.bin is not CIFAR-10's"):
        read_cifar10(tmp_path, "test")


def test_svhn_is_read(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(5, 3, 32, 32), dtype=np.uint8)
    savemat(
        tmp_path / "test_32x32.mat",
        {"X": images.transpose(2, 3, 1, 0), "y": np.array([[10], [1], [9], [10], [5]], np.uint8)},
    )
    read = read_svhn(tmp_path, "test")
    assert np.array_equal(read.images, images)
    assert read.labels.tolist() == [0, 1, 9, 0, 5]
    assert read.labels.dtype == np.int64
    with pytest.raises(ValueError, match=r"path: .*train_32x32\.mat is not SVHN's"):
        read_svhn(tmp_path, "train")
    savemat(tmp_path / "train_32x32.mat", {"X": images, "y": np.ones(5)})
    with pytest.raises(ValueError, match=r"it holds uint8 \(5, 3, 32, 32\) and 5 labels"):
        read_svhn(tmp_path, "train")


def write_emnist(folder, part, images, labels):
    """Pixels column by column, as EMNIST's are."""
    columns = images.transpose(0, 2, 1)
    for name, array in ((f"{part}-images-idx3-ubyte", columns), (f"{part}-labels-idx1-ubyte", labels)):
        data = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
        (folder / f"emnist-balanced-{name}.gz").write_bytes(gzip.compress(data))


def test_emnist_is_read_upright(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(3, 28, 28), dtype=np.uint8)
    write_emnist(tmp_path, "train", images, np.array([0, 46, 7], np.uint8))
    read = read_emnist(tmp_path, "train")
    assert np.array_equal(read.images, images[:, None])
    assert read.labels.tolist() == [0, 46, 7]
    with pytest.raises(ValueError, match="emnist-balanced-"):
        read_emnist(tmp_path, "test")


def test_digits_are_scikit_learns():
    train, test = read_digits(None, "train"), read_digits(None, "test")
    assert train.images.shape == (1300, 1, 8, 8)
    assert test.images.shape == (497, 1, 8, 8)
    images = np.concatenate([train.images, test.images])
    assert (images.min(), images.max()) == (0, 255)
    assert np.bincount(np.concatenate([train.labels, test.labels])).tolist() == [
        178, 182, 177, 183, 181, 182, 181, 179, 174, 180,
    ]  # fmt: skip
    # The top of the first digit, a nought, in sixteenths: 0 0 5 13 9 1 0 0.
    assert (images[0, 0, 0] * (16 / 255)).round().tolist() == [0, 0, 5, 13, 9, 1, 0, 0]
    assert train.labels[0] == 0


@pytest.mark.parametrize(
    ("data", "pictures"),
    [("digits", read_digits(None, "train")), ("shapes", draw_shapes(np.random.default_rng(0), 4000))],
    ids=["digits", "shapes"],
)
def test_means_and_deviations_are_those_of_the_pictures(data, pictures):
    known, shades = DATA_SETS[data], pictures.images / 255
    assert np.allclose(shades.mean(axis=(0, 2, 3)), known.mean, atol=0.01)
    assert np.allclose(shades.std(axis=(0, 2, 3)), known.std, atol=0.01)


# What is done to pictures


def test_fit_enlarges_by_a_whole_factor_and_pads():
    image = np.arange(1, 5, dtype=np.uint8).reshape(1, 1, 2, 2)
    pictures = Pictures(image, np.zeros(1, np.int64))
    assert fit(pictures, None) is pictures
    assert fit(pictures, 4).images[0, 0].tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    assert fit(pictures, 3).images[0, 0].tolist() == [[1, 2, 0], [3, 4, 0], [0, 0, 0]]
    seven = fit(pictures, 7).images[0, 0]
    assert seven[:6, :6].tolist() == np.kron(image[0, 0], np.ones((3, 3))).tolist()
    assert not seven[6].any()
    assert not seven[:, 6].any()
    with pytest.raises(ValueError, match="size: 1 is too small; legal: None, or >= 2 pixels; nearest: 2"):
        fit(pictures, 1)


def shifted(image, down, right):
    """An image moved on black ground."""
    moved = np.zeros_like(image)
    height, width = image.shape[-2:]
    for row in range(height):
        for column in range(width):
            if 0 <= row - down < height and 0 <= column - right < width:
                moved[:, row, column] = image[:, row - down, column - right]
    return moved


def test_a_crop_is_a_shift_of_up_to_its_border_each_way():
    rng = np.random.default_rng(0)
    image = rng.integers(1, 256, size=(2, 6, 6), dtype=np.uint8)
    cropped = random_crop(rng, np.repeat(image[None], 400, axis=0), border=2)
    expected = {shifted(image, down, right).tobytes() for down in range(-2, 3) for right in range(-2, 3)}
    assert {each.tobytes() for each in cropped} == expected


def test_half_of_the_pictures_are_mirrored():
    rng = np.random.default_rng(0)
    image = rng.integers(256, size=(3, 4, 4), dtype=np.uint8)
    flipped = random_flip(rng, np.repeat(image[None], 1000, axis=0))
    same = (flipped == image).all(axis=(1, 2, 3))
    assert (flipped[~same] == image[:, :, ::-1]).all()
    assert 400 < same.sum() < 600


# Shapes

AREAS = {
    "disc": np.pi / 4,
    "ring": np.pi / 4 * (1 - 0.25),
    "square": 1,
    "frame": 0.75,
    "diamond": 0.5,
    "triangle": 0.5,
    "plus": 1 - 0.75**2,
    "saltire": 2 * (1 - 0.875**2) - 0.125**2 * 2,
    "rows": 0.6,
    "columns": 0.6,
}


def masks_of(side=400):
    axis = (np.arange(side) + 0.5) * (2 / side) - 1
    v, u = np.meshgrid(axis, axis, indexing="ij")
    return {name: covers(u, v) for name, covers in SHAPES.items()}


def test_shapes_cover_what_geometry_says():
    covered = {name: mask.mean() for name, mask in masks_of().items()}
    assert covered == pytest.approx(AREAS, abs=0.01)


def test_shapes_are_symmetric_as_they_should_be():
    masks = masks_of()
    for name, mask in masks.items():
        assert (mask != mask[:, ::-1]).mean() < 0.01, name
        assert ((mask != mask[::-1]).mean() < 0.01) == (name != "triangle"), name
    assert np.array_equal(masks["rows"], masks["columns"].T)
    assert masks["triangle"][-1].sum() > masks["triangle"][0].sum()  # it points up


def test_a_drawn_picture_is_one_of_its_shape_on_plain_ground():
    pictures = draw_shapes(np.random.default_rng(0), 2000)
    assert pictures.images.shape == (2000, 3, SIDE, SIDE)
    assert np.bincount(pictures.labels, minlength=10).min() > 140
    corners = pictures.images[:, :, [0, 0, -1, -1], [0, -1, 0, -1]].astype(int)
    discs = np.flatnonzero(pictures.labels == list(SHAPES).index("disc"))
    ground = np.median(corners[discs], axis=2)
    away = np.abs(pictures.images[discs].astype(int) - ground[:, :, None, None]).sum(axis=1) > 150
    areas = away.sum(axis=(1, 2))
    widths = away.any(axis=1).sum(axis=1)
    tall = away.any(axis=2).sum(axis=1)
    assert np.abs(widths - tall).max() <= 2
    assert np.allclose(areas / (np.pi / 4 * widths * tall), 1, atol=0.12)
    assert (widths >= 7 * 2 - 1).all()
    assert (widths <= 13 * 2 + 1).all()


# Puzzles and environments


def test_normalised_and_raw_pictures_are_the_same():
    shown = make_images("shapes", "test", split_sizes={"test": 5})
    raw = make_images("shapes", "test", split_sizes={"test": 5}, normalise=False)
    rng = np.random.default_rng(0)
    one, two = (each.draw(np.random.default_rng(1), 5) for each in (shown, raw))
    assert one.observations.dtype == np.float32
    assert two.observations.dtype == np.uint8
    assert np.allclose(one.observations, (two.observations / 255 - 0.5) / 0.29, atol=1e-5)
    assert shown.observation_space.low.min() == pytest.approx(-0.5 / 0.29)
    assert np.array_equal(raw.observation_space.high, np.full((3, 32, 32), 255))
    assert np.array_equal(shown.picture(one.observations[0]), raw.picture(two.observations[0]))
    assert np.array_equal(raw.picture(two.observations[0])[::8, ::8], two.observations[0].transpose(1, 2, 0))
    assert shown.observation_space.contains(shown.draw(rng, 1).observations[0])


@pytest.mark.parametrize("switch", ["crop", "flip"])
def test_only_pictures_to_learn_from_are_varied(switch):
    plain = {each.tobytes() for each in read_digits(None, "train").images}
    for split, varied in (("online", True), ("train", True), ("valid", False)):
        puzzles = make_images("digits", split, normalise=False, **{switch: True})
        drawn = puzzles.draw(np.random.default_rng(0), 200).observations
        assert all(each.tobytes() in plain for each in drawn) != varied
    drawn = make_images("digits", "test", normalise=False, crop=True, flip=True).draw(
        np.random.default_rng(0), 497
    )
    assert {each.tobytes() for each in drawn.observations} == {
        each.tobytes() for each in read_digits(None, "test").images
    }


def test_train_and_valid_divide_the_training_part():
    train, valid, test = (make_images("digits", split).problems for split in ("train", "valid", "test"))
    assert (train.size, valid.size, test.size) == (1000, 300, 497)
    together = sorted(each.tobytes() for each in np.concatenate([train.observations, valid.observations]))
    assert together == sorted(each.tobytes() for each in read_digits(None, "train").images)
    other = make_images("digits", "valid", data_seed=1).problems
    assert not np.array_equal(other.observations, valid.observations)
    online = make_images("digits", normalise=False).draw(np.random.default_rng(0), 3000)
    assert {each.tobytes() for each in online.observations} <= {each.tobytes() for each in train.observations}


def test_sizes_of_splits_are_checked():
    assert make_images("digits", "train", split_sizes={"valid": 100}).problems.size == 1200
    assert make_images("digits", "train", split_sizes={"train": 10}).problems.size == 10
    with pytest.raises(ValueError, match="split_sizes: 1400 pictures asked for; legal: at most 1300"):
        make_images("digits", "train", split_sizes={"train": 1100})
    with pytest.raises(ValueError, match="split_sizes: 498 pictures asked for; legal: at most 497"):
        make_images("digits", "test", split_sizes={"test": 498})


def test_of_a_papers_set_nothing_is_set_apart_unless_asked_for(tmp_path):
    images, labels = cifar_batches(np.random.default_rng(0))
    write_cifar_binary(tmp_path, images, labels)
    assert make_images("cifar10", "train", path=tmp_path).problems.size == 5 * BATCH
    assert make_images("cifar10", "test", path=tmp_path).problems.size == BATCH
    assert make_images("cifar10", "valid", path=tmp_path, split_sizes={"valid": 6}).problems.size == 6
    with pytest.raises(ValueError, match=r"split: no pictures are set apart for 'valid'.*\{'valid': 5000\}"):
        make_images("cifar10", "valid", path=tmp_path)


def test_where_files_are_is_checked(tmp_path):
    with pytest.raises(ValueError, match=r"path: None; legal: the folder that holds CIFAR-10: data_batch_1"):
        make_images("cifar10")
    with pytest.raises(ValueError, match=r"path: .*none; legal: the folder that holds SVHN"):
        make_images("svhn", path=tmp_path / "none")
    for data in ("digits", "shapes"):
        with pytest.raises(ValueError, match="this data set is not read from files; legal: None"):
            make_images(data, path=tmp_path)
    with pytest.raises(ValueError, match=r"data: unknown 'cifar'; did you mean 'cifar10'\?"):
        make_images("cifar")


@pytest.mark.parametrize("name", ["crop", "flip", "normalise"])
def test_switches_are_booleans(name):
    with pytest.raises(ValueError, match=f"{name}: 1 is not a boolean"):
        make_images(**{name: 1})


def test_emnist_as_an_environment(tmp_path):
    images = np.zeros((2, 28, 28), np.uint8)
    images[:, 3] = 255  # a line across
    write_emnist(tmp_path, "test", images, np.array([46, 46], np.uint8))
    env = ImageClassification("emnist", "test", path=tmp_path)
    seen, info = env.reset(seed=0)
    assert env.action_space.n == 47
    assert seen.shape == (1, 28, 28)
    assert seen[0, 3] == pytest.approx((1 - 0.1307) / 0.3081)
    assert seen[0, 4] == pytest.approx(-0.1307 / 0.3081)
    assert info["target"] == 46
    assert env.step(46)[1] == 1


def test_only_the_right_class_is_paid():
    envs = BatchedImageClassification(3, data="shapes", size=40)
    seen, info = envs.reset(seed=0)
    assert seen.shape == (3, 3, 40, 40)
    answers = info["target"].copy()
    answers[1] = (answers[1] + 1) % 10
    assert envs.step(answers)[1].tolist() == [1, 0, 1]
