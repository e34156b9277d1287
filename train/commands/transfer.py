"""`rllib transfer`: do runs that start from another one's weights learn more than those from scratch?"""

from typing import TYPE_CHECKING, Annotated

import typer

from engram.train.commands.options import Json

if TYPE_CHECKING:
    from engram.train.pictures.transfer_scores import Summary, TransferScores

EXAMPLES = """
rllib transfer ~/ray_results/tmaze_transfer
rllib transfer ~/ray_results/tmaze_transfer --floor -1 --out scores.csv --out scores.png
rllib transfer ~/ray_results/tmaze_transfer --metric success --json | tail -n 1
"""


def command(
    runs: Annotated[
        list[str], typer.Argument(help="Experiments' or trials' folders, those from scratch among them.")
    ],
    metric: Annotated[
        str, typer.Option(help="return, success, evaluation, ..., or the path of a number in the reports.")
    ] = "return",
    floor: Annotated[
        str,
        typer.Option(
            metavar="NUMBER|random",
            help="The metric's value above which areas are measured; random: the published score of random "
            "actions in each Atari game.",
        ),
    ] = "0",
    out: Annotated[
        list[str] | None,
        typer.Option(help="Also write the scores as .csv, or a picture as .png, .svg or .pdf. Repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Score runs that start from a checkpoint: area under the learning curve, over that from scratch."""
    from dataclasses import asdict

    from engram.train.console.files import check_out
    from engram.train.console.screen import make_table, show
    from engram.train.pictures import canvas
    from engram.train.pictures.transfer import draw
    from engram.train.pictures.transfer_scores import transfer_scores

    files = [check_out(file, "--out", (".csv", *canvas.SUFFIXES)) for file in out or ()]
    found = transfer_scores(runs, metric, floor)
    for file in files:
        if file.suffix == ".csv":
            canvas.write_rows(file, found.rows())
        else:
            with canvas.style():
                figure = draw(found)
            canvas.save(figure, file)
    header = ("run", "source", "trials", "from scratch", "env steps", "score", "95 % interval", "each")
    show(
        make_table(header, [_row(found, summary) for summary in found.summaries]),
        f"{found.metric}; more than 1 is positive transfer: "
        f"{sum(each.mean > 1 for each in found.summaries)} of {len(found.summaries)}",
        *found.notes,
        *(f"written: {file}" for file in files),
        result=asdict(found) if as_json else None,
    )


def _row(found: "TransferScores", summary: "Summary") -> list[str]:
    scores = [score for score in found.scores if score.run == summary.run]
    each = ", ".join(f"{score.score:.3f}" for score in scores)
    compared = f"{scores[0].first:,.0f} to {scores[0].last:,.0f}"
    between = "-" if summary.low is None else f"{summary.low:.3f} to {summary.high:.3f}"
    counts = [str(summary.trials), str(summary.from_scratch)]
    return [summary.run, summary.source, *counts, compared, f"{summary.mean:.3f}", between, each]
