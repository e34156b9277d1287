"""`rllib schema`: the experiment file as JSON Schema."""

from typing import Annotated

import typer

EXAMPLES = """
rllib schema --out experiment.schema.json
"""


def command(
    out: Annotated[str | None, typer.Option(help="Write it to this file instead.")] = None,
) -> None:
    """The experiment file as JSON Schema, with which editors complete and check it."""
    from engram.train.plans.schema import print_schema

    print_schema(out)
