"""What is said of a trial or a run that fails: one line; the traceback is in a file."""

import errno
import traceback
from pathlib import Path

from ray.exceptions import NodeDiedError, OutOfMemoryError, RayActorError, RayTaskError, WorkerCrashedError
from ray.tune import TuneError

from engram.train.console.errors import last_words, reason

ERROR_FILE = "error.txt"

_REMEDIES = {
    errno.ENOSPC: "free some space there",
    errno.EDQUOT: "free some of the quota there",
    errno.EROFS: "make it writable",
    errno.EACCES: "make it writable",
    errno.EPERM: "make it writable",
    errno.EIO: "look after the disk",
    errno.ENOENT: "put the folder back in its place",
    errno.ENOTDIR: "put the folder back in its place",
    errno.ESTALE: "mount it again",
}


def described(error: BaseException, folder: Path | None = None) -> str:
    """Say what has happened, in one line, and what mends it where that is known.

    Args:
        error: As Tune or Ray raises it, or tells it of a trial.
        folder: Where results go; None: elsewhere.
    """
    if isinstance(error, TuneError) and error.__context__ is not None:
        error = error.__context__  # which Tune quotes at length
    raised = error.cause if isinstance(error, RayTaskError) else error
    if isinstance(raised, OSError) and (remedy := _remedy(raised, folder)):
        place = raised.filename2 or raised.filename or folder
        return f"{raised.strerror}: {place}; {remedy}"
    if isinstance(error, OutOfMemoryError):
        return "its process was ended, as the node runs out of memory: fewer trials at once, or fewer lanes"
    if isinstance(error, NodeDiedError) or "its node has died" in str(error):
        return "the node that it ran on is gone"
    if isinstance(error, RayActorError) and error.actor_init_failed:
        return last_words(str(error))
    if isinstance(error, RayActorError | WorkerCrashedError):
        return "its process was killed, by somebody or for want of memory"
    if isinstance(error, RayTaskError | TuneError):
        return last_words(str(error))
    return f"{type(error).__name__}: {reason(error)}" if " " in str(error) else reason(error)


def _remedy(error: OSError, folder: Path | None) -> str | None:
    """What mends an error of the system; None where it has nothing to do with where results go."""
    remedy = _REMEDIES.get(error.errno or 0)
    named = [Path(str(name)) for name in (error.filename, error.filename2) if name is not None]
    ours = not named or (folder is not None and any(each.is_relative_to(folder) for each in named))
    return remedy if ours or error.errno in (errno.ENOSPC, errno.EDQUOT) else None


def keep_traceback(error: BaseException, folder: Path | None) -> str:
    """Write the traceback of what ended a run into its folder.

    Returns:
        Where it is, in brackets; empty where it could not be written.
    """
    if folder is None:
        return ""
    file = folder / ERROR_FILE
    try:
        file.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except OSError:
        return ""
    return f" (all of it: {file})"
