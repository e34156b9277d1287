"""The command as typed: exit codes, one line per error, no Ray for anything that is wrong."""

import re
import sys

import gymnasium
import pytest
import ray

from engram.train.console.errors import ExperimentError
from engram.train.describe import catalog

PPO = ("train", "--run", "PPO", "--env", "CartPole-v1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "train: expected an experiment file (-f FILE)"),
        (["train", "-f", "none.yaml"], "none.yaml: no such file and no shipped config"),
        (["train", "file"], "train file: expected one experiment file"),
        (["train", "--fil", "x"], "No such option: --fil"),
        (["train", "--seeds", "many"], "Invalid value for '--seeds'"),
        (["train", "--num-samples", "0"], "Invalid value for '--num-samples'"),
        (["trian"], "command: unknown 'trian'; did you mean 'train'? known: analyze, "),
        (["describe", "env", "Ftch"], "env: unknown 'Ftch'"),
        ([*PPO[:-1], "Fetch"], "env: 'Fetch' is not registered; did you mean 'engram/Fetch-v0'?"),
        (["list", "env"], "list: unknown 'env'; did you mean 'envs'? known: algorithms, configs"),
        (["evaluate", "none"], "none: no such folder"),
        (["evaluate", ".", "--env-config", "{a: [1}"], "--env-config, line 1"),
        ([*PPO, "--set", "config.lr=x"], "config.lr: expected a list or a number, got 'x'"),
        ([*PPO, "--set", "config.gamma=1e1"], "config.gamma: 10.0 is out of range; legal: 0 to 1"),
        ([*PPO, "--stop", "steps=1"], "stop.steps: unknown key"),
        ([*PPO, "--restore", "none"], "none: no such folder"),
        ([*PPO, "--restore", "."], ".: no checkpoint of an RLlib algorithm"),
        ([*PPO, "--resume", "--local-dir", "."], "--resume: nothing to resume in"),
        ([*PPO, "--resume", "--local-dir", "s3://b/x"], "--resume: not supported for results in s3://b/x/"),
        ([*PPO, "--local-dir", "/etc/passwd"], "storage_path: /etc/passwd/default cannot be written to: "),
        ([*PPO[:-1], "CartPol-v1"], "env: unknown 'CartPol-v1'; did you mean 'CartPole-v1'?"),
        ([*PPO, "--ray-num-cpus", "1"], "--ray-num-cpus 1: one trial asks for 3 CPUs"),
    ],
)
def test_an_error_is_one_line(typed, arguments, message):
    code, out, err = typed(*arguments)
    assert code == 2
    assert out == ""
    assert err.startswith(f"error: {message}")
    assert err.count("\n") == 1
    assert not ray.is_initialized()


def test_errors_of_several_experiments_name_those_that_they_are_of(typed, tmp_path):
    """What is wrong with all of them stands once."""
    task = "env: small_envs:small/Cue-v0, run: RecurrentPPO"
    sizes = {"left": "seven", "right": 8, "middle": "seven"}
    model = "model: {{encoder: {{type: mlp, hidden: [8]}}, core: {{type: lstm, size: {0}}}}}"
    rows = [f"{name}: {{{task}, config: {{lr: x, {model.format(size)}}}}}" for name, size in sizes.items()]
    (tmp_path / "three.yaml").write_text("\n".join(rows))
    _, _, err = typed("train", "-f", tmp_path / "three.yaml", "--dry-run")
    some, every = err.splitlines()
    assert some.startswith("error: left, middle: config.model.core.size: ")
    assert every == "error: config.lr: expected a list or a number, got 'x'"


def test_dry_run_shows_everything_and_starts_nothing(typed, experiment_file, tmp_path):
    code, out, err = typed(
        "train", "-f", experiment_file, "--dry-run", "--local-dir", tmp_path / "results", "--seeds", 2
    )
    assert (code, err) == (0, "")
    for part in (
        "grid_search",
        "BPTT window  6 env steps",
        "task delay   2 env steps",
        "seeds 1, 2",
        "tensorboard",
    ):
        assert part in out
    assert not (tmp_path / "results").exists()
    assert not ray.is_initialized()


def test_old_names_give_one_notice(typed):
    _, _, err = typed(
        *PPO, "--config", "{num_workers: 0, num_sgd_iter: 2}", "--stop", "episode_reward_mean=1", "--dry-run"
    )
    assert err.count("\n") == 1
    assert err.startswith("notice: default: names of older RLlib versions taken as: ")


def test_version_and_help(typed):
    code, out, _ = typed("version")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["engram", "ray", "torch", "gymnasium", "python"]
    for arguments in ([], ["--help"], ["train", "--help"], ["evaluate", "--help"]):
        code, out, _ = typed(*arguments)
        assert code == 0
        assert "rllib" in out


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("envs", "engram/TMaze-v0"),
        ("cores", "low_pass"),
        ("encoders", "conv"),
        ("algorithms", "RecurrentPPO"),
        ("algorithms", "APPO"),
        ("configs", "tmaze_concrete"),
    ],
)
def test_lists(typed, kind, name):
    code, out, _ = typed("list", kind)
    assert code == 0
    assert name in [line.split()[0] for line in out.splitlines()]


def test_environments_of_others_are_named_below_ours(typed):
    """For people; a program gets ours alone. ALE's games are counted where it is installed."""
    assert typed("list", "envs")[1].splitlines()[-1] == catalog.MORE["envs"]
    assert catalog.MORE["envs"] not in typed("list", "envs", "--json")[1]
    pytest.importorskip("ale_py")
    games = [name for name in gymnasium.registry if re.fullmatch(r"ALE/\w+-v5", name)]
    assert f"{len(games)} Atari games" in catalog.MORE["envs"]


def test_every_entry_is_described():
    for kind in catalog.KINDS:
        for name, text in catalog.entries(kind):
            assert text, f"{kind}: {name}"
            assert "\n" not in text
    with pytest.raises(ExperimentError):
        catalog.entries("nothing")


def test_help_and_wrong_files_import_neither_torch_nor_ray(rllib):
    code = (
        "import sys; sys.argv = ['rllib', *sys.argv[1:]]\n"
        "from engram.train import cli\n"
        "try: cli.main()\n"
        "except SystemExit: print([m for m in ('torch', 'ray') if m in sys.modules], file=sys.stderr)\n"
    )
    import subprocess

    for arguments in (["--help"], ["train", "--help"], ["train"]):
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
        assert done.stderr.splitlines()[-1] == "[]"


def test_json_of_errors_is_never_printed(typed):
    code, out, _ = typed("evaluate", "none", "--json")
    assert (code, out) == (2, "")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(13, "Permission denied", "/x"), "[Errno 13] Permission denied: '/x'"),
        (RecursionError("too deep for this"), "too deep for this"),
        (MemoryError(), "MemoryError"),
        (UnicodeEncodeError("utf-8", "\udcff", 0, 1, "no letter"), "'utf-8' codec can't encode character"),
    ],
)
def test_what_no_command_foresees_is_one_line_too(typed, monkeypatch, error, message):
    def fail(kind, as_json):
        raise error

    monkeypatch.setattr(catalog, "show", fail)
    code, out, err = typed("list", "envs")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"error: {type(error).__name__}: {message}")


def test_ctrl_c_is_no_traceback(typed, monkeypatch):
    def fail(kind, as_json):
        raise KeyboardInterrupt

    monkeypatch.setattr(catalog, "show", fail)
    assert typed("list", "envs")[0] == 130


def test_a_working_folder_that_is_gone(typed, tmp_path, monkeypatch):
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    assert typed("version")[0] == 0
