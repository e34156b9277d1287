"""Checks of spaces, and of the types, dtypes and shapes that resets and steps return.

B lanes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import Space, spaces
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from engram.envs.conformance.compare import BrokenPromiseError
from engram.envs.conformance.fixture import Fixture, form_of, is_mask

_ARRAY_SPACES = (spaces.Box, spaces.MultiDiscrete, spaces.MultiBinary)


def check_spaces(fixture: Fixture) -> str:
    """Check that `num_envs` is what was asked for, and that spaces are the single ones, batched.

    A `SyncVectorEnv(observation_mode="different")` fails here.
    """
    with fixture.opened() as env:
        if env.num_envs != fixture.lanes:
            raise BrokenPromiseError(f"num_envs: expected {fixture.lanes}, got {env.num_envs}")
        for name in ("observation_space", "action_space"):
            batched, got = batch_space(getattr(env, f"single_{name}"), fixture.lanes), getattr(env, name)
            if batched != got:
                raise BrokenPromiseError(
                    f"{name}: expected batch_space(single_{name}, {fixture.lanes}) = {batched}, got {got}"
                )
    return f"{fixture.single_observation_space} and {fixture.single_action_space}, batched"


def check_mode(fixture: Fixture) -> str:
    """Check that `metadata["autoreset_mode"]` is a member of `AutoresetMode`."""
    if not isinstance(fixture.mode, AutoresetMode):
        raise BrokenPromiseError(
            f"metadata['autoreset_mode']: expected a gymnasium.vector.AutoresetMode, got {fixture.mode!r}"
        )
    return fixture.mode.name


def check_calls(fixture: Fixture) -> str:
    """Check that resets return two values and steps five, with ends as bool (B,), and that nothing raises."""
    ends = sum(int(frame.ended.sum()) for frame in fixture.rollout if frame.is_step)
    return f"{len(fixture.actions)} steps of {fixture.lanes} lanes, {ends} ends of episodes"


def check_rewards(fixture: Fixture) -> str:
    """Check that rewards are (B,), of one float dtype throughout, and finite.

    Gymnasium names no dtype: its `SyncVectorEnv` returns float64, its vector CartPole float32.
    """
    played = [frame for frame in fixture.rollout if frame.is_step]
    dtype = getattr(played[0].rewards, "dtype", np.dtype(np.float64))
    expected = f"{dtype if dtype.kind == 'f' else 'float64'} ({fixture.lanes},)"
    for frame in played:
        got = form_of(frame.rewards)
        if got != expected:
            raise BrokenPromiseError(f"{frame.where}: rewards: expected {expected}, got {got}")
        for lane in np.flatnonzero(~np.isfinite(frame.rewards)):
            raise BrokenPromiseError(
                f"{frame.where}, lane {lane}: reward: expected a finite one, got {frame.rewards[lane]}"
            )
    return expected


def check_observations(fixture: Fixture) -> str:
    """Check that observations are in their space, dtype included."""
    for frame in fixture.rollout:
        wrong = misfit(fixture.observation_space, frame.observations)
        if wrong:
            raise BrokenPromiseError(f"{frame.where}: observations{wrong}")
        for lane, one in enumerate(fixture.split(frame.observations)):
            if one not in fixture.single_observation_space:
                raise BrokenPromiseError(
                    f"{frame.where}, lane {lane}: observation: expected one in "
                    f"{fixture.single_observation_space}, got {_short(one)}"
                )
    return f"all of {len(fixture.rollout)} in their space"


def misfit(space: Space[Any], value: Any) -> str:
    """Say why a value cannot be in a space, by types, dtypes and shapes; empty if it can."""
    parts: list[tuple[str, Space[Any], Any]] = []
    if isinstance(space, spaces.Dict):
        if not isinstance(value, Mapping) or value.keys() != space.spaces.keys():
            return f": expected a dict of {sorted(space.spaces)}, got {_short(value)}"
        parts = [(repr(name), part, value[name]) for name, part in space.spaces.items()]
    elif isinstance(space, spaces.Tuple):
        if not isinstance(value, tuple) or len(value) != len(space.spaces):
            return f": expected a tuple of {len(space.spaces)}, got {_short(value)}"
        parts = [(str(place), *pair) for place, pair in enumerate(zip(space.spaces, value, strict=True))]
    elif isinstance(space, _ARRAY_SPACES):
        expected, got = f"{space.dtype} {space.shape}", form_of(value)
        return "" if got == expected else f": expected {expected}, got {got}"
    wrongs = ((name, misfit(part, inner)) for name, part, inner in parts)
    return next((f"[{name}]{wrong}" for name, wrong in wrongs if wrong), "")


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def check_infos(fixture: Fixture) -> str:
    """Check that infos are dicts of values (B, ...) or dicts, each key with its mask `_key`, bool (B,)."""
    for frame in fixture.rollout:
        check_layout(frame.infos, fixture.lanes, f"{frame.where}: infos")
    keys = {key for frame in fixture.rollout for key in frame.infos if not is_mask(key, frame.infos)}
    return f"keys {sorted(keys)}" if keys else "empty"


def check_layout(infos: Any, lanes: int, what: str, masked: bool = True) -> None:
    """Refuse a dict of infos that is not laid out as Gymnasium does.

    Args:
        infos: the dict.
        lanes: number of lanes (B).
        what: its name in messages.
        masked: whether each key needs its mask; inside a nested dict it does not.

    Raises:
        BrokenPromiseError: it is not.
    """
    if not isinstance(infos, dict):
        raise BrokenPromiseError(f"{what}: expected a dict, got {type(infos).__name__}")
    for key, values in infos.items():
        if is_mask(key, infos):
            continue
        mask = infos.get(f"_{key}")
        if mask is None and masked:
            raise BrokenPromiseError(f"{what}: expected the mask '_{key}' beside {key!r}, got none")
        if mask is not None and (
            not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (lanes,)
        ):
            raise BrokenPromiseError(
                f"{what}['_{key}']: expected an array bool ({lanes},), got {form_of(mask)}"
            )
        if isinstance(values, dict):
            check_layout(values, lanes, f"{what}[{key!r}]", masked=key == "final_info")
        elif not isinstance(values, np.ndarray) or values.shape[:1] != (lanes,):
            got = f"{type(values).__name__} {np.shape(values)}"
            raise BrokenPromiseError(f"{what}[{key!r}]: expected an array ({lanes}, ...), got a {got}")
