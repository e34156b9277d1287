"""Contents of pools while words are spelled into them: appendix A of LP-RNN, arXiv 1805.04955."""

import dataclasses
import string

import torch
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, StrMethodFormatter
from torch import Tensor

from engram.memory import make_core
from engram.memory.options import Options, boolean, integer, number
from engram.train.pictures.canvas import new_figure
from engram.train.pictures.fields import text

LETTERS = string.ascii_lowercase


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContentsOptions(Options):
    """Options of `pool-contents`; the words are the appendix's. Its text does not give sizes and base."""

    first: str = text("machinelearning", "word of the first image")
    second: str = text("itsmycatmittens", "word of the second image")
    anagram: str = text("migrainechannel", "word that the last image compares with the first")
    pools: int = integer(6, "pools k", unit="pools", high=32)
    size: int = integer(50, "width of every pool", unit="units", high=4096)
    base: float = number(2.0, "pool n keeps 1 - base^-n of its contents per step", above=1, high=1000)
    steps: int = integer(1_000, "letters, then silence", unit="steps", high=10**6)
    log_time: bool = boolean(
        True, "time axis: linear while letters arrive, logarithmic from then on; the appendix's is linear"
    )
    seed: int = integer(0, "of the orthonormal links", low=0)

    def __post_init__(self) -> None:
        """Check the fields; words are of small letters, and there is a step for each.

        Raises:
            ValueError: a wrong value; the message starts with the key.
        """
        super().__post_init__()
        for key in ("first", "second", "anagram"):
            word = getattr(self, key)
            if not set(word) <= set(LETTERS):
                raise ValueError(f"{key}: expected letters a to z, got {word!r}")
            if len(word) > self.steps:
                raise ValueError(f"steps: {self.steps} are too few for {word!r}, legal: {len(word)} or more")


def contents(options: ContentsOptions) -> dict[str, Tensor]:
    """Compute the contents of the pools after every step, by word; (T, k * D)."""
    words = (options.first, options.second, options.anagram)
    torch.manual_seed(options.seed)
    core = make_core(
        len(LETTERS),
        {
            "type": "low_pass",
            "links": "orthonormal_tanh",
            "pools": options.pools,
            "size": options.size,
            "base": options.base,
        },
    )
    inputs = torch.zeros(options.steps, len(words), len(LETTERS))
    for lane, word in enumerate(words):
        for step, letter in enumerate(word):
            inputs[step, lane, LETTERS.index(letter)] = 1
    with torch.no_grad():
        result = core(inputs, core.initial_state(len(words)), return_info=True)
    return dict(zip(words, result[-1]["pools"].flatten(2).unbind(1), strict=True))


def draw(options: ContentsOptions) -> Figure:
    """Draw the contents for two words, their difference, and the difference to an anagram.

    Every pool is scaled by its own largest absolute value in an image, as a slow pool holds little.
    """
    held = contents(options)
    first, second, anagram = (held[word] for word in (options.first, options.second, options.anagram))
    images = {
        options.first: first,
        options.second: second,
        f"|{options.first} - {options.second}|": (first - second).abs(),
        f"|{options.first} - {options.anagram}|": (first - anagram).abs(),
    }
    figure = new_figure(9, 11)
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    for index, (axes, (title, image)) in enumerate(zip(panels.flat, images.items(), strict=True)):
        signed = index < 2
        shown = _draw_image(axes, image, options, signed)
        axes.set_title(title)
        if index % 2:
            label = "contents" if signed else "difference"
            figure.colorbar(shown, ax=panels[index // 2], label=f"{label} / largest of the pool", aspect=40)
        else:
            axes.set_ylabel("time (steps: a letter each, then silence)")
        if not signed:
            axes.set_xlabel("pool, from the input on")
    return figure


def _draw_image(axes: Axes, image: Tensor, options: ContentsOptions, signed: bool) -> QuadMesh:
    by_pool = image.view(options.steps, options.pools, options.size)
    largest = by_pool.abs().amax((0, 2), keepdim=True).clamp(min=torch.finfo(image.dtype).tiny)
    shown = axes.pcolormesh(
        [index / options.size for index in range(image.shape[1] + 1)],
        range(options.steps + 1),
        (by_pool / largest).flatten(1).numpy(),
        cmap="PuOr" if signed else "Greys",
        vmin=-1 if signed else 0,
        vmax=1,
        rasterized=True,
    )
    if options.log_time:
        letters = max(len(options.first), len(options.second), len(options.anagram))
        axes.set_yscale("symlog", linthresh=letters, linscale=0.5)
        axes.set_yticks([0, letters, *(lag for lag in (100, 1_000, 10_000, 100_000) if lag <= options.steps)])
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(options.steps, 0)
    axes.grid(visible=False)
    axes.set_xticks(
        [pool + 0.5 for pool in range(options.pools)], [f"{pool + 1}" for pool in range(options.pools)]
    )
    for pool in range(1, options.pools):
        axes.axvline(pool, color="0.3", linewidth=0.6)
    return shown
