"""Which RIMs are active while a sequence is copied: figure 2 of Recurrent Independent Mechanisms.

Source: arXiv 1909.10893, section 4.1.1: some symbols, then blanks, then a marker that asks for the symbols.

T time, K RIMs, F features.
"""

import dataclasses
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from engram.memory import Core, make_core
from engram.memory.options import Options, integer
from engram.train.console.errors import ExperimentError, one_line
from engram.train.console.files import typed_path
from engram.train.pictures.canvas import COLOURS, new_figure
from engram.train.pictures.fields import mapping, text

RIMS = {"type": "rims", "num_rims": 6, "num_active": 3}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ActivationOptions(Options):
    """Options of `rim-activation`; the defaults are the figure's, but for weights."""

    core: dict[str, Any] = mapping(  # noqa: RUF009 (a field, as the others)
        RIMS, "the core, `type` and its options; not for a checkpoint"
    )
    weights: str = text(
        "", "a file with the core's state_dict, or a checkpoint of `rllib train`; none: an untrained core"
    )
    symbols: int = integer(8, "different symbols", high=1000)
    letters: int = integer(10, "symbols to remember", unit="steps", high=10_000)
    span: int = integer(
        50, "between the symbols and their recall: blanks, the last step a marker", unit="steps", high=100_000
    )
    input_size: int | None = integer(
        None, "features; none: symbols + 2, one each, and the checkpoint's for a checkpoint"
    )
    seed: int = integer(0, "of the sequence and of an untrained core", low=0)

    def phases(self) -> dict[str, int]:
        """Return the length of each part of the sequence, steps; the marker is the last of the blanks."""
        return {"symbols": self.letters, "blanks": self.span, "recall": self.letters}


def copying_inputs(options: ActivationOptions, features: int) -> Tensor:
    """Make one sequence of the copying task, (T, 1, F).

    Symbols, blank and marker have a feature each, where there are as many; else each is a random vector of
    norm 1, as an encoder might have it.

    Args:
        options: The task.
        features: F.
    """
    generator = torch.Generator().manual_seed(options.seed)
    kinds = options.symbols + 2
    codes = torch.eye(kinds, features)
    if features < kinds or options.weights:
        codes = torch.randn(kinds, features, generator=generator)
        codes /= codes.norm(dim=1, keepdim=True)
    blank, marker = options.symbols, options.symbols + 1
    symbols = torch.randint(options.symbols, (options.letters,), generator=generator)
    rest = torch.full((options.span + options.letters,), blank)
    rest[options.span - 1] = marker
    return codes[torch.cat([symbols, rest])].unsqueeze(1)


def load_core(options: ActivationOptions) -> Core:
    """Load the core and its weights."""
    path = typed_path(options.weights)
    if options.weights and path.is_dir():
        return _from_checkpoint(options.weights)
    torch.manual_seed(options.seed)
    core = make_core(options.input_size or options.symbols + 2, options.core, "--options.core")
    if options.weights:
        with one_line(f"--options.weights: {path}: no weights of this core"):
            core.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return core


def _from_checkpoint(path: str) -> Core:
    from engram.train.evaluation import load_agent  # here, because it imports Ray

    core = getattr(load_agent(path).module, "core", None)
    if not isinstance(core, Core):
        raise ExperimentError(f"--options.weights: {path}: its module has no core")
    return core.cpu().eval()


def draw(options: ActivationOptions) -> Figure:
    """Draw a row for every RIM, black where it is active."""
    core = load_core(options)
    inputs = copying_inputs(options, core.input_size)
    with torch.no_grad():
        info = core.eval()(inputs, core.initial_state(1), return_info=True)[-1]
    if "active" not in info:
        raise ExperimentError(
            f"--options.core: {type(core).__name__} tells of no active RIMs; expected type rims"
        )
    active = info["active"][:, 0].T  # (K, T)
    rims, steps = active.shape
    figure = new_figure(8, 1.3 + 0.25 * rims)
    axes = figure.subplots()
    axes.imshow(
        active.numpy(),
        cmap="Greys",
        vmin=0,
        vmax=1,
        aspect="auto",
        interpolation="nearest",
        extent=(0, steps, rims + 0.5, 0.5),
    )
    axes.grid(visible=False)
    axes.set_yticks(range(1, rims + 1))
    axes.hlines([rim + 0.5 for rim in range(1, rims)], 0, steps, color="0.6", linewidth=0.5)
    axes.set_ylabel("RIM")
    axes.set_xlabel("time (steps)")
    start = 0
    for (phase, length), colour in zip(options.phases().items(), COLOURS, strict=False):
        axes.annotate(
            phase,
            (start + length / 2, 1.02),
            xycoords=("data", "axes fraction"),
            ha="center",
            va="bottom",
            color=colour,
        )
        axes.axvline(start, color=colour, linewidth=1.5)
        start += length
    state = "trained" if options.weights else "untrained"
    most = int(active.sum(0).max())
    axes.set_title(f"active RIMs (black) of {rims}, {most} per step, {state}", pad=16)
    return figure
