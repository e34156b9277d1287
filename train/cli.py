"""The `rllib` command: parses options, prints errors as one line, leaves the work to the other files."""

import contextlib
import io
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperOption

from engram.train import completion
from engram.train.console.errors import ExperimentError, reason

app = typer.Typer(
    name="rllib",
    add_completion=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Train and evaluate policies that remember: `rllib train -f FILE`, `rllib evaluate CHECKPOINT`.",
    epilog="Names at the press of Tab: `rllib --install-completion`, then open a new shell.",
)

TRAIN_EPILOG = """
Examples:\n
  rllib train -f configs/tmaze_concrete.yaml\n
  rllib train file tmaze_concrete --set config.model.core.type=lstm --seeds 5\n
  rllib train --run PPO --env CartPole-v1 --config '{lr: 3e-4}' --stop timesteps_total=1e5\n
  rllib train -f my.yaml --resume          (go on after Ctrl-C or a crash)\n
  rllib train -f my.yaml --dry-run         (check everything, start nothing)
"""

EVALUATE_EPILOG = """
Examples:\n
  rllib evaluate ~/ray_results/tmaze_concrete --episodes 200\n
  rllib evaluate CHECKPOINT --env-config '{level: 4}' --gif walk.gif\n
  rllib evaluate CHECKPOINT --json | tail -n 1
"""

PLAY_EPILOG = """
Examples:\n
  rllib play engram/TMaze-v0\n
  rllib play engram/TMaze-v0 --env-config '{limbo_time: 20}' --fps 5 --show-hidden
"""

PROBE_EPILOG = """
Examples:\n
  rllib probe-core low_pass --options '{pools: 12, base: 1.5}'\n
  rllib probe-core my_package.cores:MyCore --input-size 32 --steps 1000
"""

PROBE_THINKING_EPILOG = """
Examples:\n
  rllib probe-thinking ~/ray_results/prefix_sums_delta --thinking-steps 100\n
  rllib probe-thinking CHECKPOINT --env-config '{bits: 512}' --thinking-steps 500 --out probes.json\n
  rllib probe-thinking CHECKPOINT --disturb noise --noise 3 --json | tail -n 1
"""

COMPARE_THINKING_EPILOG = """
Examples:\n
  rllib evaluate ~/ray_results/delta --thinking-steps 400 --episodes 10000 --out delta.json\n
  rllib evaluate ~/ray_results/progressive --thinking-steps 400 --episodes 10000 --out progressive.json\n
  rllib compare-thinking delta.json progressive.json
"""

EXTRAPOLATE_EPILOG = """
Examples:\n
  rllib extrapolate ~/ray_results/copying_rims ~/ray_results/copying_lstm --sizes span=10,20,40,100\n
  rllib extrapolate ~/ray_results/mazes_* --sizes positions=9,11,13 --thinking-steps 60,80,100\n
  rllib extrapolate RUN --sizes bits=32,128,512 --thinking-steps 300 --exit-rule confidence --out grid.json
"""

RESULTS_EPILOG = """
Examples:\n
  rllib results ~/ray_results/*\n
  rllib results ~/ray_results/mazes_delta_small --json | tail -n 1
"""

DESCRIBE_EPILOG = """
Examples:\n
  rllib describe core low_pass\n
  rllib describe env engram/TMaze-v0\n
  rllib describe algorithm RecurrentPPO --all\n
  rllib describe config tmaze_concrete\n
  rllib describe core my_package.cores:MyCore --json
"""

PICTURE_EPILOG = """
Examples:\n
  rllib picture impulse-responses --options '{pools: 12, base: 1.5}'\n
  rllib picture pool-contents --out contents.pdf\n
  rllib picture rim-activation --options '{weights: core.pt, span: 200}'\n
  rllib picture curves ~/ray_results/tmaze_concrete ~/ray_results/tmaze_lstm\n
  rllib picture curves ~/ray_results/tmaze_* --options '{metric: success, band: ci95}' --out success.pdf\n
  rllib picture delays ~/ray_results/appendix_f_tmaze --options '{chance: 0.5}'\n
  rllib picture thoughts ~/ray_results/mazes_delta_small --options '{iterations: 64}'\n
  rllib picture filters CHECKPOINT --options '{problems: 1000}'\n
  rllib picture accuracy-curves delta.json progressive.json\n
  rllib picture exits delta.json --options '{rule: confidence}'
"""


