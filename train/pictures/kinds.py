"""The kinds of pictures, by name: their options and who draws them. One row makes a kind exist."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from engram.memory.options import Options, parse_options
from engram.train.errors import ExperimentError, reason, unknown
from engram.train.pictures import canvas, impulse_responses, pool_contents, rim_activation


class Kind(NamedTuple):
    """One kind of picture."""

    options: type[Options]
    draw: Callable[[Any], Figure]


KINDS: dict[str, Kind] = {
    "impulse-responses": Kind(impulse_responses.ImpulseOptions, impulse_responses.draw),
    "pool-contents": Kind(pool_contents.ContentsOptions, pool_contents.draw),
    "rim-activation": Kind(rim_activation.ActivationOptions, rim_activation.draw),
}


def draw(name: str, options: Mapping[str, Any], out: Path) -> None:
    """Draw one picture into a file.

    Args:
        name: One of `KINDS`.
        options: Its options.
        out: Where to; the suffix says how.

    Raises:
        ExperimentError: an unknown kind, wrong options, a file that cannot be written.
    """
    if name not in KINDS:
        raise unknown("picture", name, KINDS)
    canvas.check_file(out, "--out")
    kind = KINDS[name]
    try:
        settings = parse_options(kind.options, options, "--options")
        with canvas.style():
            figure = kind.draw(settings)
    except ValueError as error:
        raise error if isinstance(error, ExperimentError) else ExperimentError(reason(error)) from None
    canvas.save(figure, out)
