"""Encoders of large pictures: sizes, a slow twin of each, and what of a batch are floats at a time."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn
from torch.nn import functional

from engram.agents import make_encoder
from engram.agents.models import pictures
from engram.envs.forms.frames import FrameStack

BIG, SMALL = FrameStack(84, 84, 1, 4), FrameStack(42, 42, 1, 4)
TINY = FrameStack(20, 21, 1, 4)


def bytes_of(space, count=5):
    return torch.randint(0, 256, (count, *space.shape), generator=torch.manual_seed(0)).to(torch.uint8)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("space", "options", "total", "convolutional", "size"),
    [
        (BIG, {"type": "nature"}, 1_684_128, 77_984, 512),
        (BIG, {"type": "nature", "channels": [32, 64, 32]}, 59_520 + 803_328, 59_520, 512),
        (SMALL, {"type": "dqn"}, 1_040 + 8_224 + 663_808, 9_264, 256),
        (SMALL, {"type": "dqn", "first_stride": 4}, 86_320, 12_336, 256),
        (SMALL, {"type": "nature"}, 2_080 + 32_832 + 36_928 + 1_606_144, 71_840, 512),
        (BIG, {"type": "dqn"}, 676_144, 12_336, 256),
        (
            BIG,
            {"type": "dqn", "first_stride": 3},
            6 * 6 * 4 * 16 + 16 + 8_224 + 12 * 12 * 32 * 256 + 256,
            10_544,
            256,
        ),
        (BIG, {"type": "impala"}, 1_089_232, 97_744, 256),
        (SMALL, {"type": "impala"}, 392_912, 97_744, 256),
    ],
)
def test_sizes(space, options, total, convolutional, size):
    encoder = make_encoder(space, options)
    assert (count(encoder), count(encoder.convolutions), encoder.output_size) == (total, convolutional, size)


@pytest.mark.parametrize("kind", ["nature", "dqn", "impala"])
def test_initial_weights(kind):
    """Rows, or columns where these are fewer, are orthogonal, and of length root 2; or all is PyTorch's."""
    encoder, plain = (make_encoder(SMALL, {"type": kind, "init": init}) for init in ("orthogonal", "torch"))
    if kind == "nature":
        encoder = make_encoder(BIG, {"type": kind})  # by default
    layers = [each for each in encoder.modules() if isinstance(each, nn.Conv2d | nn.Linear)]
    for layer in layers:
        weight = layer.weight.detach().flatten(1)
        shorter = weight if len(weight) <= weight.shape[1] else weight.T
        np.testing.assert_allclose(shorter @ shorter.T, 2 * np.eye(len(shorter)), atol=1e-5)
        assert not layer.bias.any()
    bound = plain.linear.in_features**-0.5
    assert 0.9 * bound < plain.linear.weight.abs().max() <= bound
    assert plain.linear.bias.any()


def test_layers_of_pictures_of_half_the_size_are_as_large():
    for kind in ("nature", "dqn"):
        large, small = (make_encoder(space, {"type": kind}).linear.in_features for space in (BIG, SMALL))
        assert large == small


@pytest.mark.parametrize(("side", "stride"), [(63, 2), (64, 4)])
def test_where_the_first_stride_changes(side, stride):
    encoder = make_encoder(FrameStack(side, 84, 1, 4), {"type": "dqn"})
    assert encoder.convolutions[0].stride == (stride, stride)
    assert encoder.convolutions[0].kernel_size == (2 * stride, 2 * stride)


def slow_nature(encoder, images, first=2):
    for layer, stride in zip(convolutions_of(encoder), (first, 2, 1), strict=False):
        images = torch.relu(functional.conv2d(images, layer.weight, layer.bias, stride))
    return images


