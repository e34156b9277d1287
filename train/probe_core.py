"""`rllib probe-core`: does a core keep its promises, and how long does it remember."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from engram.memory import Core, make_core
from engram.memory.conformance import Finding, check_core
from engram.memory.conformance.checker import PREMISES, PROMISES
from engram.memory.probe import BACKGROUNDS, GradientReach, Retention, gradient_reach, log_spaced, retention
from engram.train.console.errors import ExperimentError, reason, unknown
from engram.train.console.files import check_out, naming, typed_path

PICTURE, TABLE = "retention.png", "retention.csv"
SHARES = (1, 10, 100, 1_000, 10_000)  # lags in the printed table
MAX_GRADIENT_STEPS = 1_000  # a graph of more takes memory and tells no more


@dataclass(frozen=True)
class Request:
    """What to probe.

    Attributes:
        type: A core's name, or `package.module:Class`.
        options: Its other options.
        input_size: Features in.
        steps: Largest lag.
        background: What is heard beside the one input: one of `BACKGROUNDS`.
        out: Folder for picture and table; None: `probe_` and the type.
    """

    type: str
    options: Mapping[str, Any] = field(default_factory=dict)
    input_size: int = 64
    steps: int = 10_000
    background: str = "zeros"
    out: str | None = None


def probe(request: Request, as_json: bool) -> int:
    """Check, measure, print, write.

    Args:
        request: What to probe.
        as_json: End with one line of JSON.

    Returns:
        The exit code: 1 where a finding failed.

    Raises:
        ExperimentError: no such core, wrong options, a folder that cannot be written, all before any work;
            a core that cannot be run for so long.
    """
    import torch

    if request.background not in BACKGROUNDS:
        raise unknown("--background", request.background, BACKGROUNDS)
    torch.set_num_threads(1)  # tensors this small gain nothing from more
    torch.manual_seed(0)
    core, folder, console = _make(request), _folder(request), Console()
    findings = check_core(core, rebuild=lambda: _make(request))
    _print_findings(findings, console)
    failed = [finding.name for finding in findings if not finding.passed]
    summary: dict[str, Any] = {
        "core": {"type": request.type, **request.options},
        "input_size": request.input_size,
        "findings": [vars(finding) for finding in findings],
    }
    try:
        print(f"measuring {request.steps:,} steps, one at a time", flush=True)
        memory = retention(core, request.steps, background=request.background)
        reach = gradient_reach(core, min(request.steps, MAX_GRADIENT_STEPS))
    except Exception as error:  # whatever somebody's class may raise
        if not failed:
            raise ExperimentError(f"probe-core: {request.type} cannot be probed: {reason(error)}") from None
        print(f"retention: not measured, as the core fails: {reason(error)}")
    else:
        _print_retention(memory, reach, console)
        write(folder, memory, reach, request.type)
        print(f"written: {folder / PICTURE}, {folder / TABLE}")
        summary |= _measures(memory, reach) | {"background": request.background, "folder": str(folder)}
    if as_json:
        print(_strict_json(summary))
    return 1 if failed else 0


def _strict_json(summary: Mapping[str, Any]) -> str:
    """JSON as the standard has it: what is not finite, in options of somebody's own core, becomes text."""
    return json.dumps(json.loads(json.dumps(summary), parse_constant=str), allow_nan=False)


def _make(request: Request) -> Core:
    if "type" in request.options:
        raise ExperimentError("--options: type is given by TYPE already")
    try:
        return make_core(request.input_size, {"type": request.type, **request.options})
    except ValueError as error:
        raise ExperimentError(str(error)) from None


def _folder(request: Request) -> Path:
    """The folder for the results, made where it is missing."""
    default = "probe_" + "".join(letter if letter.isalnum() else "_" for letter in request.type)
    folder = typed_path(request.out or default)
    with naming(f"--out {folder}: cannot be written to"):
        folder.mkdir(parents=True, exist_ok=True)
        for name in (PICTURE, TABLE):
            check_out(str(folder / name), "--out")
    return folder


