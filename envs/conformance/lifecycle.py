"""Checks of the rest of the interface: before the first reset, rendering, states, copies, closing.

B lanes.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sized
from functools import partial
from typing import Any

import cloudpickle
from gymnasium.error import DependencyNotInstalled

from engram.envs.conformance.compare import BrokenPromiseError
from engram.envs.conformance.fixture import AnyVectorEnv, Fixture, Make, Rollout, closing, form_of


def check_step_before_reset(fixture: Fixture) -> str:
    """Check that a step before the first reset raises an exception, whichever."""
    with fixture.opened() as env, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the very mistake that is made here
        try:
            env.step(fixture.join(next(fixture.draw_actions())))
        except Exception as error:
            return f"raises {type(error).__name__}"
    raise BrokenPromiseError("a step before the first reset: expected an exception, got none")


def check_close(fixture: Fixture) -> str:
    """Check that `close` sets `closed`, and that closing twice is harmless."""
    env = fixture.make(fixture.lanes)
    env.reset(seed=fixture.seed)
    for times in ("once", "twice"):
        env.close()
        if env.closed is not True:
            raise BrokenPromiseError(f"closed: expected True after closing {times}, got {env.closed}")
    return "closed is set, twice is harmless"


def check_render(fixture: Fixture) -> str:
    """Check that `render` returns a tuple of frames, uint8 (height, width, 3) or str, one per lane.

    Tried in the render mode the environment was made in; given by id, in all that its metadata declares but
    "human", which needs a screen.
    """
    makes = [fixture.make]
    if fixture.make_rendering is not None:
        modes = [mode for mode in fixture.metadata.get("render_modes", []) if mode != "human"]
        makes += [partial(fixture.make_rendering, mode) for mode in modes]
    told = [_expect_rendering(make, fixture) for make in makes]
    return ", ".join(filter(None, told)) or "not tried: made without a render mode"


def _expect_rendering(make: Make, fixture: Fixture) -> str:
    """Render the first observations; return the mode, if any, or why it was not tried."""
    try:
        with closing(make(fixture.lanes)) as env:
            if env.render_mode is None:
                return ""
            env.reset(seed=fixture.seed)
            _expect_frames(env, env.render_mode)
            return env.render_mode
    except DependencyNotInstalled as missing:
        return f"not tried: {missing}"


def _expect_frames(env: AnyVectorEnv, mode: str) -> None:
    declared = env.metadata.get("render_modes", [])
    if mode not in declared:
        raise BrokenPromiseError(
            f"render_mode: expected one of metadata['render_modes'] {declared}, got {mode!r}"
        )
    frames: Any = env.render()
    if mode == "human":
        return
    if not isinstance(frames, tuple) or len(frames) != env.num_envs:
        got = f"{type(frames).__name__} of {len(frames)}" if isinstance(frames, Sized) else repr(frames)
        raise BrokenPromiseError(f"render in mode {mode!r}: expected a tuple of {env.num_envs}, got {got}")
    for lane, frame in enumerate(frames):
        form = form_of(frame)
        if mode == "rgb_array" and not (form.startswith("uint8") and frame.shape[2:] == (3,)):
            raise BrokenPromiseError(f"render, lane {lane}: expected uint8 (height, width, 3), got {form}")
        if mode == "ansi" and not isinstance(frame, str):
            raise BrokenPromiseError(f"render, lane {lane}: expected str, got {form}")


def check_state(fixture: Fixture) -> str:
    """Check that play from a saved state is bit-identical, where there are `get_state` and `set_state`.

    Neither is part of Gymnasium.
    """
    with fixture.opened() as env, fixture.opened() as copy_of_env:
        if not (hasattr(env, "get_state") and hasattr(env, "set_state")):
            return "there are none"
        middle = len(fixture.actions) // 2
        fixture.play(env, fixture.seed, fixture.actions[:middle])
        state = env.get_state()
        ahead = fixture.play_on(env, fixture.actions[middle:])
        for each, which in ((env, "in the same environment"), (copy_of_env, "in a new one, never reset")):
            each.set_state(state)
            found = fixture.difference_of_rollouts(ahead, fixture.play_on(each, fixture.actions[middle:]))
            if found:
                raise BrokenPromiseError(f"{found}; going on from a state {which}")
    return f"{len(ahead)} frames from a state are the same"


COPIES: dict[str, Callable[[AnyVectorEnv], AnyVectorEnv]] = {
    "pickle": lambda env: cloudpickle.loads(cloudpickle.dumps(env)),
    "copy.deepcopy": copy.deepcopy,
}
"""Pickling first: half a copy of what holds processes or files, which cannot be pickled, may close them."""


def check_copies(fixture: Fixture) -> str:
    """Check that a copy plays on as the original does, and that neither affects the other.

    Copied before the first reset and in the middle of a play, by `cloudpickle` and `copy.deepcopy`. That
    there are copies is not asked, as it is not by Gymnasium: environments in other processes have none.
    """
    middle = len(fixture.actions) // 2
    for played, when in ((None, "before the first reset"), (middle, f"after step {middle}")):
        for how, make_copy in COPIES.items():
            with fixture.opened() as env:
                begun = (
                    0 if played is None else len(fixture.play(env, fixture.seed, fixture.actions[:played]))
                )
                try:
                    twin = make_copy(env)
                except Exception as error:  # whatever somebody's class may raise
                    return f"there are none by {how}: {type(error).__name__}: {error}"
                with closing(twin):
                    for each, which in (
                        (twin, f"a copy by {how}"),
                        (env, f"the original of a copy by {how}"),
                    ):
                        rollout = _rollout_from(fixture, each, played)
                        found = fixture.difference_of_rollouts(fixture.rollout[begun:], rollout)
                        if found:
                            raise BrokenPromiseError(f"{found}, in {which} {when}")
    return f"{len(COPIES)} kinds are the same, {len(fixture.rollout) - begun} frames from the middle on"


def _rollout_from(fixture: Fixture, env: AnyVectorEnv, played: int | None) -> Rollout:
    """Play from the first reset on, or what is left after some steps."""
    return (
        fixture.play(env, fixture.seed) if played is None else fixture.play_on(env, fixture.actions[played:])
    )
