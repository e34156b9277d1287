"""`rllib picture`: figures as in the papers."""

from typing import Annotated

import typer

from engram.train import completion
from engram.train.commands.options import mapping

EXAMPLES = """
rllib picture impulse-responses --options '{pools: 12, base: 1.5}'
rllib picture pool-contents --out contents.pdf
rllib picture rim-activation --options '{weights: core.pt, span: 200}'
rllib picture curves ~/ray_results/tmaze_concrete ~/ray_results/tmaze_lstm
rllib picture curves ~/ray_results/tmaze_* --options '{metric: success, band: ci95}' --out success.pdf
rllib picture lineage ~/ray_results/tmaze_short_pbt
rllib picture population ~/ray_results/tmaze_concrete_paper_pbt*
rllib picture scores ~/ray_results/atari_lstm_paper ~/ray_results/atari_rims_paper
rllib picture delays ~/ray_results/appendix_f_tmaze --options '{chance: 0.5}'
rllib picture thoughts ~/ray_results/mazes_delta_small --options '{iterations: 64}'
rllib picture filters CHECKPOINT --options '{problems: 1000}'
rllib picture accuracy-curves delta.json progressive.json
rllib picture exits delta.json --options '{rule: confidence}'
"""


def command(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="accuracy-curves, curves, delays, exits, filters, impulse-responses, lineage, "
            "pool-contents, population, rim-activation, scores, thoughts.",
            autocompletion=completion.pictures,
        ),
    ],
    subjects: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN ...]", help="What it is of: runs, files or a checkpoint, as it says."),
    ] = None,
    options: Annotated[str | None, typer.Option(help="The picture's options as YAML.")] = None,
    out: Annotated[str | None, typer.Option(help="A .png, .svg or .pdf file; default KIND.png.")] = None,
) -> None:
    """Draw a figure as in the papers: of a memory, of a network that thinks, of what finished runs learnt."""
    values = mapping(options, "--options")
    from engram.train import pictures
    from engram.train.console.files import typed_path
    from engram.train.console.screen import show

    values = pictures.with_subjects(kind, values, subjects or [])
    show(pictures.draw(kind, values, typed_path(out or f"{kind}.png")))
