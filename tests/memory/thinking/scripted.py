"""A network whose answers are a table, to try losses on. B problems, N positions, T iterations."""

from typing import Any

import torch
from torch import Tensor, nn

from engram.memory.thinking import Answers, Thinker, ThinkerOptions

N = 5


class Scripted(Thinker):
    """Its thought and its answer after iteration t are row t of `table`; calls are counted.

    Attributes:
        begun, iterations: calls of `begin` and `iterate`.
        tracked: those of `iterate` that had a graph.
        answered: problems that were answered with a graph.
    """

    outer_layers, layers_per_iteration = 0, 1

    def __init__(self, table: Tensor) -> None:
        super().__init__((1, N), Answers(), ThinkerOptions(thinking_steps=len(table)))
        self.table = nn.Parameter(table)
        self.begun = self.iterations = self.tracked = self.answered = 0

    def begin(self, problems: Tensor) -> Tensor:
        self.begun += 1
        return torch.zeros_like(self.table[0])

    def iterate(self, thought: Tensor, problems: Tensor, iteration: int) -> Tensor:
        self.iterations += 1
        self.tracked += torch.is_grad_enabled()
        return self.table[iteration]

    def answer(self, thought: Tensor) -> Tensor:
        self.answered += len(thought) * torch.is_grad_enabled()
        return thought

    def recurrent_parameters(self) -> list[nn.Parameter]:
        return [self.table]


def as_bad_as(losses: list[Any]) -> Scripted:
    """Has these cross-entropies after each iteration if 0 is right everywhere: numbers, or (B,) each."""
    wanted = torch.tensor(losses, dtype=torch.float64).reshape(len(losses), -1, 1).expand(-1, -1, N)
    wrong = wanted.expm1().log()  # log(1 + exp(wrong)) = loss, the other logit being 0
    return Scripted(torch.stack((torch.zeros_like(wrong), wrong), 2))
