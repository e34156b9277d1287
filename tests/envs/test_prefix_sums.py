"""Prefix sums: the strings, their sums, the finite sets, files."""

import numpy as np
import pytest
import torch

from engram.envs.data.splits import SETS
from engram.envs.puzzles.prefix_sums.strings import unpack
from engram.envs.puzzles.prefix_sums.task import SPLIT_SIZES, PrefixSumsTask, make_prefix_sums


def strings_of(problems):
    return (problems.observations[:, 0] + 0.5).astype(np.uint8)


@pytest.mark.parametrize("bits", [1, 2, 7, 31, 32, 63, 64, 65, 128, 130, 512])
def test_targets_are_sums_modulo_2(bits):
    problems = PrefixSumsTask(bits).draw(np.random.default_rng(bits), 200)
    strings = strings_of(problems)
    assert problems.observations.dtype == np.float32
    assert problems.observations.shape == (200, 1, bits)
    assert set(np.unique(problems.observations)) == {-0.5, 0.5}
    assert problems.targets.dtype == np.int8
    assert np.array_equal(problems.targets, np.cumsum(strings, axis=1) % 2)
    assert problems.masks.all()
    assert (problems.facts["size"] == bits).all()


def test_an_example():
    given = np.array([[1, 0, 1, 1, 1, 0]], np.uint8)
    problems = PrefixSumsTask(6).of_bits(given)
    assert problems.targets.tolist() == [[1, 1, 0, 1, 0, 0]]
    assert problems.observations.tolist() == [[[0.5, -0.5, 0.5, 0.5, 0.5, -0.5]]]


def test_the_least_significant_bit_is_first():
    assert unpack(np.array([[6], [1]], np.uint64), 5).tolist() == [[0, 1, 1, 0, 0], [1, 0, 0, 0, 0]]


def test_bits_are_independent_and_fair():
    strings = strings_of(PrefixSumsTask(100).draw(np.random.default_rng(0), 20_000)).astype(float)
    assert np.abs(strings.mean(axis=0) - 0.5).max() < 5 * 0.5 / np.sqrt(20_000)
    correlations = np.corrcoef(strings.T)[np.triu_indices(100, k=1)]
    assert np.abs(correlations).max() < 6 / np.sqrt(20_000)


@pytest.mark.parametrize("bits", [4, 8, 14, 15, 16, 23])
def test_short_strings_of_the_sets_all_differ(bits):
    sets = [make_prefix_sums(bits, split).problems for split in SETS]
    strings = np.concatenate([strings_of(problems) for problems in sets])
    assert len(np.unique(strings, axis=0)) == len(strings)
    if bits >= 15:
        assert [problems.size for problems in sets] == list(SPLIT_SIZES.values())
    else:
        assert len(strings) > 0.9 * 2**bits


def test_the_sets_are_the_papers():
    sets = {split: make_prefix_sums(32, split).problems for split in SETS}
    assert {split: problems.size for split, problems in sets.items()} == {
        "train": 8_000,
        "valid": 2_000,
        "test": 10_000,
    }
    strings = np.concatenate([problems.observations for problems in sets.values()])
    assert len(np.unique(strings, axis=0)) > 0.999 * len(strings)  # no stream is drawn twice


def test_sets_follow_their_seed_and_sizes():
    for bits in (20, 40):
        sizes = {"train": 50}
        one, same, other = (
            make_prefix_sums(bits, "train", seed, sizes).problems.observations for seed in (3, 3, 4)
        )
        assert len(one) == 50
        assert np.array_equal(one, same)
        assert not np.array_equal(one, other)


def write(folder, strings, sums, bits):
    np.save(folder / f"{bits}_data.npy", strings)
    np.save(folder / f"{bits}_targets.npy", sums)


def test_published_tensors_are_read(tmp_path):
    strings = torch.arange(20).reshape(4, 5) % 2
    torch.save(strings.float(), tmp_path / "5_data.pth")
    torch.save(strings.cumsum(1) % 2, tmp_path / "5_targets.pth")
    test = make_prefix_sums(5, "test", path=tmp_path).problems
    assert np.array_equal(strings_of(test), strings.numpy())


def test_published_files_are_read(tmp_path):
    strings = np.random.default_rng(0).integers(2, size=(50, 12)).astype(np.float32)
    write(tmp_path, strings, (np.cumsum(strings, axis=1) % 2).astype(np.int64), 12)
    test = make_prefix_sums(12, "test", path=tmp_path).problems
    assert np.array_equal(strings_of(test), strings)
    parts = [make_prefix_sums(12, split, path=tmp_path).problems for split in ("train", "valid")]
    assert [part.size for part in parts] == [40, 10]
    both = np.concatenate([strings_of(part) for part in parts])
    assert sorted(map(tuple, both)) == sorted(map(tuple, strings))
    few = make_prefix_sums(12, "valid", path=tmp_path, split_sizes={"train": 5, "valid": 7}).problems
    assert few.size == 7
    with pytest.raises(ValueError, match="split_sizes: 60 problems asked for; legal: at most 50"):
        make_prefix_sums(12, "train", path=tmp_path, split_sizes={"train": 50})
    with pytest.raises(
        ValueError, match="split: 'online' does not read files; with path, legal: train, valid"
    ):
        make_prefix_sums(12, path=tmp_path)


def test_wrong_files_are_refused(tmp_path):
    strings = np.zeros((3, 12))
    with pytest.raises(ValueError, match=r"path: there is no file .*12_data\.npy"):
        make_prefix_sums(12, "test", path=tmp_path)
    write(tmp_path, strings, strings[:, :11], 12)
    with pytest.raises(ValueError, match=r"strings \(3, 12\) and sums \(3, 11\); expected \(problems, 12\)"):
        make_prefix_sums(12, "test", path=tmp_path)
    sums = strings.copy()
    sums[1, 4] = 1
    write(tmp_path, strings, sums, 12)
    with pytest.raises(ValueError, match=r"row 1 of 12_targets\.npy is not its string's prefix sums"):
        make_prefix_sums(12, "test", path=tmp_path)
    write(tmp_path, strings - 0.5, sums, 12)
    with pytest.raises(ValueError, match=r"12_data\.npy holds other values than 0 and 1"):
        make_prefix_sums(12, "test", path=tmp_path)
    write(tmp_path, strings[:0], sums[:0], 12)
    with pytest.raises(ValueError, match="is empty"):
        make_prefix_sums(12, "test", path=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bits": 0}, "bits: 0 is too small; legal: >= 1 bits; nearest: 1"),
        ({"split": "trian"}, "split: unknown 'trian'; did you mean 'train'"),
        ({"data_seed": -1}, "data_seed: -1 is too small; legal: >= 0"),
        ({"split_sizes": {"tset": 5}}, "split_sizes.tset: unknown 'tset'; did you mean 'test'"),
        ({"split_sizes": {"test": 0}}, "split_sizes.test: 0 is too small; legal: >= 1 problems"),
        ({"bits": 5, "split": "test", "split_sizes": {"test": 30}}, "at most 32 in all, for bits = 5"),
        ({"bits": 1, "split": "train"}, "legal: >= 1 in 'train'"),
    ],
)
def test_illegal_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_prefix_sums(**arguments)
