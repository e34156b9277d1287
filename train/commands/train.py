"""`rllib train`: train the experiments of a file, or one given by options."""

import sys
from typing import Annotated, Any

import typer

from engram.train import completion
from engram.train.commands.options import mapping
from engram.train.console.errors import ExperimentError

EXAMPLES = """
rllib train -f configs/tmaze_concrete.yaml
rllib train file tmaze_concrete --set config.model.core.type=lstm --seeds 5
rllib train --run PPO --env CartPole-v1 --config '{lr: 3e-4}' --stop timesteps_total=1e5
rllib train -f tmaze_delays_lstm --init-from ~/ray_results/tmaze_short
rllib train -f my.yaml --resume          (go on after Ctrl-C or a crash)
rllib train -f my.yaml --dry-run         (check everything, start nothing)
rllib train -f my.yaml --dry-run --measure   (and time a few updates: what would all of it take?)
"""

# Options of RLlib's own former command, accepted and hidden.
OldText = Annotated[str | None, typer.Option(hidden=True)]
OldNumber = Annotated[int | None, typer.Option(hidden=True)]
OldFlag = Annotated[bool, typer.Option(hidden=True)]


def command(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[file FILE]",
            help="The experiment file, historical form.",
            autocompletion=completion.configs,
        ),
    ] = None,
    config_file: Annotated[
        str | None,
        typer.Option(
            "-f",
            "--config-file",
            help="Experiment file (YAML), or a shipped config's name.",
            autocompletion=completion.configs,
        ),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="This experiment of a file that holds several. Repeatable.")
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(
            "--run",
            "--algo",
            help="Algorithm, where there is no file.",
            autocompletion=completion.algorithms,
        ),
    ] = None,
    env: Annotated[
        str | None,
        typer.Option(help="Environment id, where there is no file.", autocompletion=completion.envs),
    ] = None,
    config: Annotated[
        str | None, typer.Option("-c", "--config", help="Settings as YAML or JSON, merged over the file's.")
    ] = None,
    stop: Annotated[
        list[str] | None, typer.Option("-s", "--stop", help="KEY=VALUE, or a YAML mapping. Repeatable.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Dotted override, such as config.lr=3e-4. Repeatable.")
    ] = None,
    num_samples: Annotated[int | None, typer.Option(min=1, help="Trials per point of the grid.")] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Trials with config.seed, config.seed + 1, ...")
    ] = None,
    experiment_name: Annotated[
        str | None, typer.Option("-n", "--experiment-name", help="Folder name.")
    ] = None,
    local_dir: Annotated[str | None, typer.Option(help="Results folder; default ~/ray_results.")] = None,
    checkpoint_freq: Annotated[
        int | None, typer.Option(min=0, help="Iterations between checkpoints.")
    ] = None,
    checkpoint_at_end: Annotated[
        bool | None,
        typer.Option("--checkpoint-at-end/--no-checkpoint-at-end", help="Save when a trial ends."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoints.")] = False,
    restore: Annotated[str | None, typer.Option(help="Start a new run from this checkpoint's state.")] = None,
    init_from: Annotated[
        str | None, typer.Option(help="Start a new run from this checkpoint's weights; config.model.init.")
    ] = None,
    ray_address: Annotated[
        str | None,
        typer.Option(envvar="RAY_ADDRESS", help="An existing Ray cluster; default: Ray on this machine."),
    ] = None,
    ray_num_cpus: Annotated[int | None, typer.Option(min=1, help="CPUs for a Ray started here.")] = None,
    ray_num_gpus: Annotated[int | None, typer.Option(min=0, help="GPUs for a Ray started here.")] = None,
    verbose: Annotated[
        int, typer.Option("-v", count=True, help="Also what Ray's workers print; -vv: Tune's status too.")
    ] = 0,
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="What trials do with each other: asha, fifo, paper_pbt, pb2, pbt.",
            autocompletion=completion.schedulers,
        ),
    ] = None,
    scheduler_config: Annotated[
        str | None, typer.Option(help="Options of the scheduler as YAML, merged over the file's.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check and show everything, start nothing.")
    ] = False,
    measure: Annotated[
        bool,
        typer.Option("--measure", help="With --dry-run: time a few updates, and say what all would take."),
    ] = False,
    keep_checkpoints_num: OldNumber = None,
    checkpoint_score_attr: OldText = None,
    max_failures: OldNumber = None,
    upload_dir: OldText = None,
    eager: OldFlag = False,
    framework: OldText = None,
    local_mode: OldFlag = False,
    queue_trials: OldFlag = False,
    ray_nodes: OldNumber = None,
    ray_object_store_memory: OldNumber = None,
    ray_ui: Annotated[bool | None, typer.Option("--ray-ui/--no-ray-ui", hidden=True)] = None,
    resources_per_trial: OldText = None,
    torch: OldFlag = False,
    trace: OldFlag = False,
) -> None:
    """Train the experiments of a file, or one given by options."""
    from engram.train.experiments.todays import check_options
    from engram.train.running.command import TrainRequest, file_name, train

    if None not in (local_dir, upload_dir):
        raise ExperimentError("--upload-dir: the same setting as --local-dir; keep '--local-dir'")
    if measure and not dry_run:
        raise ExperimentError("--measure: needs --dry-run")
    for notice in check_options(context.params):
        print(f"notice: {notice}", file=sys.stderr)
    overrides: dict[str, Any] = {
        "num_samples": num_samples,
        "storage_path": local_dir if upload_dir is None else upload_dir,
        "checkpoint_config.checkpoint_frequency": checkpoint_freq,
        "checkpoint_config.checkpoint_at_end": checkpoint_at_end,
        "checkpoint_config.num_to_keep": keep_checkpoints_num,
        "checkpoint_config.checkpoint_score_attribute": checkpoint_score_attr,
        "max_failures": max_failures,
        "restore": restore,
        "init_from": init_from,
        "run": run,
        "env": env,
        "scheduler": None if scheduler is None else {"type": scheduler},
    }
    for key, value in mapping(scheduler_config, "--scheduler-config").items():
        overrides[f"scheduler.{key}"] = value
    request = TrainRequest(
        file=file_name(words or [], config_file),
        only=only or [],
        name=experiment_name,
        config=config,
        stop=stop or [],
        settings=settings or [],
        overrides={path: value for path, value in overrides.items() if value is not None},
        seeds=seeds,
    )
    ray = (ray_address, ray_num_cpus, ray_num_gpus, verbose)
    raise typer.Exit(train(request, ray, resume, dry_run, measure))
