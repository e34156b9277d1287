"""The header of a run: what is printed before it trains."""

import math
from typing import Any

from rich.console import Console

from engram.agents.models.spaces import in_short
from engram.train.experiments.search import split_env
from engram.train.experiments.search_algorithms import score_of, suggesting
from engram.train.plans import build, effects, forecast
from engram.train.plans.network import ModuleFacts, ThinkingFacts, precision
from engram.train.plans.plan import Plan
from engram.train.plans.starts import worded

MANY_SEEDS = 20  # more are not written out


def rows(plan: Plan) -> list[tuple[str, str]]:
    """Return label and text of each line of the header."""
    config, env, module = plan.config, plan.env, plan.module
    lines = [
        ("experiment", f"{plan.experiment.name} ({plan.experiment.run})"),
        ("environment", _env(plan)),
        *([("rules", env.rules)] if env.rules else []),
        *([("wrappers", ", ".join(env.wrappers))] if env.wrappers else []),
        ("observation", in_short(env.observation_space)),
        *([("scaling", module.scaling)] if module.scaling is not None else []),
        ("actions", "; ".join(filter(None, [in_short(env.action_space), module.acting]))),
        *([("encoder", module.encoder)] if module.encoder is not None else []),
        ("core", _core(module)),
        *_thinking(module.thinking),
        *(("starts from", worded(start)) for start in plan.starts),
        *_frozen(config),
        *_supervised(config),
        ("lanes", _lanes(config)),
        ("fragment", _fragment(config)),
        ("BPTT window", _window(module)),
        *_discount(plan),
        *_clipping(plan),
    ]
    if env.memory_delay is not None:
        lines.append(("task delay", f"{env.memory_delay} env steps from cue to choice"))
    lines += [
        ("trials", f"{plan.trials}, seeds {_seeds(plan.seeds)}"),
        *_search(plan),
        *_scheduler(plan),
        ("stop", _stop(plan)),
        *_tries(plan.experiment.max_failures),
        ("device", build.device(config)),
        *_precision(config),
        *_resumed(plan),
        ("results", plan.location),
        *_remarks(plan),
        ("TensorBoard", f"tensorboard --logdir {plan.location}"),
    ]
    return lines


def warning(plan: Plan) -> str | None:
    """Warn where gradients cannot reach from the choice back to the cue, and the core needs them."""
    delay, module = plan.env.memory_delay, plan.module
    if delay is None or module.window is None or not module.carries_gradient or module.window >= delay:
        return None
    return (
        f"gradients reach back {module.window} env steps, the task's delay is {delay}, and {module.core} "
        "bridges a delay by gradients through time: expect it not to learn what lies further back"
    )


def lost_values(plan: Plan) -> str | None:
    """Warn where RLlib's V-trace drops the value of what follows a cut in an episode.

    RLlib appends a step to each piece of an episode, for the value of what follows. That step is masked and
    has a temporal difference of minus that value, which the recursion adds to the last real step.
    """
    run = plan.experiment.run
    if run not in ("IMPALA", "APPO"):
        return None
    return (
        f"{run} of RLlib 2.60 takes the end of a fragment, and a time limit, for the end of all rewards (but "
        "where model.max_seq_len cuts at the same step): later rewards count for little or nothing; "
        "RecurrentIMPALA counts them"
    )


def notice(plan: Plan) -> str | None:
    """Remark on several trials that would do exactly the same."""
    samples, seed = plan.experiment.num_samples, plan.config.seed
    drawn = any(domain.kind != "grid_search" for domain in plan.domains.values())
    if samples == 1 or seed is None or drawn:
        return None
    return (
        f"num_samples {samples} repeats the same settings with the same seed: identical trials; "
        f"for {samples} different seeds use --seeds {samples}"
    )


def print_header(plan: Plan, console: Console, cost: str | None = None) -> None:
    """Print it, and what the run costs where that is given."""
    for label, text in [*rows(plan), *([] if cost is None else [("cost", cost)])]:
        console.print(f"{label:<13}", style="bold", end="")
        console.print(text)
    remarks = [("notice", remark) for remark in (*plan.env.remarks, *plan.module.remarks)]
    _, slow = precision(plan.config) or (None, None)
    for kind, said in (
        ("warning", warning(plan)),
        ("warning", lost_values(plan)),
        ("notice", notice(plan)),
        ("warning", slow),
        *remarks,
    ):
        if said is not None:
            console.print(f"{kind}: {said}", style="yellow")
    for said in plan.notices:
        console.print(f"notice: {said}", style="yellow")


def _scheduler(plan: Plan) -> list[tuple[str, str]]:
    if plan.population is not None:
        return [("population", str(plan.population)), ("", _share(plan.config))]
    from engram.train.population.schedulers import DEFAULT, ASHAOptions, parse

    named = (plan.experiment.scheduler or {}).get("type", DEFAULT)
    if named == DEFAULT:
        return []
    options = parse(plan.experiment.scheduler)
    if isinstance(options, ASHAOptions):
        factor = options.reduction_factor
        last = "" if options.max_t == ASHAOptions.max_t else f" up to {options.max_t:,}"
        named = (
            f"asha: at {options.grace_period:,} env steps and each {factor} times as many{last}, one of "
            f"{factor} trials goes on"
        )
    return [("scheduler", named)]


def _search(plan: Plan) -> list[tuple[str, str]]:
    options = suggesting(plan.experiment)
    if options is None:
        return []
    path, order = score_of(plan.experiment)
    better = {"max": "larger", "min": "smaller"}[order]
    first = "" if options.drawn is None else f"; {min(options.drawn, plan.trials):,} at random first"
    return [("search", f"optuna: {options.sampler}, the {better} {path} the better{first}")]


