import json
import math
import os
import pickle
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from made_up_thinkers import make_checkpoint
from ray.train._internal.checkpoint_manager import _CheckpointManager
from ray.train._internal.session import _TrainingResult
from ray.tune import Checkpoint, CheckpointConfig

from engram.train.console.errors import ExperimentError, last_words, reason
from engram.train.plans import restore
from engram.train.plans.changes import differences
from engram.train.running.resume import adopt_newest
from engram.train.running.trials import ScoredCheckpoints, TellLost
from engram.train.runs import checkpoints
from engram.train.runs.best import best_checkpoint
from engram.train.runs.choice import newest_checkpoint
from engram.train.runs.record import read_record, versions
from engram.train.runs.tune_state import keep_state, mend_state, unfinished_trials
from engram.train.runs.wholeness import MODULE, fault, write_checksums

PARTS = {  # folder of a part -> its state file, as RLlib 2.60 lays out a checkpoint
    ".": "algorithm_state",
    "env_runner": "state",
    "env_runner/env_to_module_connector": "state",
    "env_runner/module_to_env_connector": "state",
    "learner_group": "state",
    "learner_group/learner": "state",
    "learner_group/learner/rl_module": "module_state",
    "learner_group/learner/rl_module/default_policy": "module_state",
}


def description(part):
    return "rllib_checkpoint.json" if part == "." else f"{part}/metadata.json"


FILES = [
    name
    for part, state in PARTS.items()
    for name in (description(part), f"{part}/class_and_ctor_args.pkl", f"{part}/{state}.pkl")
]


def save(folder, iteration, age=0.0):
    """A folder with the files of a checkpoint; `age` in seconds."""
    for part, state in PARTS.items():
        (folder / part).mkdir(parents=True, exist_ok=True)
        names = {"class_and_ctor_args_file": "class_and_ctor_args.pkl", "state_file": state}
        (folder / description(part)).write_text(json.dumps(names))
        (folder / part / "class_and_ctor_args.pkl").write_bytes(pickle.dumps({}))
        (folder / part / f"{state}.pkl").write_bytes(pickle.dumps({"training_iteration": iteration}))
    now = folder.stat().st_mtime
    os.utime(folder, (now - age, now - age))
    return folder


@pytest.fixture
def trial_folder(tmp_path):
    folder = tmp_path / "experiment" / "trial"
    save(folder / "checkpoint_000000", 5, age=20)
    save(folder / "checkpoint_000001", 10, age=10)
    return folder


def test_a_folder_means_its_newest_checkpoint(trial_folder):
    for path in (trial_folder, trial_folder.parent, trial_folder / "checkpoint_000001"):
        assert checkpoints.find_checkpoint(str(path)) == trial_folder / "checkpoint_000001"
    assert checkpoints.training_iteration(trial_folder / "checkpoint_000001") == 10


def test_copies_change_nothing_about_which_is_newest(trial_folder):
    """Copied files bear the time of the copy."""
    os.utime(trial_folder / "checkpoint_000000")
    assert checkpoints.find_checkpoint(str(trial_folder)).name == "checkpoint_000001"


def test_of_several_trials_the_one_that_saved_last(trial_folder):
    other = save(trial_folder.parent / "a_trial" / "checkpoint_000000", 1)
    assert checkpoints.find_checkpoint(str(trial_folder.parent)) == other


SCORE = "evaluation/env_runners/episode_return_mean"


def keep_by(folder, order="max", attribute=SCORE):
    """Says how an experiment judges the checkpoints of its trial."""
    keeping = {"checkpoint_score_attribute": attribute, "checkpoint_score_order": order}
    record = {"experiment": {"checkpoint_config": keeping}}
    (folder / "run.json").write_text(json.dumps(record))


