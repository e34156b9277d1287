"""`rllib export`: a trained policy as a file to share."""

from typing import Annotated

import typer

from engram.train.commands.options import Checkpoint, Json

EXAMPLES = """
rllib export ~/ray_results/tmaze_concrete --out policy.safetensors
rllib export CHECKPOINT --out policy.onnx
rllib describe policy policy.safetensors
"""


def command(
    checkpoint: Checkpoint,
    out: Annotated[
        str,
        typer.Option(
            help="Where to: .safetensors, weights and a card for engram.load_policy; .onnx, one step of it."
        ),
    ],
    as_json: Json = False,
) -> None:
    """Write a trained policy to one file, which runs no code where it is loaded."""
    from engram.train.console.files import check_out
    from engram.train.console.screen import show
    from engram.train.evaluation import load_agent
    from engram.train.evaluation.sharing import SUFFIXES, check_packages, write_shared

    file = check_out(out, "--out", SUFFIXES)
    check_packages(file.suffix)
    agent = load_agent(checkpoint)
    card = write_shared(agent, file)
    written = {"file": out, "bytes": file.stat().st_size}
    show(
        str(agent),
        f"core {card.core}, {card.parameters:,} parameters",
        f"written: {out} ({written['bytes']:,} bytes)",
        result={**agent.record(), **written, "card": card.data()} if as_json else None,
    )
