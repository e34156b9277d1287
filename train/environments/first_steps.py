"""Check the first steps of an environment against Gymnasium's interface.

B lanes. `engram.envs.conformance` asks far more of a batched one.
"""

import time
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit
from numpy.typing import NDArray

from engram.envs.forms.words import UNKNOWN, Tokens
from engram.envs.wrappers.texts import parts
from engram.train.console.errors import ExperimentError
from engram.train.environments.guard import VARIABLE, Say

STEPS = 10  # at most
_ARRAYS = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)
_MASK = "action_mask"
PATIENCE = 2.0  # s after which no further step is begun


def check_spaces(env: Any, subject: str, batched: bool = False) -> None:
    """Refuse an environment whose spaces are missing, or no spaces of Gymnasium.

    Args:
        env: A single or a batched environment.
        subject: What to call it in an error.
        batched: Which of them it is.

    Raises:
        ExperimentError: what is wrong.
    """
    names = ("single_observation_space", "single_action_space") if batched else ()
    for name in (*names, "observation_space", "action_space"):
        space = getattr(env, name, None)
        if not isinstance(space, gym.Space):
            found = "is missing" if space is None else f"is {_in_short(space)}"
            raise ExperimentError(f"{subject}: {name} {found}; expected a gymnasium.spaces.Space")
    for kind in ("observation", "action") if batched else ():
        single, whole = getattr(env, f"single_{kind}_space"), getattr(env, f"{kind}_space")
        if batch_space(single, env.num_envs) != whole:
            raise ExperimentError(
                f"{subject}: {kind}_space is {whole}, expected single_{kind}_space for {env.num_envs} lanes, "
                f"{batch_space(single, env.num_envs)}"
            )


def check_parts(space: gym.Space[Any], subject: str) -> None:
    """Refuse observations with parts that no array holds.

    Args:
        space: Of one observation, as lanes give it.
        subject: What to call the environment in an error.

    Raises:
        ExperimentError: names the part.
    """
    for name, part in parts(space):
        if not isinstance(part, _ARRAYS):
            kinds = ", ".join(kind.__name__ for kind in (*_ARRAYS, spaces.Text, spaces.Dict, spaces.Tuple))
            raise ExperimentError(
                f"{subject}: {name} is a {type(part).__name__}, which no array holds; known: {kinds}; a "
                "wrapper can make one of these of it"
            )


def play_first_steps(env: Any, say: Say, subject: str) -> None:
    """Reset an environment, single or batched, and take a few random steps.

    Raises:
        ExperimentError: it breaks Gymnasium's interface, or raises.
    """
    while isinstance(env, OrderEnforcing | PassiveEnvChecker | TimeLimit):
        env = env.env  # these would raise errors of their own about what is looked at here
    batched = hasattr(env, "num_envs")
    begun = _reset(env, say, subject)
    masked = _MASK in begun[1]
    env.action_space.seed(0)
    end = time.monotonic() + PATIENCE
    for number in range(1, STEPS + 1):
        said = f"{subject}: step() number {number}"
        action = _legal_action(env, *begun, said)
        observation, reward, *flags, info = _step(env, action, number, say, subject)
        begun = observation, info
        if _MASK in info and not masked:
            raise ExperimentError(
                f"{said}: info has an action_mask, and that of reset() has none, so nothing says what is "
                f"legal at first; not yours to mend? {VARIABLE}=0 trains without this check and any mask"
            )
        _check_observation(observation, env.observation_space, said)
        named = list(zip(("terminated", "truncated"), flags[:2], strict=True))
        if batched:
            _check_column(reward, env.num_envs, np.number, "rewards", said)
            for name, column in named:
                _check_column(column, env.num_envs, np.bool_, name, said)
            ended = np.logical_or(*flags)
            if env.metadata.get("autoreset_mode") is AutoresetMode.SAME_STEP and ended.any():
                _check_final(info, ended, said)
        else:
            _check_reward(reward, said)
            for name, flag in named:
                if not isinstance(_single(flag), bool | np.bool_):
                    raise ExperimentError(
                        f"{said}: {name} is {_in_short(flag)}, expected true or false, a bool"
                    )
            if flags[0] or flags[1]:
                begun = _reset(env, say, subject)
        if time.monotonic() > end:
            return


