"""`check_core`: runs every check of the contract of a core."""

import dataclasses
from collections.abc import Callable

import torch

from engram.memory.conformance import fragments, isolation, shapes, training
from engram.memory.conformance.compare import BrokenPromiseError
from engram.memory.conformance.fixture import Check, Fixture, make_fixture
from engram.memory.core import Core

PREMISES: dict[str, Check] = {
    "state shape": shapes.check_state,
    "fixed initial state": shapes.check_start,
    "output shape": shapes.check_outputs,
    "info shape": shapes.check_info,
    "no hidden state": shapes.check_purity,
}
"""Checks that all others, and the later of these, rely on."""

PROMISES: dict[str, Check] = {
    "steps equal fragment": fragments.check_steps,
    "gradients of steps equal fragment": fragments.check_step_gradients,
    "long fragment equals short ones": fragments.check_long,
    "carried state counts": fragments.check_carried_state,
    "bptt_steps cuts gradients": fragments.check_bptt_steps,
    "reset is initial state": isolation.check_reset_is_initial,
    "no leak over reset": isolation.check_reset_leak,
    "no gradient over reset": isolation.check_reset_gradient,
    "no poison over reset": isolation.check_poison,
    "no leak over lanes": isolation.check_lane_leak,
    "no leak over lanes in training": isolation.check_lane_leak_in_training,
    "no gradient over lanes": isolation.check_lane_gradient,
    "state_dict round trip": training.check_state_dict,
    "train_input holds": training.check_train_input,
    "carries_gradient holds": training.check_carries_gradient,
}

DECLARED = {
    "output shape": "output_size",
    "bptt_steps cuts gradients": "bptt_steps",
    "train_input holds": "train_input",
    "carries_gradient holds": "carries_gradient",
}
"""Check -> the attribute that says what a core declares; the others are what every core promises."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        name: of the check.
        passed: whether it holds.
        message: the measurement; of a failure the fault, its place, its size, and how to mend it.
        declared: the core's own claim about it, or that every core promises it.
    """

    name: str
    passed: bool
    message: str
    declared: str = "of every core"


def check_core(core: Core, seed: int = 0, rebuild: Callable[[], Core] | None = None) -> list[Finding]:
    """Checks the contract of a core, in float64, on a copy; the core stays as it is.

    The copy is in eval mode, but for one check of the lanes in training mode.

    Parameters that are zero throughout get small random values in the copy: nothing could be seen to leak
    through a branch that is switched off. States are what the core itself makes of random inputs, so they
    are legal ones. The first of `PREMISES` that fails is the last finding: the rest could not be judged.
    Where the core cannot even be copied there is one finding, `copy`.

    Args:
        core: any core; it need not be in `CORES`.
        seed: of inputs and perturbations.
        rebuild: makes another core of the same kind and options. With it the check of checkpoints is a strict
            one: into a core that was built anew.

    Returns:
        One finding for each check.
    """
    findings: list[Finding] = []
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)
        try:
            fixture = make_fixture(core, rebuild)
        except Exception as error:  # a user's class may raise anything
            return [_raised("copy", error)]
        for name, check in PREMISES.items():
            findings.append(_judge(name, check, fixture.fresh()))
            if not findings[-1].passed:
                return findings
        return findings + [_judge(name, check, fixture.fresh()) for name, check in PROMISES.items()]


def _judge(name: str, check: Check, fixture: Fixture) -> Finding:
    declared = _declared(name, fixture.core)
    try:
        return Finding(name, True, check(fixture), declared)
    except BrokenPromiseError as broken:
        return Finding(name, False, str(broken), declared)
    except Exception as error:  # a user's class may raise anything
        return _raised(name, error, declared)


def _declared(name: str, core: Core) -> str:
    attribute = DECLARED.get(name)
    if attribute is None:
        return Finding.declared
    try:
        return f"{attribute}: {getattr(core, attribute)}"
    except Exception as error:  # whatever somebody's property may raise
        return f"{attribute}: raises {type(error).__name__}"


def _raised(name: str, error: Exception, declared: str = Finding.declared) -> Finding:
    text = " ".join(str(error).split())
    return Finding(name, False, f"raised {type(error).__name__}: {text}; this has to work", declared)