def report_scores(folder, scores):
    """A report for each iteration with a score."""
    lines = [
        {"training_iteration": iteration, "evaluation": {"env_runners": {"episode_return_mean": score}}}
        for iteration, score in scores.items()
    ]
    (folder / "result.json").write_text("\n".join(map(json.dumps, lines)))


@pytest.mark.parametrize(
    ("order", "scores", "best"),
    [
        ("max", {5: 0.9, 10: 0.8}, "checkpoint_000000"),
        ("max", {5: 0.8, 10: 0.9}, "checkpoint_000001"),
        ("min", {5: 0.9, 10: 0.8}, "checkpoint_000001"),
        ("max", {5: 0.9, 10: 0.9}, "checkpoint_000000"),
        ("max", {5: math.nan, 10: 0.1}, "checkpoint_000001"),
        ("max", {5: 0.9}, "checkpoint_000000"),
        ("max", {}, "checkpoint_000001"),
    ],
)
def test_a_run_means_its_best_checkpoint(trial_folder, order, scores, best):
    keep_by(trial_folder, order)
    report_scores(trial_folder, scores)
    for path in (trial_folder, trial_folder.parent):
        assert best_checkpoint(str(path)).name == best
    for checkpoint in trial_folder.glob("checkpoint_*"):
        assert best_checkpoint(str(checkpoint)) == checkpoint


def test_a_damaged_best_checkpoint_is_told(trial_folder, capsys):
    keep_by(trial_folder)
    report_scores(trial_folder, {5: 0.9, 10: 0.8})
    assert best_checkpoint(str(trial_folder)).name == "checkpoint_000000"
    assert capsys.readouterr().err == ""
    broken = trial_folder / "checkpoint_000000" / "learner_group" / "state.pkl"
    broken.unlink()
    assert best_checkpoint(str(trial_folder)).name == "checkpoint_000001"
    assert capsys.readouterr().err == (
        f"notice: a checkpoint is damaged: {broken} is missing or broken; "
        f"whole is {trial_folder / 'checkpoint_000001'}\n"
    )


def test_a_run_without_a_score_means_its_newest_checkpoint(trial_folder):
    report_scores(trial_folder, {5: 0.9, 10: 0.8})
    assert best_checkpoint(str(trial_folder)).name == "checkpoint_000001"
    keep_by(trial_folder, attribute=None)
    assert best_checkpoint(str(trial_folder)).name == "checkpoint_000001"


@pytest.mark.parametrize(
    ("scores", "kept"),
    [
        ((None, 0.9, 0.9, 0.5, 0.5), {2, 4, 5}),
        ((0.5, 0.9, 1.0, 1.0, 1.0, 1.0, 1.0), {2, 3, 7}),
        ((0.5, 0.4, 0.9, 0.7), {3, 4}),
        ((None, None, None), {2, 3}),
    ],
)
def test_the_first_of_equals_is_kept_and_stands_for_the_run(trial_folder, scores, kept):
    """RLlib reports the score of an evaluation until the next one; the newest checkpoint always stays."""
    shutil.rmtree(trial_folder)
    manager = ScoredCheckpoints(CheckpointConfig(num_to_keep=2, checkpoint_score_attribute=SCORE))
    for iteration, score in enumerate(scores, start=1):
        folder = save(trial_folder / f"checkpoint_{iteration:06}", iteration)
        evaluation = {} if score is None else {"env_runners": {"episode_return_mean": score}}
        result = {"training_iteration": iteration, "evaluation": evaluation}
        manager.register_checkpoint(_TrainingResult(Checkpoint(str(folder)), result))
    numbers = {int(folder.name[-6:]) for folder in trial_folder.iterdir()}
    assert numbers == kept
    known = {iteration: score for iteration, score in enumerate(scores, start=1) if score is not None}
    keep_by(trial_folder)
    report_scores(trial_folder, known)
    best = max(known, key=lambda iteration: known[iteration]) if known else len(scores)
    assert best_checkpoint(str(trial_folder)).name == f"checkpoint_{best:06}"


