"""Lineage: who copied whom in a population, and whose training the best member's weights come from."""

import dataclasses
from collections.abc import Iterator, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from engram.memory.options import Options
from engram.train.console.errors import ExperimentError
from engram.train.console.files import typed_path
from engram.train.pictures.canvas import COLOURS, new_figure
from engram.train.pictures.fields import texts
from engram.train.pictures.tables import table
from engram.train.population.lineage import Lineage, Stretch, read_lineage

COLUMNS = (
    "member",
    "donor",
    "env_steps",
    "donor_env_steps",
    "copied",
    "p",
    "mean",
    "donor_mean",
    "n",
    "donor_n",
    "why",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LineageOptions(Options):
    """Options of `lineage`.

    A line for each member by its env steps, an arrow for each copy, from the moment of the donor's weights;
    the best member's line of descent is thick.
    """

    runs: tuple[str, ...] = texts("the folder of one experiment with a population")


@dataclasses.dataclass(frozen=True)
class Descent:
    """A population, and its best member's line of descent.

    Attributes:
        lineage: The population.
        best: The member with the best last mean return; None: nobody has one yet.
        ancestry: Whose training its weights come from.
    """

    lineage: Lineage
    best: int | None
    ancestry: list[Stretch]

    def rows(self) -> Iterator[Sequence[object]]:
        """Yield lines of a CSV file: the heading, and one for each look at another."""
        yield COLUMNS
        for look in self.lineage.looks:
            yield tuple("" if look.get(name) is None else look[name] for name in COLUMNS)

    def text(self) -> str:
        """Return a table of members in Markdown, and the best one's line of descent."""
        heading = ("member", "env steps", "last mean return", "looks", "copies", "copied by others")
        lines = list(table(heading, (self._row(member) for member in self.lineage.trials)))
        if self.best is not None:
            parts = [f"member {each.member} {each.first:,} to {each.last:,}" for each in self.ancestry]
            lines += ["", f"the best, member {self.best}, comes from: {', '.join(parts)}"]
        return "\n".join(lines)

    def _row(self, member: int) -> list[str]:
        looks, score = self.lineage.looks, self.lineage.score(member)
        own = [look for look in looks if look["member"] == member]
        return [
            str(member),
            f"{self.lineage.steps(member):,}",
            "-" if score is None else f"{score:.4g}",
            str(len(own)),
            str(sum(look["copied"] for look in own)),
            str(sum(look["copied"] and look["donor"] == member for look in looks)),
        ]


def descent(options: LineageOptions) -> Descent:
    """Read a population."""
    if len(options.runs) > 1:
        raise ExperimentError(f"picture lineage {options.runs[1]}: expected one run, got {len(options.runs)}")
    lineage = read_lineage(typed_path(options.runs[0]))
    scored = any(lineage.score(member) is not None for member in lineage.trials)
    best = lineage.best() if scored else None
    return Descent(lineage, best, [] if best is None else lineage.ancestry(best))


def draw(found: Descent) -> Figure:
    """Draw members over env steps, and copies as arrows."""
    members = list(found.lineage.trials)
    figure = new_figure(8, 1 + 0.35 * len(members))
    axes = figure.subplots()
    for member in members:
        axes.plot([0, found.lineage.steps(member)], [member, member], color="0.6", linewidth=1)
    for stretch in found.ancestry:
        axes.plot(
            [stretch.first, stretch.last],
            [stretch.member] * 2,
            color=COLOURS[1],
            linewidth=3,
            solid_capstyle="butt",
        )
    for copy in found.lineage.copies:
        axes.annotate(
            "",
            xy=(copy["env_steps"], copy["member"]),
            xytext=(copy["donor_env_steps"], copy["donor"]),
            arrowprops={"arrowstyle": "->", "color": COLOURS[0], "shrinkA": 0, "shrinkB": 0},
        )
    axes.set_yticks(members)
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_xlabel("env steps of each member")
    axes.set_ylabel("member")
    axes.set_title(f"{found.lineage.folder.name}: {len(found.lineage.copies)} copies")
    return figure
