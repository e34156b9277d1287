"""IDX files: written here byte by byte from the format's description, and broken in every way."""

import gzip
import struct

import numpy as np
import pytest

from engram.envs.data.files.idx import read_idx, read_labelled_images

CODES = {0x08: "B", 0x09: "b", 0x0B: "h", 0x0C: "i", 0x0D: "f", 0x0E: "d"}
IMAGES = np.arange(3 * 2 * 4).reshape(3, 2, 4)


def packed(values, code=0x08):
    values = np.asarray(values)
    head = struct.pack(f">BBBB{values.ndim}I", 0, 0, code, values.ndim, *values.shape)
    return head + struct.pack(f">{values.size}{CODES[code]}", *values.ravel().tolist())


def data_set(folder, prefix="", test="t10k", ending="-idx{}-ubyte"):
    for part, count in (("train", 3), (test, 2)):
        images, labels = IMAGES[:count], np.arange(count)
        (folder / f"{prefix}{part}-images{ending.format(3)}").write_bytes(packed(images))
        (folder / f"{prefix}{part}-labels{ending.format(1)}").write_bytes(packed(labels))


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3), (2, 1, 3, 2)])
def test_every_type_and_rank(tmp_path, code, shape):
    values = np.arange(np.prod(shape, dtype=int)).reshape(shape) * (-1 if code in (0x09, 0x0B) else 1)
    path = tmp_path / "file"
    for data in (packed(values, code), gzip.compress(packed(values, code))):
        path.write_bytes(data)
        got = read_idx(path)
        assert got.dtype == np.dtype(CODES[code])  # in the machine's byte order
        assert got.shape == shape
        assert np.array_equal(got, values)
        assert got.flags.writeable


def test_large_numbers_are_big_endian(tmp_path):
    (tmp_path / "file").write_bytes(packed([258, -2], 0x0C))
    assert read_idx(str(tmp_path / "file")).tolist() == [258, -2]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"not an IDX file: it begins with nothing"),
        (b"\0\0\x08", r"not an IDX file: it begins with 00 00 08"),
        (b"\x89PNG\r\n", r"not an IDX file: it begins with 89 50 4e 47"),
        (b"\0\0\x07\x01" + bytes(5), r"not an IDX file: it begins with 00 00 07 01"),
        (b"\0\0\x08\x02" + bytes(5), r"cut short: 9 bytes, the sizes of 2 axes need 12"),
        (packed(IMAGES)[:-1], r"cut short: 39 bytes, uint8 \(3, 2, 4\) needs 40"),
        (packed(IMAGES) + b"\0", r"too long: 41 bytes, uint8 \(3, 2, 4\) needs 40"),
        (gzip.compress(packed(IMAGES), mtime=0)[:-9], r"cannot be read: Compressed file ended"),
        (gzip.compress(packed(IMAGES), mtime=0)[:12] + bytes(30), r"cannot be read: "),
        (b"\x1f\x8bjunk", r"cannot be read: "),
    ],
)
def test_broken_files_are_named(tmp_path, data, message):
    path = tmp_path / "some-file"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"some-file: {message}"):
        read_idx(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"absent: cannot be read: .*No such file"):
        read_idx(tmp_path / "absent")


@pytest.mark.parametrize("ending", ["-idx{}-ubyte", ".idx{}-ubyte"])
@pytest.mark.parametrize(("prefix", "test"), [("", "t10k"), ("emnist-letters-", "test")])
def test_the_parts_of_a_data_set(tmp_path, prefix, test, ending):
    data_set(tmp_path, prefix, test, ending)
    for part, count in (("train", 3), ("test", 2)):
        images, labels = read_labelled_images(tmp_path, part, prefix)
        assert np.array_equal(images, IMAGES[:count])
        assert labels.tolist() == list(range(count))
        assert labels.dtype == np.int64


def test_packed_files_do_as_well(tmp_path):
    data_set(tmp_path)
    for file in list(tmp_path.iterdir()):
        file.with_name(file.name + ".gz").write_bytes(gzip.compress(file.read_bytes()))
    read_labelled_images(tmp_path, "train")  # either of two copies
    for file in tmp_path.glob("*-ubyte"):
        file.unlink()
    assert read_labelled_images(tmp_path, "train").labels.tolist() == [0, 1, 2]


def test_data_sets_that_do_not_fit_are_named(tmp_path):
    data_set(tmp_path)
    with pytest.raises(ValueError, match=r"part: unknown 'trian'; did you mean 'train'\?"):
        read_labelled_images(tmp_path, "trian")
    with pytest.raises(
        ValueError, match=r"no file emnist-train-images\?idx\*; it holds t10k-images-idx3-ubyte"
    ):
        read_labelled_images(tmp_path, "train", "emnist-")
    with pytest.raises(ValueError, match=r"nowhere: is no folder"):
        read_labelled_images(tmp_path / "nowhere", "train")
    labels = tmp_path / "train-labels-idx1-ubyte"
    labels.write_bytes(packed([1, 2]))
    with pytest.raises(ValueError, match=r"labels-idx1-ubyte: holds uint8 \(2,\); expected \(3,\) labels"):
        read_labelled_images(tmp_path, "train")
    (tmp_path / "train-images-idx3-ubyte").write_bytes(packed(IMAGES[0]))
    with pytest.raises(
        ValueError, match=r"images-idx3-ubyte: holds uint8 \(2, 4\); expected uint8 \(P, H, W\)"
    ):
        read_labelled_images(tmp_path, "train")
