"""What a RIM does with what it reads: LSTM or GRU, all RIMs at once.

B lanes, K RIMs, H units of a RIM; RIMs first, because each has weights of its own.
"""

import abc
from typing import ClassVar

import torch
from torch import Tensor
from typing_extensions import override

Hidden = tuple[Tensor, ...]
"""What a RIM carries from step to step: (hidden, cell) or (hidden,), each (K, B, H)."""


class Dynamics(abc.ABC):
    """One step of K separate recurrent networks.

    Attributes:
        gates: blocks of H units in the products with the weights.
        leaves: names of what is carried, the hidden units first.
    """

    gates: ClassVar[int]
    leaves: ClassVar[tuple[str, ...]]

    @abc.abstractmethod
    def __call__(self, drive: Tensor, recurrent: Tensor, carried: Hidden) -> Hidden:
        """What the RIMs would carry on.

        Args:
            drive: what the weights make of the input, bias included, (K, B, gates * H).
            recurrent: what the weights make of the hidden units, (K, B, gates * H).
            carried: what the RIMs carry.
        """


class LSTMDynamics(Dynamics):
    """Input, forget, output gate, candidate; Hochreiter and Schmidhuber, 1997, with forget gates."""

    gates: ClassVar[int] = 4
    leaves: ClassVar[tuple[str, ...]] = ("hidden", "cell")

    @override
    def __call__(self, drive: Tensor, recurrent: Tensor, carried: Hidden) -> Hidden:
        size = carried[0].shape[-1]
        total = drive + recurrent
        i, f, o = torch.sigmoid(total[..., : 3 * size]).chunk(3, -1)
        cell = f * carried[1] + i * torch.tanh(total[..., 3 * size :])
        return o * torch.tanh(cell), cell


class GRUDynamics(Dynamics):
    """Reset, update gate, candidate; the reset gate acts behind the recurrent weights, as in PyTorch."""

    gates: ClassVar[int] = 3
    leaves: ClassVar[tuple[str, ...]] = ("hidden",)

    @override
    def __call__(self, drive: Tensor, recurrent: Tensor, carried: Hidden) -> Hidden:
        (hidden,) = carried
        size = hidden.shape[-1]
        r, u = torch.sigmoid(drive[..., : 2 * size] + recurrent[..., : 2 * size]).chunk(2, -1)
        candidate = torch.tanh(torch.addcmul(drive[..., 2 * size :], r, recurrent[..., 2 * size :]))
        return (torch.lerp(candidate, hidden, u),)


DYNAMICS: dict[str, Dynamics] = {"lstm": LSTMDynamics(), "gru": GRUDynamics()}
