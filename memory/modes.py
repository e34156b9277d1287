"""Training without chance: what a policy gradient needs, whose density must be the one that acted."""

import dataclasses
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

from engram.memory.core import Core


def without_chance(network: nn.Module) -> None:
    """Puts a network into training mode, but for what is drawn at random there.

    Dropout hangs on `training`, of `nn.Dropout` and of any module that calls `functional.dropout`; and so do
    running statistics, which must go on. Statistics are buffers: a module that holds buffers of its own stays
    in training mode, all others are in evaluation mode, which makes no difference to gradients. A module
    of which that is not true says so by an attribute `keeps_statistics`, true or false. Layers of PyTorch's
    recurrent kind stay in training mode (cuDNN asks for it) and lose their dropout for good. So does a core
    its random initial states, which it keeps under `random_start`.

    Args:
        network: A core, an encoder, or what is made of them.
    """
    for part in network.modules():
        if isinstance(part, nn.RNNBase):
            part.training, part.dropout = True, 0.0
        else:
            part.training = keeps_statistics(part)
        if isinstance(part, Core):
            part.random_start = False


def keeps_statistics(part: nn.Module) -> bool:
    """Whether a module, not counting those inside of it, updates statistics in training mode."""
    said: bool | None = getattr(part, "keeps_statistics", None)
    if said is not None:
        return said
    if isinstance(part, _DropoutNd):
        return False
    return any(True for _ in part.buffers(recurse=False))


def chances(network: nn.Module, options: Any = None) -> dict[str, float | str]:
    """What `without_chance` takes away from a network, by the name of the option or of the layer.

    Args:
        network: A core.
        options: The dataclass it was made from, if any.

    Returns:
        Shares that dropout drops, and `random` for initial states.
    """
    fields = dataclasses.fields(options) if dataclasses.is_dataclass(options) else ()
    values = {field.name: getattr(options, field.name) for field in fields}
    found = {name: value for name, value in values.items() if _is_chance(name, value)}
    if found:
        return found
    for name, part in network.named_modules():
        share = part.p if isinstance(part, _DropoutNd) else getattr(part, "dropout", None)
        if isinstance(share, float) and share > 0:
            found[name or type(part).__name__] = share
    return found


def _is_chance(name: str, value: Any) -> bool:
    dropped = (
        "dropout" in name and isinstance(value, float | int) and not isinstance(value, bool) and value > 0
    )
    return dropped or (name == "initial_state" and value == "random")


def normalises_by_batch(network: nn.Module) -> bool:
    """Whether a network normalises by the batch in training, and by running statistics otherwise."""
    return any(isinstance(part, _NormBase) and part.track_running_stats for part in network.modules())
