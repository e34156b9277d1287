"""`rllib probe-thinking`: does a network settle, recover, and end where it ends from anywhere?"""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from engram.envs.puzzles.prefix_sums.env import BatchedPrefixSums
from engram.train.console.errors import ExperimentError, unknown
from engram.train.console.files import check_out
from engram.train.evaluation.evaluate import one_line
from engram.train.evaluation.subject import Subject, find_subject
from engram.train.thinking.command import budgets
from engram.train.thinking.probes import Disturbance, Prober, Probes, Recovery, flip, make_noise, swap
from engram.train.thinking.questions import MAX_LANES, Questions
from engram.train.thinking.record import write_json

DISTURBANCES = ("swap", "noise", "flip")
FEWEST = 2
"""A problem that is alone has no other's thought to start from."""


@dataclass(frozen=True)
class Request:
    """What to probe.

    Attributes:
        path: A checkpoint, or a folder with checkpoints.
        problems: How many.
        env_config: Settings merged over those of training.
        thinking_steps: Iterations before and after a disturbance; None: as many as evaluation runs.
        disturbances: Some of `DISTURBANCES`; none: all that suit the puzzles.
        noise: Standard deviation of the noise, 1 being the root mean square of a thought.
        seed: Of the environment, and of what is drawn to disturb.
    """

    path: str
    problems: int = 100
    env_config: Mapping[str, Any] = field(default_factory=dict)
    thinking_steps: int | None = None
    disturbances: Sequence[str] = ()
    noise: float = 1.0
    seed: int = 0


def probe_thinking(request: Request, out: str | None, as_json: bool) -> dict[str, Any]:
    """Probe, print, and return what was found.

    Args:
        request: What to probe.
        out: A JSON file for everything, each recovery included, or None.
        as_json: End with one line of JSON.

    Raises:
        ExperimentError: No checkpoint, one that does not think, settings its environment refuses, an unknown
            disturbance or one that does not suit the puzzles.
    """
    for name in request.disturbances:
        if name not in DISTURBANCES:
            raise unknown("--disturb", name, DISTURBANCES)
    if request.problems < FEWEST:
        raise ExperimentError(f"--problems {request.problems}: expected at least {FEWEST}")
    if out is not None:
        check_out(out, "--out")
    subject = find_subject(request.path, request.env_config)
    with one_line(subject.checkpoint, "probe-thinking"):
        found = probe(subject, request)
    print(subject)
    _print(found, Console())
    told = subject.told() | {"seed": request.seed, "noise": request.noise}
    if out is not None:
        recovery = {name: each._asdict() for name, each in found.recovery.items()}
        write_json(out, told | found._asdict() | {"recovery": recovery, "alignment": _alignment(found)})
        print(f"written: {out}")
    summary = told | {
        "problems": found.problems,
        "thinking_steps": found.iterations,
        "accuracy": found.accuracy,
        "last_change": found.changes[-1],
        "recovery": {name: _summary(each) for name, each in found.recovery.items()},
        "alignment": _alignment(found),
    }
    if as_json:
        print(json.dumps(summary))
    return summary


def probe(subject: Subject, request: Request) -> Probes:
    """Puts the puzzles to the network.

    Args:
        subject: The network, and where its puzzles come from.
        request: What to probe.

    Raises:
        ExperimentError: A disturbance that does not suit the puzzles.
        ValueError: A network made for one size, or for fewer iterations.
    """
    lanes = even_lanes(request.problems)
    with Questions(subject.module, subject.env, subject.env_config, lanes) as questions:
        module = questions.module
        prober = Prober(
            module.thinker,
            request.thinking_steps or module.test_steps,
            _disturbances(request, questions),
            top=module.readout.top,
            seed=request.seed,
        )
        for puzzles in questions.batches(request.problems, request.seed):
            prober.add(puzzles)
    return prober.found()


def even_lanes(problems: int) -> int:
    """The largest batches that leave no problem alone in the last one.

    Args:
        problems: At least 2 in all.
    """
    return next(lanes for lanes in range(min(problems, MAX_LANES), 1, -1) if problems % lanes != 1)


def _disturbances(request: Request, questions: Questions) -> dict[str, Disturbance]:
    suitable: dict[str, Disturbance] = {"swap": swap, "noise": make_noise(request.noise)}
    if isinstance(questions.env, BatchedPrefixSums):
        suitable["flip"] = flip
    for name in request.disturbances:
        if name not in suitable:
            raise ExperimentError(
                f"--disturb {name}: for prefix sums only, where a flipped bit's answer is known; "
                f"legal here: {', '.join(suitable)}"
            )
    return {name: suitable[name] for name in request.disturbances or suitable}


def _alignment(found: Probes) -> dict[str, Any]:
    return {name: each._asdict() for name, each in found.alignment.items()}


def _summary(recovery: Recovery) -> dict[str, Any]:
    values = recovery.iterations
    return {
        "solved_before": recovery.solved_before,
        "recovered": recovery.recovered,
        "median": statistics.median(values) if values else None,
        "most": max(values, default=None),
    }


def _print(found: Probes, console: Console) -> None:
    print(
        f"problems: {found.problems:,}, solved after {found.iterations:,} iterations: {found.accuracy:.1%}\n"
    )
    changes = Table("iteration", "change of the thought", box=None, pad_edge=False)
    for number in budgets(found.iterations):
        changes.add_row(f"{number:,}", f"{found.changes[number - 1]:.2g}")
    console.print(changes)
    print("change: Euclidean norm, relative to that of the thought after it\n")
    recoveries = Table("disturbed by", "recovered", "median", "most", box=None, pad_edge=False)
    for name, each in found.recovery.items():
        told = _summary(each)
        counts = ("-" if told[key] is None else f"{told[key]:,g}" for key in ("median", "most"))
        share = f"{each.recovered:.1%} of {each.solved_before:,}" if each.solved_before else "none was solved"
        recoveries.add_row(name, share, *counts)
    console.print(recoveries)
    print(f"recovered: of those solved before, right again for good within {found.iterations:,} iterations;")
    print("median, most: how many that took\n")
    paths = Table("starting from", "cosine", "solved", box=None, pad_edge=False)
    for name, path in found.alignment.items():
        paths.add_row(f"{name} thought", f"{path.cosine:.4f}", f"{path.accuracy:.1%}")
    console.print(paths)
    print("cosine: of the last thought and that from the usual start, mean (asymptotic alignment)")
