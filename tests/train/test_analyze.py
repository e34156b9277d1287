"""`rllib analyze`: a network whose every step is known, the page, and what is refused."""

import csv
import json
import re

import numpy as np
import pytest
import torch
from made_up_ibl import IBL, ibl_module, make_two_unit_checkpoint
from made_up_thinkers import SUMS, make_checkpoint, write_checkpoint

from engram.envs.ibl.analyses.recording import Steps
from engram.envs.ibl.radd import INPUT, RECURRENT, TwoUnitActor
from engram.envs.ibl.table import write_sessions
from engram.train.analyses.material import NETWORK, layout_of, make_material
from engram.train.analyses.network import ActingNetwork, Dynamics
from engram.train.analyses.report import PICTURES, write_report
from engram.train.analyses.trajectories import STRETCH, distil_by_gradient
from engram.train.evaluation import load_agent


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return make_two_unit_checkpoint(tmp_path_factory.mktemp("made") / "two_units")


@pytest.fixture(scope="module")
def material(checkpoint):
    return make_material(load_agent(checkpoint), 20, seed=1)


def test_a_network_acts_as_it_was_trained(material):
    twin = material.play(TwoUnitActor(material.layout.lanes))
    for name in ("side", "response", "n_obs", "reward"):
        assert (material.trials[name] == twin[name]).all(), name
    steps = material.steps
    assert steps["log_odds"] == pytest.approx(6 * steps.hidden[:, 0], abs=1e-4)
    assert material.readouts.stimulus.vector == pytest.approx([6, 0], abs=1e-3)


def test_probabilities_act_above_the_threshold_of_their_environment(material):
    class Probable:
        @property
        def state(self):
            return {"hidden": torch.ones(3, 2, 2), "count": torch.ones(3, dtype=torch.int64)}

        def act(self, observations, resets, infos):
            return np.array([[0.85, 0.15], [0.25, 0.75], [0.1, 0.9]], np.float32)

    class Agent:
        checkpoint = "here"

        def make_policy(self, lanes):
            return Probable()

    wrapper = {"type": "engram.envs.ibl.threshold:BatchedThresholdAction", "threshold": 0.8}
    with_threshold = material.agent.with_settings({"wrappers": [wrapper]})
    envs = super(type(with_threshold), with_threshold).make_envs(3)
    network = ActingNetwork(Agent(), envs)
    assert (network.choices.tolist(), network.log_odds.tolist()) == ([2] * 3, [0] * 3)  # it has not acted
    network.act(None, None, {})
    assert network.choices.tolist() == [0, 2, 1]
    assert network.log_odds == pytest.approx(np.log([0.15 / 0.85, 3, 9]), rel=1e-5)
    assert network.hidden.shape == (3, 4)


def test_dynamics_are_those_of_the_network(material):
    dynamics = Dynamics(material.agent)
    states, inputs = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 4, 3))
    after = np.tanh(states[:, :2] @ RECURRENT.T + inputs @ INPUT.T)
    assert dynamics.step(states[:, :2], inputs) == pytest.approx(after)
    jacobian = (1 - after**2)[:, :, None] * RECURRENT
    assert dynamics.jacobian(states[:, :2], inputs) == pytest.approx(jacobian, rel=1e-6)
    assert dynamics.recurrent_weights == pytest.approx(RECURRENT)


def test_gradients_find_planted_two_units():
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(6 * STRETCH, 3))
    beliefs = np.zeros((len(seen), 2))
    for row in range(1, len(seen)):
        beliefs[row] = np.tanh(RECURRENT @ beliefs[row - 1] + INPUT @ seen[row])
    columns = dict(zip(("left", "right", "reward"), seen.T, strict=True))
    steps = Steps(beliefs, {"session": np.zeros(len(seen)), "step": np.arange(len(seen)), **columns})
    from engram.envs.ibl.analyses.distillation import TwoUnits

    found = distil_by_gradient(beliefs, steps, TwoUnits(RECURRENT + 0.05, INPUT - 0.02, 0.0), iterations=40)
    assert found.recurrent == pytest.approx(RECURRENT, abs=1e-3)
    assert found.inputs == pytest.approx(INPUT, abs=1e-3)
    assert found.r2 > 0.9999


