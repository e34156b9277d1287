"""Tensor files are read without PyTorch, as PyTorch wrote them."""

import os
import pickle
import zipfile

import numpy as np
import pytest
import torch

from engram.envs.data.files.tensors import read_tensor

DTYPES = (
    torch.bool,
    torch.uint8,
    torch.int8,
    torch.int16,
    torch.int32,
    torch.int64,
    torch.float16,
    torch.float32,
    torch.float64,
)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_type_is_read(tmp_path, dtype):
    tensor = (torch.arange(24).reshape(2, 3, 4) % 5).to(dtype)
    torch.save(tensor, tmp_path / "x.pth")
    read = read_tensor(tmp_path / "x.pth")
    assert read.dtype == tensor.numpy().dtype
    assert np.array_equal(read, tensor.numpy())


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(24).reshape(4, 6).T,
        torch.arange(24).reshape(4, 6)[1:3, 2::2],
        torch.arange(6).expand(3, 6),
        torch.tensor(7),
        torch.empty(0, 3),
    ],
    ids=["transposed", "part", "expanded", "scalar", "empty"],
)
def test_views_are_read(tmp_path, tensor):
    torch.save(tensor, tmp_path / "x.pth")
    read = read_tensor(tmp_path / "x.pth")
    assert read.shape == tuple(tensor.shape)
    assert np.array_equal(read, tensor.numpy())


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "x.pth"
    with pytest.raises(ValueError, match=r"x\.pth is not a file of one tensor"):
        read_tensor(path)
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match="is not a file of one tensor"):
        read_tensor(path)
    torch.save({"weights": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match="holds a dict; legal: one tensor"):
        read_tensor(path)
    torch.save(torch.zeros(2), path, _use_new_zipfile_serialization=False)
    with pytest.raises(ValueError, match=r"PyTorch 1\.6 or later"):
        read_tensor(path)


class Caller:
    """Pickled, it is a call of `os.mkdir`."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_code_in_a_file_is_not_run(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.pth", "w") as archive:
        archive.writestr("x/data.pkl", pickle.dumps(Caller(tmp_path / "made"), protocol=2))
    with pytest.raises(ValueError, match=r"it asks for \w+\.mkdir, which is not read"):
        read_tensor(tmp_path / "x.pth")
    assert not (tmp_path / "made").exists()


def test_a_tensor_beyond_its_storage_is_refused(tmp_path):
    torch.save(torch.zeros(4), tmp_path / "whole.pth")
    with zipfile.ZipFile(tmp_path / "whole.pth") as whole, zipfile.ZipFile(tmp_path / "cut.pth", "w") as cut:
        for name in whole.namelist():
            data = whole.read(name)
            cut.writestr(name, data[:8] if name.endswith("data/0") else data)
    with pytest.raises(ValueError, match=r"a tensor \(4,\) does not fit into 2 numbers"):
        read_tensor(tmp_path / "cut.pth")
