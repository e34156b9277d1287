"""`rllib list`: what a configuration may name."""

from typing import Annotated

import typer

from engram.train import completion
from engram.train.commands.options import JsonInstead

EXAMPLES = ""


def command(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="envs, cores, thinking, encoders, algorithms, configs, losses, exit-rules, pictures, "
            "schedulers, search-algorithms.",
            autocompletion=completion.listed,
        ),
    ],
    as_json: JsonInstead = False,
) -> None:
    """List what a configuration may name, one line each."""
    from engram.train.describe import catalog

    catalog.show(kind, as_json)
