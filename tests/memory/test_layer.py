"""Cores called as PyTorch's recurrent layers are. T time, B lanes, F features."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from engram.memory import Core, CoreOptions, Info, LayerState, RecurrentLayer, State, make_core
from engram.memory.classic.lstm import LSTM

from .cases import CASES, label

T, B, F, H = 9, 5, 6, 4
LENGTHS = [3, 9, 1, 9, 4]

every_core = pytest.mark.parametrize("options", CASES, ids=label)


def build(options: dict[str, Any], **arguments: Any) -> RecurrentLayer:
    torch.manual_seed(0)
    return RecurrentLayer(F, options, **arguments).double().eval()


def series(*shape: int) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def leaves(state: LayerState) -> tuple[Tensor, ...]:
    return (state,) if isinstance(state, Tensor) else state


def assert_same(left: Any, right: Any) -> None:
    torch.testing.assert_close(left, right, rtol=1e-9, atol=1e-11)


def pair(**arguments: Any) -> tuple[nn.LSTM, RecurrentLayer]:
    """PyTorch's LSTM, and a layer with the same weights."""
    layer = build({"type": "lstm", "size": H}, **arguments)
    reference = nn.LSTM(F, H, **arguments).double().eval()
    with torch.no_grad():
        for number, core in enumerate(layer.cores):
            assert isinstance(core, LSTM)
            for name, weight in core.lstm.named_parameters():
                weight.copy_(reference.get_parameter(name.replace("l0", f"l{number}")))
    return reference, layer


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("carried", [False, True])
def test_equals_pytorch_padded(layers: int, batch_first: bool, carried: bool) -> None:
    reference, layer = pair(num_layers=layers, batch_first=batch_first)
    inputs = series(B, T, F) if batch_first else series(T, B, F)
    state = (series(layers, B, H), series(layers, B, H)) if carried else None
    expected, expected_state = reference(inputs, state)
    outputs, after = layer(inputs, state)
    assert_same(outputs, expected)
    assert isinstance(after, tuple)
    assert_same(after, expected_state)
    assert_same(torch.autograd.grad(outputs.sum(), inputs), torch.autograd.grad(expected.sum(), inputs))


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("lengths", [LENGTHS, sorted(LENGTHS, reverse=True), [2, 1, 2, 2, 1]], ids=str)
def test_equals_pytorch_packed(layers: int, batch_first: bool, lengths: list[int]) -> None:
    reference, layer = pair(num_layers=layers, batch_first=batch_first)
    inputs = series(B, T, F) if batch_first else series(T, B, F)
    ordered = lengths == sorted(lengths, reverse=True)
    packed = pack_padded_sequence(inputs, torch.tensor(lengths), batch_first, enforce_sorted=ordered)
    state = (series(layers, B, H), series(layers, B, H))
    expected, expected_state = reference(packed, state)
    outputs, after = layer(packed, state)
    assert isinstance(outputs, PackedSequence)
    for one, other in zip(outputs, expected, strict=True):
        assert_same(one, other)
    assert_same(after, expected_state)
    given, given_after = layer(inputs, state, lengths=torch.tensor(lengths))
    padded, _ = pad_packed_sequence(expected, batch_first, total_length=T)
    assert_same(given, padded)
    assert_same(given_after, expected_state)
    gradients = [torch.autograd.grad(result.sum(), inputs)[0] for result in (given, padded)]
    assert_same(*gradients)


def test_attributes_are_those_of_pytorch() -> None:
    reference, layer = pair(num_layers=2, batch_first=True, dropout=0.25)
    for name in ("input_size", "hidden_size", "num_layers", "batch_first", "dropout"):
        assert getattr(layer, name) == getattr(reference, name)
    assert build({"type": "mlp", "hidden": [7, 3]}).hidden_size == 3


@every_core
def test_steps_equal_the_whole(options: dict[str, Any]) -> None:
    layer = build(options)
    inputs = series(T, B, F)
    resets = torch.rand(T, B) < 0.2
    whole, after = layer(inputs, resets=resets)
    assert whole.shape == (T, B, layer.hidden_size)
    assert all(leaf.shape[:2] == (1, B) and leaf.ndim == 3 for leaf in leaves(after))
    state: LayerState | None = None
    for t in range(T):
        output, state = layer(inputs[t : t + 1], state, resets=resets[t : t + 1])
        assert_same(output[0], whole[t])
    assert_same(state, after)


