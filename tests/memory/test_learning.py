"""A delay that only memory can bridge: a cue, 20 steps of noise, then say which cue it was.

Fragments are 5 steps long, so that no gradient reaches from the answer to the cue. T time, B lanes.
"""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from engram.memory import detach_state, make_core

T, B, DELAY, CUE_STEPS, FEATURES = 5, 64, 20, 3, 8


class Recall:
    """Endless episodes in B lanes, out of step with each other."""

    def __init__(self) -> None:
        self.phase = torch.randint(0, DELAY, (B,))
        self.cue = torch.randint(0, 2, (B,))

    def fragment(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Inputs (T, B, FEATURES), resets, cues and whether an answer is due, each (T, B)."""
        steps = [self._step() for _ in range(T)]
        inputs, resets, cues, due = (torch.stack(column) for column in zip(*steps, strict=True))
        return inputs, resets, cues, due

    def _step(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        resets = self.phase == 0
        self.cue = torch.where(resets, torch.randint(0, 2, (B,)), self.cue)
        shown = functional.one_hot(self.cue, 2) * (self.phase < CUE_STEPS).unsqueeze(1)
        noise = torch.rand(B, FEATURES - 2) < 0.3
        due = self.phase == DELAY - 1
        self.phase = (self.phase + 1) % DELAY
        return torch.cat([shown, noise], 1).float(), resets, self.cue, due


def share_correct(options: dict[str, Any], updates: int = 500, last: int = 100) -> float:
    """Trains a core and a linear answer; the share of right answers in the last updates."""
    torch.manual_seed(0)
    core, task = make_core(FEATURES, options), Recall()
    head = nn.Linear(core.output_size, 2)
    optimiser = torch.optim.Adam([*core.parameters(), *head.parameters()], lr=3e-3)
    state, right, answers = core.initial_state(B), 0, 0
    for update in range(updates):
        inputs, resets, cues, due = task.fragment()
        outputs, state = core(inputs, state, resets)
        state = detach_state(state)
        logits, cues = head(outputs[due]), cues[due]
        optimiser.zero_grad()
        functional.cross_entropy(logits, cues).backward()
        optimiser.step()
        if update >= updates - last:
            right += int((logits.argmax(1) == cues).sum())
            answers += len(cues)
    return right / answers


@pytest.mark.parametrize("normalize", ["none", "layer", "running"])
def test_pools_remember(normalize: str) -> None:
    assert share_correct({"type": "low_pass", "pools": 6, "size": 8, "normalize": normalize}) > 0.95


def test_mlp_guesses() -> None:
    assert 0.4 < share_correct({"type": "mlp", "hidden": [32]}) < 0.6