def _share(config: Any) -> str:
    """What each member asks Ray for."""
    gpus = build.per_trial(config, "GPU")
    with_gpus = f" and {gpus:.4g} GPUs" if gpus else ""
    return f"each on {build.per_trial(config, 'CPU'):.4g} CPUs{with_gpus}, all at once"


def _env(plan: Plan) -> str:
    names, searched = split_env(plan.experiment.env)
    return names[0] if searched is None else f"{searched.kind} of {', '.join(names)}; shown is the first"


def _core(module: ModuleFacts) -> str:
    if module.core_parameters is None:
        return f"{module.core}, {module.parameters:,} parameters"
    name = f"{module.core}, preset {module.preset}" if module.preset else module.core
    return f"{name}, {module.core_parameters:,} parameters of {module.parameters:,} in all"


def _thinking(facts: ThinkingFacts | None) -> list[tuple[str, str]]:
    if facts is None:
        return []
    steps = f"{facts.steps} iterations in training, {facts.test_steps} in tests"
    depths = [f"{layers} layers in {n} iterations" for n, (layers, _) in facts.depths.items()]
    tables = " and ".join(str(layers) for _, layers in facts.depths.values())
    return [("thinking", steps), ("depth", f"{', '.join(depths)}; {tables} as the paper's tables count")]


def _frozen(config: Any) -> list[tuple[str, str]]:
    """Name the parts of the model that are not trained."""
    frozen = config.model_config.get("freeze")
    return [("frozen", f"{', '.join(frozen)}: not trained")] if frozen else []


def _fragment(config: Any) -> str:
    if getattr(config, "whole_episodes", False):
        return "an episode, however long"
    return f"{config.get_rollout_fragment_length()} env steps"


def _window(module: ModuleFacts) -> str:
    if module.window is None:
        return "none (no memory)"
    return "whole episodes" if math.isinf(module.window) else f"{module.window} env steps"


def _discount(plan: Plan) -> list[tuple[str, str]]:
    """Say what is earned most of, where rewards are learned from."""
    row, gamma = effects.find(plan.experiment.run, "gamma"), plan.config.gamma
    if row is None or row.effect != "honoured":
        return []
    alike = "; rewards of an episode count alike, whenever they come" if gamma == 1 else ""
    key = getattr(plan.config, "cut_returns_at", None)
    cut = f"; returns that are learned from end where {key} falls" if key else ""
    return [("discount", f"gamma {gamma:g} per env step{alike}{cut}")]


def _clipping(plan: Plan) -> list[tuple[str, str]]:
    """Say what of rewards is learned from, where it is not all, or where scores of games are known."""
    row, clip = effects.find(plan.experiment.run, "clip_rewards"), plan.config.clip_rewards
    if row is None or row.effect != "honoured" or not (clip or plan.env.rules):
        return []
    if not clip:
        return [("rewards", "learned from as they are")]
    how = "their signs, -1, 0 or 1" if clip is True else f"clipped to -{clip:g} to {clip:g}"
    return [("rewards", f"learned from are {how}; returns are of rewards as they come")]


def _supervised(config: Any) -> list[tuple[str, str]]:
    """Name the loss of answers in sequences, and who acts while they are learned."""
    if not hasattr(config, "behavior"):
        return []
    from engram.agents.models.choice import answers_at_once
    from engram.agents.supervised.objectives import sequence_loss
    from engram.agents.supervised.runner import TARGETS_ACT

    if answers_at_once(config.model_config):
        return []
    loss, name = sequence_loss(config.loss), (config.loss or {"type": "cross_entropy"})["type"]
    acts = "what is right is done (targets)" if config.behavior == TARGETS_ACT else "the network acts"
    return [("loss", f"{name}: {loss.described()}"), ("behavior", f"{acts} in training")]


def _precision(config: Any) -> list[tuple[str, str]]:
    asked = precision(config)
    return [] if asked is None else [("precision", asked[0])]


def _lanes(config: Any) -> str:
    count = build.lanes(config)
    runners = int(config.num_env_runners)
    if runners == 0:
        return f"{count} in the trial's process"
    ahead = getattr(config, "sample_ahead", False)
    old = ", sampling ahead: by weights that are one update old" if ahead else ""
    return f"{count} in {runners} env runner{'s' if runners > 1 else ''}{old}"


def _tries(count: int) -> list[tuple[str, str]]:
    """How often a trial that fails is tried again."""
    if count == 0:
        return []
    often = "as often as it fails" if count < 0 else f"up to {count} times" if count > 1 else "once"
    return [("failures", f"a trial that fails is tried again from its checkpoint, {often}")]


def _resumed(plan: Plan) -> list[tuple[str, str]]:
    return [] if plan.resumed is None else [("resuming", str(plan.resumed))]


def _remarks(plan: Plan) -> list[tuple[str, str]]:
    """Remark on the results folder."""
    if plan.folder is None:
        return [("", "(whether a run is there already, or trains there now, is not checked)")]
    if plan.asked and plan.resumed is None:
        return [("", f"(a new folder: {plan.asked} holds another run)")]
    return []


def _seeds(seeds: list[Any]) -> str:
    texts = ["not set" if seed is None else str(seed) for seed in seeds]
    return ", ".join(texts if len(texts) <= MANY_SEEDS else [*texts[:3], "...", texts[-1]])


def _stop(plan: Plan) -> str:
    conditions = []
    for key, value in plan.experiment.stop.items():
        last = forecast.last_step(key, value, plan.config)
        rounded = (
            f" ({last:,}: a report is {forecast.steps_per_report(plan.config):,} env steps)" if last else ""
        )
        conditions.append(f"{key} >= {value:,.10g}{rounded}")
    return " or ".join(conditions) or "never (until Ctrl-C)"
