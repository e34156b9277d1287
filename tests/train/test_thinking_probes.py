"""Probes of thinking networks, on networks whose thoughts have a closed form."""

import itertools
import json

import numpy as np
import pytest
import ray
import torch
from made_up_thinkers import MAZE, SUMS, Keeping, Nearing, make_checkpoint

from engram.train.thinking.probes import (
    Disturbed,
    flip,
    make_noise,
    probe,
    recovery,
    state_changes,
    swap,
    white_noise,
)
from engram.train.thinking.puzzles import Puzzles, even_lanes

LENGTH = 6
OPPOSITES = torch.tensor([[[1, -1, 1, 1, -1, -1]], [[-1, 1, -1, -1, 1, 1]]]) / 2


def puzzles(problems):
    """The answer is the sign of each number."""
    targets = (problems[:, 0] > 0).to(torch.int8)
    return Puzzles(problems, targets, torch.ones_like(targets, dtype=torch.bool))


def negate(thought, given, generator):
    return Disturbed(-thought, given)


def probes(thinker, iterations, disturbances, problems=OPPOSITES):
    return probe(thinker, [puzzles(problems)], iterations, disturbances)


def test_changes_of_a_thought_that_comes_half_as_near_each_time():
    """h_t = (1 - 2^-t) x, so that |h_t - h_(t-1)| / |h_t| = 1 / (2^t - 1)."""
    last, changes = state_changes(Nearing(LENGTH), OPPOSITES.double(), 9)
    expected = torch.tensor([1 / (2**t - 1) for t in range(1, 10)], dtype=torch.float64)
    torch.testing.assert_close(changes, expected[:, None].expand(9, 2))
    torch.testing.assert_close(last, OPPOSITES * (1 - 2.0**-9), check_dtype=False)


def test_a_thought_that_stays_does_not_change():
    _, changes = state_changes(Keeping(LENGTH), torch.zeros(3, 1, LENGTH), 4)
    assert torch.equal(changes, torch.zeros(4, 3))


@pytest.mark.parametrize("pace", [2, 5, 20])
@pytest.mark.parametrize("disturb", [swap, negate])
def test_iterations_until_right_again(pace, disturb):
    """With q = 1 - 1 / pace: from -x (1 - q^T), h = x (1 - (2 - q^T) q^k) after k more iterations."""
    steps, q = 30, 1 - 1 / pace
    needed = next(k for k in itertools.count() if (2 - q**steps) * q**k < 1)
    found = probes(Nearing(LENGTH, pace), steps, {"it": disturb}).recovery["it"]
    assert found.solved_before == 2
    assert found.iterations == [needed] * 2
    assert found.recovered == 1
    assert found.right[: needed + 1] == [0.0] * needed + [1.0]


def test_who_does_not_look_again_does_not_recover():
    found = probes(Keeping(LENGTH), 5, {"swap": swap, "nothing": make_noise(0)})
    assert found.accuracy == 1
    assert found.recovery["swap"] == (2, [0.0] * 6, [])
    assert found.recovery["swap"].recovered == 0
    assert found.recovery["nothing"] == (2, [1.0] * 6, [0, 0])


def test_alignment():
    """All ways lead to x for the one; the other stays where it starts, at the opposite."""
    settled = probes(Nearing(LENGTH), 60, {}).alignment
    assert settled.keys() == {"another", "random"}
    for end in settled.values():
        assert end == (pytest.approx(1.0), 1.0)
    kept = probes(Keeping(LENGTH), 3, {}).alignment["another"]
    assert kept == (pytest.approx(-1.0), 0.0)


def test_batches_add_up():
    """A solved pair and a pair in which one answer cannot be right."""
    wrong = puzzles(OPPOSITES)
    wrong.targets[0, 0] = 0
    found = probe(Nearing(LENGTH), [puzzles(OPPOSITES), wrong], 20, {"swap": swap})
    assert (found.problems, found.accuracy) == (4, 0.75)
    assert found.recovery["swap"].solved_before == 3
    assert found.recovery["swap"].iterations == [1, 1, 1]
    assert found.alignment["another"].accuracy == 0.75
    assert len(found.changes) == 20


def test_recovery_counts_until_right_for_good():
    right = torch.tensor([[1, 1, 0, 0, 1], [1, 0, 0, 1, 1], [1, 1, 0, 1, 0]], dtype=torch.bool)
    found = recovery(right)
    assert found.solved_before == 5
    assert found.right == pytest.approx([0.6, 0.6, 0.6])
    assert found.iterations == [0, 2, 1]
    assert found.recovered == 0.6
    nobody = recovery(right[:, :0])
    assert nobody == (0, [], [])
    assert nobody.recovered == 0