def test_the_page_needs_nothing_beside_it(typed, checkpoint, tmp_path):
    names = ("components", "readouts", "fixed_points")
    only = [word for name in names for word in ("--only", name)]
    code, out, _ = typed(
        "analyze", checkpoint, "--blocks", 10, *only, "--out", tmp_path / "new/report", "--json"
    )
    assert code == 0
    folder = tmp_path / "new/report"
    assert sorted(file.name for file in folder.iterdir()) == sorted(
        ["index.html", *(f"{name}.{kind}" for name in names for kind in ("png", "csv"))]
    )
    page = (folder / "index.html").read_text()
    links = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert links
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in links)
    assert not re.search(r"<script|<link|@import|url\(", page)
    assert "0.8874" in page  # what the paper says
    found = json.loads(out.splitlines()[-1])
    assert found["left_out"] == {}
    assert found["findings"]["components"]["share of two components"] == pytest.approx(1)
    assert found["findings"]["fixed_points"]["stable fixed points, strong left"] == 1
    with (folder / "components.csv").open() as lines:
        assert [row["component"] for row in csv.DictReader(lines)] == ["1", "2"]


def test_what_does_not_apply_is_said(material, tmp_path):
    report = write_report(material, tmp_path, ["populations", "components"])
    assert report.left_out == {"populations": "2 units vary, of two groups there have to be three or more"}
    assert "populations: 2 units vary" in (tmp_path / "index.html").read_text()


def test_a_mouse_is_drawn_beside_the_models(typed, checkpoint, material, tmp_path):
    write_sessions(material.trials, tmp_path / "mouse.csv")
    line = ("analyze", checkpoint, "--blocks", 10, "--only", "psychometric", "--out", tmp_path)
    code, _, err = typed(*line, "--mouse", tmp_path / "mouse.csv")
    assert (code, err) == (0, "")
    with (tmp_path / "psychometric.csv").open() as lines:
        assert {"mouse", NETWORK} <= {row["player"] for row in csv.DictReader(lines)}


def test_wrong_input_is_refused_on_one_line(typed, checkpoint, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "mouse.csv").write_text("a,b\n1,2\n")
    sums = make_checkpoint(tmp_path / "sums", SUMS, {"bits": 3})
    for arguments, message in {
        (sums,): r".*plays engram/PrefixSums-v0; legal: engram/IBL-v0",
        ("empty",): r"empty: no checkpoint of an RLlib algorithm in it .*",
        ("missing",): r"missing: no such folder",
        (checkpoint, "--only", "component"): r"--only: unknown 'component'; did you mean 'components'\? .*",
        (checkpoint, "--out", "file/inside"): r"--out file/inside: cannot be written to: Not a directory",
        (checkpoint, "--out", "/proc"): r"--out /proc: cannot be written to: .*",
        (checkpoint, "--mouse", "mouse.csv"): r"--mouse mouse.csv: no column session_num, .*",
        (checkpoint, "--mouse", "none.csv"): r"--mouse none.csv: cannot be read: No such file or directory",
        (checkpoint, "--env-config", "{min_blocks: 3}"): r".*min_blocks.*min_block.*",
    }.items():
        code, _, err = typed("analyze", *arguments)
        assert code == 2, arguments
        assert re.fullmatch(rf"error: {message}\n", err), err


def test_sessions_are_of_about_ten_blocks():
    assert layout_of(1000, 0)[:2] == (100, 10)
    assert layout_of(25, 0)[:2] == (2, 13)


@pytest.mark.slow
def test_every_picture_of_a_network(material, tmp_path):
    report = write_report(material, tmp_path)
    assert report.left_out.keys() == {"populations"}
    assert report.findings.keys() == PICTURES.keys() - {"populations"}
    weights = {each.what: each for each in report.findings["distillation"]}
    assert weights["r2 one step ahead, held out"].found > 0.99


@pytest.mark.slow
@pytest.mark.parametrize("core", ["lstm", "low_pass", "gtrxl", "mlp"])
def test_any_core_is_analysed(core, tmp_path):
    module = ibl_module(type=core)
    with torch.no_grad():
        module.policy_head.weight.mul_(1000)  # so that it acts now and then
    agent = load_agent(write_checkpoint(tmp_path / "trial", module, IBL, {}))
    report = write_report(make_material(agent, 10, seed=0), tmp_path)
    assert {"accuracy", "psychometric", "chronometric", "block_change", "rewards"} <= report.findings.keys()
    without_state = set(report.left_out.values()) == {"the network has no state"}
    assert without_state == (core == "mlp")
