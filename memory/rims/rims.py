"""Recurrent Independent Mechanisms (RIMs).

T time, B lanes, F features, K RIMs, H units of a RIM, N input elements, n heads.

Source: Goyal et al., Recurrent Independent Mechanisms, arXiv 1909.10893, section 2 and appendix C.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from engram.memory.core import Core, Info, State
from engram.memory.rims.attention import Communication, InputAttention, InputProjections, make_weight
from engram.memory.rims.dynamics import DYNAMICS, Hidden
from engram.memory.rims.fused import FusedRIMs, Sizes, Weights
from engram.memory.rims.options import PRESETS, RIMsOptions


class RIMs(Core):
    """Recurrent Independent Mechanisms: K small recurrent networks that compete for the input.

    In each step (1) every RIM attends to the input elements and a null input, and the `num_active` that
    attend least to the null input, on average over heads, are active (of equals the first); (2) active RIMs
    run their own LSTM or GRU on what they read, the others keep their state as it is; (3) active RIMs read
    from all RIMs and add the result to their hidden units. The output is all hidden units side by side,
    (T, B, K * H).

    State: `hidden` and, with LSTM dynamics, `cell`, each (B, K, H). Info: `active` (T, B, K) bool,
    `input_attention` (T, B, n, K, 1 + N) with the null input first, `comm_attention` (T, B, n, K, K),
    `hidden` (T, B, K, H).
    """

    Options = RIMsOptions
    keeps_statistics = False
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = PRESETS

    kept: Tensor | None

    def __init__(self, input_size: int, options: RIMsOptions) -> None:
        """Builds the core.

        Raises:
            ValueError: `elements` does not divide `input_size`.
        """
        super().__init__(input_size, options)
        if input_size % options.elements:
            raise ValueError(
                f"elements: expected a divisor of the {input_size} features, got {options.elements}"
            )
        self.options = options
        self.random_start = options.initial_state == "random"
        rims, size = options.num_rims, options.rim_size
        self.output_size = rims * size
        self.dynamics = DYNAMICS[options.dynamics]
        gate_size = self.dynamics.gates * size
        self.input_attention = InputAttention(input_size // options.elements, gate_size, options)
        self.weight_hh = make_weight(rims, size, gate_size)
        self.communication = Communication(options) if options.communication else None
        self.register_buffer("kept", None, persistent=False)
        self.learned_start: nn.Parameter | None = None
        if options.initial_state == "learned":
            self.learned_start = nn.Parameter(torch.zeros(len(self.dynamics.leaves), rims, size))
        bias = self.input_attention.bias
        if bias is not None and options.dynamics == "lstm":
            with torch.no_grad():
                bias[..., size : 2 * size] = options.forget_bias

    def initial_state(self, lanes: int) -> State:
        """Zeros, or as `initial_state` says; leaves (B, K, H)."""
        shape = len(self.dynamics.leaves), lanes, self.options.num_rims, self.options.rim_size
        start = self.weight_hh.new_zeros(shape)
        if self.random_start:
            start.normal_()
        if self.learned_start is not None:
            start = start + self.learned_start.unsqueeze(1)
        return dict(zip(self.dynamics.leaves, start, strict=True))

    def drop_rims(self, rims: Iterable[int] = ()) -> None:
        """Removes RIMs: their state is zero, they are never active and never read; none: restores all.

        Raises:
            ValueError: no such RIM, or none would be left.
        """
        dropped = set(rims)
        everyone = range(self.options.num_rims)
        if not dropped < set(everyone):
            raise ValueError(f"rims: expected some, not all, of 0 to {everyone[-1]}, got {sorted(dropped)}")
        kept = [rim not in dropped for rim in everyone]
        self.kept = torch.tensor(kept, device=self.weight_hh.device) if dropped else None

    def unroll(
        self, inputs: Tensor, state: State, resets: Tensor | None, return_info: bool
    ) -> tuple[Tensor, State, Info]:
        """Runs step after step, all that depends on the inputs alone ahead of it."""
        recurrent: Tensor = self.weight_hh
        if self.input_attention.query is not None:
            recurrent = torch.cat([recurrent, self.input_attention.query], -1)
        seen = self.input_attention.look(inputs)
        carried = tuple(state[name].transpose(0, 1) for name in self.dynamics.leaves)
        if self._fusable(return_info) and len(inputs) > 1:
            return self._unroll_fused(seen, carried, resets, recurrent)
        outputs, infos = [], []
        steps = zip(seen.keys.unbind(), seen.values.unbind(), strict=True)  # T slices: T full gradients
        for t, (keys, values) in enumerate(steps):
            if resets is not None:
                carried = self._restart(carried, resets[t])
            carried, info = self._step(InputProjections(keys, values), carried, recurrent)
            outputs.append(carried[0])
            if return_info:
                infos.append(info)
        hidden = torch.stack(outputs).transpose(1, 2)  # (T, B, K, H)
        after = {name: leaf.transpose(0, 1) for name, leaf in zip(self.dynamics.leaves, carried, strict=True)}
        told = {name: torch.stack([info[name] for info in infos]) for name in infos[0]} if return_info else {}
        return hidden.flatten(2), after, {**told, "hidden": hidden} if return_info else {}

    def _fusable(self, return_info: bool) -> bool:
        """Whether `FusedRIMs` computes what the options ask for."""
        options = self.options
        dropout = self.training and options.input_dropout + options.comm_dropout > 0
        general = return_info or dropout or self.kept is not None or options.initial_state != "zeros"
        cell = options.dynamics == "lstm" and not options.input_bias
        attends = self.input_attention.ahead and options.input_attention and options.compete == "inputs"
        reads = not (options.gated or options.read_candidate or options.block_inactive)
        return not general and cell and attends and (reads or self.communication is None)

    def _unroll_fused(
        self, seen: InputProjections, carried: Hidden, resets: Tensor | None, recurrent: Tensor
    ) -> tuple[Tensor, State, Info]:
        """As `unroll`, for the plain cell."""
        options, communication = self.options, self.communication
        bias: Tensor | None = self.input_attention.bias
        if bias is None:
            bias = recurrent.new_zeros(options.num_rims, 1, self.weight_hh.shape[-1])
        comm = out = recurrent.new_empty(0)
        comm_scale = 1.0
        if communication is not None and communication.out is not None:
            comm, out, comm_scale = communication.weight, communication.out, communication.scale
        scale = self.input_attention.scale
        sizes = Sizes(options.num_active, options.comm_heads, options.comm_key_size, scale, comm_scale)
        weights = Weights(recurrent, bias, comm, out)
        hidden, cell = FusedRIMs.apply(  # type: ignore[no-untyped-call]
            seen.keys.flatten(2), seen.values, *carried, resets, sizes, *weights
        )
        after = {"hidden": hidden[-1].transpose(0, 1), "cell": cell.transpose(0, 1)}
        return hidden.transpose(1, 2).flatten(2), after, {}

    def _restart(self, carried: Hidden, resets: Tensor) -> Hidden:
        """Re-initialises what is carried in the lanes that start an episode; `resets` is (B,) bool."""
        if self.random_start and not resets.any():
            return carried  # and the generator as it is
        initial = self.initial_state(resets.shape[0])
        return tuple(
            torch.where(resets.view(-1, 1), initial[name].transpose(0, 1), leaf)
            for name, leaf in zip(self.dynamics.leaves, carried, strict=True)
        )

    def _step(self, seen: InputProjections, carried: Hidden, recurrent: Tensor) -> tuple[Hidden, Info]:
        """One step; `recurrent` (K, H, G + n * d) holds the weights of gates and queries side by side."""
        if self.kept is not None:
            kept = self.kept.view(-1, 1, 1)
            carried = tuple(torch.where(kept, leaf, 0) for leaf in carried)
        products = torch.bmm(carried[0], recurrent)
        gates, queries = products.tensor_split([self.weight_hh.shape[-1]], -1)
        attention = self.input_attention.attend(queries, seen, self.kept)
        weights, active = attention
        candidate = self.dynamics(self.input_attention.drive(attention, seen), gates, carried)
        updated = tuple(torch.where(active, new, old) for new, old in zip(candidate, carried, strict=True))
        info = {"active": active[..., 0].T, "input_attention": weights.permute(1, 2, 0, 3)}
        if self.communication is not None:
            read, info["comm_attention"] = self.communication(updated[0], candidate[0], active, self.kept)
            updated = (torch.where(active, updated[0] + read, updated[0]), *updated[1:])
        return updated, info
