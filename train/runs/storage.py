"""Where results go: a folder of this machine, or the URI of a store that Ray reaches (`s3://bucket/x`)."""

import os
import re
from pathlib import Path

from engram.train.console.errors import ExperimentError, reason
from engram.train.console.files import check_folder

DEFAULT = "~/ray_results"  # Ray's own


def is_uri(storage: str) -> bool:
    """Whether results go to a store elsewhere."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://.", storage) is not None


def resolve(written: str | None) -> str:
    """`storage_path` of an experiment as an absolute path, or the URI as it stands."""
    path = (written or DEFAULT).removeprefix("file://")
    return path.rstrip("/") if is_uri(path) else os.path.abspath(os.path.expanduser(path))


def check_writable(written: str | None, name: str) -> None:
    """Refuse a folder that could not be made or written to; makes nothing, and asks no store.

    Args:
        written: `storage_path` as the user wrote it.
        name: The experiment's name, its folder in there.

    Raises:
        ExperimentError: why not.
    """
    if is_uri(storage := resolve(written)):
        return
    folder = Path(storage, name)
    try:
        str(folder).encode()  # Ray's file systems take no other names
        check_folder(next(path for path in (folder, *folder.parents) if _exists(path)))
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else reason(error)
        raise ExperimentError(f"storage_path: {folder} cannot be written to: {said}") from None


def _exists(path: Path) -> bool:
    """As `Path.exists`, but a path that no file system can hold is an error."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
