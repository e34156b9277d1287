"""Objectives: the loss of a batch of fragments, and which of its answers were right.

T time, B lanes, P problems, N positions of an answer, K classes.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import gymnasium as gym
from ray.rllib.core.columns import Columns
from torch import Tensor
from torch.nn import functional

from engram.agents.models.recurrent import RESETS, ColumnarModule
from engram.agents.models.spaces import named
from engram.agents.models.thinking import ThinkingModule
from engram.memory.core import State, detach_state
from engram.memory.thinking import Loss, make_loss
from engram.memory.thinking.predictions import exact, predict

TARGETS = "targets"
MASKS = "masks"


class ObjectiveResult(NamedTuple):
    """The results of an objective on a batch.

    Attributes:
        loss: What is minimised, a scalar.
        solved: Whether each answer is right in every part that counts, bool (answers,); answers of which
            nothing counts are left out.
        metrics: Numbers to log.
        state: State after the last step, no gradient.
    """

    loss: Tensor
    solved: Tensor
    metrics: dict[str, Tensor]
    state: State


Objective = Callable[[Any, Mapping[str, Any]], dict[str, Any]]
"""Takes a module and a batch, and gives the fields of an `ObjectiveResult`."""


def thinking_objective(loss: Loss) -> Objective:
    """Puzzles of one step: a loss over the answers after several iterations.

    The batch holds problems (P, ...), targets and masks (P, N), or (P,) for labels.
    """

    def objective(module: ThinkingModule, batch: Mapping[str, Any]) -> dict[str, Any]:
        targets, masks = batch[TARGETS], batch[MASKS]
        value, diagnostics = loss(module.thinker, batch[Columns.OBS], targets, masks)
        answers = predict(diagnostics.pop("logits"), masks, module.readout.top)
        return ObjectiveResult(value, _solved(answers, targets, masks), diagnostics, {})._asdict()

    return objective


def sequence_objective(module: ColumnarModule, batch: Mapping[str, Any]) -> dict[str, Any]:
    """Sequences: cross-entropy at the steps that count.

    The batch holds observations (T, B, ...), resets, the state before them, and targets and masks, (T, B) for
    labels or (T, B, N) for bits.
    """
    outputs = module.forward_columns(batch[Columns.OBS], batch[Columns.STATE_IN], batch[RESETS])
    logits = outputs.action_dist_inputs.flatten(0, 1).float()
    targets, masks = batch[TARGETS].flatten(0, 1), batch[MASKS].flatten(0, 1)
    losses, answers = _bits(logits, targets) if targets.ndim > 1 else _labels(logits, targets)
    # Learners must take the same number of steps: a stretch without an answer is one, with a gradient of 0.
    loss = (losses * masks).sum() / masks.sum().clamp(min=1)
    solved = _solved(answers, targets, masks)
    return ObjectiveResult(loss, solved, {}, detach_state(outputs.state))._asdict()


def _labels(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropies (P,) and answers (P, 1) of logits (P, K)."""
    return functional.cross_entropy(logits, targets, reduction="none"), logits.argmax(1, keepdim=True)


def _bits(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropies and answers, both (P, N), of the logits of bits (P, N)."""
    losses = functional.binary_cross_entropy_with_logits(logits, targets.float(), reduction="none")
    return losses, (logits > 0).to(targets.dtype)


def _solved(answers: Tensor, targets: Tensor, masks: Tensor) -> Tensor:
    """Which answers (P, N) are right wherever it counts; those of which nothing counts are left out."""
    return exact(answers, targets, masks)[masks.reshape(len(masks), -1).any(1)]


def make_objective(module: ColumnarModule, loss: Mapping[str, Any]) -> Objective:
    """The objective for a kind of module.

    Args:
        module: What is trained.
        loss: The `loss:` setting.

    Raises:
        ValueError: An unknown option, or one that the module has no use for.
    """
    if isinstance(module, ThinkingModule) and not module.carry:
        return thinking_objective(make_loss(loss))
    check_sequence_loss(loss)
    if not isinstance(module.action_space, gym.spaces.Discrete | gym.spaces.MultiBinary):
        raise ValueError(
            f"cannot be told what is right in {named(module.action_space)}; known: Discrete, MultiBinary"
        )
    return sequence_objective


def check_sequence_loss(loss: Mapping[str, Any]) -> None:
    """Checks the `loss:` setting of a module that does not think; raises ValueError naming the key."""
    if dict(loss) != {"type": "final"}:
        raise ValueError(
            f"loss: {dict(loss)!r} is for networks that think over one step; else only {{type: final}}"
        )
