"""Parts of a network: groups of weights that a new run takes over from a checkpoint, or does not train."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch import nn

from engram.memory.options import unknown_message


class Parts(NamedTuple):
    """The parts of a network.

    Attributes:
        prefixes: Part to what the names of its weights begin with, up to a dot.
        heads: Those parts among them that belong to one task: a network for another one starts with new ones.
        names: What the names of weights begin with that are numbered, to the same with names that stay the
            same from one network to another.
    """

    prefixes: Mapping[str, tuple[str, ...]]
    heads: tuple[str, ...]
    names: Mapping[str, str] = {}

    def named(self, weight: str) -> str:
        """Returns the name of a weight without numbers of what has a name."""
        begins = [prefix for prefix in self.names if weight.startswith(f"{prefix}.")]
        longest = max(begins, key=len, default="")
        return self.names[longest] + weight[len(longest) :] if longest else weight

    def part_of(self, weight: str) -> str | None:
        """Returns the part that a weight belongs to; None where it is in none, as a target network's."""
        found = (part for part, prefixes in self.prefixes.items() if _begins(weight, prefixes))
        return next(found, None)

    def members(self, weight: str) -> str:
        """Returns where inside its part a weight lies: names of modules, dotted, the outermost first."""
        part = self.part_of(weight)
        for prefix in () if part is None else self.prefixes[part]:
            if weight.startswith(f"{prefix}."):
                return weight[len(prefix) + 1 :].rpartition(".")[0]
        return ""


def freeze(module: nn.Module, parts: Parts, names: Sequence[str]) -> tuple[str, ...]:
    """Takes some parts of a module out of training.

    Returns:
        Their names.

    Raises:
        ValueError: There is no such part, or nothing would be left to train.
    """
    for name in names:
        if name not in parts.prefixes:
            raise ValueError(unknown_message("freeze", name, parts.prefixes))
    for name, parameter in module.named_parameters():
        if parts.part_of(name) in names:
            parameter.requires_grad_(False)
    if names and not any(parameter.requires_grad for _, parameter in module.named_parameters()):
        raise ValueError(f"freeze: {', '.join(names)} is all there is; nothing would be left to train")
    return tuple(dict.fromkeys(names))


def hold_still(module: nn.Module, parts: Parts, names: Sequence[str]) -> None:
    """Puts frozen parts into evaluation mode, in which running statistics stay, too."""
    prefixes = tuple(prefix for name in names for prefix in parts.prefixes[name])
    for name, inner in module.named_modules():
        if _begins(name, prefixes):
            inner.training = False


def _begins(name: str, prefixes: Sequence[str]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)
