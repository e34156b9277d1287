"""One algorithm takes over what another has learned, without a restart."""

import operator
from collections.abc import Mapping
from typing import Any

import numpy as np
import tree
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.core import (
    COMPONENT_LEARNER,
    COMPONENT_OPTIMIZER,
    COMPONENT_RL_MODULE,
    DEFAULT_MODULE_ID,
)


def learned(algorithm: Algorithm) -> dict[str, Any]:
    """Returns weights, running statistics included, and the optimiser's state."""
    parts = [f"{COMPONENT_LEARNER}/{part}" for part in (COMPONENT_RL_MODULE, COMPONENT_OPTIMIZER)]
    state: dict[str, Any] = algorithm.learner_group.get_state(components=parts)[COMPONENT_LEARNER]
    return {part: state[part] for part in (COMPONENT_RL_MODULE, COMPONENT_OPTIMIZER)}


def take_over(algorithm: Algorithm, state: Mapping[str, Any], optimizer: bool) -> None:
    """Goes on with another's weights, in learners and runners, from new episodes.

    Counters, clocks and its own settings stay. What is being sampled is thrown away, so nothing is learned
    from that the old weights did.

    Args:
        algorithm: One of ours.
        state: What `learned` returned of another.
        optimizer: Whether its optimiser's moments are taken, too.
    """
    taken = {COMPONENT_RL_MODULE: state[COMPONENT_RL_MODULE]}
    if (
        optimizer
    ):  # arrays of Ray's object store are read-only, and the optimiser writes into what it is given
        taken[COMPONENT_OPTIMIZER] = tree.map_structure(_owned, state[COMPONENT_OPTIMIZER])
    algorithm.learner_group.set_state({COMPONENT_LEARNER: taken})
    algorithm.forget_samples()
    group = algorithm.env_runner_group
    group.sync_weights(
        from_worker_or_learner_group=algorithm.learner_group,
        policies=[DEFAULT_MODULE_ID],
        inference_only=True,
    )
    group.foreach_env_runner(operator.methodcaller("begin_anew"))  # by its name, RLlib calls remote ones only


def _owned(leaf: Any) -> Any:
    return leaf.copy() if isinstance(leaf, np.ndarray) else leaf
