"""The shell's Tab key: the right names, without a heavy import."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from engram.train import completion
from engram.train.describe import KINDS, catalog


@pytest.fixture
def completed(typed, monkeypatch):
    """Names that bash is offered for the last word of a line."""

    def run(line):
        monkeypatch.setenv("_RLLIB_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(line.count(" ")))
        code, out, err = typed()
        assert (code, err) == (0, "")
        return out.split()

    return run


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("rllib des", ["describe"]),
        ("rllib describe c", ["config", "core"]),
        ("rllib describe core l", ["linear_attention", "low_pass", "lru", "lstm"]),
        ("rllib describe cores deep", ["deep_thinking"]),
        ("rllib describe encoder m", ["mlp"]),
        ("rllib describe loss d", ["delta", "delta_random"]),
        ("rllib describe losses p", ["progressive"]),
        ("rllib describe losses ne", ["neg_prob"]),
        ("rllib describe exit-rule n", ["n_plus_k"]),
        ("rllib describe picture cu", ["curves"]),
        ("rllib describe algorithm Rec", ["RecurrentA2C", "RecurrentIMPALA", "RecurrentPPO"]),
        ("rllib describe env engram/T", ["engram/TMaze-v0", "engram/TemporalOrder-v0"]),
        ("rllib describe config tmaze_m", ["tmaze_mlp"]),
        ("rllib describe search-algorithm o", ["optuna"]),
        ("rllib describe nonsense t", []),
        ("rllib train -f tmaze_lstm_", ["tmaze_lstm_bptt", "tmaze_lstm_paper"]),
        (
            "rllib train -f tmaze_delays_l",
            [f"tmaze_delays_{core}" for core in ("linear_attention", "low_pass", "lru", "lstm")],
        ),
        ("rllib train --config-file tmaze_m", ["tmaze_mlp"]),
        ("rllib train file tmaze_m", ["tmaze_mlp"]),
        ("rllib train --run APP", ["APPO"]),
        ("rllib train --env engram/Ma", ["engram/Maze-v0"]),
        ("rllib play engram/Cu", ["engram/CuedCatch-v0"]),
        ("rllib probe-core rn", ["rnn"]),
        ("rllib evaluate x --exit-rule c", ["confidence"]),
        ("rllib picture d", ["delays"]),
        ("rllib list th", ["thinking"]),
    ],
)
def test_names(completed, line, names):
    """These, and whatever else begins so: a new core or experiment may."""
    found = completed(line)
    assert found == sorted(found)
    assert set(names) <= set(found)
    assert all(name.startswith(line.split()[-1]) for name in found)
    assert bool(names) is bool(found)


def test_files_of_ones_own(completed, tmp_path):
    (tmp_path / "runs").mkdir()
    for name in ("mine.yaml", "mine.txt", "runs/mine.yml"):
        (tmp_path / name).write_text("")
    assert completed("rllib train -f mine") == ["mine.yaml"]
    assert completed("rllib train -f runs/") == ["runs/mine.yml"]
    assert completed(f"rllib train -f {tmp_path}/r") == [f"{tmp_path}/runs/"]
    assert completed("rllib train -f nowhere/x") == []
    (tmp_path / "mine.safetensors").write_text("")
    assert completed("rllib describe policy m") == ["mine.safetensors"]


def test_names_are_those_that_are_listed():
    for kind in KINDS.keys() - {"policy"}:  # a file
        context = SimpleNamespace(params={"kind": kind})
        plural = KINDS[kind]
        names = {name for name in completion.of_kind(context, "") if not name.endswith(".yaml")}
        assert names == {name for name, _ in catalog.entries(plural)}
    assert set(completion.listed("")) == set(catalog.KINDS)


def test_nothing_heavy_is_imported():
    code = (
        "import sys; sys.argv = ['rllib']\n"
        "from engram.train import cli\n"
        "try: cli.main()\n"
        "except SystemExit: print([m for m in ('torch', 'ray', 'gymnasium') if m in sys.modules])\n"
    )
    for line in ("rllib describe core l", "rllib describe env e", "rllib train --run P", "rllib picture c"):
        words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
        env = {**os.environ, "_RLLIB_COMPLETE": "complete_bash", **words}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
        *names, heavy = done.stdout.splitlines()
        assert names
        assert heavy == "[]", done.stderr


def test_help_says_how_to_install_it_in_one_line(typed, monkeypatch):
    monkeypatch.setattr("shellingham.detect_shell", lambda *arguments, **options: ("bash", "/bin/bash"))
    _, out, _ = typed("--help")
    assert out.count("completion") == 1
    assert "rllib --install-completion" in out
    code, out, _ = typed("--show-completion", "bash")
    assert code == 0
    assert "_RLLIB_COMPLETE" in out
