"""`init_from` in experiments: where it may stand, what is said and recorded, what a resumed run keeps."""

import json
import shutil

import numpy as np
import pytest
import yaml

from engram.agents.models.transfer import read_state
from engram.train.console.errors import ExperimentError
from engram.train.experiments.experiment import Overrides, read_experiments
from engram.train.plans.starts import as_stored, check_still_there, distinct, worded
from engram.train.runs.checkpoints import find_checkpoint
from engram.train.runs.labels import shown

MODEL = {"encoder": {"type": "mlp"}, "core": {"type": "lstm"}}
START = {"init_from": "/runs/a", "init": {"core": False}, "freeze": ["encoder"]}


def read(section, config, settings=()):
    document = {"x": {"env": "CartPole-v1", "run": "RecurrentPPO", **section, "config": config}}
    (experiment,), _ = read_experiments(document, Overrides(settings=dict(settings)))
    return experiment.config["model"]


@pytest.mark.parametrize(
    ("section", "config", "settings"),
    [
        ({}, {"model": MODEL | START}, {}),
        (START, {"model": MODEL}, {}),
        ({}, {"model": MODEL} | START, {}),
        ({"init_from": "/runs/a"}, {"model": MODEL | {"freeze": ["encoder"]}, "init": {"core": False}}, {}),
        ({}, {"model": MODEL}, START),
        ({}, {"model": MODEL}, {f"config.{key}": value for key, value in START.items()}),
        ({}, {"model": MODEL}, {f"config.model.{key}": value for key, value in START.items()}),
        (START | {"init_from": "/runs/b"}, {"model": MODEL}, {"init_from": "/runs/a"}),
        (START | {"init": {}}, {"model": MODEL}, {"init.core": False}),
    ],
)
def test_it_may_stand_in_the_model_in_config_or_beside_run(section, config, settings):
    assert read(section, config, settings) == MODEL | START


@pytest.mark.parametrize(
    ("section", "config", "line"),
    [
        (
            START,
            {"model": MODEL | {"freeze": []}},
            "x.freeze: belongs to config.model, which says it too; keep",
        ),
        (
            {"init_from": "a"},
            {"init_from": "a"},
            "config.init_from: belongs to config.model, which says it too",
        ),
        (
            {"init_from": "a"},
            {"model": {"grid_search": [MODEL]}},
            "x.init_from: belongs to config.model, which",
        ),
        ({"init_form": "a"}, {}, "x.init_form: unknown key; did you mean"),
    ],
)
def test_it_may_not_stand_in_two_places(section, config, line):
    with pytest.raises(ExperimentError) as caught:
        read(section, config)
    assert str(caught.value).startswith(line)


def edited(finished_run, tmp_path, **changes):
    """The finished run's experiment, a longer delay and some keys of the model changed."""
    section = yaml.safe_load(finished_run[0].read_text())["cue"]
    section["config"]["env_config"] = {"delay": 3}
    section["config"]["model"] |= changes
    path = tmp_path / "later.yaml"
    path.write_text(yaml.safe_dump({"later": section}))
    return path


def test_a_dry_run_says_what_is_copied_and_what_not(finished_run, tmp_path, typed):
    file, folder = edited(finished_run, tmp_path, freeze=["core"]), finished_run[1]
    code, out, err = typed("train", "-f", file, "--init-from", folder, "--local-dir", tmp_path, "--dry-run")
    checkpoint = find_checkpoint(str(folder))
    assert code == 0, err
    assert f"starts from  {checkpoint}: encoder 2 weights, core 4; new: heads\n" in out
    assert "frozen       core: not trained\n" in out
    experiment = yaml.safe_load(out.partition("\nexperiment ")[0])
    assert experiment["later"]["config"]["model"]["init_from"] == str(checkpoint)


