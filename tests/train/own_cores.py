"""Cores and encoders of a user's own: some as they should be, each other with one fault."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from engram.agents import Encoder
from engram.memory import Core, CoreOptions
from engram.memory.options import Options as Section


@dataclass(frozen=True, kw_only=True)
class PlainFields(CoreOptions):
    size: int = 4
    decay: float = 0.9
    kind: Literal["a", "b"] = "a"
    layers: tuple[int, ...] = (1, 2)
    label: str | None = None


class Good(Core):
    Options = PlainFields

    def __init__(self, input_size, options):
        super().__init__(input_size, options)
        self.options, self.output_size = options, getattr(options, "size", 4)
        self.linear = nn.Sequential(nn.Linear(input_size, self.output_size), nn.Dropout(0.5))

    def initial_state(self, lanes):
        return {"trace": torch.zeros(lanes, self.output_size)}

    def unroll(self, inputs, state, resets, return_info):
        trace, outputs = state["trace"], []
        for t, now in enumerate(self.linear(inputs)):
            if resets is not None:
                trace = torch.where(resets[t].unsqueeze(1), 0.0, trace)
            trace = 0.5 * (trace + now)
            outputs.append(trace)
        return torch.stack(outputs), {"trace": trace}, {}


@dataclass
class NoCoreOptions:
    size: int = 8


class PlainClass(Good):
    Options = NoCoreOptions


class DefaultOptions(Good):
    Options = CoreOptions


class Undecorated(Good):
    class Options(CoreOptions):
        size: int = 3


class OptionsAreDict(Good):
    Options = dict


@dataclass(frozen=True, kw_only=True)
class Needed(CoreOptions):
    size: int


class NeedsSize(Good):
    Options = Needed


class Noisy(Good):
    def initial_state(self, lanes):
        return {"trace": torch.randn(lanes, self.output_size)}


class RaisesMade(Good):
    def __init__(self, input_size, options):
        {}["k"]


class ValueMade(Good):
    def __init__(self, input_size, options):
        raise ValueError("nothing fits")


class KeyMade(Good):
    def __init__(self, input_size, options):
        raise ValueError("size: too small")


class ExitsMade(Good):
    def __init__(self, input_size, options):
        sys.exit(1)


class NoSuper(Good):
    def __init__(self, input_size, options):
        self.linear = nn.Linear(input_size, 3)


class NoOutputSize(Good):
    def __init__(self, input_size, options):
        super().__init__(input_size, options)
        del self.output_size


class WrongOutputs(Good):
    def unroll(self, *arguments):
        outputs, *rest = super().unroll(*arguments)
        return outputs[..., :3], *rest


class TupleState(Good):
    def initial_state(self, lanes):
        return (torch.zeros(lanes, 4),)


class LanesSecond(Good):
    def initial_state(self, lanes):
        return {"trace": torch.zeros(1, lanes, 4)}


class Shrinks(Good):
    def unroll(self, *arguments):
        outputs, state, info = super().unroll(*arguments)
        return outputs, {"trace": state["trace"][:, :3]}, info


class Deaf(Good):
    def unroll(self, inputs, state, resets, return_info):
        return super().unroll(inputs, state, None, return_info)


class Pair(Good):
    def unroll(self, *arguments):
        return super().unroll(*arguments)[:2]


class WritesInto(Good):
    def unroll(self, inputs, state, *rest):
        result = super().unroll(inputs, state, *rest)
        state["trace"].copy_(result[1]["trace"])
        return result


class RaisesRun(Good):
    def unroll(self, *arguments):
        raise RuntimeError("no such matrix")


class HangsRun(Good):
    def unroll(self, *arguments):
        time.sleep(1000)


class Abstract(Core):
    pass


class NoCore(nn.Module):
    pass


@dataclass(frozen=True, kw_only=True)
class SeenOptions(Section):
    size: int = 5


class Seen(Encoder):
    Options = SeenOptions

    def __init__(self, space, options):
        super().__init__(space, options)
        self.output_size = options.size
        self.layers = nn.Sequential(
            nn.Linear(space.shape[0], options.size), nn.BatchNorm1d(options.size), nn.Dropout(0.5)
        )

    def forward(self, prepared):
        return self.layers(prepared)


class SeenWrongly(Seen):
    def forward(self, prepared):
        return super().forward(prepared)[:, :2]


class SeenRaising(Seen):
    def forward(self, prepared):
        raise RuntimeError("no such matrix")


class SeenWithoutSize(Seen):
    def __init__(self, space, options):
        super().__init__(space, options)
        del self.output_size
