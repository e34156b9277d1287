"""Find settings without effect: errors and notices from the table in `effects`."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from engram.train.plans import effects, settings


class Diagnostic(NamedTuple):
    """An error or a notice about a setting that would not do what it says.

    Attributes:
        refused: Whether it is an error; else a notice.
        text: The message, starting with the dotted path.
    """

    refused: bool
    text: str


class _Section(NamedTuple):
    """Settings with what they would be if left out.

    Attributes:
        run: The algorithm's name.
        path: Dotted path of the section.
        values: As written, checked.
        defaults: Key -> default.
        outer: The settings around it, for what it depends on.
    """

    run: str
    path: str
    values: Mapping[str, Any]
    defaults: Mapping[str, Any]
    outer: Mapping[str, Any]

    def is_on(self, need: str) -> bool:
        name, _, wanted = need.partition("=")
        value = self.outer.get(name, self.defaults.get(name))
        return bool(value == wanted) if wanted else bool(value)


def review(run: str, config: Mapping[str, Any], defaults: Any) -> Iterator[Diagnostic]:
    """Yield an error or a notice for each setting that would have no effect, or another than it says.

    A value that states what holds anyway is passed over.

    Args:
        run: The algorithm's name.
        config: Checked settings, search spaces replaced by examples; `model` as written.
        defaults: The algorithm's AlgorithmConfig object.
    """
    stored = {name: settings.default(defaults, name) for name in settings.names(defaults)}
    top = _Section(run, "config", config, stored, config)
    for key in config:
        yield from _judge(top, key, effects.find(run, key))
    inner = config.get("evaluation_config") or {}
    evaluation = _Section(run, "config.evaluation_config", inner, {**stored, **config}, {**config, **inner})
    for key in inner:
        yield from _judge(evaluation, key, effects.find(run, key, evaluation=True))
    model = config.get("model") or {}
    if run in effects.STOCK and "core" not in model:
        yield from _review_model(run, model)


def _review_model(run: str, model: Mapping[str, Any]) -> Iterator[Diagnostic]:
    from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig

    section = _Section(run, "config.model", model, vars(DefaultModelConfig()), model)
    for key in model:
        yield from _judge(section, key, effects.find_model(run, key))


def _judge(section: _Section, key: str, row: effects.Row | None) -> Iterator[Diagnostic]:
    value, default = section.values[key], section.defaults.get(key)
    where = f"{section.path}.{key}"
    if row is None:
        return
    if row.effect == "honoured":
        if row.needs and value != default and not any(section.is_on(name) for name in row.needs):
            yield Diagnostic(False, f"{where} has no effect without {' or '.join(row.needs)}")
        return
    fact = default if row.fact is effects.Default else row.fact
    if value == fact or (not value and not fact):
        return
    if row.effect == "idle":
        yield Diagnostic(False, f"{where} has no effect under {section.run}: {row.why}")
    else:
        yield Diagnostic(True, f"{where}: {value!r} has no effect under {section.run}: {row.why}")
