"""Any core behind the interface of `torch.nn.LSTM` and `torch.nn.GRU`.

T time, B lanes, F features, L layers.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from engram.memory.core import Core, State, detach_state

LayerState = Tensor | tuple[Tensor, ...]
"""Leaves of a core's state flattened to (L, B, -1): a tuple in the core's order; one leaf alone is bare."""


class RecurrentLayer(nn.Module):
    """Layers of cores, called as `nn.LSTM` is called.

    Example: in a model with

        self.rnn = nn.LSTM(64, 128, batch_first=True)
        self.head = nn.Linear(self.rnn.hidden_size, 10)

    an import and one changed line swap the LSTM for another core, whether it is given padded or packed
    sequences:

        from engram.memory import RecurrentLayer

        self.rnn = RecurrentLayer(64, {"type": "low_pass", "summariser": 128}, batch_first=True)

    The state is the tuple (h, c) for ``{"type": "lstm"}``, one tensor for a core with one leaf, and an empty
    tuple for a core without memory. Carried from one fragment to the next, it is for the caller to detach.

    Attributes:
        input_size: features in.
        hidden_size: features out.
        num_layers: cores on top of each other.
        batch_first: whether inputs, outputs and resets have their lanes before their time. States never do.
        dropout: probability that a feature is dropped between two layers, in training.
        cores: the layers; `cores[0]` reads the input.
    """

    def __init__(
        self,
        input_size: int,
        core: Mapping[str, Any],
        num_layers: int = 1,
        batch_first: bool = False,
        dropout: float = 0.0,
    ) -> None:
        """Builds the layers.

        Args:
            input_size: features in.
            core: type and options, the same for all layers; see `make_core`.
            num_layers: cores on top of each other; each reads the outputs of the one before.
            batch_first: inputs and outputs are (B, T, F), not (T, B, F).
            dropout: probability of dropping a feature between two layers, in training.

        Raises:
            ValueError: an argument is of the wrong type or out of range, or the core's state has different
                sizes in different layers.
        """
        from engram.memory import make_core  # which imports this module

        super().__init__()
        if isinstance(num_layers, bool) or not isinstance(num_layers, int) or num_layers < 1:
            raise ValueError(f"num_layers: expected an integer >= 1, got {num_layers!r}")
        if isinstance(dropout, bool) or not isinstance(dropout, int | float) or not 0 <= dropout <= 1:
            raise ValueError(f"dropout: expected a number >= 0 and <= 1, got {dropout!r}")
        cores = [make_core(input_size, core)]
        cores += [make_core(cores[0].output_size, core) for _ in range(num_layers - 1)]
        self.input_size, self.hidden_size = input_size, cores[0].output_size
        self.num_layers, self.batch_first, self.dropout = num_layers, batch_first, float(dropout)
        self.cores = nn.ModuleList(cores)
        shapes = [{name: leaf.shape for name, leaf in layer.initial_state(1).items()} for layer in cores]
        if any(shape != shapes[0] for shape in shapes):
            raise ValueError(
                f"num_layers: the state of {core['type']!r} grows with its inputs, so that several layers "
                f"need as many features in as out, got {input_size} in, {self.hidden_size} out"
            )

    def forward(
        self,
        inputs: Tensor | PackedSequence,
        state: LayerState | None = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Any, LayerState]:
        """Runs all layers over a fragment.

        Args:
            inputs: (T, B, F), or (B, T, F) if `batch_first`; or a packed sequence, as PyTorch packs it.
            state: the state before the first step, as it was returned; None: the initial one.
            lengths: (B,) steps that count in every lane, at most T, in any order; None: all of them.
            resets: (T, B) bool, or (B, T) if `batch_first`; true where a step is the first of an episode.

        Returns:
            Outputs, shaped or packed like the inputs, zero after the end of a lane; and the state of every
            lane after its last step.

        Raises:
            ValueError: inputs, state, lengths or resets have the wrong shape.
        """
        if isinstance(inputs, PackedSequence):
            return self._forward_packed(inputs, state, lengths, resets)
        self._check_shapes(inputs, resets)
        if self.batch_first:
            inputs = inputs.transpose(0, 1)
            resets = None if resets is None else resets.transpose(0, 1)
        steps, lanes = inputs.shape[:2]
        ends = None if lengths is None else _checked_lengths(lengths, steps, lanes)
        after = []
        for layer, before in enumerate(self._unflatten(state, lanes)):
            if layer:
                inputs = functional.dropout(inputs, self.dropout, self.training)
            inputs, carried = _run_core(self._core(layer), inputs, before, ends, resets)
            after.append(carried)
        return inputs.transpose(0, 1) if self.batch_first else inputs, self._flatten(after)

    def _forward_packed(
        self,
        packed: PackedSequence,
        state: LayerState | None,
        lengths: Tensor | Sequence[int] | None,
        resets: Tensor | None,
    ) -> tuple[PackedSequence, LayerState]:
        """Unpacks, runs, and packs in the very order of the inputs, so that ``.data`` of both match."""
        if lengths is not None:
            raise ValueError("lengths: a packed sequence brings its own, expected none")
        inputs, ends = pad_packed_sequence(packed, self.batch_first)
        outputs, after = self.forward(inputs, state, lengths=ends, resets=resets)
        order = packed.sorted_indices
        if order is not None:
            outputs, ends = outputs.index_select(0 if self.batch_first else 1, order), ends[order.cpu()]
        data = pack_padded_sequence(outputs, ends, self.batch_first).data
        return PackedSequence(data, packed.batch_sizes, order, packed.unsorted_indices), after

    def _check_shapes(self, inputs: Tensor, resets: Tensor | None) -> None:
        order = "B, T" if self.batch_first else "T, B"
        if inputs.ndim != 3 or inputs.shape[2] != self.input_size or not inputs.shape[int(self.batch_first)]:
            raise ValueError(
                f"inputs: expected ({order}, {self.input_size}), T >= 1, got {tuple(inputs.shape)}"
            )
        if resets is not None and (resets.shape != inputs.shape[:2] or resets.dtype != torch.bool):
            raise ValueError(
                f"resets: expected ({order}) = {tuple(inputs.shape[:2])}, torch.bool, "
                f"got {tuple(resets.shape)}, {resets.dtype}"
            )

    def _core(self, layer: int) -> Core:
        return cast(Core, self.cores[layer])

    def _flatten(self, states: list[State]) -> LayerState:
        """What the caller sees of the states of all layers."""
        names = self._core(0).initial_state(1)
        # Not -1: a leaf may be empty.
        leaves = [
            torch.stack([state[name].reshape(len(state[name]), like.numel()) for state in states])
            for name, like in names.items()
        ]
        return leaves[0] if len(leaves) == 1 else tuple(leaves)

    def _unflatten(self, state: LayerState | None, lanes: int) -> list[State]:
        """The states of all layers, from what the caller hands in."""
        if state is None:
            return [self._core(layer).initial_state(lanes) for layer in range(self.num_layers)]
        leaves = (state,) if isinstance(state, Tensor) else tuple(state)
        initial = self._core(0).initial_state(1)
        if len(leaves) != len(initial):
            names = f" ({', '.join(initial)})" if initial else ""
            raise ValueError(f"state: expected tensors: {len(initial)}{names}, got {len(leaves)}")
        for (name, like), leaf in zip(initial.items(), leaves, strict=True):
            shape = (self.num_layers, lanes, like.numel())
            if leaf.shape != shape:
                raise ValueError(f"state: expected {name} of shape {shape}, got {tuple(leaf.shape)}")
        return [
            {
                name: leaf[layer].reshape(lanes, *like.shape[1:])
                for (name, like), leaf in zip(initial.items(), leaves, strict=True)
            }
            for layer in range(self.num_layers)
        ]


def _checked_lengths(lengths: Tensor | Sequence[int], steps: int, lanes: int) -> list[int]:
    ends: list[Any] = lengths.tolist() if isinstance(lengths, Tensor) else list(lengths)
    whole = all(isinstance(end, int) and 0 <= end <= steps for end in ends)
    if len(ends) != lanes or not whole:
        raise ValueError(f"lengths: expected {lanes} integers >= 0 and <= {steps}, one per lane, got {ends}")
    return ends


def _run_core(
    core: Core, inputs: Tensor, state: State, ends: list[int] | None, resets: Tensor | None
) -> tuple[Tensor, State]:
    """Runs one layer, time first; `ends` are the steps of every lane that count, None: all of them.

    Between one end and the next, the lanes that go on are a fragment of their own.
    """
    if ends is None:
        return cast(tuple[Tensor, State], core(inputs, state, resets))
    pieces = []
    block = core.bptt_steps or len(inputs)
    for start, stop in itertools.pairwise(sorted({0, *ends, *range(0, max(ends), block)})):
        lanes = torch.tensor([lane for lane, end in enumerate(ends) if end >= stop], device=inputs.device)
        part = {name: leaf.index_select(0, lanes) for name, leaf in state.items()}
        if start and start % block == 0:
            part = detach_state(part)
        part_resets = None if resets is None else resets[start:stop].index_select(1, lanes)
        output, part = core(inputs[start:stop].index_select(1, lanes), part, part_resets)
        pieces.append(
            output.new_zeros(stop - start, len(ends), core.output_size).index_copy(1, lanes, output)
        )
        state = {name: leaf.index_copy(0, lanes, part[name]) for name, leaf in state.items()}
    padding = next(core.parameters()).new_zeros(len(inputs) - max(ends), len(ends), core.output_size)
    return torch.cat([*pieces, padding]), state