def slow_impala(encoder, images):
    for section in range(3):
        first, *blocks = list(convolutions_of(encoder))[5 * section : 5 * section + 5]
        images = functional.conv2d(images, first.weight, first.bias, padding=1)
        images = functional.max_pool2d(images, 3, 2, 1)
        for one, two in (blocks[:2], blocks[2:]):
            inner = functional.conv2d(torch.relu(images), one.weight, one.bias, padding=1)
            inner = functional.conv2d(torch.relu(inner), two.weight, two.bias, padding=1)
            images = images + inner
    return torch.relu(images)


def convolutions_of(encoder):
    return [layer for layer in encoder.modules() if isinstance(layer, nn.Conv2d)]


@pytest.mark.parametrize(
    ("kind", "space", "slow"),
    [
        ("nature", FrameStack(37, 40, 3, 2), slow_nature),
        ("dqn", TINY, slow_nature),
        ("impala", TINY, slow_impala),
    ],
)
@pytest.mark.parametrize("floats", [False, True])
def test_bytes_are_encoded_as_floats_by_a_slow_twin_gradients_too(kind, space, slow, floats, monkeypatch):
    """In double precision, in chunks; `floats`: of a space whose elements are not scaled alike."""
    monkeypatch.setattr(pictures, "CHUNK", 2)
    seen, low = bytes_of(space), space.low
    if floats:
        low = low.copy()
        low[0, 0, 0] = 1
    space = spaces.Box(low, space.high, dtype=np.uint8)
    encoder = make_encoder(space, {"type": kind, "size": 7}).double()
    assert encoder.inside is not floats
    scaled = encoder.reader(seen, torch.float64).permute(0, 3, 1, 2)
    expected = torch.relu(encoder.linear(slow(encoder, scaled).flatten(1)))
    got = encoder(encoder.prepare(seen))
    with torch.no_grad():
        acting = encoder(encoder.prepare(seen))
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(acting, expected, rtol=0, atol=1e-12)
    weights = list(encoder.parameters())
    heads = torch.randn(expected.shape, dtype=torch.float64)
    for one, other in zip(
        torch.autograd.grad((got * heads).sum(), weights),
        torch.autograd.grad((expected * heads).sum(), weights),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def test_nothing_but_bytes_is_kept_for_the_first_gradient():
    """What autograd saves of a batch: the pictures as they are, and no floats of their size."""
    encoder, seen = make_encoder(SMALL, {"type": "dqn"}), bytes_of(SMALL, 3)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: saved.append(x) or x, lambda x: x):
        encoder(encoder.prepare(seen))
    assert [x.dtype for x in saved if x.numel() == seen.numel()] == [torch.uint8]


@pytest.mark.parametrize(
    ("space", "options", "said"),
    [
        (spaces.Box(0, 1, (4,)), {"type": "nature"}, r"'nature' needs observations of shape .* got \(4,\)"),
        (
            TINY,
            {"type": "nature", "first_stride": 4},
            "pictures of 20x21 are too small for 3 convolutions, the first with first_stride 4; leave",
        ),
        (
            SMALL,
            {"type": "dqn", "first_stride": 65},
            "encoder.first_stride: expected an integer <= 64, got 65",
        ),
        (
            BIG,
            {"type": "dqn", "first_stride": 0},
            "encoder.first_stride: expected an integer >= 1, or none, got 0",
        ),
        (BIG, {"type": "dqn", "channels": [1, 2, 3, 4]}, "channels: there are 3 convolutions, got 4"),
        (BIG, {"type": "impala", "channls": [1]}, "encoder.channls: unknown key; did you mean 'channels'"),
    ],
)
def test_refused(space, options, said):
    with pytest.raises(ValueError, match=said):
        make_encoder(space, options)


@pytest.mark.parametrize(
    ("space", "kind"),
    [
        (BIG, pictures.NatureEncoder),
        (SMALL, pictures.DQNEncoder),
        (FrameStack(12, 12, 1, 4), type(make_encoder(spaces.Box(0, 1, (4,)), {"type": "mlp"}))),
    ],
)
def test_what_suits_pictures_of_several_frames(space, kind):
    assert type(make_encoder(space, {"type": "auto"})) is kind
