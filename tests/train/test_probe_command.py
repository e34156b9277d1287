"""`rllib probe-core` as typed: findings, retention, files, exit codes."""

import csv
import json
import sys

import pytest
import ray

LEAKY_CORE = """
import torch
from engram.memory.classic.lstm import LSTM


class Leaky(LSTM):
    '''Resets to a hundredth of the old state.'''

    def reset_state(self, state, resets):
        kept = torch.where(resets.unsqueeze(1), 0.01, 1.0)
        return {name: leaf * kept for name, leaf in state.items()}


class Growing(LSTM):
    def run(self, inputs, state):
        outputs, state = [], state["hidden"]
        for step in inputs:
            state = 4 * state + step.sum(1, keepdim=True)
            outputs.append(state)
        return torch.stack(outputs), {"hidden": state, "cell": 0 * state}

    def step(self, inputs, state):
        return self.run(inputs.unsqueeze(0), state)[1]


class Shapeless(LSTM):
    def initial_state(self, lanes):
        return {"hidden": None}
"""


@pytest.fixture
def own_cores(tmp_path, monkeypatch):
    """The user's own module, importable as `leaky_cores`."""
    (tmp_path / "leaky_cores.py").write_text(LEAKY_CORE)
    monkeypatch.syspath_prepend(tmp_path)
    yield "leaky_cores"
    sys.modules.pop("leaky_cores", None)


def test_a_sound_core(typed, tmp_path):
    code, out, err = typed(
        *("probe-core", "low_pass", "--options", "{pools: 5, base: 1.5, size: 4}"),
        *("--input-size", 3, "--steps", 200, "--json"),
    )
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert sum(" pass " in line for line in lines) == 20
    heading = next(line.split() for line in lines if line.startswith("promise"))
    assert heading == ["promise", "declared", "found", "verdict"]
    assert any(
        line.startswith("carries_gradient holds") and "carries_gradient: False" in line for line in lines
    )
    row = next(line.split() for line in lines if line.startswith("pools[2]"))
    assert row[1:3] == ["2", "4"]  # peak lag, half-life
    summary = json.loads(lines[-1])
    assert all(finding["passed"] for finding in summary["findings"])
    declared = {finding["name"]: finding["declared"] for finding in summary["findings"]}
    assert declared.pop("train_input holds") == "train_input: True"
    assert declared.pop("carries_gradient holds") == "carries_gradient: False"
    assert declared.pop("bptt_steps cuts gradients") == "bptt_steps: None"
    assert declared.pop("output shape").startswith("output_size: ")
    assert set(declared.values()) == {"of every core"}
    assert [summary["retention"][f"pools[{pool}]"]["peak_lag"] for pool in range(5)] == [0, 0, 2, 5, 10]
    assert summary["retention"]["pools[0]"]["left"] == {
        "1": pytest.approx(1 / 3),
        "10": pytest.approx(3**-10),
        "100": pytest.approx(0, abs=1e-40),
    }
    assert 5 <= summary["gradient_horizon"] <= 7  # 3^-6 = 1/729
    folder = tmp_path / "probe_low_pass"
    assert (folder / "retention.png").read_bytes().startswith(b"\x89PNG")
    with (folder / "retention.csv").open() as file:
        rows = list(csv.DictReader(file))
    values = {(row["measure"], row["component"], int(row["lag"])): float(row["value"]) for row in rows}
    assert values["retention", "pools[2]", 2] == 1
    assert values["gradient", "output", 1] == pytest.approx(values["gradient", "output", 0] / 3)
    assert not ray.is_initialized()