def test_a_checkpoint_that_was_left_behind_has_no_score(trial_folder):
    """A trial went back to iteration 8 and made 9 and 10 anew: 10's report is not of the older checkpoint."""
    save(trial_folder / "checkpoint_000002", 9)
    keep_by(trial_folder)
    report_scores(trial_folder, {5: 0.1, 9: 0.2, 10: 0.9})
    assert best_checkpoint(str(trial_folder)).name == "checkpoint_000002"


def record_env(folder, env, attribute=SCORE):
    record = {"experiment": {"checkpoint_config": {"checkpoint_score_attribute": attribute}}}
    (folder / "run.json").write_text(json.dumps(record | {"trial_config": {"env": env}}))


def test_a_choice_between_trials_is_told(trial_folder, capsys):
    experiment = trial_folder.parent
    other = save(experiment / "other" / "checkpoint_000000", 1).parent
    for folder, attribute in ((trial_folder, None), (other, None)):
        record_env(folder, "engram/TMaze-v0", attribute)
    assert best_checkpoint(str(experiment)).parent == newest_checkpoint(str(experiment)).parent == other
    notice = f"notice: {experiment} has checkpoints of 2 trials; taken is "
    assert capsys.readouterr().err.splitlines() == [
        f"{notice}other/checkpoint_000000, the newest, for none has a score",
        f"{notice}other/checkpoint_000000, the newest",
    ]
    record_env(trial_folder, "engram/TMaze-v0")
    report_scores(trial_folder, {10: 0.5})
    assert best_checkpoint(str(experiment)).parent == trial_folder
    assert capsys.readouterr().err == (
        f"{notice}trial/checkpoint_000001, the best by {SCORE} (1 of the trials without)\n"
    )


def test_scores_of_other_environments_do_not_compare(trial_folder, capsys):
    experiment = trial_folder.parent
    other = save(experiment / "other" / "checkpoint_000000", 1).parent
    record_env(trial_folder, "CartPole-v1")
    record_env(other, "engram/TMaze-v0")
    report_scores(trial_folder, {10: 500.0})
    report_scores(other, {1: 0.5})
    assert best_checkpoint(str(experiment)).parent == other
    assert capsys.readouterr().err == (
        f"notice: {experiment} has checkpoints of 2 trials; taken is other/checkpoint_000000, the best by "
        f"{SCORE} in engram/TMaze-v0; others play CartPole-v1: name a trial's folder for one of them\n"
    )
    for path in (trial_folder, other):
        assert best_checkpoint(str(path)).parent == path
    assert capsys.readouterr().err == ""


def test_half_a_checkpoint_is_passed_over(trial_folder):
    (trial_folder / "checkpoint_000001" / "algorithm_state.pkl").write_bytes(b"\x80\x05half")
    assert checkpoints.find_checkpoint(str(trial_folder)).name == "checkpoint_000000"
    with pytest.raises(
        ExperimentError, match=r"not a whole checkpoint: algorithm_state\.pkl is missing or broken"
    ):
        checkpoints.find_checkpoint(str(trial_folder / "checkpoint_000001"))


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("harm", ["deleted", "empty", "cut"])
def test_every_file_of_a_checkpoint_counts(tmp_path, file, harm):
    """A process that is killed while Tune copies leaves all folders, but only some of the files."""
    folder = save(tmp_path / "checkpoint_000000", 5)
    assert checkpoints.is_whole(folder)
    path = folder / file
    path.write_bytes({"empty": b"", "cut": path.read_bytes()[:-1]}.get(harm, b""))
    if harm == "deleted":
        path.unlink()
    assert not checkpoints.is_whole(folder)
    with pytest.raises(ExperimentError, match=f"not a whole checkpoint: {Path(file)} is missing or broken"):
        checkpoints.find_checkpoint(str(folder))


