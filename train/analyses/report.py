"""The report: every picture with its numbers, and a page that holds all of them. One row makes a picture."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from engram.train.analyses import behaviour, distilled, dynamics, plane, populations, states
from engram.train.analyses.material import DROPPED, Material
from engram.train.analyses.page import make_page
from engram.train.analyses.picture import Finding, Picture
from engram.train.console.errors import reason
from engram.train.console.files import naming
from engram.train.pictures import canvas

PICTURES: dict[str, Callable[[Material], Picture]] = {
    "accuracy": behaviour.accuracy,
    "psychometric": behaviour.psychometric,
    "chronometric": behaviour.chronometric,
    "block_change": behaviour.block_change,
    "rewards": behaviour.rewards,
    "components": plane.components,
    "block_decoding": states.block_decoding,
    "readouts": states.readouts,
    "trajectories": plane.trajectories,
    "integration": states.integration,
    "block_belief": states.block_belief,
    "populations": populations.populations,
    "vector_fields": dynamics.vector_fields,
    "transitions": dynamics.transitions,
    "fixed_points": dynamics.fixed_point_spectra,
    "distillation": distilled.distillation,
    "gain": distilled.gain,
    "decoherence": distilled.decoherence_by_lag,
}
"""Name of the files -> what draws it; raises ValueError where it does not apply to the network."""

PAGE = "index.html"


@dataclasses.dataclass(frozen=True)
class Report:
    """What was found and written.

    Attributes:
        folder: Where the files are.
        findings: By picture.
        left_out: Pictures that do not apply, and why.
    """

    folder: Path
    findings: dict[str, tuple[Finding, ...]]
    left_out: dict[str, str]

    def record(self) -> dict[str, object]:
        """Return it, ready for JSON."""
        return {
            "folder": str(self.folder),
            "findings": {
                name: {each.what: each.found for each in findings} for name, findings in self.findings.items()
            },
            "left_out": self.left_out,
        }


def write_report(material: Material, folder: Path, names: Sequence[str] = tuple(PICTURES)) -> Report:
    """Draw pictures, and write each one, its numbers, and the page.

    Args:
        material: What to draw from.
        folder: Where to; it is there.
        names: Which of `PICTURES`, in their order.

    Raises:
        ExperimentError: A file cannot be written.
    """
    material.play_network()
    drawn: dict[str, tuple[Picture, bytes]] = {}
    left_out: dict[str, str] = {}
    for name in names:
        try:
            with canvas.style():
                picture = PICTURES[name](material)
        except ValueError as error:
            left_out[name] = reason(error)
            continue
        file = folder / f"{name}.png"
        canvas.save(picture.figure, file)
        canvas.write_rows(file.with_suffix(".csv"), _rows(picture))
        drawn[name] = (picture, file.read_bytes())
    page = make_page("A network in the IBL task", facts(material), drawn, left_out)
    with naming(f"{folder / PAGE}: cannot be written"):
        (folder / PAGE).write_text(page, encoding="utf-8")
    return Report(folder, {name: picture.findings for name, (picture, _) in drawn.items()}, left_out)


def _rows(picture: Picture) -> Iterator[Sequence[object]]:
    """Yield the lines of a CSV file."""
    yield list(picture.numbers.columns)
    yield from picture.numbers.itertuples(index=False)


def facts(material: Material) -> list[str]:
    """Return what was played, a line for each thing."""
    agent, layout = material.agent, material.layout
    return [
        f"checkpoint: {agent.checkpoint}",
        f"environment: {agent.env_id} {json.dumps(dict(agent.env_config))}",
        f"actions: {agent.chooses}",
        f"{layout.lanes} sessions of {layout.blocks} blocks, seed {layout.seed}; of each the first {DROPPED} "
        "env steps are left out",
    ]
