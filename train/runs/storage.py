"""Where results go: a folder of this machine, or the URI of a store that Ray reaches (`s3://bucket/x`)."""

import os
import re
import tempfile
from pathlib import Path

from engram.train.console.errors import ExperimentError, reason

DEFAULT = "~/ray_results"  # Ray's own


def is_uri(storage: str) -> bool:
    """Whether results go to a store elsewhere.

    Args:
        storage: As the user wrote it, or resolved.
    """
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://.", storage) is not None


def resolve(written: str | None) -> str:
    """`storage_path` of an experiment as an absolute path, or the URI as it stands.

    Args:
        written: As the user wrote it.
    """
    path = (written or DEFAULT).removeprefix("file://")
    return path.rstrip("/") if is_uri(path) else os.path.abspath(os.path.expanduser(path))


def check_writable(folder: Path) -> None:
    """Refuse a folder that could not be made or written to; makes nothing.

    Args:
        folder: An absolute path; need not exist.

    Raises:
        ExperimentError: why not.
    """
    try:
        str(folder).encode()  # Ray's file systems take no other names
        nearest = next(path for path in (folder, *folder.parents) if _exists(path))
        with tempfile.TemporaryFile(dir=nearest):  # asks the file system itself: root may write, /proc not
            pass
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