@pytest.mark.parametrize("file", [*FILES, "learner_group/anything.bin"])
def test_a_changed_byte_is_seen_and_its_file_named(tmp_path, file):
    folder = save(tmp_path / "checkpoint_000000", 5)
    (folder / "learner_group" / "anything.bin").write_bytes(b"\0" * 3_000_000)
    write_checksums(folder)
    assert fault(folder) is None
    path = folder / file
    before = path.read_bytes()
    for place in (0, len(before) // 2, len(before) - 1):
        path.write_bytes(before[:place] + bytes([before[place] ^ 1]) + before[place + 1 :])
        assert fault(folder) == path
    with pytest.raises(ExperimentError, match=f"not a whole checkpoint: {Path(file)} is missing or broken"):
        checkpoints.find_checkpoint(str(folder))
    path.write_bytes(before)
    (folder / "added_later").write_text("")
    write_checksums(folder)
    assert fault(folder) is None


@pytest.mark.parametrize(
    ("listed", "named"),
    [
        ("{", "checksums.json"),
        ("[]", "checksums.json"),
        ('{"crc32": 3}', "checksums.json"),
        ('{"crc32": {"../x": "00000000"}}', "checksums.json"),
        ('{"crc32": {"gone": "00000000"}}', "gone"),
        ('{"crc32": {"learner_group": "00000000"}}', "learner_group"),
    ],
)
def test_a_list_of_checksums_may_be_damaged_itself(tmp_path, listed, named):
    folder = save(tmp_path / "checkpoint_000000", 5)
    (folder / "checksums.json").write_text(listed)
    assert fault(folder) == folder / named


@pytest.mark.parametrize("part", [*checkpoints.MODULE.parents[:3], checkpoints.MODULE])
def test_a_part_that_every_algorithm_has_must_be_there(tmp_path, part):
    folder = save(tmp_path / "checkpoint_000000", 5)
    shutil.rmtree(folder / part)
    assert not checkpoints.is_whole(folder)


def test_classes_that_are_not_installed_are_no_damage(tmp_path):
    folder = save(tmp_path / "checkpoint_000000", 5)
    (folder / "class_and_ctor_args.pkl").write_bytes(b"cno_such_module\nThing\n.")
    assert checkpoints.is_whole(folder)


@pytest.mark.parametrize(
    "record",
    [{"experiment": {}, "trial_config": {}}, {"experiment": {"env": "x"}, "trial_config": 3}],
)
def test_a_record_that_does_not_say_is_passed_over(trial_folder, record):
    (trial_folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(ExperimentError, match="does not say which environment"):
        checkpoints.source(trial_folder / "checkpoint_000001")


def test_no_checkpoint(tmp_path):
    (tmp_path / "file").write_text("x")
    for path, part in [("none", "no such folder"), (".", "no checkpoint"), ("file", "no checkpoint")]:
        with pytest.raises(ExperimentError, match=part):
            checkpoints.find_checkpoint(str(tmp_path / path))


def test_the_reason_is_one_line_with_what_it_announces():
    linear, other = torch.nn.Linear(2, 3), torch.nn.Linear(4, 3)
    with pytest.raises(RuntimeError) as raised:
        linear.load_state_dict(other.state_dict())
    assert reason(raised.value).startswith(
        "Error(s) in loading state_dict for Linear: size mismatch for weight: copying a param with shape"
    )
    assert reason(ValueError("\n one \ntwo")) == "one"
    assert reason(ValueError("one:\n\ntwo\nthree")) == "one: two"
    assert reason(ValueError("")) == "ValueError"
    assert reason(ValueError("x" * 1000)) == "x" * 500 + " ..."


def test_a_foreign_module_is_one_error(trial_folder):
    with pytest.raises(ExperimentError, match="its module cannot be loaded"):
        checkpoints.load_module(trial_folder / "checkpoint_000001")
    with pytest.raises(ExperimentError, match="does not say which environment"):
        checkpoints.source(trial_folder / "checkpoint_000001")


def saved_elsewhere(trial, env="engram/PrefixSums-v0"):
    """A checkpoint whose classes have another place now, in a file of the same length."""
    checkpoint = Path(make_checkpoint(trial, env, {"bits": 4})) / "checkpoint_000000"
    file = checkpoint / MODULE / "class_and_ctor_args.pkl"
    content = file.read_bytes()
    assert b"engram.agents.models.thinking" in content
    file.write_bytes(content.replace(b"engram.agents.models.thinking", b"engram.agents.modelsthinking_"))
    return checkpoint


@pytest.mark.parametrize(
    ("version", "told"),
    [
        (
            "0.1.0",
            f"saved by engram 0.1.0 (commit abc); this is {versions()['engram']}, in which classes have",
        ),
        (
            versions()["engram"],
            "saved by another state of engram, with engram.agents.modelsthinking_ (commit",
        ),
        (None, "saved by another state of engram, with engram.agents.modelsthinking_ (commit abc); this is"),
    ],
)
def test_a_checkpoint_of_another_version_is_one_line(tmp_path, version, told):
    checkpoint = saved_elsewhere(tmp_path / "experiment" / "trial")
    made = {} if version is None else {"engram": version}
    record = {"experiment": {}, "versions": made, "git_commit": "abc"}
    (tmp_path / "experiment" / "run.json").write_text(json.dumps(record))
    with pytest.raises(ExperimentError) as caught:
        checkpoints.load_module(checkpoint)
    (line,) = caught.value.lines
    assert line.startswith(f"{checkpoint}: {told}")
    assert line.endswith("--restore CHECKPOINT starts a new run from its weights")


@pytest.mark.parametrize(
    ("stop", "message"),
    [
        ({"timesteps_total": 960.0}, "already at timesteps_total 960, and stop.timesteps_total is 960; "),
        ({"num_env_steps_sampled_lifetime": 900.0}, "already at num_env_steps_sampled_lifetime 960"),
        ({"training_iteration": 9.0}, "already at training_iteration 10, and stop.training_iteration is 9"),
        ({"timesteps_total": 961.0, "training_iteration": 11.0, "time_total_s": 1.0}, None),
        ({}, None),
    ],
)
def test_a_checkpoint_past_the_stop_is_refused(tmp_path, stop, message):
    folder = save(tmp_path / "checkpoint_000000", 10)
    stats = {"env_runners--num_env_steps_sampled_lifetime": {"lifetime_sum": 960.0}}
    state = {"training_iteration": 10, "metrics_logger": {"stats": stats}}
    (folder / "algorithm_state.pkl").write_bytes(pickle.dumps(state))
    if message is None:
        restore.check_unfinished(folder, stop)
    else:
        with pytest.raises(ExperimentError, match=message):
            restore.check_unfinished(folder, stop)


def tune_trial(folder, known, kept):
    """What `adopt_newest` reads of a Ray Tune trial."""
    manager = _CheckpointManager(CheckpointConfig(num_to_keep=4))
    for name in kept:
        manager.register_checkpoint(_TrainingResult(Checkpoint.from_directory(str(folder / name)), {}))
    storage = SimpleNamespace(
        trial_fs_path=str(folder),
        current_checkpoint_index=0,
        storage_filesystem=SimpleNamespace(type_name="local"),
    )
    metadata = SimpleNamespace(checkpoint_manager=manager, invalidate_cache=lambda: None)
    return SimpleNamespace(
        storage=storage,
        run_metadata=metadata,
        checkpoint=known and Checkpoint.from_directory(str(folder / known)),
        invalidate_json_state=lambda: None,
    )


@pytest.mark.parametrize(
    ("known", "kept"),
    [
        ("checkpoint_000000", ["checkpoint_000000"]),  # Tune's record lags behind
        (None, []),  # ... or knows of none
        ("checkpoint_000099", ["checkpoint_000099"]),  # ... or names one that has been deleted
    ],
)
def test_a_resumed_trial_starts_from_the_newest_checkpoint(trial_folder, known, kept):
    rows = [{"training_iteration": i, "time_total_s": 2.0 * i} for i in (9, 10, 11)]
    (trial_folder / "result.json").write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"training')
    trial = tune_trial(trial_folder, known, kept)
    adopt_newest(trial)
    latest = trial.run_metadata.checkpoint_manager.latest_checkpoint_result
    assert latest.checkpoint.path == str(trial_folder / "checkpoint_000001")
    assert latest.metrics == {"training_iteration": 10, "time_total_s": 20.0}
    assert trial.storage.current_checkpoint_index == 1


def test_checkpoints_that_tune_does_not_know_count_among_those_to_keep(trial_folder):
    """Of three whole ones the newest two stay, whatever Tune's record names; a damaged one is left alone."""
    save(trial_folder / "checkpoint_000002", 15)
    save(trial_folder / "checkpoint_000003", 20)
    (trial_folder / "checkpoint_000003" / "algorithm_state.pkl").unlink()
    trial = tune_trial(trial_folder, "checkpoint_000003", ["checkpoint_000002", "checkpoint_000003"])
    trial.run_metadata.checkpoint_manager._checkpoint_config = CheckpointConfig(num_to_keep=2)
    adopt_newest(trial)
    manager = trial.run_metadata.checkpoint_manager
    assert manager.latest_checkpoint_result.checkpoint.path == str(trial_folder / "checkpoint_000002")
    assert [Path(each.checkpoint.path).name[-1] for each in manager.best_checkpoint_results] == ["1", "2"]
    assert sorted(path.name[-1] for path in trial_folder.glob("checkpoint_*")) == ["1", "2", "3"]
    assert trial.storage.current_checkpoint_index == 2


def test_a_trial_whose_checkpoints_are_all_damaged_starts_from_its_beginning(trial_folder, capsys):
    for checkpoint in trial_folder.glob("checkpoint_*"):
        (checkpoint / "algorithm_state.pkl").write_bytes(b"")
    report_scores(trial_folder, {5: 0.9})
    trial = tune_trial(trial_folder, "checkpoint_000001", ["checkpoint_000000", "checkpoint_000001"])
    adopt_newest(trial)
    assert trial.run_metadata.checkpoint_manager.latest_checkpoint_result is None
    assert trial.run_metadata.checkpoint_manager.best_checkpoint_results == []
    notice = f"notice: {trial_folder}: no whole checkpoint, starts from its beginning\n"
    assert capsys.readouterr().err == notice


def test_what_a_run_was_restored_from_stays(trial_folder, tmp_path, capsys):
    trial = tune_trial(tmp_path / "new", None, [])
    trial.checkpoint = Checkpoint.from_directory(str(trial_folder / "checkpoint_000001"))
    adopt_newest(trial)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("kept", "lost"),
    [
        ({"trial": "", "state": b"x"}, ""),
        ({"trial": "", "state": b"x", "lost": "Locked cannot be pickled"}, "Locked cannot be pickled"),
        (None, None),
        (3, None),
    ],
)
def test_a_checkpoint_says_whether_its_lanes_are_in_it(trial_folder, kept, lost, capsys):
    newest = trial_folder / "checkpoint_000001"
    state = {"training_iteration": 10} | ({} if kept is None else {"under_way": kept})
    (newest / "algorithm_state.pkl").write_bytes(pickle.dumps(state))
    assert checkpoints.lost_lanes(newest) == lost
    tell, trials = TellLost(), [SimpleNamespace(trial_id=name) for name in ("a", "b", "a")]
    for trial in trials:
        tell.on_checkpoint(1, [], trial, Checkpoint(str(newest)))
    warning = f"warning: {newest}: resumed, it begins new episodes: Locked cannot be pickled\n"
    assert capsys.readouterr().err == (warning if lost else "")


def test_nothing_to_adopt(trial_folder, tmp_path):
    up_to_date = tune_trial(trial_folder, "checkpoint_000001", [])
    adopt_newest(up_to_date)
    assert up_to_date.storage.current_checkpoint_index == 0
    adopt_newest(tune_trial(tmp_path / "empty", None, []))


def test_unfinished_trials(tmp_path):
    assert unfinished_trials(tmp_path) is None
    trials = [
        [json.dumps({"status": status}), "{}"] for status in ("TERMINATED", "RUNNING", "ERROR", "PAUSED")
    ]
    (tmp_path / "experiment_state-1.json").write_text(json.dumps({"trial_data": trials}))
    assert unfinished_trials(tmp_path) == 3
    (tmp_path / "experiment_state-2.json").write_text("{")
    with pytest.raises(ExperimentError, match=r"experiment_state-2.json is broken"):
        unfinished_trials(tmp_path)


def test_half_a_state_is_replaced_by_the_copy_that_was_whole(tmp_path):
    state = tmp_path / "experiment_state-1.json"
    trials = [[json.dumps({"status": status}), "{}"] for status in ("TERMINATED", "RUNNING")]
    state.write_text(json.dumps({"trial_data": trials}))
    keep_state(tmp_path)
    whole = state.read_text()
    state.write_text(whole[: len(whole) // 2])  # where a kill came while Tune wrote
    keep_state(tmp_path)
    assert unfinished_trials(tmp_path) == 1
    mend_state(tmp_path)
    assert state.read_text() == whole


def test_differences_between_settings():
    before = {"run": "PPO", "config": {"lr": 1, "model": {"a": 1}}}
    now = {"run": "PPO", "config": {"lr": 2, "model": {"a": 1, "b": 2}}, "restore": "x"}
    assert list(differences(before, now)) == ["config.lr", "config.model.b", "restore"]


def test_broken_records_are_none(tmp_path):
    assert read_record(tmp_path) is None
    (tmp_path / "run.json").write_text("[]")
    assert read_record(tmp_path) is None


def test_last_words():
    chained = """ray::PPO.train() (pid=1)
RuntimeError: the environment broke

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "x.py", line 1, in f
RuntimeError
"""
    assert last_words(chained) == "RuntimeError: the environment broke"
    died = "ray.exceptions.ActorDiedError: The actor died.\n  more"
    assert last_words(died) == "ActorDiedError: The actor died."
    assert last_words("") == "no message"


@pytest.mark.parametrize(
    ("evaluation", "explore"),
    [({"explore": True}, True), ({"explore": False}, False), ({}, False), (None, False)],
)
def test_the_record_says_how_evaluation_acts(tmp_path, evaluation, explore):
    trial = {"env_config": {}, "evaluation_config": evaluation}
    (tmp_path / "run.json").write_text(
        json.dumps({"experiment": {"env": "CartPole-v1"}, "trial_config": trial})
    )
    assert checkpoints.source(tmp_path / "checkpoint_000000").explore is explore


@pytest.mark.parametrize(
    ("evaluation", "kept"),
    [
        ({"env_config": {"delay": 5}}, {"delay": 5}),
        ({"env_config": None}, {}),
        ({"explore": True}, {}),
        (3, {}),
    ],
)
def test_the_record_says_what_evaluation_plays(tmp_path, evaluation, kept):
    trial = {"env_config": {"delay": 2}, "evaluation_config": evaluation}
    (tmp_path / "run.json").write_text(
        json.dumps({"experiment": {"env": "CartPole-v1"}, "trial_config": trial})
    )
    found = checkpoints.source(tmp_path / "checkpoint_000000")
    assert (found.env_config, found.evaluation) == ({"delay": 2}, kept)
