"""Environments by id or class path: do they exist, take these settings, what do they know of themselves.

What is neither ours nor Gymnasium's is tried out in a process of its own (`guard`), its first steps included.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode

from engram.envs.wrappers import at_edge
from engram.train.console.errors import ExperimentError
from engram.train.environments import guard, hints
from engram.train.environments.arguments import Form, attempt, check_keys, creator
from engram.train.environments.first_steps import check_parts, check_spaces, play_first_steps
from engram.train.environments.ids import MODULE, NAMESPACE, find_spec, qualified, quiet

if TYPE_CHECKING:
    from engram.agents.columns.wrappers import Wrapping

WRAPPERS = "wrappers"  # as `engram.agents.columns.wrappers` has it, which imports torch


@dataclass(frozen=True)
class EnvFacts:
    """What the header and the model need to know of an environment.

    Attributes:
        id: The id with its module, as `gymnasium.make` takes it in every process, or `module:Class`.
        memory_delay: Env steps from the last sight of the cue to the first action that needs it, or None.
        group_by: The info key by which results are split, or None.
        wrappers: Names of the wrappers around it, the innermost one first.
        remarks: What the header says about it.
        tells_mask: Whether its info tells which actions are legal.
        rules: What makes its scores comparable to others', or not; None where it does not say.
        tells: The keys of its info, as far as its `metadata` lists them; None where it does not.
    """

    id: str
    observation_space: gym.Space[Any]
    action_space: gym.Space[Any]
    memory_delay: int | None
    group_by: str | None
    wrappers: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    tells_mask: bool = False
    rules: str | None = None
    tells: tuple[str, ...] | None = None


def _is_foreign(env_id: str, env_config: Mapping[str, Any]) -> bool:
    """Whether an environment has to be tried out: it has wrappers, or is neither ours nor Gymnasium's.

    What is unknown anyway is not.
    """
    importlib.import_module("engram.envs")
    name = qualified(env_id)
    if guard.seconds() == 0:
        return False
    if env_config.get(WRAPPERS):
        return guard.sees_registrations() or ":" in name or name.startswith(NAMESPACE)
    if name.startswith(MODULE):
        return False
    if ":" in name:
        return True
    spec = gym.registry.get(name)
    ours = spec is None or str(spec.entry_point).startswith("gymnasium.")
    return not ours and guard.sees_registrations()


def _guarded(task: Callable[..., Any], env_id: str, env_config: Mapping[str, Any], *arguments: Any) -> Any:
    """Run a task about an environment, in a process of its own where the environment is foreign."""
    if not _is_foreign(env_id, env_config):
        return task(lambda doing: None, env_id, dict(env_config), *arguments)
    return guard.run_guarded(task, (env_id, dict(env_config), *arguments), f"env: {env_id}")


def probe(
    env_id: str, env_config: Mapping[str, Any], form: Form = "lanes", path: str = "config.env_config"
) -> EnvFacts:
    """Build the environment once, as the runners will, and read what it says about itself.

    Args:
        env_id: Its id.
        env_config: Its keyword arguments, `config.env_config` in an experiment.
        form: How the runners make it.
        path: Dotted path of its keyword arguments, for errors.

    Raises:
        ExperimentError: no such environment, an unknown setting, a value it refuses.
    """
    if env_config.get("render_mode") == "human":
        raise ExperimentError(
            f"{path}.render_mode: 'human' is a window, which training would wait for at each step; see an "
            "agent with `rllib evaluate --gif FILE`, or play with `rllib play`"
        )
    facts: EnvFacts = _guarded(_probe, env_id, env_config, form, path)
    return facts


def _probe(say: guard.Say, env_id: str, env_config: Mapping[str, Any], form: Form, path: str) -> EnvFacts:
    spec, subject, tried = find_spec(env_id), f"env: {env_id}", _is_foreign(env_id, env_config)
    say("its wrappers")
    settings, wrappings = _split(env_config)
    check_keys(spec, settings, form, path)
    path = path if settings else subject
    single = form != "batched" and spec.entry_point is not None
    _check_single(spec, wrappings, form, env_id)
    say("its constructor")
    if form == "batched":
        env = attempt(lambda: _stock_batched(spec, settings, wrappings), path)
    elif single:
        env = attempt(lambda: _make_single(spec, settings, wrappings), path)
    else:
        env = _make_lanes(env_id, 2, env_config, path)
    check_spaces(env, subject, batched=not single)
    env = at_edge(env) if single else env
    check_parts(getattr(env, "single_observation_space", env.observation_space), subject)
    facts = _facts(env_id, env)
    if tried:
        _try_out(env, say, subject)
    facts = replace(facts, tells_mask=_tells_mask(say, env, spec))
    env.close()
    if not single:
        return replace(facts, wrappers=_named(wrappings))
    many = any(wrapping.batched for wrapping in wrappings)
    if many or form == "lanes":
        batched = tried and (spec.vector_entry_point is not None or many)
        lanes = _make_lanes(env_id, 2 if batched else 1, env_config, path, form)
        if batched:
            check_spaces(lanes, subject, batched=True)
            _try_out(lanes, say, subject)
            facts = replace(_facts(env_id, lanes), tells_mask=facts.tells_mask)
        lanes.close()
    return replace(
        facts, wrappers=_named(wrappings), remarks=(*facts.remarks, *_passed_over(spec, wrappings, form))
    )


def _split(env_config: Mapping[str, Any]) -> tuple[dict[str, Any], list[Wrapping]]:
    """The environment's own arguments and its wrappers, see `engram.agents.columns.wrappers`."""
    if WRAPPERS not in env_config:
        return dict(env_config), []
    from engram.agents.columns.wrappers import split_settings  # here, because it imports torch

    split: tuple[dict[str, Any], list[Wrapping]] = attempt(lambda: split_settings(env_config), WRAPPERS)
    return split


