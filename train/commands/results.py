"""`rllib results`: scores of runs, a line for each trial."""

from typing import Annotated

import typer

from engram.train.commands.options import Json

EXAMPLES = """
rllib results ~/ray_results/*
rllib results ~/ray_results/mazes_delta_small --json | tail -n 1
"""


def command(
    folders: Annotated[list[str], typer.Argument(help="Experiments' folders.")],
    as_json: Json = False,
) -> None:
    """Scores of runs: the last and the best, when the best was reached, time."""
    from engram.train.runs import scores

    scores.show_results(folders, as_json)
