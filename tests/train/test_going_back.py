"""What a trial leaves on disk: every iteration once however often it went back, and whole checkpoints."""

import csv
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pyarrow.fs
import pytest
from ray.tune import Checkpoint
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboardX import SummaryWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog

from engram.train.running import storing
from engram.train.running.failing import described
from engram.train.running.going_back import GoBack, cut_events, cut_reports, cut_rows, go_back, records
from engram.train.running.storing import TrialStorage, copy_whole, keep_files_whole
from engram.train.runs.wholeness import CHECKSUMS, is_whole


def report(iteration, attempt=0):
    return json.dumps(
        {"training_iteration": iteration, "timesteps_total": 10 * iteration, "attempt": attempt}
    )


@pytest.mark.parametrize(
    ("iterations", "half", "last", "kept"),
    [
        ([1, 2, 3], "", 3, [(1, 0), (2, 0), (3, 0)]),
        ([1, 2, 3], "", 2, [(1, 0), (2, 0)]),
        ([1, 2, 3], '{"training_it', 3, [(1, 0), (2, 0), (3, 0)]),
        ([1, 2, 3, 2, 3, 4], "", 3, [(1, 0), (2, 1), (3, 1)]),  # of a version that did not cut
        ([1, 2, 3, 2], "", 3, [(1, 0), (2, 1)]),
        ([5, 6], "", 6, [(5, 0), (6, 0)]),  # a run that was restored from another
        ([1, 2], "", 0, None),
        ([], "", 4, None),
    ],
)
def test_every_iteration_stays_once(tmp_path, iterations, half, last, kept):
    attempts = [iterations[:place].count(number) for place, number in enumerate(iterations)]
    pairs = list(zip(iterations, attempts, strict=True))
    reports, table = tmp_path / "result.json", tmp_path / "progress.csv"
    reports.write_text("".join(f"{report(*pair)}\n" for pair in pairs) + half)
    with table.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["attempt", "training_iteration", "note"])
        rows.writerows([attempt, number, "one,\n'two'"] for number, attempt in pairs)
        stream.write(half[:3])
    cut_reports(reports, last)
    cut_rows(table, last)
    if kept is None:
        assert not table.exists()
        assert not reports.exists()
        return
    lines = [json.loads(line) for line in reports.read_text().splitlines()]
    assert [(each["training_iteration"], each["attempt"]) for each in lines] == kept
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(int(each["training_iteration"]), int(each["attempt"])) for each in rows] == kept
    assert {each["note"] for each in rows} == {"one,\n'two'"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["progress.csv", "result.json"]


def test_what_is_nothing_of_ours_stays(tmp_path):
    for name, content in (("progress.csv", "a,b\r\n1,2\r\n"), ("other.csv", "")):
        (tmp_path / name).write_text(content)
        cut_rows(tmp_path / name, 0)
        assert (tmp_path / name).read_bytes() == content.encode()
    cut_rows(tmp_path / "none", 0)
    cut_reports(tmp_path / "none", 0)


def write_events(folder, steps, goes_on=None):
    """A file of events, as `BoardLogger` writes them; returns it."""
    before = set(folder.glob("events*"))
    writer = SummaryWriter(str(folder), filename_suffix=f".{len(before)}")
    if goes_on is not None:
        writer.file_writer.add_event(Event(step=goes_on, session_log=SessionLog(status=SessionLog.START)))
    for step in steps:
        writer.add_scalar("loss", step / 2, global_step=step)
        writer.add_scalar("return", 1.0, global_step=step)
    writer.close()
    (file,) = set(folder.glob("events*")) - before
    return file


def curve(folder):
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload().Scalars("loss")
    return [(event.step, event.value) for event in events]


def test_tensorboard_shows_each_step_once(tmp_path):
    """A reader that starts now, and one that has read all before and goes on."""
    file = write_events(tmp_path, [10, 20, 30, 40])
    looking = EventAccumulator(str(tmp_path), size_guidance={"scalars": 0}).Reload()
    assert [event.step for event in looking.Scalars("loss")] == [10, 20, 30, 40]
    cut_events(file, 20)
    write_events(tmp_path, [30, 40, 50], goes_on=21)
    steps = [10, 20, 30, 40, 50]
    assert curve(tmp_path) == [(step, step / 2) for step in steps]
    assert [event.step for event in looking.Reload().Scalars("loss")] == steps
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("size", [-1, -40, 30, 0])
def test_half_an_event_is_cut_off(tmp_path, size):
    file = write_events(tmp_path, [10, 20])
    whole = file.read_bytes()
    whole_events = list(records(whole))
    file.write_bytes(whole[:size])
    cut_events(file, 99)
    if not file.exists():
        assert size == 0 or len(whole_events[0][0]) > 30
        return
    left = list(records(file.read_bytes()))
    assert left == whole_events[: len(left)]
    assert sum(len(record) for record, _ in left) == file.stat().st_size


def test_bytes_that_are_no_event_end_the_file(tmp_path):
    file = write_events(tmp_path, [10])
    before = file.read_bytes()
    file.write_bytes(before + (5).to_bytes(8, "little") + b"\0" * 4 + b"\xff" * 5 + b"\0" * 4)
    cut_events(file, 10)
    assert file.read_bytes() == before


def trial_at(folder, iteration):
    """A stand-in for Tune's trial, whose checkpoint is of an iteration."""
    checkpoint = SimpleNamespace(metrics={"training_iteration": iteration})
    return SimpleNamespace(
        storage=SimpleNamespace(
            storage_filesystem=SimpleNamespace(type_name="local"), trial_fs_path=str(folder)
        ),
        latest_checkpoint_result=checkpoint if iteration else None,
        run_metadata=SimpleNamespace(
            error_filename="error.txt", pickled_error_filename="error.pkl", invalidate_cache=lambda: None
        ),
    )


@pytest.mark.parametrize(("iteration", "steps"), [(2, [10, 20]), (0, []), (3, [10, 20, 30])])
def test_a_trial_that_starts_goes_back_to_its_checkpoint(tmp_path, iteration, steps):
    for name in ("error.txt", "error.pkl"):
        (tmp_path / name).write_text("it broke")
    (tmp_path / ".checkpoint_000001.half").mkdir()
    (tmp_path / "result.json").write_text("".join(f"{report(number)}\n" for number in (1, 2, 3)))
    write_events(tmp_path, [10, 20, 30])
    trial = trial_at(tmp_path, iteration)
    GoBack().on_trial_start(0, [], trial)
    events = list(tmp_path.glob("events*"))
    assert [step for step, _ in curve(tmp_path)] == steps if steps else all(not curve_of(e) for e in events)
    assert (tmp_path / "result.json").exists() == bool(steps)
    assert not list(tmp_path.glob("error*"))
    assert not list(tmp_path.glob(".*"))
    assert trial.run_metadata.error_filename is None


def curve_of(file):
    return [event for _, event in records(file.read_bytes()) if event.step]


def test_events_stay_where_no_report_says_what_they_are_of(tmp_path):
    write_events(tmp_path, [10, 20, 30])
    go_back(tmp_path, 2)
    assert [step for step, _ in curve(tmp_path)] == [10, 20, 30]


@pytest.fixture
def storage(tmp_path):
    """Where a trial writes, and a checkpoint that lies elsewhere."""
    made = storing.StorageContext(
        tmp_path / "results", "cue", trial_dir_name="trial", storage_filesystem=pyarrow.fs.LocalFileSystem()
    )
    (tmp_path / "saved" / "part").mkdir(parents=True)
    for name in ("a.pkl", "part/b.pkl"):
        (tmp_path / "saved" / name).write_text(name)
    kept = TrialStorage.of(made)
    kept.current_checkpoint_index = 0
    return kept, Checkpoint.from_directory(str(tmp_path / "saved"))


def test_trials_write_at_their_place(storage):
    kept, _ = storage
    assert TrialStorage.of(kept) is kept
    assert kept.trial_driver_staging_path == kept.trial_fs_path
    elsewhere = SimpleNamespace(storage_filesystem=SimpleNamespace(type_name="s3"))
    assert TrialStorage.of(elsewhere) is elsewhere
    keep_files_whole(elsewhere)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_checkpoint_gets_its_name_once_it_is_whole(storage, tmp_path, monkeypatch):
    kept, checkpoint = storage
    place = tmp_path / "results" / "cue" / "trial"
    seen = []
    monkeypatch.setattr(storing, "write_checksums", lambda folder: seen.append(names_in(place)))
    kept.persist_current_checkpoint(checkpoint)
    assert seen == [[".checkpoint_000000.half"]]
    monkeypatch.undo()
    (place / "checkpoint_000000" / "left").write_text("of a damaged one")
    saved = kept.persist_current_checkpoint(checkpoint)
    assert saved.path == str(place / "checkpoint_000000")
    assert names_in(place) == ["checkpoint_000000"]
    assert names_in(place / "checkpoint_000000") == ["a.pkl", CHECKSUMS, "part"]
    sums = json.loads((place / "checkpoint_000000" / CHECKSUMS).read_text())["crc32"]
    assert set(sums) == {"a.pkl", "part/b.pkl"}


def test_a_full_disk_leaves_the_checkpoint_before(storage, tmp_path, monkeypatch):
    kept, checkpoint = storage
    kept.persist_current_checkpoint(checkpoint)
    kept.current_checkpoint_index = 1

    def full(source, target):
        Path(target).write_text("half of it")
        raise OSError(28, "No space left on device", str(source), None, str(target))

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space left") as raised:
        kept.persist_current_checkpoint(checkpoint)
    line = described(raised.value, tmp_path / "results")
    assert re.fullmatch(
        r"No space left on device: .*/\.checkpoint_000001\.half/.*; free some space there", line
    )
    assert names_in(tmp_path / "results" / "cue" / "trial") == ["checkpoint_000000"]


def test_files_of_an_experiment_are_whole_at_every_moment(tmp_path, monkeypatch):
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "inner").mkdir(parents=True)
    for name in ("a.json", "inner/b.json"):
        (source / name).write_text("new")
    target.mkdir()
    (target / "a.json").write_text("old")
    (target / "kept.json").write_text("kept")
    copied = shutil.copyfile

    def copy(file, half):
        assert (target / "a.json").read_text() in ("old", "new")
        copied(file, half)

    monkeypatch.setattr(shutil, "copyfile", copy)
    copy_whole(source, target)
    texts = {str(path.relative_to(target)): path.read_text() for path in target.rglob("*") if path.is_file()}
    assert texts == {"a.json": "new", "inner/b.json": "new", "kept.json": "kept"}
    monkeypatch.setattr(shutil, "copyfile", None)
    copy_whole(source, target)  # the same: nothing is copied


def test_every_file_of_a_real_checkpoint_counts(finished_run, tmp_path):
    """Whatever is cut, emptied or missing is found, but for the list of checksums itself."""
    (trial,) = finished_run[1].glob("RecurrentPPO_*")
    newest = shutil.copytree(max(trial.glob("checkpoint_*")), tmp_path / "checkpoint_000000")
    files = [path for path in newest.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert is_whole(newest)
    for file in files:
        whole = file.read_bytes()
        harms = {"missing": None, "empty": b"", "cut": whole[:-3], "half": whole[: len(whole) // 2]}
        for harm, content in harms.items():
            file.unlink() if content is None else file.write_bytes(content)
            expected = (harm, file.name) == ("missing", CHECKSUMS)
            assert is_whole(newest) == expected, (harm, file)
            file.write_bytes(whole)