def _make_single(
    spec: EnvSpec, settings: Mapping[str, Any], wrappings: Sequence[Wrapping]
) -> gym.Env[Any, Any]:
    # What Gymnasium's checker would say inside of wrappers, `play_first_steps` says in one line.
    env: gym.Env[Any, Any] = gym.make(spec, **{"disable_env_checker": True, **settings})
    if not wrappings:
        return env
    from engram.agents.columns.wrappers import wrap_single

    return wrap_single(env, wrappings)


def _named(wrappings: Iterable[Wrapping]) -> tuple[str, ...]:
    return tuple(wrapping.wrapper.__name__ for wrapping in wrappings)


def _check_single(spec: EnvSpec, wrappings: Iterable[Wrapping], form: Form, env_id: str) -> None:
    """Refuse copies, or wrappers of single environments, where there is a batched form only."""
    singles = [wrapping for wrapping in wrappings if not wrapping.batched]
    if singles and (form == "batched" or spec.entry_point is None):
        raise ExperimentError(
            f"{singles[0].path}: {singles[0].wrapper.__name__} wraps a single environment, and {env_id} is "
            "made in its batched form; legal there: wrappers of gymnasium.vector.VectorWrapper"
        )
    if form in ("copies", "processes") and spec.entry_point is None:
        raise ExperimentError(
            f"env: {env_id} has a batched form only; set config.gym_env_vectorize_mode: vector_entry_point, "
            "or run an algorithm on columns (`rllib list algorithms`) without that key"
        )


def _passed_over(spec: EnvSpec, wrappings: Iterable[Wrapping], form: Form) -> Iterator[str]:
    """Say that a batched form is there and not used."""
    singles = [wrapping.wrapper.__name__ for wrapping in wrappings if not wrapping.batched]
    metadata = getattr(creator(spec.vector_entry_point), "metadata", {})
    if form == "lanes" and singles and metadata.get("autoreset_mode") is AutoresetMode.SAME_STEP:
        yield (
            f"wrappers: {singles[0]} wraps single environments; lanes are copies of these, and the faster "
            "batched form is not used"
        )


def _tells_mask(say: guard.Say, env: Any, spec: EnvSpec) -> bool:
    """Whether an environment tells which actions are legal; ours do not."""
    from engram.agents.columns.inputs import may_be_masked, tells_mask

    if spec.id.startswith(NAMESPACE) or not may_be_masked(
        getattr(env, "single_action_space", env.action_space)
    ):
        return False
    say("reset()")
    return bool(attempt(lambda: tells_mask(env), f"env: {spec.id}"))


def _try_out(env: Any, say: guard.Say, subject: str) -> None:
    """Take first steps, except in an environment that may take minutes for its first problems."""
    if "tells" in env.metadata:
        return
    with quiet():
        play_first_steps(env, say, subject)


def info_keys(env_id: str, env_config: Mapping[str, Any]) -> set[str]:
    """Return the keys of an environment's info at reset.

    An environment that lists them in its `metadata`, under `tells`, is not reset: its first problems may take
    minutes to make.

    Raises:
        ExperimentError: it cannot be reset.
    """
    keys: set[str] = _guarded(_info_keys, env_id, env_config)
    return keys


def _info_keys(say: guard.Say, env_id: str, env_config: Mapping[str, Any]) -> set[str]:
    say("its constructor")
    env = _make_lanes(env_id, 1, env_config, "config.env_config")
    try:
        if "tells" in env.metadata:
            return set(env.metadata["tells"])
        say("reset()")
        return {key for key in attempt(env.reset, "env")[1] if not key.startswith("_")}
    finally:
        env.close()