def _legal_action(env: Any, observation: Any, info: Mapping[str, Any], said: str) -> Any:
    """Draw an action, of those that an `action_mask` allows where there is one."""
    space, lanes = getattr(env, "single_action_space", env.action_space), getattr(env, "num_envs", 1)
    parts = observation if isinstance(observation, Mapping) else {}
    told = info.get(_MASK, parts.get(_MASK, np.zeros(0)))
    mask = np.concatenate([np.ravel(part) for part in (told if isinstance(told, tuple) else (told,))])
    counts = np.tile(np.ravel(getattr(space, "nvec", getattr(space, "n", 0))), lanes)
    fits = isinstance(space, spaces.Discrete | spaces.MultiDiscrete) and mask.shape == (counts.sum(),)
    if not fits:
        return env.action_space.sample()
    choices = [np.flatnonzero(part) for part in np.split(mask, np.cumsum(counts)[:-1])]
    if not all(map(len, choices)):
        raise ExperimentError(f"{said}: no action is legal by the action_mask before it")
    drawn = np.array([env.action_space.np_random.choice(legal) for legal in choices])
    shape = (lanes, *space.shape) if hasattr(env, "num_envs") else space.shape
    return (drawn.reshape(shape) + space.start).astype(space.dtype)[()]


def _reset(env: Any, say: Say, subject: str) -> tuple[Any, Any]:
    """Reset an environment and check what it returns."""
    say("reset()")
    said = f"{subject}: reset()"
    try:
        result = env.reset(seed=0)
    except Exception as error:
        if isinstance(error, TypeError) and "seed" in str(error):
            raise ExperimentError(
                f"{said} takes no `seed`; Gymnasium's is reset(self, *, seed=None, options=None)"
            ) from None
        raise ExperimentError(f"{said} raises {_explained(error)}") from None
    if not isinstance(result, tuple) or len(result) != 2:
        raise ExperimentError(f"{said} returns {_in_short(result)}, expected a tuple (observation, info)")
    _check_info(result[1], said)
    _check_observation(result[0], env.observation_space, said)
    return result[0], result[1]


def _step(env: Any, action: Any, number: int, say: Say, subject: str) -> tuple[Any, ...]:
    """The five values of a step."""
    say(f"step() number {number}")
    said = f"{subject}: step() number {number}"
    try:
        result = env.step(action)
    except Exception as error:
        raise ExperimentError(f"{said} raises {_explained(error)}") from None
    expected = "expected a tuple (observation, reward, terminated, truncated, info)"
    if isinstance(result, tuple) and len(result) == 4:
        raise ExperimentError(f"{said} returns 4 values, as in the older package gym; {expected}")
    if not isinstance(result, tuple) or len(result) != 5:
        raise ExperimentError(f"{said} returns {_in_short(result)}, {expected}")
    _check_info(result[4], said)
    return result


def _explained(error: Exception) -> str:
    from engram.memory.blame import explain  # here, because it imports torch

    return explain(error)


def _check_info(info: Any, said: str) -> None:
    if not isinstance(info, dict):
        raise ExperimentError(f"{said}: info is {_in_short(info)}, expected a dict")
    success = np.asarray(info.get("success", False))
    if success.dtype.kind not in ("biufO" if success.ndim else "biuf"):  # a lane's np.bool_ is an object
        raise ExperimentError(f"{said}: info['success'] is {_in_short(info['success'])}, expected a bool")


def _check_final(info: dict[str, Any], ended: NDArray[np.bool_], said: str) -> None:
    """Refuse lanes that begin anew without a word of what they saw last."""
    told = info.get("final_obs")
    if told is None or any(told[lane] is None for lane in np.flatnonzero(ended)):
        raise ExperimentError(
            f"{said}: a lane has begun anew, and info['final_obs'] lacks its last observation, which "
            "metadata['autoreset_mode'] SAME_STEP asks for"
        )


def _check_reward(reward: Any, said: str) -> None:
    number = np.asarray(_single(reward))
    if number.ndim or not (np.issubdtype(number.dtype, np.number) or number.dtype == bool):
        raise ExperimentError(f"{said}: reward is {_in_short(reward)}, expected a number")
    if not np.isfinite(number):
        raise ExperimentError(f"{said}: reward is {number}, expected a finite number")


def _single(value: Any) -> Any:
    """The number in an array of one: what is computed from an action of one number often is such an array."""
    return value.reshape(())[()] if isinstance(value, np.ndarray) and value.size == 1 else value