def test_scratch_may_be_among_the_values(finished_run, tmp_path, typed):
    searched = {"grid_search": [None, str(finished_run[1])]}
    file = edited(finished_run, tmp_path, init_from=searched, init={"heads": True})
    code, out, err = typed("train", "-f", file, "--local-dir", tmp_path, "--dry-run")
    assert code == 0, err
    starts = [line.partition(" ")[2].strip() for line in out.splitlines() if line.startswith("starts from")]
    checkpoint = find_checkpoint(str(finished_run[1]))
    assert starts == [
        "from  random weights",
        f"from  {checkpoint}: encoder 2 weights, core 4, heads 4",
    ]
    assert "trials       2, seeds 1\n" in out
    assert "no effect" not in out


@pytest.mark.parametrize(
    ("changes", "options", "line"),
    [
        (
            {"core": {"type": "lstm", "size": 9}},
            (),
            "config.model.init_from: core.lstm.weight_ih_l0 is (32, 8) in CHECKPOINT and (36, 8) here; leave "
            "that part out by init: {core: false}",
        ),
        (
            {"core": {"type": "gru", "size": 8}},
            (),
            "config.model.init_from: core.gru.weight_ih_l0 is missing in CHECKPOINT and (24, 8) here; ",
        ),
        (
            {"init": {"kore": True}},
            (),
            "config.model.init.kore: unknown key; did you mean 'core'? known: core, en",
        ),
        (
            {"freeze": ["head"]},
            (),
            "config.model.freeze: unknown 'head'; did you mean 'heads'? known: core, en",
        ),
        ({}, ("--init-from", "nowhere"), "config.model.init_from: nowhere: no such folder"),
        ({}, ("--init-from", "."), "config.model.init_from: .: no checkpoint of an RLlib algorithm in it"),
        ({}, ("--set", "freeze=core"), "config.model.freeze: expected a list of texts, got 'core'"),
        ({}, ("--set", "freeze=[3]"), "config.model.freeze: expected a text, got 3"),
        (
            {},
            ("--restore", "RUN"),
            "config.model.init_from: --restore RUN brings all weights; keep one of them",
        ),
        (
            {"core": None, "encoder": None},
            ("--run", "PPO", "--set", "config.model={init_from: RUN}"),
            "config.model.init_from: unknown key",
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_ray_starts(
    finished_run, tmp_path, typed, changes, options, line
):
    file, run = edited(finished_run, tmp_path, **changes), str(finished_run[1])
    given = [option.replace("RUN", run) for option in options]
    code, _, err = typed(
        "train", "-f", file, "--init-from", run, *given, "--local-dir", tmp_path, "--dry-run"
    )
    assert code == 2
    said = err.replace(str(find_checkpoint(run)), "CHECKPOINT").replace(run, "RUN")
    assert f"error: {line}" in said


def test_a_source_is_a_text(finished_run, tmp_path, typed):
    file = edited(finished_run, tmp_path, init_from=3)
    code, _, err = typed("train", "-f", file, "--local-dir", tmp_path, "--dry-run")
    assert (code, err) == (2, "error: config.model.init_from: expected a text, got 3\n")


def test_parts_without_a_source_have_no_effect(finished_run, tmp_path, typed):
    file = edited(finished_run, tmp_path, init={"core": True})
    code, out, _ = typed("train", "-f", file, "--local-dir", tmp_path, "--dry-run")
    assert code == 0
    assert "notice: config.model.init has no effect without init_from\n" in out
    assert "starts from" not in out


@pytest.mark.parametrize(
    ("now", "stored", "kept"),
    [
        ({"init_from": "/r/a"}, {"init_from": "/r/a/t/checkpoint_1"}, {"init_from": "/r/a/t/checkpoint_1"}),
        ({"init_from": "/r/a/t"}, {"init_from": "/r/a/t/checkpoint_1"}, {"init_from": "/r/a/t/checkpoint_1"}),
        ({"init_from": "/r/b"}, {"init_from": "/r/a/t/checkpoint_1"}, {"init_from": "/r/b"}),
        ({"init_from": "/r/a"}, {}, {"init_from": "/r/a"}),
        ({"init_from": None}, {"init_from": "/r/a"}, {"init_from": None}),
        ({"core": "/r/a"}, {"core": "/r/a/t"}, {"core": "/r/a"}),
        (
            {"init_from": {"grid_search": [None, "/r/a", "/r/c"]}},
            {"init_from": {"grid_search": [None, "/r/a/t/c_1", "/r/b/t/c_1"]}},
            {"init_from": {"grid_search": [None, "/r/a/t/c_1", "/r/c"]}},
        ),
        (
            {"grid_search": [{"init_from": "/r/a"}, {"size": 3}]},
            {"grid_search": [{"init_from": "/r/a/t"}, {"size": 4}]},
            {"grid_search": [{"init_from": "/r/a/t"}, {"size": 3}]},
        ),
    ],
)
def test_a_stored_run_keeps_the_checkpoint_that_it_took(now, stored, kept):
    assert as_stored(now, stored) == kept


def test_a_source_that_trials_still_need_must_be_there(finished_run, tmp_path):
    whole = find_checkpoint(str(finished_run[1]))
    check_still_there([{"from": None}, {"from": str(whole)}])
    with pytest.raises(
        ExperimentError, match=r"^--resume: /gone: gone, and trials have yet to start from it$"
    ):
        check_still_there([{"from": "/gone"}])


def test_starts_in_words():
    one = {"from": "/a", "copied": {"core": 3}, "new": []}
    scratch = {"from": None, "copied": {}, "new": []}
    assert [worded(one), worded(scratch)] == ["/a: core 3 weights", "random weights"]
    assert distinct([scratch, one, one, scratch]) == (scratch, one)
    assert distinct([scratch, scratch]) == ()


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("/results/short/RecurrentPPO_TMaze_1a2b3_00004/checkpoint_000010", "short-00004"),
        (f"/results/{'long' * 9}/RecurrentPPO_TMaze_1a2b3_00004/checkpoint_000010", f"{'long' * 6}-00004"),
        ("/results/short", "-results-short"),
        ("checkpoint_000010", "checkpoint_000010"),
    ],
)
def test_a_checkpoint_is_called_by_its_run_and_trial(text, label):
    assert shown(text) == label


@pytest.mark.slow
def test_a_run_starts_is_resumed_without_its_source_and_compared(finished_run, tmp_path, rllib):
    """Of a grid of two trials, one from scratch; frozen weights are the source's to the end."""
    source = tmp_path / "source"
    shutil.copytree(finished_run[1], source)
    searched = {"grid_search": [None, str(source)]}
    file = edited(finished_run, tmp_path, init_from=searched, freeze=["core"])
    arguments = ("train", "-f", file, "--local-dir", tmp_path / "out")
    done = rllib(*arguments)
    assert done.returncode == 0, done.stderr
    checkpoint = find_checkpoint(str(source))
    record = json.loads((tmp_path / "out/later/run.json").read_text())
    starts = [
        {"from": None, "copied": {}, "new": []},
        {"from": str(checkpoint), "copied": {"encoder": 2, "core": 4}, "new": ["heads"]},
    ]
    assert record["starts"] == starts
    weights = read_state(str(checkpoint))
    shutil.rmtree(source)
    done = rllib(*arguments, "--resume", "--stop", "timesteps_total=960")
    assert done.returncode == 0, done.stderr
    assert f"starts from  {checkpoint}: encoder 2 weights, core 4; new: heads" in done.stdout
    for trial in (tmp_path / "out/later").glob("RecurrentPPO_*"):
        record = json.loads((trial / "run.json").read_text())
        assert record["starts"] == starts
        started = record["trial_config"]["model"]["init_from"]
        assert started in (None, str(checkpoint))
        after = read_state(str(find_checkpoint(str(trial))))
        same = [np.array_equal(after[name], weights[name]) for name in weights if name.startswith("core.")]
        assert all(same) is any(same) is (started is not None)
        reports = [json.loads(line) for line in (trial / "result.json").read_text().splitlines()]
        assert [report["timesteps_total"] for report in reports][-1] == 960
    done = rllib("transfer", tmp_path / "out/later", "--floor", "-1", "--json")
    assert done.returncode == 0, done.stderr
    (score,) = json.loads(done.stdout.splitlines()[-1])["scores"]
    assert (score["source"], score["target"]) == (str(checkpoint), 'small/Cue-v0 {"delay": 3}')