def _facts(env_id: str, env: Any) -> EnvFacts:
    """Read a single environment, or a batched one."""
    name = qualified(env_id)
    newest = hints.newer_version(name) if name in gym.registry else None
    return EnvFacts(
        id=name,
        observation_space=getattr(env, "single_observation_space", env.observation_space),
        action_space=getattr(env, "single_action_space", env.action_space),
        memory_delay=getattr(env.unwrapped, "memory_delay", None),
        group_by=env.unwrapped.metadata.get("group_by"),
        remarks=(f"env: {env_id} is an older version; the newest is {newest}",) if newest else (),
        rules=env.unwrapped.metadata.get("rules"),
        tells=tuple(env.metadata["tells"]) if "tells" in env.metadata else None,
    )


def with_autoreset(env_config: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with `autoreset_mode: next_step` spelled as Gymnasium's AutoresetMode spells it."""
    mode = env_config.get("autoreset_mode")
    named = isinstance(mode, str) and mode.upper() in AutoresetMode.__members__
    return {**env_config, "autoreset_mode": str(mode).upper()} if named else dict(env_config)


def _stock_batched(spec: EnvSpec, env_config: Mapping[str, Any], wrappings: Sequence[Wrapping]) -> Any:
    env = gym.make_vec(
        spec, num_envs=1, vectorization_mode="vector_entry_point", **with_autoreset(env_config)
    )
    if env.metadata.get("autoreset_mode") is AutoresetMode.SAME_STEP:
        env.close()
        raise ValueError("autoreset_mode: RLlib's own runners need next_step from a batched environment")
    from engram.agents.columns.wrappers import wrap_lanes

    return wrap_lanes(env, wrappings)


def make_batched(
    env_id: str, lanes: int, env_config: Mapping[str, Any], path: str = "env_config"
) -> gym.vector.VectorEnv[Any, Any, Any]:
    """A batched environment that resets a lane in the step that ends its episode (SAME_STEP).

    Raises:
        ExperimentError: as `probe`.
    """
    make = partial(_make_lanes, path=path)
    _guarded(_try, env_id, env_config, partial(make, lanes=1))
    return make(env_id, lanes=lanes, env_config=env_config)


def _try(say: guard.Say, env_id: str, env_config: Mapping[str, Any], make: Callable[..., Any]) -> None:
    """Make an environment, reset and step it, where it has to be tried out."""
    if _is_foreign(env_id, env_config):
        say("its constructor")
        env = make(env_id, env_config=env_config)
        _try_out(env, say, f"env: {env_id}")
        env.close()


def _make_lanes(
    env_id: str, lanes: int, env_config: Mapping[str, Any], path: str, form: Form = "lanes"
) -> gym.vector.VectorEnv[Any, Any, Any]:
    """Lanes as an algorithm's runners have them, but in this process."""
    from engram.agents.columns.lanes import vectorize

    check_keys(find_spec(env_id), _split(env_config)[0], "lanes")
    autoreset_mode = AutoresetMode.NEXT_STEP if form == "copies" else AutoresetMode.SAME_STEP
    env: gym.vector.VectorEnv[Any, Any, Any] = attempt(
        lambda: vectorize(qualified(env_id), lanes, env_config, autoreset_mode=autoreset_mode), path
    )
    return env


def make_rendered(
    env_id: str, env_config: Mapping[str, Any], modes: Sequence[str], wanted_by: str
) -> gym.Env[Any, Any]:
    """A single environment that renders.

    Args:
        env_id: Its id.
        env_config: Its keyword arguments.
        modes: Render modes, the first that it has is taken.
        wanted_by: The command or option that needs it, for errors.

    Raises:
        ExperimentError: it cannot render so, or as `probe`.
    """
    make = partial(_make_rendered, modes=modes, wanted_by=wanted_by)
    _guarded(_try, env_id, env_config, make)
    return make(env_id, env_config=env_config)


_PICTURES = {"rgb_array": "to pixels", "ansi": "as text"}


def _make_rendered(
    env_id: str, env_config: Mapping[str, Any], modes: Sequence[str], wanted_by: str
) -> gym.Env[Any, Any]:
    spec = find_spec(env_id)
    if spec.entry_point is None:
        raise ExperimentError(f"{wanted_by}: {env_id} has a batched form only; a single one is what renders")
    known = list(getattr(creator(spec.entry_point), "metadata", {}).get("render_modes", []))
    mode = next((mode for mode in modes if mode in known), None)
    if mode is None:
        kinds = " or ".join(_PICTURES[mode] for mode in modes)
        raise ExperimentError(
            f"{wanted_by}: {env_id} cannot render {kinds}; its render modes: {', '.join(known) or 'none'}"
        )
    if "render_mode" in env_config:
        raise ExperimentError(f"--env-config.render_mode: {wanted_by} sets it to {mode!r}; leave it out")
    settings, wrappings = _split(env_config)
    check_keys(spec, settings, "copies", "--env-config")
    env: gym.Env[Any, Any] = attempt(
        lambda: _make_single(spec, {**settings, "render_mode": mode}, wrappings), wanted_by
    )
    return env
