"""Both forms of every game reproduce recorded episodes of the published games, frame for frame."""

import json
import os
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import engram.envs
from engram.envs.games.tmaze.rules import WORLD, world_masks

FOLDER = Path(os.environ.get("ENGRAM_GOLDEN", Path(__file__).parents[3] / "shared" / "golden"))
IDS = {
    "cued_catch": "engram/CuedCatch-v0",
    "sequence_recall": "engram/SequenceRecall-v0",
    "t_maze": "engram/TMaze-v0",
}
# Our action for each of the published games' (index); the first entry of a trace, -1, is no action.
ACTIONS = {
    "cued_catch": np.array([-1, 0, 1, 4]),
    "sequence_recall": np.array([-1, 0, 1, 2, 3, 4]),
    "t_maze": np.array([-1, 0, 1, 2, 3, 4]),
}
TRACES = sorted(
    path
    for path in FOLDER.glob("*__*.npz")
    if not path.stem.endswith(("limbo1", "limbo2")) and "quit" not in path.stem  # refused; not implemented
)

pytestmark = pytest.mark.skipif(not TRACES, reason=f"no recorded traces in {FOLDER} (set ENGRAM_GOLDEN)")
every_trace = pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)


def load(path):
    """Environment id, parameters, reset options, and per frame: action, board, planes, reward, done."""
    with np.load(path) as file:
        trace = {name: file[name] for name in file.files}
    meta = json.loads(str(trace["meta"]))
    hidden = meta["hidden"]
    if "speckle_bits" in trace:
        bits = np.unpackbits(trace["speckle_bits"], count=np.prod(WORLD))
        hidden = hidden | {"speckle": bits.reshape(WORLD).astype(bool)}
    shape = (meta["frames"], *meta["board_shape"], len(meta["planes"]))
    trace["planes"] = np.unpackbits(trace["layers_bits"], axis=1, count=np.prod(shape[1:])).reshape(shape)
    trace["action"] = ACTIONS[meta["game"]][trace["action"]]
    return IDS[meta["game"]], meta["params"], hidden, meta["planes"], trace


def check_frame(n, trace, board, planes, reward, done):
    assert np.array_equal(board, trace["board"][n]), f"board of frame {n}"
    assert np.array_equal(planes, trace["planes"][n]), f"planes of frame {n}"
    assert reward == trace["reward"][n], f"reward of frame {n}"
    assert done == trace["done"][n], f"end at frame {n}"


@every_trace
def test_single_form(path):
    env_id, params, hidden, plane_names, trace = load(path)
    env = gymnasium.make(env_id, disable_env_checker=True, **params).unwrapped
    assert env.look.planes == plane_names
    planes, _ = env.reset(options=hidden)
    check_frame(0, trace, env.board, planes, 0.0, False)
    for n in range(1, len(trace["action"])):
        planes, reward, terminated, truncated, _ = env.step(trace["action"][n])
        check_frame(n, trace, env.board, planes, reward, terminated)
        assert not truncated


@every_trace
def test_batched_form(path):
    env_id, params, hidden, _, trace = load(path)
    # A second lane plays on its own; NEXT_STEP keeps the last board in sight.
    env = gymnasium.make_vec(
        env_id, 2, vectorization_mode="vector_entry_point", autoreset_mode="NextStep", **params
    ).unwrapped
    planes, _ = env.reset(seed=0, options=hidden)
    check_frame(0, trace, env.board[0], planes[0], 0.0, False)
    other = np.random.default_rng(0)
    for n in range(1, len(trace["action"])):
        actions = np.array([trace["action"][n], other.integers(5)])
        planes, rewards, terminated, truncated, _ = env.step(actions)
        check_frame(n, trace, env.board[0], planes[0], rewards[0], terminated[0])
        assert not truncated.any()


def test_every_game_has_traces():
    assert {path.stem.partition("__")[0] for path in TRACES} == set(IDS)
    assert set(IDS.values()) <= set(engram.envs.GAMES)


def test_speckle_lies_on_its_material_only():
    path = next(path for path in TRACES if path.stem.startswith("t_maze"))
    _, _, hidden, _, _ = load(path)
    assert not (hidden["speckle"] & ~world_masks()["*"]).any()
