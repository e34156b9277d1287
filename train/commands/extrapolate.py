"""`rllib extrapolate`: runs against sizes: how far does what was learned carry?"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from engram.train.commands.options import EnvConfig, ExitRules, Json, Out, Seed, check_unused, mapping
from engram.train.console.errors import ExperimentError, one_line

if TYPE_CHECKING:
    from rich.table import Table

    from engram.train.evaluation import TrainedAgent

EXAMPLES = """
rllib extrapolate ~/ray_results/copying_rims ~/ray_results/copying_lstm --sizes span=10,20,40,100
rllib extrapolate ~/ray_results/mazes_* --sizes positions=9,11,13 --thinking-steps 60,80,100
rllib extrapolate RUN --sizes bits=32,128,512 --thinking-steps 300 --exit-rule confidence --out grid.json
rllib extrapolate ~/ray_results/copying_lstm/*/ --sizes span=10,20 --episodes 1000
"""

PLAYED = ("return_mean", "success_rate")


class Cell(NamedTuple):
    """A run at a size.

    Attributes:
        run: The run, as the user named it.
        experiment: Its experiment and the settings that tell it from other runs, but for the seed.
        checkpoint: Its checkpoint.
        trained: The size it was trained at; None where its settings leave that to the environment.
        size: The size it was tested at.
        thinking_steps: Iterations; None where it played.
        measures: Mean return and rate of success where it played; else exit rule -> share solved.
    """

    run: str
    experiment: str
    checkpoint: str
    trained: Any
    size: Any
    thinking_steps: int | None
    measures: dict[str, float]


def command(
    runs: Annotated[list[str], typer.Argument(help="Checkpoints, or trials' or experiments' folders.")],
    sizes: Annotated[
        str, typer.Option(metavar="SETTING=V,V,...", help="A setting of the environment and its values.")
    ],
    episodes: Annotated[int, typer.Option(min=1, help="Episodes, or puzzles, for each run and size.")] = 100,
    env_config: EnvConfig = None,
    thinking_steps: Annotated[
        str | None,
        typer.Option(metavar="N[,N,...]", help="Thinking networks: iterations, one number or one a size."),
    ] = None,
    exit_rule: ExitRules = None,
    seed: Seed = 0,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Test runs at other sizes than they were trained at: one table, runs by sizes."""
    from engram.train.console.files import check_out
    from engram.train.console.screen import show, write_json

    if thinking_steps is None:
        check_unused("needs --thinking-steps", {"--exit-rule": exit_rule})
    setting, values = parse_sizes(sizes)
    budgets = parse_budgets(thinking_steps, len(values))
    changes = [{**mapping(env_config, "--env-config"), setting: value} for value in values]
    if out is not None:
        check_out(out, "--out")
    cells: list[Cell] = []
    summary: list[dict[str, Any]] = []
    try:
        for cell in _measure(runs, setting, changes, budgets, episodes, exit_rule or ["last"], seed):
            cells.append(cell)
            summary.append({"setting": setting, "episodes": episodes, "seed": seed} | cell._asdict())
            if out is not None:
                write_json(out, summary)
    finally:  # what was measured before something went wrong, or the user had enough, is not lost
        for name in dict.fromkeys(name for cell in cells for name in cell.measures):
            title = f"{name}, by {setting}:" if thinking_steps is None else f"solved, exit rule {name}:"
            show(title, _table(values, cells, name), *_over_seeds(values, cells, name))
    show(*([] if out is None else [f"written: {out}"]), result=summary if as_json else None)


def parse_sizes(text: str) -> tuple[str, list[Any]]:
    """Parse `positions=9,13,19` as a setting and its values.

    Args:
        text: What the user wrote; values are YAML.

    Raises:
        ExperimentError: It is something else.
    """
    from engram.train.experiments.loading import parse_yaml

    setting, equals, values = text.partition("=")
    sizes = parse_yaml(f"[{values}]", "--sizes") if setting and equals else []
    if not sizes:
        raise ExperimentError(f"--sizes {text!r}: expected SETTING=VALUE,VALUE,... such as bits=32,64,512")
    return setting, sizes


def parse_budgets(text: str | None, sizes: int) -> list[int | None]:
    """Parse `60,100,200` as iterations, one number for each size; None where the user wrote nothing.

    Args:
        text: What the user wrote: one number, or one for each size.
        sizes: How many sizes there are.

    Raises:
        ExperimentError: It is something else.
    """
    from engram.train.experiments.loading import parse_yaml

    if text is None:
        return [None] * sizes
    budgets: list[Any] = parse_yaml(f"[{text}]", "--thinking-steps")
    if not budgets or not all(type(budget) is int and budget >= 1 for budget in budgets):
        raise ExperimentError(f"--thinking-steps {text!r}: expected integers >= 1, such as 60,100,200")
    if len(budgets) not in (1, sizes):
        raise ExperimentError(
            f"--thinking-steps: {len(budgets)} numbers for {sizes} sizes; expected one, or one for each"
        )
    return budgets if len(budgets) > 1 else budgets * sizes


def _measure(
    runs: Sequence[str],
    setting: str,
    changes: Sequence[dict[str, Any]],
    budgets: Sequence[int | None],
    episodes: int,
    rules: Sequence[str],
    seed: int,
) -> Iterator[Cell]:
    """Measure each run at each size, run by run."""
    from engram.train.evaluation import load_agent

    experiments = _experiments(runs)
    for run in dict.fromkeys(runs):
        trained = load_agent(run)
        for change, budget in zip(changes, budgets, strict=True):
            agent = trained.with_settings(change)
            with one_line(f"extrapolate: {agent.checkpoint} cannot be played"):
                if budget is None:
                    measures = _play(agent, episodes, seed)
                else:
                    measures = _think(agent, episodes, budget, rules, seed)
            trained_at = trained.env_config.get(setting)
            found = experiments.get(run, ""), str(agent.checkpoint)
            yield Cell(run, *found, trained_at, change[setting], budget, measures)


def _experiments(runs: Sequence[str]) -> dict[str, str]:
    """Run -> its experiment and the settings that tell it from others; without runs that have no record."""
    from engram.train.console.files import typed_path
    from engram.train.pictures.curve_runs import grouped
    from engram.train.runs.results import read_trials

    trials = {}
    for run in runs:
        with suppress(ExperimentError):
            trials[run] = read_trials(typed_path(run))
    named = grouped([trial for each in trials.values() for trial in each])
    names = {trial.folder: name for name, group in named.items() for trial in group}
    return {run: names[each[0].folder] for run, each in trials.items() if len(each) == 1}


def _play(agent: "TrainedAgent", episodes: int, seed: int) -> dict[str, float]:
    from engram.train.evaluation.rollout import play_episodes

    summary = play_episodes(agent, episodes, seed).summary()
    return {name: summary[name] for name in PLAYED if summary[name] is not None}


def _think(
    agent: "TrainedAgent", problems: int, budget: int, rules: Sequence[str], seed: int
) -> dict[str, float]:
    from engram.train.thinking.sweep import think

    found = think(agent, problems=problems, budget=budget, rules=rules, seed=seed)
    return {rule: curve.accuracy[-1] for rule, curve in found.curves.items()}


def _table(sizes: Sequence[Any], cells: Sequence[Cell], measure: str) -> "Table":
    from engram.train.console.files import typed_path
    from engram.train.console.screen import make_table
    from engram.train.runs.labels import short_keys

    rows = []
    parts = {cell.run: typed_path(cell.run).absolute().parts for cell in cells}
    labels = short_keys(parts.values(), "/")
    for run in parts:
        own = [cell for cell in cells if cell.run == run]
        trained = "default" if own[0].trained is None else str(own[0].trained)
        values = [cell.measures.get(measure) for cell in own]
        rows.append(
            [labels[parts[run]], trained, *("-" if value is None else f"{value:.4f}" for value in values)]
        )
    return make_table(("run", "trained at", *map(str, sizes)), rows)


def _over_seeds(sizes: Sequence[Any], cells: Sequence[Cell], measure: str) -> list[Any]:
    """A title and a table of the runs that differ in nothing but the seed; nothing where there are none."""
    from engram.train.console.screen import make_table
    from engram.train.evaluation.seeds import over_seeds

    rows = []
    for experiment in dict.fromkeys(cell.experiment for cell in cells if cell.experiment):
        own = [cell for cell in cells if cell.experiment == experiment and measure in cell.measures]
        scores = [[cell.measures[measure] for cell in own if cell.size == size] for size in sizes]
        if min(map(len, scores)) > 1:
            found = [over_seeds(each) for each in scores]
            rows.append([experiment, str(found[0].trials), *map(str, found)])
    title = f"{measure}, interquartile mean over seeds (95 % interval):"
    return [title, make_table(("experiment", "trials", *map(str, sizes)), rows)] if rows else []
