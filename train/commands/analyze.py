"""`rllib analyze`: how does a network solve the IBL task?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engram.train import completion
from engram.train.commands.options import Checkpoint, EnvConfig, Json, Seed, mapping
from engram.train.console.errors import ExperimentError, one_line, unknown
from engram.train.console.files import check_folder, naming, typed_path

if TYPE_CHECKING:
    from pandas import DataFrame
    from rich.table import Table

    from engram.train.analyses.report import Report

EXAMPLES = """
rllib analyze ~/ray_results/ibl_rnn
rllib analyze CHECKPOINT --blocks 200 --only readouts --only vector_fields --out readouts
rllib analyze CHECKPOINT --mouse sessions.csv
"""


def command(
    checkpoint: Checkpoint,
    blocks: Annotated[
        int, typer.Option(min=10, help="Blocks to play, in sessions of 10 or a few more.")
    ] = 1000,
    env_config: EnvConfig = None,
    mouse: Annotated[
        str | None, typer.Option(metavar="FILE", help="Trials of a mouse as CSV, drawn beside the models.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PICTURE",
            help="Which picture; repeatable; default all.",
            autocompletion=completion.analyses,
        ),
    ] = None,
    out: Annotated[
        str,
        typer.Option("--out", "--output", metavar="FOLDER", help="Folder for pictures, numbers, and page."),
    ] = "analysis",
    as_json: Json = False,
    seed: Seed = 0,
) -> None:
    """Play the IBL task with a trained network; write pictures of what it does and how, and a page."""
    changes = mapping(env_config, "--env-config")
    from engram.train.analyses.material import make_material
    from engram.train.analyses.report import PAGE, PICTURES, write_report
    from engram.train.console.screen import show
    from engram.train.evaluation import load_agent

    for name in only or []:
        if name not in PICTURES:
            raise unknown("--only", name, PICTURES)
    trials = _read_mouse(mouse)
    folder = _folder(out)
    material = make_material(load_agent(checkpoint, changes), blocks, seed, trials)
    names = [name for name in PICTURES if not only or name in only]
    with one_line(f"analyze: {material.agent.name} cannot be played"):
        report = write_report(material, folder, names)
    show(str(material.agent), _table(report))
    show(*(f"{name}: left out: {why}" for name, why in report.left_out.items()))
    show(f"written: {folder / PAGE}, and {len(report.findings)} pictures with their numbers beside it")
    show(
        result=material.agent.record() | {"blocks": blocks, "seed": seed} | report.record()
        if as_json
        else None
    )


def _folder(path: str) -> Path:
    """The folder for the results, made where it is missing."""
    folder = typed_path(path)
    with naming(f"--out {folder}: cannot be written to"):
        folder.mkdir(parents=True, exist_ok=True)
        check_folder(folder)
    return folder


def _read_mouse(file: str | None) -> "DataFrame | None":
    """Read the trials of a mouse, and see that tables can be made at all."""
    from engram.envs.ibl.table import load_pandas, read_sessions

    try:
        load_pandas()
        return None if file is None else read_sessions(typed_path(file))
    except (ImportError, ValueError) as error:
        raise ExperimentError(f"analyze: {error}" if file is None else f"--mouse {error}") from None
    except OSError as error:
        raise ExperimentError(f"--mouse {file}: cannot be read: {error.strerror or error}") from None


def _table(report: "Report") -> "Table":
    from engram.train.analyses.page import number
    from engram.train.console.screen import make_table

    rows = [
        (name, each.what, number(each.found), each.paper)
        for name, findings in report.findings.items()
        for each in findings
    ]
    return make_table(("picture", "number", "here", "paper"), rows)
