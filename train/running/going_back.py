"""What a trial has written beyond the checkpoint that it goes back to is cut away: it comes a second time."""

import contextlib
import csv
import io
import shutil
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from ray.air.constants import EXPR_ERROR_FILE, EXPR_ERROR_PICKLE_FILE, EXPR_PROGRESS_FILE
from ray.tune import Callback
from ray.tune.experiment import Trial
from tensorboardX.proto.event_pb2 import Event
from typing_extensions import override

from engram.train.console.files import parse_json
from engram.train.running.storing import LOCAL, flush
from engram.train.runs.checkpoints import training_iteration
from engram.train.runs.results import REPORTS, env_steps, read_reports

EVENTS = "events.out.tfevents.*"
_LENGTH, _SUM = 8, 4  # bytes of the number before each record of events, and of each checksum


class GoBack(Callback):  # type: ignore[misc]
    """Lets each trial that starts, for the first time or again, begin where its checkpoint is.

    Stands before all callbacks that write.
    """

    @override
    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: object) -> None:
        if trial.storage.storage_filesystem.type_name == LOCAL:
            go_back(Path(trial.storage.trial_fs_path), iteration_of(trial))
            trial.run_metadata.error_filename = trial.run_metadata.pickled_error_filename = None
            trial.run_metadata.invalidate_cache()


def iteration_of(trial: Trial) -> int:
    """The iteration after which the checkpoint was saved that a trial starts from; 0: there is none."""
    result = trial.latest_checkpoint_result
    if result is None:
        return 0
    return int(result.metrics.get("training_iteration") or training_iteration(Path(result.checkpoint.path)))


def go_back(folder: Path, iteration: int) -> None:
    """Cuts away what a trial's folder holds of later iterations, of its failure, and of half a checkpoint.

    Args:
        folder: The trial's folder.
        iteration: The last one that stays.
    """
    for name in (EXPR_ERROR_FILE, EXPR_ERROR_PICKLE_FILE):
        (folder / name).unlink(missing_ok=True)
    for half in folder.glob(".checkpoint_*.half"):
        shutil.rmtree(half, ignore_errors=True)
    cut_reports(folder / REPORTS, iteration)
    cut_rows(folder / EXPR_PROGRESS_FILE, iteration)
    steps = steps_at(folder, iteration)
    if steps is not None:
        for file in folder.glob(EVENTS):
            cut_events(file, steps)


def steps_at(folder: Path, iteration: int) -> int | None:
    """Env steps that a trial has taken after an iteration, by its reports; None: they do not say."""
    if iteration == 0:
        return 0
    reports = read_reports(folder)
    known = [report for report in reports if report.get("training_iteration") == iteration]
    return env_steps(known[-1]) if known else None


def cut_reports(file: Path, iteration: int) -> None:
    """Leaves one line for each iteration in a file of reports, the one that was written last."""
    numbered = []
    for line in _lines(file):
        with contextlib.suppress(ValueError, KeyError, TypeError):  # what is no report
            numbered.append((int(parse_json(line)["training_iteration"]), line))
    _rewrite(file, b"".join(_once(numbered, iteration)))


def cut_rows(file: Path, iteration: int) -> None:
    """The same for a table with a heading; without a row there is no heading either."""
    text = b"".join(_lines(file)).decode(errors="replace")
    try:
        heading, *rows = csv.reader(io.StringIO(text, newline=""))
        place = heading.index("training_iteration")
    except (csv.Error, ValueError):  # something else
        return
    numbered = [(int(row[place]), row) for row in rows if len(row) == len(heading) and row[place].isdecimal()]
    kept = _once(numbered, iteration)
    new = io.StringIO(newline="")
    csv.writer(new).writerows([heading, *kept] if kept else [])
    _rewrite(file, new.getvalue().encode())


def _once(numbered: Iterable[tuple[int, Any]], last: int) -> list[Any]:
    """What came last under each number up to `last`; a smaller number takes back those before it."""
    kept: list[tuple[int, Any]] = []
    for number, what in numbered:
        while kept and kept[-1][0] >= number:
            kept.pop()
        kept.append((number, what))
    return [what for number, what in kept if number <= last]


def cut_events(file: Path, steps: int) -> None:
    """Leaves the events up to some env steps in a file of TensorBoard's."""
    whole = file.read_bytes()
    kept = [record for record, event in records(whole) if event.step <= steps]
    _rewrite(file, b"".join(kept))


def records(data: bytes) -> Iterator[tuple[bytes, Event]]:
    """The events of such a file with the bytes that they take up, up to one that was not written to its end.

    Each is the length of a message, its checksum, the message, its checksum.
    """
    start = 0
    while len(data) >= start + _LENGTH:
        (length,) = struct.unpack_from("<Q", data, start)
        message = start + _LENGTH + _SUM
        end = message + length + _SUM
        if end > len(data):
            return
        try:
            event = Event.FromString(data[message : message + length])
        except DecodeError:
            return
        yield data[start:end], event
        start = end


def _lines(file: Path) -> list[bytes]:
    """Lines that were written to their ends; none where there is no file."""
    try:
        lines = file.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return []
    return [line for line in lines if line.endswith(b"\n")]


def _rewrite(file: Path, data: bytes) -> None:
    """Gives a file another content so that it is whole at every moment; without one, deletes it."""
    if not data:
        file.unlink(missing_ok=True)
        return
    if data == file.read_bytes():
        return
    half = file.with_name(".half")  # a name with "tfevents" in it would be read by TensorBoard
    half.write_bytes(data)
    flush(half)
    half.replace(file)