def _print_findings(findings: list[Finding], console: Console) -> None:
    table = Table("promise", "declared", "found", "verdict", box=None, pad_edge=False)
    for finding in findings:
        mark = "[green]pass[/]" if finding.passed else "[bold red]FAIL[/]"
        table.add_row(finding.name, Text(finding.declared), Text(finding.message), mark)
    console.print(table)
    missing = {*PREMISES, *PROMISES} - {finding.name for finding in findings}
    if missing:
        print(f"{len(missing)} more checks rest on the one that failed and were not run")
    console.print()


def _print_retention(memory: Retention, reach: GradientReach, console: Console) -> None:
    lags = [lag for lag in SHARES if lag <= int(memory.lags[-1])]
    table = Table(box=None, pad_edge=False)
    table.add_column("component", overflow="fold")
    for heading in ("peak", "half-life", *(f"after\n{lag:,}" for lag in lags)):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, curve in memory.curves.items():
        shares = [_share(memory.share(name, lag)) for lag in lags]
        half_life = "-" if curve.peak_lag is None else _lag(curve.half_life, int(memory.lags[-1]))
        peak = "never" if curve.peak_lag is None else f"{curve.peak_lag:,}"
        table.add_row(Text(name), peak, half_life, *shares)
    console.print(table)
    print("peak: lag of the largest difference that one input makes, steps; half-life: from")
    print("there until half of it is left; after so many steps: the share of it that is left")
    print(f"gradients reach back: {_horizon(reach)}")
    for measure, ended in (("retention", memory.ended), ("gradients", reach.ended)):
        if ended:
            print(f"{measure} not measured further: {ended}")


def _share(share: float | None) -> str:
    if share is None:
        return "-"
    return "0 %" if share == 0 else "< 0.1 %" if share < 0.001 else f"{share:.1%}".replace("%", " %")


def _lag(lag: int | None, steps: int) -> str:
    return f"> {steps:,}" if lag is None else f"{lag:,}"


def _horizon(reach: GradientReach) -> str:
    horizon = reach.horizon()
    if horizon is None:
        return "not at all, the inputs get none"
    if horizon == int(reach.lags[-1]):
        return f"{horizon} steps or more (all that were probed)"
    return f"{horizon} steps, from where on less than 1/1000 of the largest is left"


def _measures(memory: Retention, reach: GradientReach) -> dict[str, Any]:
    """What the tables say, for `--json`."""
    lags = [lag for lag in SHARES if lag <= int(memory.lags[-1])]
    return {
        "steps": int(memory.lags[-1]),
        "retention": {
            name: {
                "largest": curve.largest,
                "peak_lag": curve.peak_lag,
                "band": curve.band,
                "half_life": curve.half_life,
                "left": {str(lag): memory.share(name, lag) for lag in lags},
            }
            for name, curve in memory.curves.items()
        },
        "gradient_horizon": reach.horizon(),
        "gradient_steps": int(reach.lags[-1]),
        "ended": {"retention": memory.ended or None, "gradient": reach.ended or None},
    }


def write(folder: Path, memory: Retention, reach: GradientReach, title: str) -> None:
    """Write picture and table.

    Args:
        folder: Where to.
        memory: What is left of an input.
        reach: How far gradients reach.
        title: Of the picture.

    Raises:
        ExperimentError: they cannot be written.
    """
    from engram.train.pictures import canvas
    from engram.train.pictures import retention as picture

    with canvas.style():
        figure = picture.draw(memory, reach, title)
    canvas.save(figure, folder / PICTURE)
    try:
        with (folder / TABLE).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("measure", "component", "lag", "value"))
            writer.writerows(_rows(memory.thinned(), reach))
    except OSError as error:
        raise ExperimentError(f"{folder / TABLE}: cannot be written: {reason(error)}") from None


def _rows(memory: Retention, reach: GradientReach) -> Iterator[tuple[str, str, int, float]]:
    """Lines of the table; lags are thinned, evenly on a log axis."""
    for name, curve in memory.curves.items():
        for lag, value in zip(memory.lags.tolist(), curve.values.tolist(), strict=True):
            yield "retention", name, lag, value
    kept = log_spaced(len(reach.lags), 400)
    for lag, value in zip(reach.lags[kept].tolist(), reach.values[kept].tolist(), strict=True):
        yield "gradient", "output", lag, value