@every_core
def test_lengths_equal_lanes_run_alone(options: dict[str, Any]) -> None:
    layer = build(options)
    inputs, resets = series(T, B, F), torch.rand(T, B) < 0.2
    ends = [3, 9, 0, 9, 4]
    before = layer(series(2, B, F))[1]
    outputs, after = layer(inputs, before, lengths=ends, resets=resets)
    for lane, end in enumerate(ends):
        own = tuple(leaf[:, lane : lane + 1] for leaf in leaves(before))
        assert not outputs[end:, lane].any()
        if end:
            alone, own = layer(
                inputs[:end, lane : lane + 1],
                own[0] if isinstance(before, Tensor) else own,
                resets=resets[:end, lane : lane + 1],
            )
            assert_same(outputs[:end, lane], alone[:, 0])
        for one, other in zip(leaves(after), leaves(own), strict=True):
            assert_same(one[:, lane], other[:, 0])


@every_core
def test_two_layers_are_one_on_the_other(options: dict[str, Any]) -> None:
    size = make_core(F, options).output_size  # as wide in as out: any core can stand on itself
    layer = RecurrentLayer(size, options, num_layers=2, batch_first=True).double().eval()
    inputs = series(B, T, size)
    resets = torch.rand(B, T) < 0.2
    outputs, after = layer(inputs, resets=resets)
    hidden, expected = inputs.transpose(0, 1), []
    for core in layer.cores:
        hidden, state = core(hidden, core.initial_state(B), resets.T)
        expected.append(state)
    assert_same(outputs, hidden.transpose(0, 1))
    for leaf, name in zip(leaves(after), layer.cores[0].initial_state(1), strict=True):
        for number, state in enumerate(expected):
            assert_same(leaf[number], state[name].reshape(B, -1))


def test_one_leaf_is_bare_and_no_leaf_is_an_empty_tuple() -> None:
    state = build({"type": "low_pass", "pools": 3, "size": 5})(series(T, B, F))[1]
    assert isinstance(state, Tensor)
    assert state.shape == (1, B, 15)
    layer = build({"type": "mlp"})
    assert layer(series(T, B, F))[1] == ()
    assert layer(series(T, B, F), ())[1] == ()


class Last(Core):
    """Remembers its last input, and says twice as much."""

    def __init__(self, input_size: int, options: CoreOptions) -> None:
        super().__init__(input_size, options)
        self.output_size = 2 * input_size
        self.scale = nn.Parameter(torch.ones(()))

    def initial_state(self, lanes: int) -> State:
        return {"last": self.scale.new_zeros(lanes, self.input_size)}

    def unroll(
        self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool
    ) -> tuple[Tensor, State, Info]:
        return torch.cat([inputs, inputs], 2) * self.scale, {"last": inputs[-1]}, {}


def test_layers_whose_states_differ_in_size() -> None:
    options = {"type": f"{__name__}:Last"}
    assert RecurrentLayer(F, options)(torch.zeros(T, B, F))[1].shape == (1, B, F)
    with pytest.raises(ValueError, match=r"^num_layers: the state of '.*:Last' .* got 6 in, 12 out$"):
        RecurrentLayer(F, options, num_layers=2)


def test_dropout_falls_between_layers_and_only_in_training() -> None:
    layer = build({"type": "mlp", "hidden": [8]}, num_layers=2, dropout=1.0)
    inputs = series(T, B, F)
    assert layer(inputs)[0].std(0).any()
    layer.train()
    assert not layer(inputs)[0].std(0).any()  # the second layer hears nothing, the output is not dropped
    assert layer(inputs)[0].any()