# What the command took in RLlib's days, and does not show any more.
OldText = Annotated[str | None, typer.Option(hidden=True)]
OldNumber = Annotated[int | None, typer.Option(hidden=True)]
OldFlag = Annotated[bool, typer.Option(hidden=True)]

# The class of all wrong uses of options, wherever this version of typer keeps it.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]


def main() -> None:
    """Entry point of the scripts `rllib` and `engram`; 2 as exit code: a line for each thing to mend."""
    with contextlib.suppress(OSError):  # the working folder may be gone
        sys.path.append(os.getcwd())  # last, so that a user's own classes are found and hide nothing
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # the name of a file may hold what is no text
    try:
        name = "engram" if Path(sys.argv[0]).stem == "engram" else "rllib"
        code = _command().main(sys.argv[1:] or ["--help"], name, standalone_mode=False)
    except ExperimentError as error:
        code = _complain(*error.lines)
    except UsageError as error:
        code = _complain(error.format_message())  # type: ignore[attr-defined]
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except (OSError, UnicodeError, RecursionError, MemoryError) as error:  # what no command has foreseen
        code = _complain(f"{type(error).__name__}: {reason(error)}")
    sys.exit(code)


def _command() -> Any:
    """The command, without the options of the completion in its help; the last line there names them."""
    command = typer.main.get_command(app)
    for option in command.params:
        if isinstance(option, TyperOption) and option.name in ("install_completion", "show_completion"):
            option.hidden = True
    return command


def _complain(*messages: str) -> int:
    """Print errors, a line for each; the exit code."""
    for message in messages:
        print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return 2


@app.command(epilog=TRAIN_EPILOG)
def train(
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
    ray_address: Annotated[
        str | None,
        typer.Option(envvar="RAY_ADDRESS", help="An existing Ray cluster; default: Ray on this machine."),
    ] = None,
    ray_num_cpus: Annotated[int | None, typer.Option(min=1, help="CPUs for a Ray started here.")] = None,
    ray_num_gpus: Annotated[int | None, typer.Option(min=0, help="GPUs for a Ray started here.")] = None,
    verbose: Annotated[
        int, typer.Option("-v", count=True, help="Also what Ray's workers print; -vv: Tune's status too.")
    ] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check and show everything, start nothing.")
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
    scheduler: OldText = None,
    scheduler_config: OldText = None,
    torch: OldFlag = False,
    trace: OldFlag = False,
) -> None:
    """Train the experiments of a file, or one given by options."""
    from engram.train.experiments.todays import check_options
    from engram.train.running import command

    if None not in (local_dir, upload_dir):
        raise ExperimentError("--upload-dir: the same setting as --local-dir; keep '--local-dir'")
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
        "run": run,
        "env": env,
    }
    request = command.Request(
        file=command.file_name(words or [], config_file),
        only=only or [],
        name=experiment_name,
        config=config,
        stop=stop or [],
        settings=settings or [],
        overrides={path: value for path, value in overrides.items() if value is not None},
        seeds=seeds,
    )
    code = command.train(request, (ray_address, ray_num_cpus, ray_num_gpus, verbose), resume, dry_run)
    raise typer.Exit(code)


