"""Losses of sequences against their formulas, written out with probabilities."""

import math

import pytest
import torch

from engram.memory.losses import SEQUENCE_LOSSES, SequenceLoss, make_sequence_loss

ODDS = torch.tensor([[1.0, 3.0], [4.0, 1.0], [1.0, 1.0], [9.0, 1.0]])  # of two classes, at four steps
TARGETS = torch.tensor([1, 1, 0, 0])
COUNTS = torch.tensor([True, True, True, False])
RIGHT = (3 / 4, 1 / 5, 1 / 2)  # probabilities of what is right where it counts


def loss_of(options, logits=None, targets=TARGETS, masks=COUNTS):
    return make_sequence_loss(options)(ODDS.log() if logits is None else logits, targets, masks)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"type": "neg_prob"}, -sum(RIGHT) / 4),
        ({"type": "neg_prob", "average_over": "counted"}, -sum(RIGHT) / 3),
        ({"type": "cross_entropy"}, -sum(map(math.log, RIGHT)) / 3),
        ({"type": "cross_entropy", "average_over": "all"}, -sum(map(math.log, RIGHT)) / 4),
    ],
)
def test_losses_of_labels(options, expected):
    assert loss_of(options).item() == pytest.approx(expected)


@pytest.mark.parametrize("name", SEQUENCE_LOSSES)
def test_bits_are_answers_of_their_own(name):
    """Two steps of two bits: each is a choice between two classes, of which class 0 has a logit of 0."""
    logits, bits = torch.tensor([[1.5, -0.5], [0.3, 2.0]]), torch.tensor([[1, 1], [0, 0]], dtype=torch.int8)
    masks = torch.tensor([[True, True], [False, True]])
    classes = torch.stack([torch.zeros(4), logits.flatten()], 1)
    as_labels = loss_of({"type": name}, classes, bits.flatten().long(), masks.flatten())
    assert loss_of({"type": name}, logits, bits, masks).item() == pytest.approx(as_labels.item())


@pytest.mark.parametrize("name", SEQUENCE_LOSSES)
def test_where_nothing_counts_nothing_is_learned(name):
    logits = ODDS.log().requires_grad_()
    loss = loss_of({"type": name}, logits, masks=torch.zeros(4, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0.0
    assert not logits.grad.any()


def test_a_loss_of_ones_own():
    """The Brier score of what is right."""
    assert loss_of({"type": f"{__name__}:Brier"}).item() == pytest.approx(
        sum((1 - p) ** 2 for p in RIGHT) / 3
    )


class Brier(SequenceLoss):
    def cost(self, log_likelihoods):
        return (1 - log_likelihoods.exp()) ** 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"type": "neg_prop"}, r"loss\.type: unknown 'neg_prop'; did you mean 'neg_prob'\?"),
        ({"type": "neg_prob", "over": 1}, r"loss\.over: unknown key; .*known: average_over"),
        ({"type": "neg_prob", "average_over": "al"}, r"loss\.average_over: .*'al'; .*all"),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make_sequence_loss(options)
