"""One step of a policy as ONNX, for those who act without PyTorch.

Inputs are what is seen, `observation` or `observation.PART`, what else the network is given, the state before
the step, `state.NAME`, and `resets`; outputs are `logits`, `value` and the state after it, `next_state.NAME`.
The first axis of each is the lane.
"""

import contextlib
import importlib.util
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engram.agents.models import spaces
from engram.agents.models.given import ACTION_MASK, OBSERVATION, PREVIOUS_ACTION, PREVIOUS_REWARD
from engram.agents.models.network import Network
from engram.agents.models.recurrent_network import RecurrentNetwork
from engram.agents.models.spaces import AnySpace
from engram.policy.card import Card
from engram.policy.files import CARD, write_bytes_whole
from engram.policy.networks import plain_network

NEEDED = ("onnx", "onnxscript")
_LANES = 4  # of the example that is traced; the file takes any number


def missing_packages() -> list[str]:
    """Returns those packages that `write_onnx` needs and that are not installed."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def write_onnx(path: str | os.PathLike[str], network: Network, card: Card) -> Path:
    """Writes one step of a policy, for any number of lanes; the card goes into the metadata.

    Args:
        path: Where to.
        network: The network.
        card: Its card, see `engram.policy.card.card_of`.

    Returns:
        The file.

    Raises:
        OSError: It cannot be written.
        ValueError: The card is not of this network, or PyTorch cannot export it; `missing_packages` are
            not looked for.
    """
    step = _Step(plain_network(network, card))
    lanes = torch.export.Dim("lanes", min=2, max=2**20)
    example = step.example(_LANES)
    try:
        with _quiet():  # but with gradients: PyTorch's LSTM without them is traced for one number of lanes
            program: Any = torch.onnx.export(
                step,
                example,
                input_names=step.input_names,
                output_names=step.output_names,
                dynamic_shapes=(({0: lanes},) * len(example),),
                dynamo=True,
                verbose=False,
            )
    except Exception as error:  # of whatever stage of the exporter
        said = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ValueError(f"core {card.core}: PyTorch cannot write this network as ONNX: {said}") from None
    # What the exporter notes: where in the code each part comes from, on the machine of whoever exports.
    for noted in (program.model, program.model.graph, *program.model.graph.all_nodes()):
        noted.metadata_props.clear()
    program.model.metadata_props[CARD] = card.to_json()
    return write_bytes_whole(path, program.model_proto.SerializeToString(deterministic=True))


class _Step(nn.Module):
    """One step with flat arguments and results.

    Attributes:
        input_names: Of the arguments.
        output_names: Of the results.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self._state_names = list(network.initial_state(1))
        inputs = network.inputs if isinstance(network, RecurrentNetwork) else None
        self._space = network.observation_space if inputs is None else inputs.space
        self._beside: dict[str, tuple[int, type[Any]]] = {}
        if inputs is not None and inputs.told_mask:
            self._beside[ACTION_MASK] = inputs.actions.size, np.int8
        if inputs is not None and inputs.action:
            self._beside[PREVIOUS_ACTION] = inputs.actions.feature_size, np.float32
        if inputs is not None and inputs.reward:
            self._beside[PREVIOUS_REWARD] = 1, np.float32
        seen = [name for name, _ in _leaves(self._space, OBSERVATION)]
        before, after = ([f"{kind}.{name}" for name in self._state_names] for kind in ("state", "next_state"))
        self.input_names = [*seen, *self._beside, *before, "resets"]
        self.output_names = ["logits", "value", *after]

    def example(self, lanes: int) -> tuple[Tensor, ...]:
        """Arguments for a number of lanes, half of which reset."""
        arrays = [np.zeros((lanes, *leaf.shape), leaf.dtype) for _, leaf in _leaves(self._space, "")]
        arrays += [np.zeros((lanes, size), dtype) for size, dtype in self._beside.values()]
        state = self.network.initial_state(lanes).values()
        return (*map(torch.from_numpy, arrays), *state, torch.arange(lanes) % 2 == 0)

    def forward(self, *arguments: Tensor) -> tuple[Tensor, ...]:
        """Arguments (B, ...) to results (B, ...)."""
        *given, resets = arguments
        waiting = iter(given)
        seen = _nest(self._space, waiting)
        if self._beside:
            seen = {OBSERVATION: seen} | {name: next(waiting).unsqueeze(0) for name in self._beside}
        state = {name: next(waiting) for name in self._state_names}
        outputs = self.network.forward_columns(seen, state, resets.unsqueeze(0))
        after = (outputs.state[name] for name in self._state_names)
        return (outputs.action_dist_inputs[0], outputs.values[0], *after)


def _leaves(space: AnySpace, name: str) -> Iterator[tuple[str, Any]]:
    """The innermost spaces by name."""
    parts: Any = None
    if isinstance(space, spaces.Dict):
        parts = space.items()
    elif isinstance(space, spaces.Tuple):
        parts = enumerate(space.spaces)
    if parts is None:
        yield name, space
        return
    for key, part in parts:
        yield from _leaves(part, f"{name}.{key}")


def _nest(space: AnySpace, leaves: Iterator[Tensor]) -> Any:
    """Leaves (B, ...), in the order of `_leaves`, as a nest of (1, B, ...)."""
    if isinstance(space, spaces.Dict):
        return {key: _nest(part, leaves) for key, part in space.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(_nest(part, leaves) for part in space.spaces)
    return next(leaves).unsqueeze(0)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the exporter's remarks about packages that nobody needs here to itself."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
