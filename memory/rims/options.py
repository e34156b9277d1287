"""Options of `rims`, and the presets that name published variants.

K RIMs, H units of a RIM, F features.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from engram.memory.core import CoreOptions
from engram.memory.options import boolean, choice, integer, number


@dataclasses.dataclass(frozen=True, kw_only=True)
class RIMsOptions(CoreOptions):
    """Options of `rims`; where the paper leaves a question open, the answer is an option."""

    num_rims: int = integer(6, "recurrent modules K", unit="RIMs", high=256)
    rim_size: int = integer(100, "units of each RIM, H; the output is K * H wide", unit="units", high=4096)
    num_active: int = integer(4, "RIMs that are updated in each step", unit="RIMs", high=256)
    dynamics: str = choice("lstm", "what a RIM does with what it reads", ("lstm", "gru"))
    bias: bool = boolean(True, "bias in the dynamics")
    forget_bias: float = number(0.0, "what the forget gate of an LSTM starts with", low=-10, high=10)
    initial_state: str = choice(
        "zeros",
        "state at the start of an episode; random: drawn anew each time, zeros under policy gradients",
        ("zeros", "learned", "random"),
    )
    elements: int = integer(
        1, "input elements per step; the features are cut into as many", unit="elements", high=4096
    )

    input_attention: bool = boolean(True, "false: every RIM reads the value of the input, all are active")
    input_heads: int = integer(1, "heads of the attention to the input", unit="heads", high=64)
    input_key_size: int = integer(64, "width of keys and queries over all heads", unit="units", high=4096)
    input_value_size: int | None = integer(
        None, "width of values over all heads; none: 4 * H", unit="units", high=16384
    )
    input_bias: bool = boolean(False, "bias of keys and values, so that the null input is not zero")
    input_dropout: float = number(
        0.0, "share of attention weights to the input dropped in training", low=0, high=0.9
    )
    input_dropout_on: str = choice(
        "weights", "what is dropped: attention weights, or what was read", ("output", "weights")
    )
    mask_read: bool = boolean(False, "what an inactive RIM would have become, it becomes without input")
    selection: str = choice(
        "null",
        "active are those with the least attention to the null input, or the largest logit of the input",
        ("null", "logit"),
    )
    compete: str = choice(
        "inputs",
        "softmax over null and input in each RIM, or over the RIMs, the largest shares kept, without null",
        ("inputs", "rims"),
    )
    margin: bool = boolean(
        False,
        "with compete: rims, the largest share that is not kept is subtracted from those that are, and what "
        "is left is scaled; where RIMs attend alike, they read nothing",
    )
    attention_init: str = choice(
        "uniform",
        "maps of both attentions start within 1/sqrt(fan in), or normal with deviation 0.01",
        ("uniform", "normal"),
    )

    communication: bool = boolean(True, "active RIMs read all RIMs")
    comm_heads: int = integer(4, "heads of the attention between RIMs", unit="heads", high=64)
    comm_key_size: int = integer(32, "width of keys and queries of each head", unit="units", high=4096)
    comm_value_size: int | None = integer(
        32, "width of the values of each head; none: H", unit="units", high=4096, or_none=True
    )
    comm_dropout: float = number(0.0, "share dropped in training", low=0, high=0.9)
    comm_dropout_on: str = choice(
        "output", "what is dropped: attention weights, or what was read", ("output", "weights")
    )
    read_candidate: bool = boolean(False, "others read what an inactive RIM would have become")
    block_inactive: bool = boolean(False, "no gradient of communication into inactive RIMs")
    gated: bool = boolean(False, "what is read passes a gate and a tanh, their weights shared by the RIMs")

    def __post_init__(self) -> None:
        """Checks the fields, then one against the other; errors as in `Options`."""
        super().__post_init__()
        if self.num_active > self.num_rims:
            raise ValueError(f"num_active: expected at most num_rims, {self.num_rims}, got {self.num_active}")
        for key, width in (("input_key_size", self.input_key_size), ("input_value_size", self.value_size)):
            if width % self.input_heads:
                raise ValueError(
                    f"{key}: expected a multiple of input_heads, {self.input_heads}, got {width}"
                )
        if not self.input_attention and self.num_active != self.num_rims:
            raise ValueError(
                "num_active: expected num_rims where input_attention is false: all RIMs are active"
            )
        if self.compete == "rims" and self.elements != 1:
            raise ValueError("compete: 'rims' is defined for one input element only")
        if self.margin and self.compete != "rims":
            raise ValueError("margin: no effect with compete: inputs; set compete: rims, or leave margin out")

    @property
    def value_size(self) -> int:
        """Width of what a RIM reads from the input."""
        return self.input_value_size or 4 * self.rim_size


PRESETS: Mapping[str, Mapping[str, Any]] = {
    # Table 3 of the paper; key and value widths are read as totals over the heads.
    "paper": {"input_heads": 4, "input_dropout": 0.1, "comm_dropout": 0.1},
    # The authors' public code for copying and the like, without what never trains or is never used in it: a
    # map of the null input, a second bias of the LSTM, a layer norm and a gate.
    "authors": {
        "comm_key_size": 16,
        "comm_value_size": 16,
        "input_dropout": 0.1,
        "input_dropout_on": "output",
        "comm_dropout": 0.1,
        "read_candidate": True,
        "block_inactive": True,
        "gated": True,
        "attention_init": "normal",
    },
    # The authors' public code for Atari: RIMs compete for the only input, without one of zeros beside it. No
    # dropout: under a policy gradient it would have no effect.
    "authors_atari": {
        "rim_size": 85,
        "dynamics": "gru",
        "compete": "rims",
        "margin": True,
        "read_candidate": True,
        "block_inactive": True,
        "gated": True,
        "attention_init": "normal",
    },
    # The other widely used public implementation, in its LSTM form; initial weights are as in `authors`.
    "dido": {
        "input_bias": True,
        "selection": "logit",
        "comm_value_size": None,
        "input_dropout": 0.1,
        "comm_dropout": 0.1,
        "comm_dropout_on": "weights",
        "mask_read": True,
        "read_candidate": True,
        "block_inactive": True,
        "bias": False,
        "attention_init": "normal",
        "initial_state": "random",
    },
}
