"""From a card and tensors to a network, without a line of code that the file brings."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from engram.agents.models.actions import model_actions
from engram.agents.models.choice import thinks
from engram.agents.models.given import find_inputs
from engram.agents.models.moments import NormalizationOptions
from engram.agents.models.network import Network
from engram.agents.models.parts import freeze
from engram.agents.models.recurrent_network import RecurrentNetwork, parse_recurrent_model
from engram.agents.models.space_data import space_of
from engram.agents.models.thinking_network import ThinkingNetwork, parse_thinking_model
from engram.memory.blame import explain
from engram.policy.card import Card, told_by


def build_network(card: Card, tensors: Mapping[str, Tensor], own_classes: Collection[str] = ()) -> Network:
    """Builds the network of a card, for evaluation.

    Args:
        card: The card.
        tensors: Weights and running statistics by name.
        own_classes: Those of the card's own classes, `package.module:Class`, that may be imported.

    Raises:
        ValueError: The card describes no network, or another one than the tensors are of.
    """
    for name in _classes(card.model):
        if name not in own_classes:
            raise ValueError(
                f"needs {name}, a class of its author's own, which is not in the file; where it is "
                f"installed, own_classes=[{name!r}] imports it"
            )
    try:
        with torch.random.fork_rng(devices=[]):
            network = _of_model(card)
            # Also where nobody trains: PyTorch multiplies in another order where no gradient is wanted.
            freeze(network, network.parts(), card.model.get("freeze") or ())
    except Exception as error:  # a card that says what nobody can build raises anything
        why = str(error) if isinstance(error, ValueError) else explain(error)
        raise ValueError(f"its card describes no network: {why}") from None
    for name, value in told_by(network).items():
        if getattr(card, name) != value:
            raise ValueError(f"its card says {name}: {getattr(card, name)!r}, and describes {value!r}")
    _fill(network, tensors)
    return network


def plain_network(network: Network, card: Card) -> Network:
    """Builds what a file of a network will be loaded as: RLlib's modules may hold more than that.

    Raises:
        ValueError: The card is not of this network.
    """
    own = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith(_TARGETS)}
    return build_network(card, own, tuple(_classes(card.model)))


_TARGETS = "_target_networks."  # slowly moving copies, of APPO


def _classes(section: Any) -> Iterator[str]:
    """The classes that a section, or one inside of it, names by `package.module:Class`."""
    if isinstance(section, Mapping):
        if ":" in str(section.get("type")):
            yield str(section["type"])
        for inner in section.values():
            yield from _classes(inner)


def _of_model(card: Card) -> Network:
    seen = space_of(card.observation_space, "observation_space")
    done = space_of(card.action_space, "action_space")
    if thinks(card.model):
        return ThinkingNetwork(parse_thinking_model(card.model), seen, done)
    parts = parse_recurrent_model(card.model)
    actions = model_actions(done, card.model)
    inputs = find_inputs(card.model, seen, actions, told_mask=card.action_mask == "info")
    normalised = card.normalization
    return RecurrentNetwork(parts, inputs, None if normalised is None else NormalizationOptions(**normalised))


def _fill(network: Network, tensors: Mapping[str, Tensor]) -> None:
    """Loads weights; raises ValueError where they are not those of the network."""
    own = network.state_dict()
    faults = [f"lacks {name}" for name in own if name not in tensors]
    faults += [f"holds {name}, which its card does not describe" for name in tensors if name not in own]
    for name in own.keys() & tensors.keys():
        found, expected = (f"{tuple(each[name].shape)} {each[name].dtype}" for each in (tensors, own))
        if found != expected:
            faults.append(f"holds {name} {found}, its card describes {expected}")
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise ValueError(f"{faults[0]}{more}")
    network.load_state_dict(tensors)
    network.eval()
    network.prepare_tests()
