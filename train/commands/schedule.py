"""`rllib schedule`: the hyperparameter schedule that a population found, as an ordinary experiment."""

from typing import Annotated

import typer

from engram.train.commands.options import Json
from engram.train.console.errors import ExperimentError

EXAMPLES = """
rllib schedule ~/ray_results/tmaze_short_pbt
rllib schedule ~/ray_results/tmaze_short_pbt --member best --out replay.yaml
rllib train -f replay.yaml --seeds 5
"""


def command(
    run: Annotated[str, typer.Argument(help="The folder of an experiment with scheduler: paper_pbt or pbt.")],
    member: Annotated[
        str, typer.Option(help="A member's number, or best: by its last mean return.")
    ] = "best",
    out: Annotated[str | None, typer.Option(help="Write the experiment to this YAML file.")] = None,
    as_json: Json = False,
) -> None:
    """Show what a member of a population was trained by; write it as an experiment of one trial."""
    from engram.train.console.files import check_out, typed_path
    from engram.train.console.screen import make_table, show
    from engram.train.population.lineage import read_lineage
    from engram.train.population.replay import as_yaml, replay_of

    if member != "best" and not member.isdecimal():
        raise ExperimentError(f"--member {member}: expected a member's number, or best")
    file = None if out is None else check_out(out, "--out", (".yaml", ".yml"))
    lineage = read_lineage(typed_path(run))
    found = replay_of(lineage, lineage.best() if member == "best" else int(member))
    if file is not None:
        file.write_text(as_yaml(lineage, found), encoding="utf-8")
    changes = [
        [key, f"{step:,.0f}", f"{value:.6g}"]
        for key, points in found.schedules.items()
        for step, value in points
    ]
    show(
        f"member {found.member}, {found.env_steps:,} env steps in {len(found.stretches)} stretches: "
        + ", ".join(f"member {each.member} {each.first:,} to {each.last:,}" for each in found.stretches),
        make_table(("hyperparameter", "from env step", "value"), changes),
        *([] if file is None else [f"written: {out}; train it: rllib train -f {out} --seeds 5"]),
        result={"member": found.member, "env_steps": found.env_steps, "schedules": found.schedules}
        if as_json
        else None,
    )
