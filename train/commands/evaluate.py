"""`rllib evaluate`: play episodes with a trained policy, or ask a network that thinks for its answers."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from engram.train import completion
from engram.train.commands.options import (
    EnvConfig,
    ExitRules,
    Json,
    MaybeCheckpoint,
    Seed,
    check_unused,
    mapping,
)
from engram.train.console.errors import ExperimentError, one_line

if TYPE_CHECKING:
    from rich.table import Table

    from engram.train.evaluation import TrainedAgent
    from engram.train.evaluation.agent import Agent
    from engram.train.thinking.record import Curve

EXAMPLES = """
rllib evaluate ~/ray_results/tmaze_concrete --episodes 200
rllib evaluate CHECKPOINT --env-config '{level: 4}' --gif walk.gif
rllib evaluate CHECKPOINT --json | tail -n 1
rllib evaluate --policy engram.envs.ibl.bayes:LegacyActor --env engram/IBL-v0
"""


def command(
    checkpoint: MaybeCheckpoint = None,
    episodes: Annotated[int, typer.Option(min=1, help="Episodes to play.")] = 100,
    env_config: EnvConfig = None,
    policy: Annotated[
        str | None,
        typer.Option(metavar="MODULE:CLASS", help="A scripted player in place of a checkpoint; with --env."),
    ] = None,
    env: Annotated[
        str | None, typer.Option(help="With --policy: where it plays.", autocompletion=completion.envs)
    ] = None,
    policy_config: Annotated[
        str | None, typer.Option(help="With --policy: arguments of the class as YAML.")
    ] = None,
    stochastic: Annotated[
        bool | None,
        typer.Option(
            "--stochastic/--greedy",
            help="Draw actions or take the likeliest; default: evaluation_config.explore, else greedy.",
            show_default=False,
        ),
    ] = None,
    gif: Annotated[str | None, typer.Option(help="Also write one episode to this .gif or .mp4 file.")] = None,
    gif_hold: Annotated[
        float,
        typer.Option(min=0, help="Seconds that it shows an unchanging picture at most; inf: real time."),
    ] = 1.0,
    as_json: Json = False,
    seed: Seed = 0,
    thinking_steps: Annotated[
        int | None,
        typer.Option(min=1, help="A thinking network: accuracy after each of so many iterations."),
    ] = None,
    exit_rule: ExitRules = None,
    out: Annotated[
        str | None, typer.Option(help="With --thinking-steps: also write whole curves to this JSON file.")
    ] = None,
) -> None:
    """Play episodes with a trained policy; its memory is carried along and reset between episodes."""
    changes = mapping(env_config, "--env-config")
    if policy is not None:
        why = {
            "CHECKPOINT": checkpoint,
            "--stochastic/--greedy": stochastic,
            "--thinking-steps": thinking_steps,
        }
        check_unused("not with --policy", why)
        check_unused("needs --thinking-steps", {"--exit-rule": exit_rule, "--out": out})
        _play(_player(policy, env, changes, policy_config), episodes, seed, gif, gif_hold, as_json)
        return
    check_unused("needs --policy", {"--env": env, "--policy-config": policy_config})
    if checkpoint is None:
        raise ExperimentError("evaluate: expected a CHECKPOINT, or --policy MODULE:CLASS and --env ID")
    if thinking_steps is None:
        check_unused("needs --thinking-steps", {"--exit-rule": exit_rule, "--out": out})
    else:
        check_unused("not with --thinking-steps", {"--gif": gif, "--stochastic/--greedy": stochastic})
    from engram.train.console.files import check_out
    from engram.train.evaluation import load_agent

    if out is not None:
        check_out(out, "--out")
    agent = load_agent(checkpoint, changes, None if stochastic is None else not stochastic)
    if thinking_steps is None:
        _play(agent, episodes, seed, gif, gif_hold, as_json)
    else:
        _think(agent, episodes, seed, thinking_steps, exit_rule or ["last"], out, as_json)


def _player(policy: str, env: str | None, env_config: dict[str, Any], policy_config: str | None) -> "Agent":
    from engram.train.evaluation.scripted import load_player

    if env is None:
        raise ExperimentError("--policy: needs --env, the environment it plays in")
    return load_player(policy, env, env_config, mapping(policy_config, "--policy-config"))


def _play(agent: "Agent", episodes: int, seed: int, gif: str | None, gif_hold: float, as_json: bool) -> None:
    from engram.train.console.screen import show
    from engram.train.evaluation.gif import MAX_STEPS, check_gif, write_gif
    from engram.train.evaluation.rollout import play_episodes
    from engram.train.evaluation.summary import summary_parts

    file = None if gif is None else check_gif(gif, agent)
    with one_line(f"evaluate: {agent.name} cannot be played"):
        summary = play_episodes(agent, episodes, seed).summary() | agent.record()
    show(str(agent), *summary_parts(summary), f"actions: {agent.chooses}")
    if file is not None:
        with one_line(f"evaluate: {agent.name} cannot be played"):
            whole = write_gif(agent, seed, file, gif_hold)
        show(f"gif: {gif}" if whole else f"gif: {gif}, of the episode's first {MAX_STEPS:,} steps")
    show(result=summary if as_json else None)


def _think(
    agent: "TrainedAgent",
    problems: int,
    seed: int,
    budget: int,
    rules: list[str],
    out: str | None,
    as_json: bool,
) -> None:
    from engram.train.console.screen import show
    from engram.train.thinking.sweep import think

    with one_line(f"evaluate: {agent.checkpoint} cannot be played"):
        found = think(agent, problems=problems, budget=budget, rules=rules, seed=seed)
    summary = {
        **agent.record(),
        "seed": seed,
        "problems": len(found.solved),
        "thinking_steps": budget,
        "rules": {name: _ends(curve) for name, curve in found.curves.items()},
    }
    show(str(agent), _table(found.curves, budget))
    if out is not None:
        show(found.write(out))
    show(result=summary if as_json else None)


def _ends(curve: "Curve") -> dict[str, Any]:
    return {
        "accuracy": curve.accuracy[-1],
        "best": max(curve.accuracy),
        "steps_to_best": curve.steps_to_best,
        "drop_after_best": curve.drop_after_best,
    }


def _table(curves: dict[str, "Curve"], budget: int) -> "Table":
    from engram.train.console.screen import make_table
    from engram.train.thinking.record import budgets

    rows = {
        f"{number:,}": [f"{curve.accuracy[number - 1]:.1%}" for curve in curves.values()]
        for number in budgets(budget)
    } | {
        "best after": [f"{curve.steps_to_best:,}" for curve in curves.values()],
        "falls by": [f"{curve.drop_after_best:.1%}" for curve in curves.values()],
        "median exit": [f"{curve.exit_after(0.5):,}" for curve in curves.values()],
    }
    return make_table(["iterations", *curves], [[name, *cells] for name, cells in rows.items()])