def _check_column(column: Any, lanes: int, kind: Any, name: str, said: str) -> None:
    """A value per lane, (B,)."""
    values = np.asarray(column)
    if values.shape != (lanes,) or not np.issubdtype(values.dtype, kind):
        what = "bools" if kind is np.bool_ else "numbers"
        raise ExperimentError(f"{said}: {name} is {_in_short(column)}, expected {what} of shape ({lanes},)")
    if not np.isfinite(values).all():
        raise ExperimentError(f"{said}: {name} {values} is not finite")


def _check_observation(observation: Any, space: gym.Space[Any], said: str) -> None:
    wrong = misfit(observation, space)
    if wrong:
        raise ExperimentError(f"{said}: {wrong}")


def misfit(value: Any, space: gym.Space[Any], name: str = "observation") -> str:
    """Return why an observation is not in its space; empty where an array of the space can hold it."""
    if isinstance(space, Tokens) and space.vocabulary.unit == "characters" and UNKNOWN in value:
        text = space.vocabulary.decode(value)
        return f"{name} has characters that its space lacks, shown as ?: {text!r:.60}"
    if isinstance(space, spaces.Dict | spaces.Tuple):
        return _misfit_inside(value, space, name)
    if isinstance(space, spaces.Box | spaces.MultiDiscrete | spaces.MultiBinary):
        return _misfit_array(value, space, name)
    if isinstance(space, spaces.Discrete):
        number = np.asarray(value)
        if number.ndim or not np.issubdtype(number.dtype, np.integer):
            return f"{name} is {_in_short(value)}, its space {space} says a whole number"
        inside = int(space.start) <= int(number) < int(space.start) + int(space.n)
        return "" if inside else f"{name} {number} is outside its space {space}"
    return "" if space.contains(value) else f"{name} {_in_short(value)} is not in its space {space}"


def _misfit_inside(value: Any, space: spaces.Dict | spaces.Tuple, name: str) -> str:
    """The first part of an observation of several that does not fit."""
    if isinstance(space, spaces.Dict):
        parts: dict[Any, gym.Space[Any]] = dict(space.spaces)
        if not isinstance(value, Mapping) or value.keys() != parts.keys():
            found = f"the keys {sorted(map(str, value))}" if isinstance(value, Mapping) else _in_short(value)
            return f"{name} has {found}, its space says a dict of {sorted(map(str, parts))}"
    else:
        parts = dict(enumerate(space.spaces))
        if not isinstance(value, tuple | list) or len(value) != len(parts):
            return f"{name} is {_in_short(value)}, its space says a tuple of {len(parts)}"
    wrong = (misfit(value[key], part, f"{name}[{key!r}]") for key, part in parts.items())
    return next(filter(None, wrong), "")


def _misfit_array(
    value: Any, space: spaces.Box | spaces.MultiDiscrete | spaces.MultiBinary, name: str
) -> str:
    try:
        array = np.asarray(value)
    except ValueError:  # rows of unequal lengths
        return f"{name} is {_in_short(value)}, no array"
    if array.shape != space.shape:
        return f"{name} has shape {array.shape}, its space says {space.shape}"
    if not np.can_cast(array.dtype, np.dtype(space.dtype), "same_kind"):
        return f"{name} is {array.dtype}, its space says {space.dtype}, which cannot hold it"
    if not np.isfinite(array).all():
        where = np.argwhere(~np.isfinite(array))[0].tolist()
        return f"{name} is {array[tuple(where)]} at {where}"
    if isinstance(space, spaces.Box):
        low, high = space.low.astype(float), space.high.astype(float)
        slack = 1e-5 * np.maximum(1.0, np.abs(array.astype(float)))  # of rounding to 32 bits
        outside = (array < low - slack) | (array > high + slack)
        if outside.any():
            where = tuple(np.argwhere(outside)[0].tolist())
            legal = f"{low[where]:g} to {high[where]:g}"
            found = f"{name} is {array[where]:g} at {list(where)}, its space says {legal}"
            return f"{found}; if it is not yours to mend, {VARIABLE}=0 trains without this check"
        return ""
    inside = space.contains(array.astype(space.dtype))
    return "" if inside else f"{name} {array.tolist()} is outside its space {space}"


def _in_short(value: Any) -> str:
    """Describe a value in a few words."""
    if isinstance(value, np.ndarray) and value.ndim:
        return f"an array of {value.dtype} {value.shape}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)} values"
    if isinstance(value, dict):
        return f"a dict of {sorted(map(str, value))}"
    return f"{value!r:.60} ({type(value).__name__})"
