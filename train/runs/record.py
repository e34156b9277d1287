"""Write and read `run.json`: settings, versions, commit and command of a run."""

import importlib.metadata
import json
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engram.train.console.files import mapping_at, read_json, write_whole

FILE = "run.json"
PACKAGES = ("engram", "ray", "torch", "gymnasium")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide about results."""
    return {name: importlib.metadata.version(name) for name in PACKAGES} | {
        "python": platform.python_version()
    }


def git_commit() -> str | None:
    """The commit of the checkout that the code runs from, with `-dirty` where files differ; else None."""
    folder = Path(__file__).resolve().parent
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def host_class() -> dict[str, Any]:
    """Return the kind of this machine; nothing that identifies it."""
    import torch

    from engram.memory.precision import has_bfloat16

    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "bfloat16": has_bfloat16("cpu"),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "gpus": gpus,
    }


def _processor() -> str:
    """The model of the processor as the system names it, such as `AMD EPYC`; empty where it does not."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "cpu model")))
    return next(named, platform.processor())


def command_line() -> str:
    """The command as typed."""
    return shlex.join(["rllib", *sys.argv[1:]])


def make_record(experiment: Mapping[str, Any], seeds: list[Any]) -> dict[str, Any]:
    """The record of an experiment.

    Args:
        experiment: The experiment as resolved: names of today, overrides applied.
        seeds: Its seeds, `[None]` where none is set.
    """
    return {
        "experiment": dict(experiment),
        "seeds": seeds,
        "command": command_line(),
        "versions": versions(),
        "git_commit": git_commit(),
        "host": host_class(),
    }


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write `run.json`, so that it is whole at every moment."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / FILE, json.dumps(record, indent=2, default=str) + "\n")


def read_record(folder: Path) -> dict[str, Any] | None:
    """Read `run.json`, or None where there is none that can be read."""
    try:
        record = read_json(folder / FILE)
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and isinstance(record.get("experiment"), dict) else None


def version_fault(error: BaseException, folder: Path) -> str | None:
    """Say that another version of this package saved what cannot be loaded; None where the error is another.

    Args:
        error: What loading raised.
        folder: A trial's or an experiment's, whose record names the version.
    """
    lacking = re.search(r"\bengram\.[\w.]+", str(error))
    if lacking is None or not isinstance(error, ImportError | AttributeError):
        return None
    record = (read_record(folder.parent) or {}) | (read_record(folder) or {})
    saved, now = mapping_at(record, "versions").get("engram"), versions()["engram"]
    commit = f" (commit {record['git_commit']})" if record.get("git_commit") else ""
    by = f"engram {saved}" if saved not in (None, now) else f"another state of engram, with {lacking.group()}"
    return (
        f"saved by {by}{commit}; this is {now}, in which classes have other places: --restore CHECKPOINT "
        "starts a new run from its weights"
    )
