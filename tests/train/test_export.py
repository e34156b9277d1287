"""`rllib export` and `rllib describe policy`: from a run on disk to a policy that acts."""

import json
import re
import shutil
from contextlib import closing
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from made_up_thinkers import SUMS, make_checkpoint
from ray.rllib.core.rl_module.rl_module import RLModuleSpec

import engram
from engram.policy import onnx
from engram.train.evaluation import load_agent
from engram.train.runs.record import versions


@pytest.fixture(scope="module")
def run(finished_run, tmp_path_factory):
    """A copy of a finished run of one trial: 5 iterations of 96 env steps."""
    folder = tmp_path_factory.mktemp("run") / "cue"
    shutil.copytree(finished_run[1], folder)
    return folder


def test_a_run_becomes_a_file_that_acts_alike(typed, run, tmp_path):
    """Its card says where it comes from; exported again, it has the same bytes."""
    file = tmp_path / "policy.safetensors"
    code, out, err = typed("export", run, "--out", file, "--json")
    assert (code, err) == (0, "")
    trial = next(run.glob("RecurrentPPO_*"))
    reports = [json.loads(line) for line in (trial / "result.json").read_text().splitlines()]
    returns = [report["env_runners"]["episode_return_mean"] for report in reports]
    policy = engram.load_policy(file)
    card = policy.card
    assert card.returns == {"last": returns[-1], "best": max(returns)}
    assert (card.core, card.encoder, card.algorithm, card.seed) == ("lstm", "mlp", "RecurrentPPO", 1)
    assert (card.env, card.env_config, card.env_steps) == ("small_envs:small/Cue-v0", {"delay": 2}, 480)
    assert (card.versions, card.date) == (versions(), reports[-1]["date"])
    assert card.command.startswith("rllib train -f ")
    said = json.loads(out.splitlines()[-1])
    assert (said["file"], said["bytes"], said["card"]) == (str(file), file.stat().st_size, card.data())
    before = file.read_bytes()
    typed("export", trial, "--out", file)
    assert file.read_bytes() == before
    assert_acts_alike(policy, load_agent(run))


def assert_acts_alike(policy, agent):
    with closing(agent.make_envs(4)) as envs:
        trained = agent.make_policy(4)
        policy.reset(lanes=4)
        observations, _ = envs.reset(seed=0)
        resets = np.ones(4, bool)
        for _ in range(30):
            actions = trained.act(observations, resets)
            assert np.array_equal(policy.act(observations, resets), actions)
            observations, _, terminated, truncated, _ = envs.step(actions)
            resets = terminated | truncated


def test_the_card_is_shown(typed, run, tmp_path):
    file = tmp_path / "policy.safetensors"
    typed("export", run, "--out", file)
    code, out, _ = typed("describe", "policy", file)
    assert code == 0
    assert out.startswith(f"{file} (policy): core lstm of small_envs:small/Cue-v0, ")
    rows = dict(line.split(maxsplit=1) for line in out.splitlines()[2:])
    assert rows["env_config"] == "{delay: 2}"
    assert rows["load"] == f'engram.load_policy("{file}")'
    _, out, _ = typed("describe", "policies", file, "--json")
    facts = json.loads(out)["facts"]
    assert facts["model"]["core"] == {"type": "lstm", "size": 8}


def test_the_lines_of_the_docs(typed, run, tmp_path):
    text = (Path(__file__).parent.parent.parent / "docs/sharing.md").read_text()
    (lines,) = re.findall(r"^```python\n(.*?)^```", text, re.S | re.M)
    typed("export", run, "--out", "policy.safetensors")
    names = {"observation": np.array([1.0, 0.0, 0.0])}
    exec(lines, names)
    assert names["action"] in (0, 1)
    entries = set(re.findall(r"`(\w+)`", text[text.index("## The card") : text.index("## ONNX")]))
    assert names["policy"].card.data().keys() <= entries


def test_the_checkpoint_is_chosen_as_for_evaluate(typed, run, tmp_path):
    """A checkpoint is taken as it is, with the returns up to it."""
    first = min(run.glob("RecurrentPPO_*/checkpoint_*"))
    typed("export", first, "--out", tmp_path / "first.safetensors")
    card = engram.load_policy(tmp_path / "first.safetensors").card
    assert 0 < card.env_steps < 480
    trial = first.parent
    report = json.loads((trial / "result.json").read_text().splitlines()[card.env_steps // 96 - 1])
    assert card.date == report["date"]
    assert card.returns["last"] == report["env_runners"]["episode_return_mean"]


def test_a_network_that_thinks(typed, tmp_path):
    make_checkpoint(tmp_path / "sums", SUMS, {"bits": 4})
    code, out, _ = typed("export", tmp_path / "sums", "--out", "sums.safetensors")
    assert code == 0
    assert "core deep_thinking, " in out
    policy = engram.load_policy(tmp_path / "sums.safetensors")
    assert (policy.card.returns, policy.card.env_steps, policy.card.versions) == ({}, None, {})
    assert_acts_alike(policy, load_agent(tmp_path / "sums"))


@pytest.mark.parametrize(
    ("out", "line"),
    [
        ("policy.pkl", "error: --out policy.pkl: suffix: unknown '.pkl'; known: .onnx, .safetensors"),
        ("no/policy.onnx", "error: --out no/policy.onnx: no such folder: no"),
    ],
)
def test_where_it_cannot_be_written(typed, run, out, line):
    code, _, err = typed("export", run, "--out", out)
    assert (code, err.strip()) == (2, line)


def test_onnx_asks_for_what_it_needs(typed, run, monkeypatch):
    monkeypatch.setattr(onnx, "NEEDED", ("onnx", "no_such_package"))
    code, _, err = typed("export", run, "--out", "policy.onnx")
    line = 'error: --out: .onnx needs no_such_package; pip install "engram[onnx]"'
    assert (code, err.strip()) == (2, line)


def test_a_network_of_rllibs_own_is_refused_in_one_line(typed, run, tmp_path, monkeypatch):
    from ray.rllib.algorithms.ppo.torch.default_ppo_torch_rl_module import DefaultPPOTorchRLModule

    spec = RLModuleSpec(
        module_class=DefaultPPOTorchRLModule,
        observation_space=gym.spaces.Box(-1, 1, (3,)),
        action_space=gym.spaces.Discrete(2),
    )
    monkeypatch.setattr("engram.train.runs.checkpoints.load_module", lambda checkpoint: spec.build())
    code, _, err = typed("export", run, "--out", tmp_path / "policy.safetensors")
    assert code == 2
    assert err.strip().endswith(
        ": its network is RLlib's own, DefaultPPOTorchRLModule; a policy with config.model.core can be shared"
    )
    assert not (tmp_path / "policy.safetensors").exists()


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (None, "No such file or directory"),
        (b"x", "no whole safetensors file: "),
    ],
)
def test_a_file_that_is_no_policy(typed, tmp_path, content, line):
    if content is not None:
        (tmp_path / "p").write_bytes(content)
    code, _, err = typed("describe", "policy", "p")
    assert code == 2
    assert err.startswith(f"error: describe policy: p: {line}")
    assert err.count("\n") == 1
