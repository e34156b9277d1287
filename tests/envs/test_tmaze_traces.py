"""Both forms reproduce recorded episodes of the published game, frame for frame."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from engram.envs.tmaze.batched import BatchedTMaze
from engram.envs.tmaze.rules import LOOK, WORLD, world_masks
from engram.envs.tmaze.single import TMaze

FOLDER = Path(os.environ.get("ENGRAM_GOLDEN", Path(__file__).parents[3] / "shared" / "golden"))
TRACES = sorted(
    path
    for path in FOLDER.glob("t_maze__*.npz")
    if not path.stem.endswith(("limbo1", "limbo2")) and "quit" not in path.stem  # refused; not implemented
)

pytestmark = pytest.mark.skipif(not TRACES, reason=f"no recorded traces in {FOLDER} (set ENGRAM_GOLDEN)")


def load(path):
    """Parameters, reset options, and per frame: action, board, planes, reward, done."""
    with np.load(path) as file:
        trace = {name: file[name] for name in file.files}
    meta = json.loads(str(trace["meta"]))
    speckle = np.unpackbits(trace["speckle_bits"], count=np.prod(WORLD)).reshape(WORLD).astype(bool)
    shape = (meta["frames"], LOOK.rows, LOOK.cols, len(meta["planes"]))
    trace["planes"] = np.unpackbits(trace["layers_bits"], axis=1, count=np.prod(shape[1:])).reshape(shape)
    trace["action"] = trace["action"].astype(np.int64) - 1  # theirs count from 1
    assert meta["planes"] == LOOK.planes
    return meta["params"], meta["hidden"] | {"speckle": speckle}, trace


def check_frame(n, trace, board, planes, reward, done):
    assert np.array_equal(board, trace["board"][n]), f"board of frame {n}"
    assert np.array_equal(planes, trace["planes"][n]), f"planes of frame {n}"
    assert reward == trace["reward"][n], f"reward of frame {n}"
    assert done == trace["done"][n], f"end at frame {n}"


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_single_form(path):
    params, hidden, trace = load(path)
    env = TMaze(**params)
    planes, info = env.reset(options=hidden)
    check_frame(0, trace, env.board, planes, 0.0, False)
    for n in range(1, len(trace["action"])):
        planes, reward, terminated, truncated, info = env.step(trace["action"][n])
        check_frame(n, trace, env.board, planes, reward, terminated)
        assert not truncated
    assert info["success"] == (trace["reward"].max() > 0.5)


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_batched_form(path):
    params, hidden, trace = load(path)
    # A second lane plays on its own; NEXT_STEP keeps the last board in sight.
    env = BatchedTMaze(num_envs=2, autoreset_mode="NextStep", **params)
    planes, info = env.reset(seed=0, options=hidden)
    check_frame(0, trace, env.board[0], planes[0], 0.0, False)
    other = np.random.default_rng(0)
    for n in range(1, len(trace["action"])):
        actions = np.array([trace["action"][n], other.integers(5)])
        planes, rewards, terminated, truncated, info = env.step(actions)
        check_frame(n, trace, env.board[0], planes[0], rewards[0], terminated[0])
        assert not truncated.any()
    assert info["success"][0] == (trace["reward"].max() > 0.5)


@pytest.mark.parametrize("path", TRACES[:1], ids=lambda path: path.stem)
def test_speckle_lies_on_its_material_only(path):
    _, hidden, _ = load(path)
    assert not (hidden["speckle"] & ~world_masks()["*"]).any()
