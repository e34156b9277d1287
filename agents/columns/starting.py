"""An algorithm's learners and env runners start from the weights that `model.init_from` names."""

import torch
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.learner.torch.torch_learner import TorchLearner

from engram.agents.models.transfer import start_of


def start_from_checkpoint(algorithm: Algorithm) -> str:
    """Copies what the model of a new algorithm asks for, if it asks for anything.

    Optimizers and counters stay as they are, fresh.

    Returns:
        Why that was not possible; empty where all is well. What is about to be restored needs no source any
        more, and nobody knows that yet when an algorithm is made.
    """
    if algorithm.config.model_config.get("init_from") is None:
        return ""
    faults = [result.get() for result in algorithm.learner_group.foreach_learner(_start)]
    if not any(faults):
        algorithm.env_runner_group.sync_weights(
            from_worker_or_learner_group=algorithm.learner_group, inference_only=True
        )
    return next(filter(None, faults), "")


def _start(learner: TorchLearner) -> str:
    """Puts the weights into a learner's network, and into its slowly moving copy where it has one."""
    module = learner.module[DEFAULT_MODULE_ID].unwrapped()
    try:
        start = start_of(module)
    except ValueError as error:  # a remote learner that raises is taken out of service
        return str(error)
    state = module.state_dict()
    for name, value in start.state.items() if start is not None else ():
        state[name].copy_(torch.from_numpy(value.copy()))
    if hasattr(module, "_target_networks"):
        for network, slow in module.get_target_network_pairs():
            slow.load_state_dict(network.state_dict())
    return ""