def test_gradient_blocks_are_counted_from_the_first_step_whatever_the_lengths() -> None:
    layer = build({"type": "lstm", "size": H, "bptt_steps": 3})
    inputs = series(T, B, F)
    outputs, after = layer(inputs, lengths=[5, 9, 2, 9, 7])
    whole, _ = layer(inputs)
    for last, block in ((4, 3), (6, 6), (8, 6)):
        for result in (outputs, whole):
            reach = torch.autograd.grad(result[last, 1].sum(), inputs, retain_graph=True)[0][:, 1].any(1)
            assert reach.tolist() == [block <= t <= last for t in range(T)]
    reach = torch.autograd.grad(after[0][0, 0].sum(), inputs)[0][:, 0].any(1)
    assert reach.tolist() == [3 <= t <= 4 for t in range(T)]


LSTM_OPTIONS = {"type": "lstm", "size": H}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_size": 0}, "input_size: expected an integer >= 1, got 0"),
        ({"core": {"type": "lsmt"}}, "core.type: unknown 'lsmt'; did you mean 'lstm'?"),
        ({"core": {**LSTM_OPTIONS, "units": 3}}, "core.units: unknown key;"),
        ({"num_layers": 0}, "num_layers: expected an integer >= 1, got 0"),
        ({"num_layers": True}, "num_layers: expected an integer >= 1, got True"),
        ({"dropout": 1.5}, "dropout: expected a number >= 0 and <= 1, got 1.5"),
        ({"dropout": "0.5"}, "dropout: expected a number >= 0 and <= 1, got '0.5'"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the text is compared below
        RecurrentLayer(**{"input_size": F, "core": LSTM_OPTIONS, **arguments})
    assert str(error.value).startswith(message)


GOOD = torch.zeros(T, B, F)


@pytest.mark.parametrize(
    ("inputs", "arguments", "message"),
    [
        (GOOD[0], {}, "inputs: expected (T, B, 6), T >= 1, got (5, 6)"),
        (GOOD[..., 1:], {}, "inputs: expected (T, B, 6), T >= 1, got (9, 5, 5)"),
        (GOOD[:0], {}, "inputs: expected (T, B, 6), T >= 1, got (0, 5, 6)"),
        (GOOD, {"state": GOOD}, "state: expected tensors: 2 (hidden, cell), got 1"),
        (
            GOOD,
            {"state": (torch.zeros(1, B, H), torch.zeros(B, H))},
            "state: expected cell of shape (1, 5, 4), got (5, 4)",
        ),
        (GOOD, {"lengths": [1, 2]}, "lengths: expected 5 integers >= 0 and <= 9, one per lane, got [1, 2]"),
        (
            GOOD,
            {"lengths": torch.tensor([1, 2, 10, 3, 4])},
            "lengths: expected 5 integers >= 0 and <= 9, one per lane, got [1, 2, 10, 3, 4]",
        ),
        (
            GOOD,
            {"lengths": torch.ones(B)},
            "lengths: expected 5 integers >= 0 and <= 9, one per lane, got [1.0, 1.0, 1.0, 1.0, 1.0]",
        ),
        (
            GOOD,
            {"resets": torch.zeros(B, T, dtype=torch.bool)},
            "resets: expected (T, B) = (9, 5), torch.bool, got (5, 9), torch.bool",
        ),
        (
            GOOD,
            {"resets": torch.zeros(T, B)},
            "resets: expected (T, B) = (9, 5), torch.bool, got (9, 5), torch.float32",
        ),
        (
            pack_padded_sequence(GOOD, torch.full((B,), T)),
            {"lengths": LENGTHS},
            "lengths: a packed sequence brings its own, expected none",
        ),
    ],
)
def test_wrong_shapes(inputs: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the whole text is compared below
        RecurrentLayer(F, LSTM_OPTIONS)(inputs, **arguments)
    assert str(error.value) == message


def test_wrong_shape_batch_first() -> None:
    layer = RecurrentLayer(F, LSTM_OPTIONS, batch_first=True)
    with pytest.raises(ValueError, match=r"^inputs: expected \(B, T, 6\), T >= 1, got \(5, 0, 6\)$"):
        layer(torch.zeros(B, 0, F))
    with pytest.raises(ValueError, match=r"^resets: expected \(B, T\) = \(5, 9\), torch.bool, got \(9, 5\)"):
        layer(torch.zeros(B, T, F), resets=torch.zeros(T, B, dtype=torch.bool))
