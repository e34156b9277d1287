"""`rllib probe-core`: does a core keep its promises, and how long does it remember?"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engram.train import completion
from engram.train.commands.options import Json, mapping
from engram.train.console.errors import ExperimentError, reason, unknown
from engram.train.console.files import check_out, naming, typed_path

if TYPE_CHECKING:
    from engram.memory import Core
    from engram.memory.conformance import Finding
    from engram.memory.probe import GradientReach, Retention
    from engram.train.console.screen import Part

EXAMPLES = """
rllib probe-core low_pass --options '{pools: 12, base: 1.5}'
rllib probe-core my_package.cores:MyCore --input-size 32 --steps 1000
"""

PICTURE, TABLE = "retention.png", "retention.csv"
SHARES = (1, 10, 100, 1_000, 10_000)  # lags in the printed table
MAX_GRADIENT_STEPS = 1_000  # a graph of more takes memory and tells no more


def command(
    type_: Annotated[
        str,
        typer.Argument(
            metavar="TYPE",
            help="A core's name, or package.module:Class for your own.",
            autocompletion=completion.cores,
        ),
    ],
    options: Annotated[str | None, typer.Option(help="The core's other options as YAML.")] = None,
    input_size: Annotated[int, typer.Option(min=1, help="Features of its input.")] = 64,
    steps: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="How long to watch one input fade.")
    ] = 10_000,
    background: Annotated[
        str, typer.Option(metavar="zeros|noise", help="What the core hears beside that input.")
    ] = "zeros",
    out: Annotated[
        str | None, typer.Option(help="Folder for retention.png and retention.csv; default probe_TYPE.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a core for leaks and measure how long it remembers; exit code 1 where a check fails."""
    values = mapping(options, "--options")
    import torch

    from engram.memory.conformance import check_core
    from engram.memory.probe import BACKGROUNDS, gradient_reach, retention
    from engram.train.console.screen import show

    if background not in BACKGROUNDS:
        raise unknown("--background", background, BACKGROUNDS)
    torch.set_num_threads(1)  # tensors this small gain nothing from more
    torch.manual_seed(0)
    core = _make(type_, values, input_size)
    folder = _folder(out or "probe_" + "".join(each if each.isalnum() else "_" for each in type_))
    findings = check_core(core, rebuild=lambda: _make(type_, values, input_size))
    show(*_findings_parts(findings))
    failed = [finding.name for finding in findings if not finding.passed]
    summary: dict[str, Any] = {
        "core": {"type": type_, **values},
        "input_size": input_size,
        "findings": [vars(finding) for finding in findings],
    }
    print(f"measuring {steps:,} steps, one at a time", flush=True)
    try:
        memory = retention(core, steps, background=background)
        reach = gradient_reach(core, min(steps, MAX_GRADIENT_STEPS))
    except Exception as error:  # whatever somebody's class may raise
        if not failed:
            raise ExperimentError(f"probe-core: {type_} cannot be probed: {reason(error)}") from None
        show(f"retention: not measured, as the core fails: {reason(error)}")
    else:
        show(*_retention_parts(memory, reach))
        _write(folder, memory, reach, type_)
        show(f"written: {folder / PICTURE}, {folder / TABLE}")
        summary |= _measures(memory, reach) | {"background": background, "folder": str(folder)}
    show(result=summary if as_json else None)
    raise typer.Exit(1 if failed else 0)


def _make(type_: str, options: Mapping[str, Any], input_size: int) -> "Core":
    from engram.memory import make_core

    if "type" in options:
        raise ExperimentError("--options: type is given by TYPE already")
    try:
        return make_core(input_size, {"type": type_, **options})
    except ValueError as error:
        raise ExperimentError(str(error)) from None


def _folder(path: str) -> Path:
    """The folder for the results, made where it is missing."""
    folder = typed_path(path)
    with naming(f"--out {folder}: cannot be written to"):
        folder.mkdir(parents=True, exist_ok=True)
        for name in (PICTURE, TABLE):
            check_out(str(folder / name), "--out")
    return folder


def _findings_parts(findings: list["Finding"]) -> Iterator["Part"]:
    from rich.text import Text

    from engram.memory.conformance.checker import PREMISES, PROMISES
    from engram.train.console.screen import make_table

    marks = {True: Text("pass", "green"), False: Text("FAIL", "bold red")}
    rows = [(each.name, each.declared, each.message, marks[each.passed]) for each in findings]
    yield make_table(("promise", "declared", "found", "verdict"), rows)
    missing = {*PREMISES, *PROMISES} - {finding.name for finding in findings}
    if missing:
        yield f"{len(missing)} more checks rest on the one that failed and were not run"
    yield ""


def _retention_parts(memory: "Retention", reach: "GradientReach") -> Iterator["Part"]:
    from rich.table import Table

    lags = [lag for lag in SHARES if lag <= int(memory.lags[-1])]
    table = Table(box=None, pad_edge=False)
    table.add_column("component", overflow="fold")
    for heading in ("peak", "half-life", *(f"after\n{lag:,}" for lag in lags)):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, curve in memory.curves.items():
        shares = [_share(memory.share(name, lag)) for lag in lags]
        half_life = "-" if curve.peak_lag is None else _lag(curve.half_life, int(memory.lags[-1]))
        peak = "never" if curve.peak_lag is None else f"{curve.peak_lag:,}"
        table.add_row(name, peak, half_life, *shares)
    yield table
    yield "peak: lag of the largest difference that one input makes, steps; half-life: from"
    yield "there until half of it is left; after so many steps: the share of it that is left"
    yield f"gradients reach back: {_horizon(reach)}"
    for measure, ended in (("retention", memory.ended), ("gradients", reach.ended)):
        if ended:
            yield f"{measure} not measured further: {ended}"


def _share(share: float | None) -> str:
    if share is None:
        return "-"
    return "0 %" if share == 0 else "< 0.1 %" if share < 0.001 else f"{share:.1%}".replace("%", " %")


def _lag(lag: int | None, steps: int) -> str:
    return f"> {steps:,}" if lag is None else f"{lag:,}"


def _horizon(reach: "GradientReach") -> str:
    horizon = reach.horizon()
    if horizon is None:
        return "not at all, the inputs get none"
    if horizon == int(reach.lags[-1]):
        return f"{horizon} steps or more (all that were probed)"
    return f"{horizon} steps, from where on less than 1/1000 of the largest is left"


def _measures(memory: "Retention", reach: "GradientReach") -> dict[str, Any]:
    """The numbers of the tables, for `--json`."""
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


def _write(folder: Path, memory: "Retention", reach: "GradientReach", title: str) -> None:
    """Write picture and table."""
    from engram.train.pictures import canvas
    from engram.train.pictures import retention as picture

    with canvas.style():
        figure = picture.draw(memory, reach, title)
    canvas.save(figure, folder / PICTURE)
    canvas.write_rows(folder / TABLE, _rows(memory.thinned(), reach))


def _rows(memory: "Retention", reach: "GradientReach") -> Iterator[tuple[object, ...]]:
    """Lines of the table; lags are thinned, evenly on a log axis."""
    from engram.memory.probe import log_spaced

    yield "measure", "component", "lag", "value"
    for name, curve in memory.curves.items():
        for lag, value in zip(memory.lags.tolist(), curve.values.tolist(), strict=True):
            yield "retention", name, lag, value
    kept = log_spaced(len(reach.lags), 400)
    for lag, value in zip(reach.lags[kept].tolist(), reach.values[kept].tolist(), strict=True):
        yield "gradient", "output", lag, value
