"""Runs all checks of a vector environment: `check_vector_env` and `require_vector_env`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import gymnasium

from engram.envs.arguments import check_at_least, check_known
from engram.envs.conformance import episodes, forms, isolation, lifecycle, seeding
from engram.envs.conformance.compare import BrokenPromiseError
from engram.envs.conformance.fixture import AnyVectorEnv, Check, Fixture, Make

PRECONDITIONS: dict[str, Check] = {
    "spaces": forms.check_spaces,
    "autoreset mode": forms.check_mode,
    "reset and step": forms.check_calls,
    "rewards": forms.check_rewards,
    "observations": forms.check_observations,
    "infos": forms.check_infos,
    "same seed, same play": seeding.check_same_seed,
}
"""What all other checks, and the later of these, rest on."""


def _check_one_lane(fixture: Fixture) -> str:
    """Repeat the first checks with a single lane."""
    alone = fixture.with_lanes(1)
    for name, check in PRECONDITIONS.items():
        try:
            check(alone)
        except BrokenPromiseError as broken:
            raise BrokenPromiseError(f"with num_envs=1: {name}: {broken}") from broken
    return f"{len(PRECONDITIONS)} checks with num_envs=1"


PROMISES: dict[str, Check] = {
    "one lane": _check_one_lane,
    "episodes end": episodes.check_ends,
    "final observations": episodes.check_final,
    "new episodes": episodes.check_new_episode,
    "step after an end": episodes.check_step_after_end,
    "masked reset": episodes.check_masked_reset,
    "other seed, other play": seeding.check_other_seed,
    "lanes draw for themselves": seeding.check_lanes_differ,
    "no leak over lanes": isolation.check_lane_leak,
    "returned arrays stay": isolation.check_results_stay,
    "actions stay": isolation.check_actions_stay,
    "step before reset": lifecycle.check_step_before_reset,
    "closing": lifecycle.check_close,
    "rendering": lifecycle.check_render,
    "going on from a state": lifecycle.check_state,
    "copies": lifecycle.check_copies,
}

NAMES = ("make", *PRECONDITIONS, *PROMISES)


@dataclasses.dataclass(frozen=True)
class CheckResult:
    """The result of one check.

    Attributes:
        name: what ought to hold.
        passed: whether it does, or does not apply.
        message: what was seen; for a failure step, lane, what was expected and what was got.
    """

    name: str
    passed: bool
    message: str

    def __str__(self) -> str:
        return f"{'pass' if self.passed else 'FAIL'}  {self.name}: {self.message}"


def check_vector_env(
    make: str | Callable[..., AnyVectorEnv],
    *,
    num_envs: int = 4,
    seed: int = 0,
    max_steps: int = 1000,
    skip: Collection[str] = (),
    **arguments: Any,
) -> list[CheckResult]:
    """Check a vector environment against Gymnasium's interface, by playing random actions in it.

    Episodes should be short, so that random actions meet their ends: a play lasts until each lane has met
    two. Environments are made about 25 times and played about fifty times. Observations are NumPy arrays,
    or dicts and tuples of them.

    What is not asked: a certain float dtype of rewards; keys of `info` that are the same in each step;
    anything random, of an environment in which plays without a seed show nothing random. Wall-clock times in
    `info` fail "same seed, same play".

    The first of `PRECONDITIONS` that fails is the last result: the rest could not be judged. Where the
    environment cannot even be made there is one result, "make".

    Args:
        make: a callable that takes the number of lanes and makes a fresh environment, or an id for
            `gymnasium.make_vec`. With an id, rendering is tried in all modes, else in the mode it is made in.
        num_envs: number of lanes (B), at least 2; one is tried besides.
        seed: of resets and of actions.
        max_steps: most steps of a play.
        skip: names of results to be left out, for departures that are known and meant; see `NAMES`.
        arguments: for the id or callable, by keyword.

    Returns:
        One result for each check.

    Raises:
        ValueError: an argument is not legal.
    """
    lanes = check_at_least("num_envs", num_envs, 2, ">= 2 lanes")
    most = check_at_least("max_steps", max_steps, 1, ">= 1 steps")
    for name in skip:
        check_known("skip", name, NAMES)
    maker: Make
    make_rendering = None
    if isinstance(make, str):
        maker = partial(gymnasium.make_vec, make, **arguments)
        make_rendering = partial(_make_rendering, make, arguments)
    else:
        maker = partial(make, **arguments)
    try:
        fixture = Fixture(maker, lanes, seed, most, make_rendering)
    except Exception as error:  # whatever somebody's class may raise
        return [_raised("make", error)]
    return _judge_all(fixture, skip)


def require_vector_env(make: str | Callable[..., AnyVectorEnv], **arguments: Any) -> None:
    """Raise if a vector environment fails a check; arguments are those of `check_vector_env`.

    Raises:
        BrokenPromiseError: names each failed result, one a line.
        ValueError: an argument is not legal.
    """
    failed = [result for result in check_vector_env(make, **arguments) if not result.passed]
    if failed:
        raise BrokenPromiseError("\n".join(f"{result.name}: {result.message}" for result in failed))


def _make_rendering(env_id: str, arguments: dict[str, Any], mode: str, lanes: int) -> AnyVectorEnv:
    return gymnasium.make_vec(env_id, lanes, **{**arguments, "render_mode": mode})


def _judge_all(fixture: Fixture, skip: Collection[str]) -> list[CheckResult]:
    results: list[CheckResult] = []
    for name, check in {**PRECONDITIONS, **PROMISES}.items():
        if name in skip:
            continue
        results.append(_judge(name, check, fixture))
        if name in PRECONDITIONS and not results[-1].passed:
            break
    return results


def _judge(name: str, check: Check, fixture: Fixture) -> CheckResult:
    try:
        return CheckResult(name, True, _one_line(check(fixture)))
    except BrokenPromiseError as broken:
        return CheckResult(name, False, _one_line(broken))
    except Exception as error:  # whatever somebody's class may raise
        return _raised(name, error)


def _raised(name: str, error: Exception) -> CheckResult:
    return CheckResult(name, False, f"expected no exception, got {type(error).__name__}: {_one_line(error)}")


def _one_line(text: object) -> str:
    return " ".join(str(text).split())
