"""docs/your_own.md: its files and its commands, in a folder of their own."""

import re
import shlex
import sys
from pathlib import Path

import pytest
import yaml

from engram.envs.conformance import require_vector_env

PAGE = Path(__file__).parents[2] / "docs" / "your_own.md"
MODULES = ("my_env", "my_core", "my_encoder", "my_wrapper")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The page's files in a folder; blocks that begin with the same name are one file."""
    folder = tmp_path_factory.mktemp("your_own")
    for block in re.findall(r"```(?:python|yaml)\n(.*?)```", PAGE.read_text(), re.DOTALL):
        name = block.split("\n", 1)[0].removeprefix("# ")
        with (folder / name).open("a") as file:
            file.write(block)
    return folder


@pytest.fixture
def importable(files, monkeypatch):
    """The page's classes, for this test alone."""
    monkeypatch.syspath_prepend(files)
    yield files
    for name in MODULES:
        sys.modules.pop(name, None)


def commands():
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return [shlex.split(line)[1:] for line in block.splitlines()]


def test_the_batched_environment_keeps_its_promises(importable):
    from my_env import EchoLanes

    require_vector_env(EchoLanes)


def test_checks_and_probes(importable, typed, monkeypatch):
    dry = [words for words in commands() if "--dry-run" in words or words[0] == "probe-core"]
    assert len(dry) == 4
    for words in dry:
        monkeypatch.chdir(importable)
        code, out, err = typed(*words)
        assert (code, err) == (0, ""), words
        assert "my_core:Trace" in out or "pass" in out or "wrappers     Costly, TimeLimit, " in out


@pytest.mark.slow
def test_training_by_processes_that_import_the_files(files, importable, rllib, typed, monkeypatch):
    """One start of Ray for our runner in the batched form, and RLlib's runner in the single one."""
    document = yaml.safe_load((files / "own.yaml").read_text())
    config = document["own"]["config"] | {"train_batch_size_per_learner": 128}
    own = document["own"] | {"env": "my_env:EchoLanes", "config": config, "stop": {"training_iteration": 1}}
    stock = own | {"run": "PPO", "env": {"grid_search": ["my_env.Echo"]}}
    (files / "both.yaml").write_text(yaml.safe_dump({"own": own, "stock": stock}))
    done = rllib("train", "-f", "both.yaml", "--local-dir", "results", cwd=files)
    assert done.returncode == 0, done.stdout + done.stderr
    _, results, evaluate = commands()[4:]
    (trial,) = (files / "results" / "stock").glob("PPO_Echo_*")
    drawn = ["evaluate", trial, "--episodes", "5", "--gif", "echo.gif"]
    for words, told in ((results, "own"), (evaluate, "my_env:EchoLanes {"), (drawn, "my_env:Echo {")):
        monkeypatch.chdir(files)
        code, out, err = typed(*words)
        assert (code, err) == (0, ""), words
        assert told in out
    assert (files / "echo.gif").exists()
