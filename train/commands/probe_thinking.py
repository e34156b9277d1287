"""`rllib probe-thinking`: does a network settle, recover, and end alike from anywhere?"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engram.train.commands.options import Checkpoint, EnvConfig, Json, Out, Seed, mapping
from engram.train.console.errors import ExperimentError, one_line, unknown

if TYPE_CHECKING:
    from engram.train.console.screen import Part
    from engram.train.evaluation import TrainedAgent
    from engram.train.thinking.probes import Disturbance, Probes, Recovery

EXAMPLES = """
rllib probe-thinking ~/ray_results/prefix_sums_delta --thinking-steps 100
rllib probe-thinking CHECKPOINT --env-config '{bits: 512}' --thinking-steps 500 --out probes.json
rllib probe-thinking CHECKPOINT --disturb noise --noise 3 --json | tail -n 1
"""

DISTURBANCES = ("swap", "noise", "flip")


def command(
    checkpoint: Checkpoint,
    problems: Annotated[int, typer.Option(min=2, help="Puzzles to ask.")] = 100,
    env_config: EnvConfig = None,
    thinking_steps: Annotated[
        int | None,
        typer.Option(min=1, help="Iterations before and after a disturbance; default: as in evaluation."),
    ] = None,
    disturb: Annotated[
        list[str] | None,
        typer.Option(help="swap, noise, flip (prefix sums only); repeatable. Default: all that suit."),
    ] = None,
    noise: Annotated[
        float, typer.Option(min=0, help="Strength of the noise, 1: as large as the thought.")
    ] = 1.0,
    seed: Seed = 0,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Does a thinking network settle, recover from disturbances, and end alike from anywhere?"""
    from engram.train.console.files import check_out
    from engram.train.console.screen import show, write_json
    from engram.train.evaluation import load_agent

    changes = mapping(env_config, "--env-config")
    for name in disturb or ():
        if name not in DISTURBANCES:
            raise unknown("--disturb", name, DISTURBANCES)
    if out is not None:
        check_out(out, "--out")
    agent = load_agent(checkpoint, changes)
    with one_line(f"probe-thinking: {agent.checkpoint} cannot be played"):
        found = _probe(agent, problems, thinking_steps, disturb or [], noise, seed)
    show(str(agent), *_parts(found))
    record = agent.record() | {"seed": seed, "noise": noise}
    alignment = {name: each._asdict() for name, each in found.alignment.items()}
    if out is not None:
        recovery = {name: each._asdict() for name, each in found.recovery.items()}
        show(write_json(out, record | found._asdict() | {"recovery": recovery, "alignment": alignment}))
    summary = record | {
        "problems": found.problems,
        "thinking_steps": found.iterations,
        "accuracy": found.accuracy,
        "last_change": found.changes[-1],
        "recovery": {name: _summary(each) for name, each in found.recovery.items()},
        "alignment": alignment,
    }
    show(result=summary if as_json else None)


def _probe(
    agent: "TrainedAgent", problems: int, iterations: int | None, disturb: list[str], noise: float, seed: int
) -> "Probes":
    from contextlib import closing

    from engram.train.thinking.probes import probe
    from engram.train.thinking.puzzles import batches, even_lanes, make_puzzles

    with closing(make_puzzles(agent, even_lanes(problems))) as envs:
        return probe(
            agent.module.thinker,
            batches(envs, problems, seed),
            iterations or agent.module.test_steps,
            _disturbances(disturb, noise, envs),
            top=agent.module.readout.top,
            seed=seed,
        )


def _disturbances(names: list[str], noise: float, envs: Any) -> dict[str, "Disturbance"]:
    """Find the disturbances by name; without names, all that suit the puzzles."""
    from engram.envs.puzzles.prefix_sums.env import BatchedPrefixSums
    from engram.train.thinking.probes import flip, make_noise, swap

    suitable = {"swap": swap, "noise": make_noise(noise)}
    if isinstance(envs, BatchedPrefixSums):
        suitable["flip"] = flip
    for name in names:
        if name not in suitable:
            raise ExperimentError(
                f"--disturb {name}: for prefix sums only, where a flipped bit's answer is known; "
                f"legal here: {', '.join(suitable)}"
            )
    return {name: suitable[name] for name in names or suitable}


def _summary(recovery: "Recovery") -> dict[str, Any]:
    import statistics

    values = recovery.iterations
    return {
        "solved_before": recovery.solved_before,
        "recovered": recovery.recovered,
        "median": statistics.median(values) if values else None,
        "most": max(values, default=None),
    }


def _parts(found: "Probes") -> Iterator["Part"]:
    """Yield tables and texts: changes of the thought, recoveries, ends of other starts."""
    from engram.train.console.screen import make_table
    from engram.train.thinking.record import budgets

    yield f"problems: {found.problems:,}, solved after {found.iterations:,} iterations: {found.accuracy:.1%}"
    yield ""
    changes = [(f"{number:,}", f"{found.changes[number - 1]:.2g}") for number in budgets(found.iterations)]
    yield make_table(("iteration", "change of the thought"), changes)
    yield "change: Euclidean norm, relative to that of the thought after it\n"
    recoveries = []
    for name, each in found.recovery.items():
        summary = _summary(each)
        counts = ("-" if summary[key] is None else f"{summary[key]:,g}" for key in ("median", "most"))
        share = f"{each.recovered:.1%} of {each.solved_before:,}" if each.solved_before else "none was solved"
        recoveries.append((name, share, *counts))
    yield make_table(("disturbed by", "recovered", "median", "most"), recoveries)
    yield f"recovered: of those solved before, right again for good within {found.iterations:,} iterations;"
    yield "median, most: how many that took\n"
    paths = [(f"{n} thought", f"{p.cosine:.4f}", f"{p.accuracy:.1%}") for n, p in found.alignment.items()]
    yield make_table(("starting from", "cosine", "solved"), paths)
    yield "cosine: of the last thought and that from the usual start, mean (asymptotic alignment)"
