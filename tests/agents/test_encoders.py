"""Encoders of boards, symbols, texts and of several parts: sizes, and what a slow twin of each says."""

import any_spaces
import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch.nn import functional

from engram.agents import ENCODERS, make_encoder
from engram.agents.models import texts
from engram.envs.forms.words import Tokens, Vocabulary

BOARD, GRID, TEXT = any_spaces.BOARD, any_spaces.GRID, any_spaces.TEXT
BYTES = spaces.Box(0, 255, (7, 7, 3), np.uint8)
HUNDRED = Tokens(Vocabulary([f"w{n}" for n in range(98)]), 9)


def seen(space, count=6, seed=0):
    """Returns a batch of observations, as tensors."""
    space.seed(seed)
    rows = [space.sample() for _ in range(count)]
    return batch(space, rows)


def batch(space, rows):
    if isinstance(space, spaces.Dict):
        return {key: batch(part, [row[key] for row in rows]) for key, part in space.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(batch(part, [row[n] for row in rows]) for n, part in enumerate(space.spaces))
    return torch.from_numpy(np.stack(rows))


def encode(encoder, observations):
    return encoder(encoder.prepare(observations))


def parameters(encoder):
    return sum(parameter.numel() for parameter in encoder.parameters())


@pytest.mark.parametrize(
    ("space", "options", "count", "size"),
    [
        (BYTES, {"type": "grid_conv"}, 10_544, 64),
        (BOARD, {"type": "grid_conv"}, 10_544, 64),
        (BOARD, {"type": "grid_conv", "channels": [16, 32, 128]}, 18_800, 128),
        (BOARD, {"type": "grid_conv", "cells": "one_hot"}, 10_544 + 17 * 16 * 4, 64),
        (BOARD, {"type": "grid_conv", "cells": "embed"}, 10_544 + 13 * 16 * 4 + 20 * 16, 64),
        (BYTES, {"type": "grid_conv", "cells": "embed", "embedding": 8}, 10_544 + 5 * 16 * 4 + 768 * 8, 64),
        (spaces.Box(0, 9, (9, 8, 3), np.uint8), {"type": "grid_conv"}, 10_544, 128),
        (HUNDRED, {"type": "gru"}, 3_200 + 62_208, 128),
        (HUNDRED, {"type": "gru", "embedding": 128}, 12_800 + 99_072, 128),
        (HUNDRED, {"type": "bag"}, 3_200, 32),
        (spaces.Discrete(4, start=1), {"type": "one_hot"}, 0, 4),
        (spaces.MultiBinary((2, 3)), {"type": "one_hot"}, 0, 6),
        (BOARD, {"type": "one_hot"}, 0, 49 * (11 + 6 + 3)),
        (spaces.Box(-1, 1, (2, 2)), {"type": "one_hot"}, 0, 4),
        (BOARD, {"type": "mlp", "cells": "one_hot", "hidden": [8]}, 49 * 20 * 8 + 8, 8),
        (BOARD, {"type": "conv", "cells": "embed", "size": 8}, 320 + 16 * (16 * 9 + 1) + 49 * 16 * 8 + 8, 8),
        (GRID, {"type": "dict"}, 10_544 + 7 * 32 + 62_208, 64 + 4 + 128),
        (GRID, {"type": "dict", "mission": {"type": "none"}}, 10_544, 64 + 4),
        (GRID, {"type": "mlp", "hidden": [8]}, 8 * (147 + 4 + 6 * 7) + 8, 8),
        (
            GRID,
            {"type": "dict", "join": "film"},
            10_544 + 7 * 32 + 62_208 + (128 + 1) * 2 * (16 + 32 + 64),
            64 + 4,
        ),
    ],
)
def test_sizes(space, options, count, size):
    encoder = make_encoder(space, options)
    assert (parameters(encoder), encoder.output_size) == (count, size)
    assert encode(encoder, seen(space)).shape == (6, size)


DEFAULTS = {
    "vector": "MLPEncoder",
    "double": "MLPEncoder",
    "number": "MLPEncoder",
    "picture": "ConvEncoder",
    "block": "MLPEncoder",
    "board": "GridConvEncoder",
    "symbol": "OneHotEncoder",
    "symbols": "OneHotEncoder",
    "rows": "OneHotEncoder",
    "bits": "OneHotEncoder",
    "plane": "OneHotEncoder",
    "tokens": "GRUEncoder",
    "grid": "DictEncoder",
    "goal": "DictEncoder",
    "hand": "DictEncoder",
    "nest": "DictEncoder",
}


@pytest.mark.parametrize("name", any_spaces.OBSERVATIONS)
def test_what_a_part_has_where_nothing_is_said(name):
    space = any_spaces.OBSERVATIONS[name]
    (part,) = make_encoder(spaces.Dict(part=space), {"type": "dict"}).parts
    assert type(part).__name__ == DEFAULTS[name]
    whole = make_encoder(space, {"type": "auto"})
    alone = DEFAULTS[name] in ("DictEncoder", "GRUEncoder")
    assert type(whole).__name__ == (DEFAULTS[name] if alone else "MLPEncoder")


def test_a_board_is_seen_by_grid_conv_as_by_its_layers():
    encoder, observations = make_encoder(BOARD, {"type": "grid_conv"}), seen(BOARD)
    first, second, third = (layer for layer in encoder.convolutions if isinstance(layer, torch.nn.Conv2d))
    scaled = observations.float() / torch.tensor([10.0, 5.0, 2.0])
    images = functional.max_pool2d(functional.relu(first(scaled.permute(0, 3, 1, 2))), 2)
    expected = functional.relu(third(functional.relu(second(images)))).flatten(1)
    torch.testing.assert_close(encode(encoder, observations), expected)


@pytest.mark.parametrize("kind", ["mlp", "conv", "grid_conv"])
def test_cells_one_hot(kind):
    """Each symbol of a cell by the bounds that it has anywhere on the board."""
    prepared = make_encoder(BOARD, {"type": kind, "cells": "one_hot"}).prepare(seen(BOARD))
    columns = [functional.one_hot(seen(BOARD)[..., n].long(), count) for n, count in enumerate((11, 6, 3))]
    assert torch.equal(prepared, torch.cat(columns, -1).float())


@pytest.mark.parametrize(("low", "high"), [(0, 10), (3, 255), (-2, 9), (250, 260)])
def test_cells_one_hot_whatever_their_type(low, high):
    """Bytes are compared as bytes where the space has no other values; what lies outside is all zeros."""
    encoder = make_encoder(spaces.Box(low, high, (2, 2), np.int64), {"type": "one_hot"})
    cells = np.random.default_rng(0).integers(0, 256, (50, 2, 2))
    expected = torch.from_numpy(cells[..., None] == np.arange(low, high + 1)).float().flatten(1)
    for dtype in (torch.uint8, torch.int16, torch.int64):
        assert torch.equal(encode(encoder, torch.from_numpy(cells).to(dtype)), expected)


def test_cells_embedded():
    space = spaces.Box(np.array([[-1, 5]]), np.array([[1, 8]]), dtype=np.int8)
    encoder = make_encoder(space, {"type": "mlp", "cells": "embed", "embedding": 3})
    table = encoder.vectors.weight
    observations = torch.tensor([[[-1, 5]], [[1, 8]], [[0, 6]]], dtype=torch.int8)
    expected = torch.stack([table[0] + table[3], table[2] + table[6], table[1] + table[4]])[:, None]
    torch.testing.assert_close(encoder.embedded(encoder.prepare(observations)), expected)
    outside = torch.tensor([[[-7, 99]]], dtype=torch.int8)
    torch.testing.assert_close(encoder.embedded(encoder.prepare(outside)), (table[0] + table[6])[None, None])


TEXTS = [
    [2, 3, 4, 0, 0, 0],
    [4, 3, 2, 0, 0, 0],
    [5, 0, 0, 0, 0, 0],
    [0] * 6,
    [2, 3, 4, 5, 6, 2],
    [2, 3, 4, 0, 0, 0],
]


def test_a_gru_ends_where_a_text_ends():
    encoder = make_encoder(TEXT, {"type": "gru", "size": 7})
    features = encode(encoder, torch.tensor(TEXTS))
    for text, found in zip(TEXTS, features, strict=True):
        words = torch.tensor([[word for word in text if word]], dtype=torch.long)
        expected = encoder.gru(encoder.vectors(words))[1][0, 0] if words.numel() else torch.zeros(7)
        torch.testing.assert_close(found, expected)
    assert torch.equal(features[0], features[5])
    assert not torch.equal(features[0], features[1])


def test_a_bag_is_a_mean_of_words():
    encoder = make_encoder(TEXT, {"type": "bag", "embedding": 5})
    features = encode(encoder, torch.tensor(TEXTS))
    for text, found in zip(TEXTS, features, strict=True):
        words = encoder.vectors.weight[[word for word in text if word]]
        torch.testing.assert_close(found, words.mean(0) if len(words) else torch.zeros(5))
    torch.testing.assert_close(features[0], features[1])


@pytest.mark.parametrize("factor", [texts.FACTOR, 0], ids=["", "all alike at first sight"])
@pytest.mark.parametrize(("rows", "words"), [(300, 2), (300, 60), (1, 60), (0, 60)])
def test_distinct_rows(rows, words, factor, monkeypatch):
    monkeypatch.setattr(texts, "FACTOR", factor)
    tokens = torch.from_numpy(np.random.default_rng(0).integers(0, words, (rows, 5)))
    found, which = texts.distinct(tokens)
    assert torch.equal(found[which], tokens)
    assert {*map(tuple, found.tolist())} == {*map(tuple, tokens.tolist())}
    assert len(found) == len(torch.unique(tokens, dim=0))


@pytest.mark.parametrize("kind", ["gru", "bag"])
def test_a_text_is_encoded_once(kind, monkeypatch):
    """And its gradient is the sum over all its places."""
    encoder = make_encoder(TEXT, {"type": kind})
    encoded = []
    original = encoder.encode
    monkeypatch.setattr(encoder, "encode", lambda texts: (encoded.append(len(texts)), original(texts))[1])
    encode(encoder, torch.tensor(TEXTS)).sum().backward()
    together = encoder.vectors.weight.grad.clone()
    assert encoded == [5]
    encoder.zero_grad()
    for text in TEXTS:
        encode(encoder, torch.tensor([text])).sum().backward()
    torch.testing.assert_close(together, encoder.vectors.weight.grad)


def test_parts_stand_side_by_side_in_the_order_of_the_space():
    encoder = make_encoder(GRID, {"type": "dict", "mission": {"type": "bag"}})
    observations = seen(GRID)
    parts = dict(zip(encoder.names, encoder.parts, strict=True))
    expected = [encode(parts[name], observations[name]) for name in GRID.spaces]
    torch.testing.assert_close(encode(encoder, observations), torch.cat(expected, 1))


def test_parts_of_a_tuple_have_numbers_and_parts_of_parts_their_names():
    space = any_spaces.OBSERVATIONS["nest"]
    options = {"type": "dict", "left": {"type": "dict", "0": {"type": "mlp", "hidden": [3]}}}
    encoder = make_encoder(space, options)
    assert encoder.output_size == 3 + (3 + 128) + 3
    assert encode(encoder, seen(space)).shape == (6, encoder.output_size)
    unknown = {"type": "dict", "left": {"type": "dict", "1": {"type": "dict", "vales": {"type": "mlp"}}}}
    with pytest.raises(ValueError, match=r"encoder\.left\.1\.vales: unknown key; did you mean 'values'\?"):
        make_encoder(space, unknown)


@pytest.mark.parametrize(
    ("space", "left_out"),
    [
        (GRID, ["mission"]),
        (GRID, ["direction", "image"]),
        (any_spaces.OBSERVATIONS["hand"], ["1"]),
        (spaces.Dict(a=spaces.Box(-1, 1, (2,)), b=spaces.Text(5)), ["b"]),
    ],
)
def test_a_part_may_be_left_out(space, left_out):
    """The others are read from their own places; what is left out may be anything."""
    encoder = make_encoder(space, {"type": "dict"} | {key: {"type": "none"} for key in left_out})
    keys = space.spaces if isinstance(space, spaces.Dict) else range(len(space.spaces))
    there = {str(key): key for key in keys if str(key) not in left_out}
    assert encoder.names == tuple(there)
    read = {key: seen(space[key]) for key in there.values()}
    observations = {key: read.get(key) for key in keys}
    parts = dict(zip(encoder.names, encoder.parts, strict=True))
    expected = [encode(parts[name], observations[key]) for name, key in there.items()]
    assert torch.equal(encode(encoder, observations), torch.cat(expected, 1))


def test_parts_may_be_written_apart_from_the_options():
    """A part that is named as an option is can be written no other way."""
    space = spaces.Dict(join=spaces.Box(-1, 1, (3,)), type=spaces.Discrete(2))
    encoder = make_encoder(space, {"type": "dict", "parts": {"join": {"type": "mlp", "hidden": [5]}}})
    assert encoder.output_size == 5 + 2


@pytest.mark.parametrize("kind", ["conv", "grid_conv", "mlp"])
def test_a_mission_scales_and_shifts_the_layers_of_a_picture(kind):
    """gamma and beta of each layer, before its ReLU; the mission is seen in no other way."""
    encoder = make_encoder(GRID, {"type": "dict", "image": {"type": kind}, "join": "film"})
    parts = dict(zip(encoder.names, encoder.parts, strict=True))
    place = encoder.names.index("image")
    observations = seen(GRID)
    conditions = encode(parts["mission"], observations["mission"])
    image, state = parts["image"], parts["image"].prepare(observations["image"])
    layers = image.layers if kind == "mlp" else image.convolutions
    state = state.flatten(1) if kind == "mlp" else state.permute(0, 3, 1, 2)
    modulations = iter(encoder.modulations[place])
    for layer in layers:
        state = layer(state)
        if hasattr(layer, "weight"):
            gamma, beta = next(modulations)(conditions)
            for each in (gamma, beta):
                assert each.shape == state.shape[:2]
            shaped = [each.view(*each.shape, *[1] * (state.ndim - 2)) for each in (gamma, beta)]
            state = shaped[0] * state + shaped[1]
    expected = functional.relu(state.flatten(1))
    expected = functional.relu(image.linear(expected)) if kind == "conv" else expected
    found = encode(encoder, observations)
    direction = encode(parts["direction"], observations["direction"])
    by_name = {"image": expected, "direction": direction}
    torch.testing.assert_close(found, torch.cat([by_name[n] for n in encoder.names if n != "mission"], 1))
    found.sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in encoder.parameters())