@app.command(epilog=EVALUATE_EPILOG)
def evaluate(
    checkpoint: Annotated[str, typer.Argument(help="A checkpoint, or a trial's or experiment's folder.")],
    episodes: Annotated[int, typer.Option(min=1, help="Episodes to play.")] = 100,
    env_config: Annotated[
        str | None, typer.Option(help="Environment settings as YAML, merged over those of training.")
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
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the environments and of drawn actions.")] = 0,
    thinking_steps: Annotated[
        int | None,
        typer.Option(min=1, help="A thinking network: accuracy after each of so many iterations."),
    ] = None,
    exit_rule: Annotated[
        list[str] | None,
        typer.Option(
            help="With --thinking-steps: last, n_plus_k, agreement, confidence; repeatable.",
            autocompletion=completion.exit_rules,
        ),
    ] = None,
    out: Annotated[
        str | None, typer.Option(help="With --thinking-steps: also write whole curves to this JSON file.")
    ] = None,
) -> None:
    """Play episodes with a trained policy; its memory is carried along and reset between episodes."""
    from engram.train.evaluation import evaluate
    from engram.train.experiments.loading import parse_mapping

    changes = parse_mapping(env_config, "--env-config") if env_config else {}
    if thinking_steps is None:
        _check_unused("needs --thinking-steps", {"--exit-rule": exit_rule, "--out": out})
    else:
        _check_unused("not with --thinking-steps", {"--gif": gif, "--stochastic/--greedy": stochastic})
    greedy = None if stochastic is None else not stochastic
    request = evaluate.Request(checkpoint, episodes, changes, greedy, seed)
    if thinking_steps is not None:
        from engram.train.thinking.command import evaluate_thinking

        evaluate_thinking(request, thinking_steps, exit_rule or ["last"], out, as_json)
        return
    evaluate.evaluate(request, gif, gif_hold, as_json)


def _check_unused(why: str, options: dict[str, object]) -> None:
    for name, value in options.items():
        if value is not None:
            raise ExperimentError(f"{name}: {why}")


@app.command(epilog=PLAY_EPILOG)
def play(
    env_id: Annotated[
        str,
        typer.Argument(
            metavar="ENV_ID", help="An environment that renders as text.", autocompletion=completion.envs
        ),
    ],
    env_config: Annotated[str | None, typer.Option(help="Environment settings as YAML.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the first episode.")] = None,
    show_hidden: Annotated[
        bool, typer.Option("--show-hidden", help="Show what the player has to remember (key h).")
    ] = False,
    fps: Annotated[
        float | None,
        typer.Option(min=0.1, max=100, help="Frames per second; default: the game waits for a key."),
    ] = None,
) -> None:
    """Play an environment by hand in this terminal; the keys are shown below the board."""
    from engram.train import play as by_hand
    from engram.train.experiments.loading import parse_mapping

    settings = parse_mapping(env_config, "--env-config") if env_config else {}
    by_hand.play(by_hand.Request(env_id, settings, seed, show_hidden, fps))


@app.command(name="probe-core", epilog=PROBE_EPILOG)
def probe_core(
    type_: Annotated[
        str,
        typer.Argument(
            metavar="TYPE",
            help="A core's name, or package.module:Class for your own.",
            autocompletion=completion.cores,
        ),
    ],
    options: Annotated[str | None, typer.Option(help="The core's other options as YAML.")] = None,
    input_size: Annotated[int, typer.Option(min=1, help="Features of its input.")] = 64,
    steps: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="How long to watch one input fade.")
    ] = 10_000,
    background: Annotated[
        str, typer.Option(metavar="zeros|noise", help="What the core hears beside that input.")
    ] = "zeros",
    out: Annotated[
        str | None, typer.Option(help="Folder for retention.png and retention.csv; default probe_TYPE.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
) -> None:
    """Check a core for leaks and measure how long it remembers; exit code 1 where a check fails."""
    from engram.train import probe_core
    from engram.train.experiments.loading import parse_mapping

    values = parse_mapping(options, "--options") if options else {}
    request = probe_core.Request(type_, values, input_size, steps, background, out)
    raise typer.Exit(probe_core.probe(request, as_json))


@app.command(name="probe-thinking", epilog=PROBE_THINKING_EPILOG)
def probe_thinking(
    checkpoint: Annotated[str, typer.Argument(help="A checkpoint, or a trial's or experiment's folder.")],
    problems: Annotated[int, typer.Option(min=2, help="Puzzles to ask.")] = 100,
    env_config: Annotated[
        str | None, typer.Option(help="Environment settings as YAML, merged over those of training.")
    ] = None,
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
    seed: Annotated[int, typer.Option(min=0, help="Of the environment, the noise, the flipped bits.")] = 0,
    out: Annotated[str | None, typer.Option(help="Also write everything to this JSON file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
) -> None:
    """Does a thinking network settle, recover from disturbances, and end alike from anywhere?"""
    from engram.train.experiments.loading import parse_mapping
    from engram.train.thinking import probe

    changes = parse_mapping(env_config, "--env-config") if env_config else {}
    request = probe.Request(checkpoint, problems, changes, thinking_steps, disturb or (), noise, seed)
    probe.probe_thinking(request, out, as_json)


@app.command(name="compare-thinking", epilog=COMPARE_THINKING_EPILOG)
def compare_thinking(
    first: Annotated[str, typer.Argument(metavar="A.json", help="Of `evaluate --thinking-steps --out`.")],
    second: Annotated[str, typer.Argument(metavar="B.json", help="Of the same puzzles.")],
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
) -> None:
    """Which of two networks solves more of the same puzzles, and could that be chance (McNemar's test)?"""
    from engram.train.thinking import compare

    compare.compare_thinking(first, second, as_json)


@app.command(epilog=EXTRAPOLATE_EPILOG)
def extrapolate(
    runs: Annotated[list[str], typer.Argument(help="Checkpoints, or trials' or experiments' folders.")],
    sizes: Annotated[
        str, typer.Option(metavar="SETTING=V,V,...", help="A setting of the environment and its values.")
    ],
    episodes: Annotated[int, typer.Option(min=1, help="Episodes, or puzzles, for each run and size.")] = 100,
    env_config: Annotated[
        str | None, typer.Option(help="Other environment settings as YAML, merged over those of training.")
    ] = None,
    thinking_steps: Annotated[
        str | None,
        typer.Option(metavar="N[,N,...]", help="Thinking networks: iterations, one number or one a size."),
    ] = None,
    exit_rule: Annotated[
        list[str] | None,
        typer.Option(
            help="With --thinking-steps: last, n_plus_k, agreement, confidence; repeatable.",
            autocompletion=completion.exit_rules,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the environments and of drawn actions.")] = 0,
    out: Annotated[str | None, typer.Option(help="Also write everything to this JSON file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
) -> None:
    """Test runs at other sizes than they were trained at: one table, runs by sizes."""
    from engram.train import extrapolate
    from engram.train.experiments.loading import parse_mapping

    if thinking_steps is None:
        _check_unused("needs --thinking-steps", {"--exit-rule": exit_rule})
    setting, values = extrapolate.parse_sizes(sizes)
    grid = extrapolate.Grid(
        runs,
        setting,
        values,
        parse_mapping(env_config, "--env-config") if env_config else {},
        episodes,
        extrapolate.parse_budgets(thinking_steps) if thinking_steps else None,
        exit_rule or ("last",),
        seed,
    )
    extrapolate.extrapolate(grid, out, as_json)


@app.command(epilog=RESULTS_EPILOG)
def results(
    folders: Annotated[list[str], typer.Argument(help="Experiments' folders.")],
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
) -> None:
    """What runs came to: last and best scores, when the best was reached, time."""
    from engram.train.runs import scores

    scores.show_results(folders, as_json)


@app.command(epilog=PICTURE_EPILOG)
def picture(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="accuracy-curves, curves, delays, exits, filters, impulse-responses, pool-contents, "
            "rim-activation, thoughts.",
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
    from engram.train import pictures
    from engram.train.console.files import typed_path
    from engram.train.experiments.loading import parse_mapping

    values = pictures.with_subjects(
        kind, parse_mapping(options, "--options") if options else {}, subjects or []
    )
    print(pictures.draw(kind, values, typed_path(out or f"{kind}.png")))


@app.command(name="list")
def list_(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="envs, cores, thinking, encoders, algorithms, configs, losses, exit-rules, pictures.",
            autocompletion=completion.listed,
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON instead.")] = False,
) -> None:
    """List what a configuration may name, one line each."""
    from engram.train.describe import catalog

    catalog.show(kind, as_json)


@app.command(epilog=DESCRIBE_EPILOG)
def describe(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="env, core, encoder, algorithm, config, loss, exit-rule, picture.",
            autocompletion=completion.described,
        ),
    ],
    name: Annotated[
        str,
        typer.Argument(
            help="As a configuration names it, or package.module:Class.", autocompletion=completion.of_kind
        ),
    ],
    everything: Annotated[
        bool, typer.Option("--all", help="Of an algorithm, also the keys that are seldom named.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON instead.")] = False,
) -> None:
    """Every option of one of them: type, default, unit, range, meaning, source."""
    from engram.train.describe import describe as describe_it

    describe_it(kind, name, as_json, everything)


@app.command()
def schema(
    out: Annotated[str | None, typer.Option(help="Write it to this file instead.")] = None,
) -> None:
    """The experiment file as JSON Schema, with which editors complete and check it."""
    from engram.train.plans.schema import print_schema

    print_schema(out)


@app.command()
def version() -> None:
    """Print the versions that decide about results."""
    from engram.train.runs.record import versions

    for name, number in versions().items():
        print(f"{name:<10} {number}")
