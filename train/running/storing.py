"""Where trials write: all is at its place at once, and a checkpoint is whole once it has its name."""

import contextlib
import filecmp
import os
import shutil
from pathlib import Path
from typing import Any

from ray.train._internal.storage import StorageContext, _FilesystemSyncer
from typing_extensions import override

from engram.train.runs.wholeness import write_checksums

LOCAL = "local"
"""What PyArrow calls the file system of this machine, to which shared ones belong, too."""


class TrialStorage(StorageContext):  # type: ignore[misc]
    """Where a trial writes on a file system of its machine.

    Ray lets the reports and events of a trial lie in a folder of its own and copies them every few seconds,
    so that a `kill -9` loses some of an iteration of which there is a checkpoint; and it fills a checkpoint
    under its final name, so that half a one may be left.
    """

    @classmethod
    def of(cls, storage: StorageContext) -> StorageContext:
        """The same place, written to in this way; as it was, if it is in a store elsewhere."""
        if storage.storage_filesystem.type_name != LOCAL or isinstance(storage, cls):
            return storage
        new = cls.__new__(cls)
        new.__dict__.update(vars(storage))
        return new

    @property
    @override
    def trial_driver_staging_path(self) -> str:
        return str(self.trial_fs_path)

    @override
    def persist_current_checkpoint(self, checkpoint: Any) -> Any:
        """Copies a checkpoint, with checksums, beside its place, and moves it there once it is on the disk.

        Raises:
            OSError: It cannot be written; nothing of it is left.
        """
        self._check_validation_file()
        target = Path(self.checkpoint_fs_path)
        half = target.with_name(f".{target.name}.half")
        shutil.rmtree(half, ignore_errors=True)
        try:
            copy_whole(Path(checkpoint.path), half)
            write_checksums(half)
            _flush_all(half)
            shutil.rmtree(target, ignore_errors=True)  # a damaged one, which the trial did not go on from
            half.rename(target)
        except BaseException:
            shutil.rmtree(half, ignore_errors=True)
            raise
        _flush_names(target.parent)
        return checkpoint.__class__(filesystem=self.storage_filesystem, path=str(target))


class _WholeFiles(_FilesystemSyncer):  # type: ignore[misc]
    """Copies Ray's files of an experiment so that each is whole at every moment."""

    @override
    def _sync_up_command(self, local_path: str, uri: str, exclude: Any = None) -> tuple[Any, dict[str, Any]]:
        return copy_whole, {"source": Path(local_path), "target": Path(uri)}


def keep_files_whole(storage: StorageContext) -> None:
    """Lets Ray copy an experiment's files whole; a `kill -9` would leave those that it copies empty.

    Args:
        storage: The experiment's; nothing changes where it is elsewhere.
    """
    if storage.storage_filesystem.type_name == LOCAL and not isinstance(storage.syncer, _WholeFiles):
        now = storage.syncer
        storage.syncer = _WholeFiles(
            storage_filesystem=storage.storage_filesystem,
            sync_period=now.sync_period,
            sync_timeout=now.sync_timeout,
        )


def copy_whole(source: Path, target: Path) -> None:
    """Copies the files of a folder into another one, one after the other, where they are not the same."""
    for file in source.rglob("*"):
        copied = target / file.relative_to(source)
        if not file.is_file() or (copied.is_file() and filecmp.cmp(file, copied, shallow=False)):
            continue
        copied.parent.mkdir(parents=True, exist_ok=True)
        half = copied.with_name(f".{copied.name}.half")
        shutil.copyfile(file, half)
        half.replace(copied)


def _flush_all(folder: Path) -> None:
    """Waits until a folder with all that is in it is on the disk."""
    for here, _, files in os.walk(folder):
        for name in files:
            flush(Path(here, name))
        _flush_names(Path(here))


def _flush_names(folder: Path) -> None:
    """Waits for the names in a folder, where the file system knows how to."""
    with contextlib.suppress(OSError):
        flush(folder)


def flush(path: Path) -> None:
    """Waits until a file is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
