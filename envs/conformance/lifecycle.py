"""Checks of the rest of the interface: before the first reset, rendering, states, closing.

B lanes.
"""

from __future__ import annotations

import warnings
from collections.abc import Sized
from functools import partial
from typing import Any

from gymnasium.error import DependencyNotInstalled

from engram.envs.conformance.compare import BrokenPromiseError
from engram.envs.conformance.trial import AnyVectorEnv, Make, Trial, closing, form_of


def check_step_before_reset(trial: Trial) -> str:
    """A step before the first reset raises, whatever it raises."""
    with trial.opened() as env, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the very mistake that is made here
        try:
            env.step(trial.join(next(trial.draw_actions())))
        except Exception as error:
            return f"raises {type(error).__name__}"
    raise BrokenPromiseError("a step before the first reset: expected an exception, got none")


def check_close(trial: Trial) -> str:
    """`close` sets `closed`; to close twice is harmless."""
    env = trial.make(trial.lanes)
    env.reset(seed=trial.seed)
    for times in ("once", "twice"):
        env.close()
        if env.closed is not True:
            raise BrokenPromiseError(f"closed: expected True after closing {times}, got {env.closed}")
    return "closed is set, twice is harmless"


def check_render(trial: Trial) -> str:
    """`render` returns a tuple of one frame per lane; an rgb_array is uint8 (height, width, 3), ansi is str.

    Tried in the render mode the environment was made in; given by id, in all that its metadata declares but
    "human", which needs a screen.
    """
    makes = [trial.make]
    if trial.make_rendering is not None:
        modes = [mode for mode in trial.metadata.get("render_modes", []) if mode != "human"]
        makes += [partial(trial.make_rendering, mode) for mode in modes]
    told = [_expect_rendering(make, trial) for make in makes]
    return ", ".join(filter(None, told)) or "not tried: made without a render mode"


def _expect_rendering(make: Make, trial: Trial) -> str:
    """Render the first observations; the mode, if any, or why it was not tried."""
    try:
        with closing(make(trial.lanes)) as env:
            if env.render_mode is None:
                return ""
            env.reset(seed=trial.seed)
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


def check_state(trial: Trial) -> str:
    """Where there are `get_state` and `set_state`: going on from a state is bit-identical, in a new copy too.

    Neither is part of Gymnasium.
    """
    with trial.opened() as env, trial.opened() as copy_of_env:
        if not (hasattr(env, "get_state") and hasattr(env, "set_state")):
            return "there are none"
        middle = len(trial.actions) // 2
        trial.play(env, trial.seed, trial.actions[:middle])
        state = env.get_state()
        ahead = trial.play_on(env, trial.actions[middle:])
        for each, which in ((env, "in the same environment"), (copy_of_env, "in a new one, never reset")):
            each.set_state(state)
            found = trial.difference_of_tapes(ahead, trial.play_on(each, trial.actions[middle:]))
            if found:
                raise BrokenPromiseError(f"{found}; going on from a state {which}")
    return f"{len(ahead)} frames from a state are the same"
