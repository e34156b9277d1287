"""Slow twin of RIMs: one lane, one RIM, one head at a time, straight from the equations.

T time, B lanes, K RIMs, H units of a RIM, N input elements, n heads.
"""

import math

import torch
from torch import Tensor

from engram.memory import State
from engram.memory.rims.options import RIMsOptions
from engram.memory.rims.rims import RIMs


def rims(core: RIMs, inputs: Tensor, state: State, resets: Tensor) -> tuple[Tensor, State]:
    """Equations 1 to 8; shapes as in `Core.forward`."""
    names = list(state)
    start = core.initial_state(1)
    lanes = []
    for b in range(inputs.shape[1]):
        carried = [tuple(state[name][b, k] for name in names) for k in range(core.options.num_rims)]
        rows = []
        for t in range(len(inputs)):
            if resets[t, b]:
                carried = [tuple(start[name][0, k] for name in names) for k in range(len(carried))]
            carried = step(core, inputs[t, b], carried)
            rows.append(torch.cat([leaves[0] for leaves in carried]))
        lanes.append((torch.stack(rows), carried))
    after = {
        name: torch.stack([torch.stack([leaves[i] for leaves in carried]) for _, carried in lanes])
        for i, name in enumerate(names)
    }
    return torch.stack([outputs for outputs, _ in lanes], 1), after


def step(core: RIMs, inputs: Tensor, carried: list[tuple[Tensor, ...]]) -> list[tuple[Tensor, ...]]:
    """One lane, one step; `carried` holds (hidden, cell) or (hidden,) of every RIM."""
    options, attention = core.options, core.input_attention
    elements = inputs.view(options.elements, -1)
    null = torch.zeros_like(elements[0])
    rows = [null, *elements]
    values = [plus(row @ attention.value, attention.value_bias) for row in rows]
    weights, active = attend(core, rows, [leaves[0] for leaves in carried])
    candidates = []
    for k, leaves in enumerate(carried):
        heads = []
        for head in range(options.input_heads):
            parts = [value.chunk(options.input_heads)[head] for value in values]
            mean = sum(weight * part for weight, part in zip(weights[k][head], parts, strict=True))
            heads.append(0 * mean if options.mask_read and k not in active else mean)
        drive = torch.cat(heads) @ attention.weight_ih[k]
        drive = plus(drive, None if attention.bias is None else attention.bias[k, 0])
        candidates.append(dynamics(options, drive, leaves[0] @ core.weight_hh[k], leaves))
    updated = [
        candidate if k in active else leaves
        for k, (candidate, leaves) in enumerate(zip(candidates, carried, strict=True))
    ]
    if core.communication is None:
        return updated
    heard = [leaves[0] for leaves in (candidates if options.read_candidate else updated)]
    if options.block_inactive:
        heard = [hidden if k in active else hidden.detach() for k, hidden in enumerate(heard)]
    return [
        (leaves[0] + read(core, heard, k), *leaves[1:]) if k in active else leaves
        for k, leaves in enumerate(updated)
    ]


def plus(value: Tensor, bias: Tensor | None) -> Tensor:
    return value if bias is None else value + bias


def attend(core: RIMs, rows: list[Tensor], hidden: list[Tensor]) -> tuple[list[list[Tensor]], list[int]]:
    """Attention weights of every RIM and head over null and elements, and the active RIMs."""
    options, attention = core.options, core.input_attention
    heads = options.input_heads
    if attention.key is None or attention.query is None:
        share = torch.tensor([0.0, *[1 / options.elements] * options.elements], dtype=hidden[0].dtype)
        return [[share] * heads for _ in hidden], list(range(len(hidden)))
    keys = [plus(row @ attention.key, attention.key_bias).chunk(heads) for row in rows]
    logits = []
    for k, h in enumerate(hidden):
        queries = (h @ attention.query[k]).chunk(heads)
        scale = math.sqrt(len(queries[0]))
        logits.append([torch.stack([q @ key[i] for key in keys]) / scale for i, q in enumerate(queries)])
    if options.compete == "rims":
        shares = [torch.softmax(torch.stack([row[i][1] for row in logits]), 0) for i in range(heads)]
        active = largest([sum(share[k].item() for share in shares) for k in range(len(hidden))], options)
        if options.margin:
            shares = [less_the_next(share, options.num_active) for share in shares]
        totals = [sum(share[k] for k in active) or torch.ones_like(share[0]) for share in shares]
        zero = torch.zeros_like(shares[0][0])
        weights = [
            [
                torch.stack([zero, share[k] / total if k in active else zero])
                for share, total in zip(shares, totals, strict=True)
            ]
            for k in range(len(hidden))
        ]
        return weights, active
    weights = [[torch.softmax(row, 0) for row in rim] for rim in logits]
    if options.selection == "logit":
        scores = [sum(row[1:].max().item() for row in rim) for rim in logits]
    else:
        scores = [-sum(row[0].item() for row in rim) for rim in weights]
    return weights, largest(scores, options)


def less_the_next(shares: Tensor, count: int) -> Tensor:
    """Shares (K,) less the one of rank `count` + 1, and zero where that is not positive."""
    if count == len(shares):
        return shares
    ranked, _ = torch.sort(shares, descending=True)
    return torch.stack([share - ranked[count] if share > ranked[count] else 0 * share for share in shares])


def largest(scores: list[float], options: RIMsOptions) -> list[int]:
    """The `num_active` RIMs of largest score; Python's sort is stable, so of equal ones the first."""
    return sorted(range(len(scores)), key=lambda k: -scores[k])[: options.num_active]


def dynamics(
    options: RIMsOptions, drive: Tensor, recurrent: Tensor, leaves: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    if options.dynamics == "lstm":
        i, f, o, g = (drive + recurrent).chunk(4)
        cell = torch.sigmoid(f) * leaves[1] + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(cell), cell
    (drive_r, drive_u, drive_n), (r, u, n) = drive.chunk(3), recurrent.chunk(3)
    reset, update = torch.sigmoid(drive_r + r), torch.sigmoid(drive_u + u)
    return (update * leaves[0] + (1 - update) * torch.tanh(drive_n + reset * n),)


def read(core: RIMs, heard: list[Tensor], k: int) -> Tensor:
    """What RIM k reads of all RIMs."""
    options, communication = core.options, core.communication
    assert communication is not None
    key_size, value_size = communication.key_size, communication.value_size
    results = []
    for head in range(options.comm_heads):
        parts = []
        for j, hidden in enumerate(heard):
            mine = (hidden @ communication.weight[j]).chunk(options.comm_heads)[head]
            parts.append(mine.split([key_size, key_size, value_size]))
        logits = torch.stack([parts[k][0] @ key for _, key, _ in parts]) / math.sqrt(key_size)
        weights = torch.softmax(logits, 0)
        results.append(sum(weight * value for weight, (_, _, value) in zip(weights, parts, strict=True)))
    result = torch.cat(results)
    if communication.out is not None:
        return result @ communication.out[k]
    gate = torch.sigmoid(communication.shared_gate(result))
    return gate * torch.tanh(communication.shared_out(result))
