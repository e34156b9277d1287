"""`rllib describe`: everything about a thing that a configuration may name."""

from typing import Annotated

import typer

from engram.train import completion
from engram.train.commands.options import JsonInstead

EXAMPLES = """
rllib describe core low_pass
rllib describe env engram/TMaze-v0
rllib describe algorithm RecurrentPPO --all
rllib describe config tmaze_concrete
rllib describe core my_package.cores:MyCore --json
rllib describe policy policy.safetensors
"""


def command(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="env, core, encoder, algorithm, config, loss, exit-rule, picture, policy.",
            autocompletion=completion.described,
        ),
    ],
    name: Annotated[
        str,
        typer.Argument(
            help="As a configuration names it, or package.module:Class; of a policy, its file.",
            autocompletion=completion.of_kind,
        ),
    ],
    everything: Annotated[
        bool, typer.Option("--all", help="Of an algorithm, also the keys that are seldom named.")
    ] = False,
    as_json: JsonInstead = False,
) -> None:
    """Every option of one of them: type, default, unit, range, meaning, source."""
    from engram.train.describe import describe

    describe(kind, name, as_json, everything)