def test_a_leak_is_exit_code_1(typed, own_cores, tmp_path):
    code, out, err = typed(
        *("probe-core", f"{own_cores}:Leaky", "--options", "{size: 4}"),
        *("--input-size", 3, "--steps", 20, "--out", tmp_path / "results", "--json"),
    )
    assert (code, err) == (1, "")
    failed = {f["name"] for f in json.loads(out.splitlines()[-1])["findings"] if not f["passed"]}
    assert failed == {
        "reset is initial state",
        "no leak over reset",
        "no gradient over reset",
        "no poison over reset",
        "long fragment equals short ones",
    }
    assert "FAIL" in out
    assert "mask every leaf of the state with torch.where" in " ".join(out.split())
    assert (tmp_path / "results" / "retention.csv").exists()


def test_a_diverging_core(typed, own_cores):
    _, out, err = typed("probe-core", f"{own_cores}:Growing", "--options", "{size: 4}", "--json")
    assert err == ""
    summary = json.loads(out.splitlines()[-1], parse_constant=pytest.fail)
    last = summary["steps"]
    assert 240 < last < 256  # squares of 4^256 are beyond what float64 holds
    assert summary["ended"]["retention"] == f"'output' is not finite at lag {last + 1}: the core diverges"
    assert f"retention not measured further: {summary['ended']['retention']}" in out
    assert f"gradients not measured further: {summary['ended']['gradient']}" in out
    assert f"> {last}" in next(line for line in out.splitlines() if line.startswith("hidden"))


def test_the_table_fits_a_terminal(typed, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    options = ("--options", "{pools: 12, size: 4}", "--input-size", 3)
    _, out, _ = typed("probe-core", "low_pass", *options, "--steps", 10_000)
    lines = out.splitlines()
    header = next(index for index, line in enumerate(lines) if line.startswith("component"))
    assert lines[header - 1].split() == ["after"] * 5
    assert lines[header].split() == ["component", "peak", "half-life", "1", "10", "100", "1,000", "10,000"]
    assert lines[header + 13].startswith("pools[11]")
    assert max(map(len, lines[: header + 14])) <= 80


def test_a_random_start_is_named_as_such(typed):
    options = ("--options", "{preset: dido, rim_size: 4}", "--input-size", 3)
    code, out, _ = typed("probe-core", "rims", *options, "--steps", 20)
    text = " ".join(out.split())
    assert code == 1
    assert "a start that is random by design is no mistake" in text
    assert "18 more checks rest on the one that failed and were not run" in text
    assert "gradients reach back" in text


def test_a_core_that_cannot_be_run(typed, own_cores, tmp_path):
    code, out, err = typed("probe-core", f"{own_cores}:Shapeless", "--steps", 20)
    assert (code, err) == (1, "")
    assert "retention: not measured" in out
    assert list((tmp_path / f"probe_{own_cores}_Shapeless").iterdir()) == []


def test_no_memory(typed):
    code, out, _ = typed("probe-core", "mlp", "--steps", 10, "--background", "noise", "--json")
    assert code == 0
    assert json.loads(out.splitlines()[-1])["gradient_horizon"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["low_pas"], "core.type: unknown 'low_pas'; did you mean 'low_pass'?"),
        (["nothing_there:Core"], "core.type: cannot load 'nothing_there:Core'"),
        (["low_pass", "--options", "{pols: 3}"], "core.pols: unknown key; did you mean 'pools'?"),
        (["low_pass", "--options", "{pools: 0}"], "core.pools: expected an integer >= 1, got 0"),
        (["low_pass", "--options", "[3]"], "--options: expected a mapping"),
        (["low_pass", "--options", "{type: lstm}"], "--options: type is given by TYPE already"),
        (["mlp", "--background", "noice"], "--background: unknown 'noice'; did you mean 'noise'?"),
        (["mlp", "--steps", "0"], "Invalid value for '--steps'"),
        (["mlp", "--input-size", "0"], "Invalid value for '--input-size'"),
        (["mlp", "--out", "/etc/passwd/x"], "--out /etc/passwd/x: cannot be written to: "),
        ([], "Missing argument 'TYPE'"),
    ],
)
def test_an_error_is_one_line(typed, tmp_path, arguments, message):
    code, out, err = typed("probe-core", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {message}")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
