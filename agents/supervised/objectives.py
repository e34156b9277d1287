"""Objectives: the loss of a batch of fragments, and which of its answers were right.

T time, B lanes, P problems, N positions of an answer, K classes.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import gymnasium as gym
from ray.rllib.core.columns import Columns
from torch import Tensor

from engram.agents.models.recurrent import RESETS, ColumnarModule
from engram.agents.models.spaces import named
from engram.agents.models.thinking import ThinkingModule
from engram.memory.core import State, detach_state
from engram.memory.losses import SEQUENCE_LOSSES, SequenceLoss, make_sequence_loss
from engram.memory.thinking import LOSSES, Loss, make_loss
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


def sequence_objective(loss: SequenceLoss) -> Objective:
    """Sequences: a loss of the answers at the steps that count.

    The batch holds observations (T, B, ...), resets, the state before them, and targets and masks, (T, B) for
    labels or (T, B, N) for bits.
    """

    def objective(module: ColumnarModule, batch: Mapping[str, Any]) -> dict[str, Any]:
        outputs = module.forward_columns(batch[Columns.OBS], batch[Columns.STATE_IN], batch[RESETS])
        logits = outputs.action_dist_inputs.flatten(0, 1).float()
        targets, masks = batch[TARGETS].flatten(0, 1), batch[MASKS].flatten(0, 1)
        labels = targets.ndim == 1
        answers = logits.argmax(1, keepdim=True) if labels else (logits > 0).to(targets.dtype)
        # Learners must take the same number of steps: one without an answer has a gradient of 0.
        value = loss(logits, targets, masks)
        solved = _solved(answers, targets, masks)
        return ObjectiveResult(value, solved, {}, detach_state(outputs.state))._asdict()

    return objective


def _solved(answers: Tensor, targets: Tensor, masks: Tensor) -> Tensor:
    """Which answers (P, N) are right wherever it counts; those of which nothing counts are left out."""
    return exact(answers, targets, masks)[masks.reshape(len(masks), -1).any(1)]


def make_objective(module: ColumnarModule, loss: Mapping[str, Any] | None) -> Objective:
    """The objective for a kind of module.

    Args:
        module: What is trained.
        loss: The `loss:` setting.

    Raises:
        ValueError: An unknown option, or one that the module has no use for.
    """
    if isinstance(module, ThinkingModule) and not module.carry:
        return thinking_objective(thinking_loss(loss))
    sequence = sequence_loss(loss)
    space = module.action_space
    if module.actions.classes is None and not isinstance(space, gym.spaces.MultiBinary):
        raise ValueError(
            f"cannot be told what is right in {named(space)}; known: Discrete, MultiBinary, and with "
            "softmax: true a Box from 0 to 1"
        )
    return sequence_objective(sequence)


def thinking_loss(loss: Mapping[str, Any] | None) -> Loss:
    """The loss of a network that thinks; without a setting `final`. Errors name the key."""
    return make_loss({"type": "final"} if loss is None else loss)


def sequence_loss(loss: Mapping[str, Any] | None) -> SequenceLoss:
    """The loss of sequences; without a setting `cross_entropy`.

    Raises:
        ValueError: There is no such loss, or it is for networks that think; the message names the key.
    """
    if loss is not None and loss.get("type") in LOSSES:
        raise ValueError(
            f"loss: {dict(loss)!r} is for networks that think over one step; else one of "
            f"{', '.join(SEQUENCE_LOSSES)}"
        )
    return make_sequence_loss({"type": "cross_entropy"} if loss is None else loss)