def test_any_part_may_scale_and_shift():
    options = {"type": "dict", "join": "film", "film": "direction", "mission": {"type": "bag"}}
    encoder = make_encoder(GRID, options)
    assert encoder.output_size == 64 + 32
    first = seen(GRID)
    other = first | {"direction": (first["direction"] + 1) % 4}
    assert not torch.allclose(encode(encoder, first)[:, -64:], encode(encoder, other)[:, -64:])


@pytest.mark.parametrize(
    ("space", "options", "message"),
    [
        (
            GRID,
            {"type": "dict", "imge": {"type": "conv"}},
            r"encoder\.imge: unknown key; did you mean 'image'\?",
        ),
        (
            GRID,
            {"type": "dict", "image": {"type": "cnv"}},
            r"encoder\.image\.type: unknown 'cnv'; did you mean",
        ),
        (
            GRID,
            {"type": "dict", "image": {"type": "conv", "chanels": [3]}},
            r"encoder\.image\.chanels: unknown",
        ),
        (
            GRID,
            {"type": "dict", "image": 3},
            r"encoder\.image: expected a mapping with the key 'type', got 3",
        ),
        (
            GRID,
            {"type": "dict", "image": {"type": "gru"}},
            r"encoder\.image: a text is a row of tokens, one Mul",
        ),
        (GRID, {"type": "dict", "join": "flm"}, r"encoder\.join: unknown 'flm'; did you mean 'film'\?"),
        (
            GRID,
            {"type": "dict", "join": "film", "film": "misson"},
            r"encoder\.film: unknown 'misson'; did you mean",
        ),
        (
            GRID,
            {"type": "dict", "film": "mission"},
            r"encoder\.film: no effect with join: concat; set join: film, or leave film out",
        ),
        (
            any_spaces.OBSERVATIONS["goal"],
            {"type": "dict", "join": "film"},
            r"encoder\.film: expected one of observation, achieved_goal, desired_goal; it is clear",
        ),
        (
            spaces.Dict(mission=TEXT, left=spaces.Discrete(3)),
            {"type": "dict", "join": "film"},
            r"encoder\.join: 'film' needs a picture, of shape",
        ),
        (GRID, {"type": "conv"}, r"encoder\.type: 'conv' needs .*, got several parts; use 'dict'"),
        (GRID, {"type": "gru"}, r"encoder: a text is a row of tokens"),
        (spaces.Discrete(3), {"type": "dict"}, r"encoder\.type: 'dict' is for a Dict or Tuple, got Discrete"),
        (
            GRID,
            {"type": "none"},
            r"encoder\.type: 'none' leaves out a part of what 'dict' encodes",
        ),
        (
            spaces.Dict(a=spaces.Discrete(3), b=spaces.Dict(c=TEXT)),
            {"type": "dict", "b": {"type": "dict", "c": {"type": "none"}}},
            r"encoder\.b: all parts of Dict\('c': .*\) are left out; one has to be encoded",
        ),
        (
            GRID,
            {"type": "dict", "join": "film", "film": "mission", "mission": {"type": "none"}},
            r"encoder\.film: unknown 'mission'; known: direction, image",
        ),
        (spaces.Dict(), {"type": "auto"}, r"encoder: there is nothing to encode in Dict\(\)"),
        (
            spaces.Dict(a=spaces.Text(5)),
            {"type": "dict"},
            r"encoder\.a: cannot encode .*; an encoder reads texts as",
        ),
        (
            spaces.Dict(a=spaces.Text(5)),
            {"type": "mlp"},
            r"encoder\.a: cannot encode .*; an encoder reads texts as",
        ),
        (
            spaces.Box(0, 9, (6, 7, 3), np.uint8),
            {"type": "grid_conv"},
            r"encoder\.channels: 3 of them need boards of 7x7 cells or more, got 6x7",
        ),
        (
            spaces.Box(0, 1, (4,)),
            {"type": "mlp", "cells": "embed"},
            r"encoder\.cells: there are no symbols in Box",
        ),
        (
            BOARD,
            {"type": "mlp", "cells": "embed", "scale": "none"},
            r"encoder\.scale: 'none' is for numbers; with",
        ),
        (
            spaces.Box(0, 2**31 - 2, (2, 2), np.int32),
            {"type": "mlp", "cells": "one_hot"},
            r"encoder\.cells: cannot encode .* as one-hot of 4,294,967,294 columns; at most 65,536",
        ),
    ],
)
def test_errors(space, options, message):
    with pytest.raises(ValueError, match=message):
        make_encoder(space, options)


@pytest.mark.parametrize("name", ["keys", "values", "items", "forward", "a.b", "training", "reader"])
def test_parts_may_have_any_name(name):
    space = spaces.Dict({name: spaces.Discrete(3), "other": spaces.Box(0, 1, (2,))})
    assert encode(make_encoder(space, {"type": "dict"}), seen(space)).shape == (6, 131)


def test_every_encoder_is_met_here():
    assert set(ENCODERS) == {
        "auto",
        "bag",
        "conv",
        "dict",
        "dqn",
        "grid_conv",
        "gru",
        "impala",
        "mlp",
        "nature",
        "none",
        "one_hot",
    }
