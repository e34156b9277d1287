"""The `autocast:` setting: the precision of a network's products."""

import torch

from engram.memory.options import unknown_message
from engram.memory.precision import SLOWDOWN, has_bfloat16

PRECISIONS = ("auto", "bfloat16", "none")


def check_precision(asked: str | None) -> None:
    """Raises ValueError, naming the key, where the setting is none of `PRECISIONS`, nor null."""
    if asked is not None and asked not in PRECISIONS:
        raise ValueError(unknown_message("autocast", asked, PRECISIONS))


def precision(asked: str | None, kind: str, thinks: bool) -> torch.dtype | None:
    """The dtype of products, None for that of the weights.

    Args:
        asked: The setting. `auto`: bfloat16 for networks that think, where the device has it; recurrent cores
            always compute in full precision, and the layers around them are small.
        kind: Of the learner's device, in the learner's process.
        thinks: Whether the network thinks.
    """
    if asked == "bfloat16" or (asked == "auto" and thinks and has_bfloat16(kind)):
        return torch.bfloat16
    return None


def described(asked: str | None, kind: str, thinks: bool) -> str:
    """What this machine would compute in and why, for the header."""
    dtype = precision(asked, kind, thinks)
    name = "full" if dtype is None else "bfloat16"
    if asked != "auto":
        return name
    if not thinks:
        return f"{name} (autocast auto: of recurrent cores always)"
    here = "there is" if dtype is not None else "there is no"
    return f"{name} (autocast auto: {here} bfloat16 arithmetic on this machine's {kind})"


def warning(asked: str | None, kind: str, thinks: bool) -> str | None:
    """What is wrong with an explicit precision on this machine, or None."""
    if asked != "bfloat16" or has_bfloat16(kind):
        return None
    slower = f"{SLOWDOWN} slower than in full precision" if thinks else "slower than in full precision"
    return (
        f"autocast bfloat16: there is no bfloat16 arithmetic on this machine's {kind}; where it is computed "
        f"all the same, it is {slower}. autocast: auto takes what the hardware has"
    )
