"""An experiment as older RLlib versions wrote it, under the names and in the shape of today."""

from typing import Any

from engram.train.console.errors import Errors, ExperimentError
from engram.train.experiments import gone, renames


def todays_section(raw: dict[str, Any], name: str, errors: Errors) -> tuple[dict[str, Any], list[str]]:
    """The keys beside `run` under today's names, and notices about what has no effect.

    Args:
        raw: The experiment as written.
        name: Its name, for errors.
        errors: Receives what is wrong.
    """
    plain = {old: new for old, new in renames.EXPERIMENT.items() if "." not in new}
    section, _ = renames.rename(raw, plain, name, errors)
    section, notices = gone.take_out(section, gone.EXPERIMENT, name, errors)
    return _spread(section, name, errors), notices


def todays_config(
    config: dict[str, Any], path: str, errors: Errors
) -> tuple[dict[str, Any], list[str], list[str]]:
    """`config` under today's names, a list of `old -> new`, and notices about what has no effect.

    Args:
        config: As written; its `evaluation_config` may hold old names, too.
        path: Its dotted path, for errors.
        errors: Receives what is wrong.
    """
    config, notices = renames.schedules(config)
    config, old = renames.rename(config, renames.CONFIG, path, errors)
    inner = config.get("evaluation_config")
    if isinstance(inner, dict):
        inner, older, _ = todays_config(inner, f"{path}.evaluation_config", errors)
        inner, said = gone.take_out(inner, gone.CONFIG, f"{path}.evaluation_config", errors)
        said += _drop_framework(inner, f"{path}.evaluation_config", errors)
        config["evaluation_config"], old, notices = inner, [*old, *older], [*notices, *said]
    return config, old, notices


def without_gone(config: dict[str, Any], run: Any, errors: Errors) -> tuple[dict[str, Any], list[str]]:
    """`config` without the keys that no algorithm has any more, and notices about those that are not missed.

    Args:
        config: Under today's names, overrides applied.
        run: The algorithm's name, as written.
        errors: Receives what an experiment would not be the same without.
    """
    config, notices = gone.take_out(config, gone.CONFIG, "config", errors)
    notices += _drop_framework(config, "config", errors)
    if isinstance(config.get("model"), dict):
        table = gone.in_model(run, config["model"])
        config["model"], said = gone.take_out(config["model"], table, "config.model", errors)
        notices += said
    return config, notices


def mapping(section: dict[str, Any], key: str, name: str, errors: Errors) -> dict[str, Any]:
    """A copy of a section of an experiment; empty where it is missing, null, or something else.

    Args:
        section: The experiment.
        key: The section's key.
        name: The experiment's name, for errors.
        errors: Receives an error where it is something else.
    """
    value = section.get(key)
    if value is not None and not isinstance(value, dict):
        errors.add(ExperimentError(f"{name}.{key}: expected a mapping, got {value!r}"))
        return {}
    return dict(value or {})


def _spread(section: dict[str, Any], name: str, errors: Errors) -> dict[str, Any]:
    """Move `checkpoint_freq: 5` and its kin into `checkpoint_config`."""
    checkpoint = mapping(section, "checkpoint_config", name, errors)
    for old, new in renames.EXPERIMENT.items():
        if old in section and "." in new:
            checkpoint.setdefault(new.split(".")[1], section.pop(old))
    return section | {"checkpoint_config": checkpoint}


def name_score(checkpoint: dict[str, Any]) -> None:
    """Give the score of checkpoints today's name, and its order where the old name said it.

    Args:
        checkpoint: `checkpoint_config`, changed in place.
    """
    score = checkpoint.get("checkpoint_score_attribute")
    if isinstance(score, str):
        if score.startswith("min-"):
            checkpoint["checkpoint_score_order"] = "min"
        score = score.removeprefix("min-")
        checkpoint["checkpoint_score_attribute"] = renames.METRICS.get(score, score)


def _drop_framework(config: dict[str, Any], path: str, errors: Errors) -> list[str]:
    framework = config.pop("framework", "torch")
    if framework not in renames.FRAMEWORKS:
        errors.add(ExperimentError(f"{path}.framework: {framework!r}; legal: torch"))
    elif framework != "torch":
        return [f"{path}.framework {framework!r} has no effect: PyTorch is used"]
    return []
