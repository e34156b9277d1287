"""Files of policies: tensors and a card, in the format of safetensors, which holds no code."""

import os
from collections.abc import Collection
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from engram.agents.models.network import Network
from engram.policy.acting import Policy
from engram.policy.card import Card, read_card
from engram.policy.networks import build_network, plain_network

CARD = "card"
"""Entry of a file's metadata."""


def write_policy(path: str | os.PathLike[str], network: Network, card: Card) -> Path:
    """Writes a policy so that its file is whole at every moment; the same one gives the same bytes.

    Args:
        path: Where to; `.safetensors` is the suffix that others look for.
        network: The network.
        card: Its card, see `engram.policy.card.card_of`.

    Returns:
        The file.

    Raises:
        OSError: It cannot be written.
        ValueError: The card is not of this network.
    """
    state = plain_network(network, card).state_dict()
    return write_bytes_whole(path, save(state, {CARD: card.to_json()}))


def write_bytes_whole(path: str | os.PathLike[str], content: bytes) -> Path:
    """Writes a file that is whole at every moment, and returns its path."""
    file = Path(path)
    half = file.with_name(f"{file.name}.half")
    half.write_bytes(content)
    half.replace(file)
    return file


def load_policy(path: str | os.PathLike[str], own_classes: Collection[str] = ()) -> Policy:
    """Reads a policy that `rllib export` or `write_policy` has written; no code of the file's is run.

    Args:
        path: Of the file.
        own_classes: Classes of its author's own, `package.module:Class`, that may be imported where the card
            names them as core or encoder; their code does not lie in the file.

    Raises:
        ValueError: There is no such file, it is broken, of another format or no policy's at all, or its card
            and its tensors do not go together.
    """
    card, tensors = read_policy(path)
    try:
        return Policy(build_network(card, tensors, own_classes), card)
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {' '.join(str(error).split())}") from None


def read_policy(path: str | os.PathLike[str]) -> tuple[Card, dict[str, Tensor]]:
    """Reads the card and the tensors of a file, and builds nothing of them.

    Args:
        path: Of the file.

    Raises:
        ValueError: There is no such file, it is broken, of another format, or no policy's at all.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if CARD not in metadata:
                raise ValueError("no policy: there is no card in its metadata")
            return read_card(metadata[CARD]), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        raise ValueError(f"{os.fspath(path)}: {error.strerror or error}") from None
    except SafetensorError as error:
        raise ValueError(f"{os.fspath(path)}: no whole safetensors file: {error}") from None
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from None
