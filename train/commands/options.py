"""Options and arguments that several verbs share, and checks of them."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from engram.train import completion
from engram.train.console.errors import ExperimentError

_CHECKPOINT = "A checkpoint, or a trial's or experiment's folder."
Checkpoint = Annotated[str, typer.Argument(help=_CHECKPOINT)]
MaybeCheckpoint = Annotated[str | None, typer.Argument(help=_CHECKPOINT, show_default=False)]
EnvConfig = Annotated[
    str | None, typer.Option(help="Environment settings as YAML, merged over those of training.")
]
ExitRules = Annotated[
    list[str] | None,
    typer.Option(
        help="With --thinking-steps: last, n_plus_k, agreement, confidence; repeatable.",
        autocompletion=completion.exit_rules,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="End with one line of JSON.")]
JsonInstead = Annotated[bool, typer.Option("--json", help="Print one line of JSON instead.")]
Out = Annotated[str | None, typer.Option(help="Also write everything to this JSON file.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the environments and of all that is drawn.")]


def mapping(text: str | None, option: str) -> dict[str, Any]:
    """Parse the value of an option that takes a mapping as YAML.

    Args:
        text: What the user wrote; None: nothing.
        option: Such as `--env-config`, for errors.

    Raises:
        ExperimentError: It is no mapping.
    """
    from engram.train.experiments.loading import parse_mapping

    return parse_mapping(text, option) if text else {}


def check_unused(why: str, options: Mapping[str, object]) -> None:
    """Refuse options that do not go with others.

    Args:
        why: Such as `needs --thinking-steps`.
        options: Values by name, None where an option was not given.

    Raises:
        ExperimentError: One was given.
    """
    for name, value in options.items():
        if value is not None:
            raise ExperimentError(f"{name}: {why}")
