"""Cores that drop out in the ways in which a user's core may do it, and one that keeps statistics."""

import dataclasses
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional

from engram.memory import Core, CoreOptions
from engram.memory.options import number


@dataclasses.dataclass(frozen=True, kw_only=True)
class DroppingOptions(CoreOptions):
    share: float = number(0.5, "of the features dropped", low=0, high=1)


class Dropping(Core):
    """A leaky average of what is left of the input; `drop` is what a subclass makes of it."""

    Options: ClassVar[type[CoreOptions]] = DroppingOptions

    def __init__(self, input_size, options):
        super().__init__(input_size, options)
        self.output_size = self.width = input_size
        self.map = nn.Linear(input_size, input_size)
        self.add_parts(options.share)

    def initial_state(self, lanes):
        return {"mean": self.map.weight.new_zeros(lanes, self.width)}

    def unroll(self, inputs, state, resets, return_info):
        outputs = []
        for t, seen in enumerate(self.drop(self.map(inputs))):
            if resets is not None:
                state = self.reset_state(state, resets[t])
            state = {"mean": 0.5 * state["mean"] + seen}
            outputs.append(state["mean"])
        return torch.stack(outputs), state, {}


class ByLayer(Dropping):
    """Drops by `nn.Dropout`."""

    def add_parts(self, share):
        self.layer = nn.Sequential(nn.Identity(), nn.Dropout(share))

    def drop(self, features):
        return self.layer(features)


class ByFunction(Dropping):
    """Drops by the function, as long as it is in training."""

    def add_parts(self, share):
        self.share = share

    def drop(self, features):
        return functional.dropout(features, self.share, self.training)


class ByLSTM(Dropping):
    """Drops inside of PyTorch's LSTM, between two layers; what it makes of single steps."""

    def add_parts(self, share):
        self.lstm = nn.LSTM(self.input_size, self.input_size, num_layers=2, dropout=share)

    def drop(self, features):
        return self.lstm(features.reshape(1, -1, self.input_size))[0].view_as(features)


class ByAttention(Dropping):
    """Drops attention weights, of a layer of PyTorch's transformer over single steps."""

    def add_parts(self, share):
        self.layer = nn.TransformerEncoderLayer(self.input_size, 1, 8, dropout=share)

    def drop(self, features):
        return self.layer(features.reshape(1, -1, self.input_size)).view_as(features)


class Counting(nn.Module):
    """Counts the rows it has seen in training."""

    def __init__(self):
        super().__init__()
        self.register_buffer("rows", torch.zeros(()))

    def forward(self, features):
        if self.training:
            self.rows += features[..., 0].numel()
        return features


class WithStatistics(Dropping):
    """Drops, and counts in training."""

    def add_parts(self, share):
        self.layer = nn.Sequential(Counting(), nn.Dropout(share))

    def drop(self, features):
        return self.layer(features)
