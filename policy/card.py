"""The card of a policy: what a file says of its network and where it comes from, as JSON."""

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from typing import Any

from torch import nn

from engram.agents.models.encoders import ENCODERS
from engram.agents.models.network import Network
from engram.agents.models.recurrent_network import RecurrentNetwork
from engram.agents.models.space_data import space_data

FORMAT = 1
"""Version of the layout of card and tensors; files of another one are refused."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Card:
    """What a file says of its policy.

    Attributes:
        core: The core's name, or the class of one that is its author's own.
        encoder: That of the encoder; None for networks that think in iterations.
        head: Units of the layers that policy and value share behind the core.
        parameters: How many numbers were learned.
        actions: The kind of distribution that the network's numbers describe.
        action_mask: Where it is said which actions are legal: `info`, a part of the observation, or `none`.
        previous_action: Whether the action before is an input.
        previous_reward: Whether the reward before is an input.
        scaling: What is done to observations before they are encoded; None: nothing.
        observation_space: The environment's, as `engram.agents.models.space_data` writes it.
        action_space: The same of actions.
        model: The whole `model:` section of the experiment.
        normalization: What is normalised by running statistics, which are among the tensors: `observations`,
            `rewards` and `clip`; None: nothing.
        rescaled: Whether draws of -1 to 1 stand for the bounds of a `Box`, as RLlib's own algorithms have it.
        explore: Whether its experiment's evaluations draw actions; else the likeliest is taken.
        env: The environment's id.
        env_config: Its settings.
        algorithm: What it was trained with, the experiment's `run`.
        returns: Mean returns of episodes in training: `last`, at the end of what is in the file, and `best`.
        env_steps: How long it was trained.
        seed: Of the training.
        command: What was typed.
        date: When what is in the file was saved.
        versions: Of the packages that it was trained with.
        git_commit: Of the code.
    """

    core: str
    encoder: str | None
    head: list[int]
    parameters: int
    actions: str
    action_mask: str
    previous_action: bool
    previous_reward: bool
    scaling: str | None
    observation_space: dict[str, Any]
    action_space: dict[str, Any]
    model: dict[str, Any]
    normalization: dict[str, Any] | None = None
    rescaled: bool = False
    explore: bool = False
    env: str | None = None
    env_config: dict[str, Any] = dataclasses.field(default_factory=dict)
    algorithm: str | None = None
    returns: dict[str, float | None] = dataclasses.field(default_factory=dict)
    env_steps: int | None = None
    seed: int | None = None
    command: str | None = None
    date: str | None = None
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    git_commit: str | None = None

    def data(self) -> dict[str, Any]:
        """Returns the card as JSON can hold it, the format first."""
        return {"format": FORMAT, **dataclasses.asdict(self)}

    def to_json(self) -> str:
        """Returns the card as one line of JSON."""
        return json.dumps(self.data(), allow_nan=False)


def read_card(text: str) -> Card:
    """Reads the card of a file.

    Raises:
        ValueError: It is broken, or of another format.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("its card is no JSON") from None
    if not isinstance(data, dict) or "format" not in data:
        raise ValueError("its card says no format")
    if data["format"] != FORMAT:
        raise ValueError(
            f"format {data['format']!r}; this version of engram reads {FORMAT}: another one has written it"
        )
    kinds = typing.get_type_hints(Card)
    for name, kind in kinds.items():
        if name in data and not _fits(data[name], kind):
            raise ValueError(f"its card has {name} {data[name]!r:.60}")
    nothing = (dataclasses.MISSING, dataclasses.MISSING)
    needed = [
        each.name for each in dataclasses.fields(Card) if (each.default, each.default_factory) == nothing
    ]
    if lacking := [name for name in needed if name not in data]:
        raise ValueError(f"its card lacks {', '.join(lacking)}")
    return Card(**{name: value for name, value in data.items() if name in kinds})


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value of JSON is of the kind that an annotation names, whatever may be inside of it."""
    if isinstance(kind, types.UnionType):
        return any(_fits(value, one) for one in typing.get_args(kind))
    plain = typing.get_origin(kind) or kind
    return isinstance(value, plain) and not (plain is int and isinstance(value, bool))


def card_of(network: Network, model: Mapping[str, Any], **others: Any) -> Card:
    """Writes the card of a network.

    Args:
        network: The network.
        model: The `model:` section that it was built from.
        others: Values of the attributes that a network does not tell.

    Raises:
        ValueError: A space that cannot be written.
    """
    seen, scaling = network.observation_space, None
    if isinstance(network, RecurrentNetwork):
        seen, scaling = network.inputs.space, network.encoder.reader.described()
    return Card(
        **told_by(network),
        scaling=scaling,
        observation_space=space_data(seen, "observation_space"),
        action_space=space_data(network.action_space, "action_space"),
        model=dict(model),
        **others,
    )


def told_by(network: Network) -> dict[str, Any]:
    """Returns those attributes of a card that must be as the network has them."""
    parts = network.parts()
    told = {
        "core": network.core_type,
        "parameters": sum(each.numel() for name, each in network.named_parameters() if parts.part_of(name)),
        "actions": network.actions.kind,
    }
    if not isinstance(network, RecurrentNetwork):
        beside = {"action_mask": "none", "previous_action": False, "previous_reward": False}
        return told | beside | {"encoder": None, "head": []}
    inputs = network.inputs
    return told | {
        "encoder": _encoder_name(network),
        "head": [layer.out_features for layer in network.shared_head if isinstance(layer, nn.Linear)],
        "action_mask": "info" if inputs.told_mask else inputs.mask_key or "none",
        "previous_action": inputs.action,
        "previous_reward": inputs.reward,
    }


def _encoder_name(network: RecurrentNetwork) -> str:
    kind = type(network.encoder)
    named = [name for name, known in ENCODERS.items() if known is kind]
    return named[0] if named else f"{kind.__module__}:{kind.__qualname__}"