def test_flip_changes_one_bit_and_the_sums_from_there_on():
    generator = torch.Generator().manual_seed(0)
    bits = np.random.default_rng(0).integers(2, size=(200, 12)).astype(np.int8)
    sums = torch.from_numpy(np.bitwise_xor.accumulate(bits, axis=1))
    given = Puzzles(
        torch.from_numpy(bits)[:, None].float() - 0.5, sums, torch.ones_like(sums, dtype=torch.bool)
    )
    before = [part.clone() for part in given]
    thought = torch.zeros(200, 3, 12)
    kept, (problems, targets, masks) = flip(thought, given, generator)
    assert kept is thought
    flipped = (problems[:, 0] + 0.5).to(torch.int8).numpy()
    assert (np.bitwise_xor.accumulate(flipped, axis=1) == targets.numpy()).all()
    places = flipped != bits
    assert (places.sum(1) == 1).all()
    assert places.any(0).all()  # each of 12 places is left out by 200 draws with probability 3e-8
    assert torch.equal(masks, given.masks)
    assert all(torch.equal(one, other) for one, other in zip(given, before, strict=True))


def test_noise_is_as_large_as_the_thought():
    generator = torch.Generator().manual_seed(0)
    thought = torch.tensor([0.0, 1.0, 10.0]).reshape(3, 1, 1) * torch.ones(3, 5, 4000)
    noise = white_noise(thought, generator)
    torch.testing.assert_close(noise.flatten(1).std(1), torch.tensor([0.0, 1.0, 10.0]), rtol=0.03, atol=0)
    moved, given = make_noise(3.0)(thought, puzzles(OPPOSITES), generator)
    torch.testing.assert_close((moved - thought)[1].std(), torch.tensor(3.0), rtol=0.03, atol=0)
    assert torch.equal(given.problems, OPPOSITES)


def test_no_problem_is_left_alone():
    for problems in (*range(2, 500), 9_901, 10_001):
        lanes = even_lanes(problems)
        assert 2 <= lanes <= 100
        assert problems % lanes != 1
    assert even_lanes(100) == even_lanes(1000) == 100
    with pytest.raises(ValueError, match="swap: expected at least 2 problems in a batch, got 1"):
        swap(torch.zeros(1, 2, 3), puzzles(OPPOSITES[:1]), torch.Generator())


def test_the_command(typed, tmp_path):
    folder = make_checkpoint(tmp_path / "sums", SUMS, {"bits": 8})
    code, out, err = typed(
        *("probe-thinking", folder, "--problems", 101, "--env-config", "{bits: 5}", "--thinking-steps", 6),
        *("--out", "probes.json", "--json"),
    )
    assert (code, err) == (0, "")
    summary = json.loads(out.splitlines()[-1])
    assert (summary["problems"], summary["thinking_steps"], summary["env_config"]) == (101, 6, {"bits": 5})
    assert summary["recovery"].keys() == {"swap", "noise", "flip"}
    assert summary["alignment"].keys() == {"another", "random"}
    whole = json.loads((tmp_path / "probes.json").read_text())
    assert len(whole["changes"]) == 6
    assert whole["changes"][-1] == summary["last_change"]
    assert whole["recovery"]["flip"]["solved_before"] == round(101 * whole["accuracy"])
    assert not ray.is_initialized()


@pytest.mark.parametrize(
    ("core", "arguments", "message"),
    [
        (
            {},
            ["--disturb", "flop"],
            "--disturb: unknown 'flop'; did you mean 'flip'? known: flip, noise, swap",
        ),
        (
            {},
            ["--disturb", "flip"],
            "--disturb flip: for prefix sums only, where a flipped bit's answer is known",
        ),
        ({}, ["--problems", "1"], "Invalid value for '--problems'"),
        ({}, ["--env-config", "{positions: 4}"], "env_config: positions: 4 is even"),
        (
            {"feed_forward": True},
            [],
            "probe-thinking: maze/checkpoint_000000 cannot be played: iteration: expected",
        ),
    ],
)
def test_errors(typed, tmp_path, core, arguments, message):
    folder = make_checkpoint(tmp_path / "maze", MAZE, {"positions": 3, "pixels": 1}, **core)
    code, out, err = typed("probe-thinking", folder, *arguments)
    assert (code, out) == (2, "")
    assert err.replace(f"{tmp_path}/", "").startswith(f"error: {message}")
    assert err.count("\n") == 1
