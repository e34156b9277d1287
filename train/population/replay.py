"""The schedule that a population found, as one ordinary experiment: was it the schedule, or luck?"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from engram.agents.columns.live import OWN_SCHEDULES
from engram.train.console.errors import ExperimentError
from engram.train.console.files import mapping_at
from engram.train.population.lineage import Lineage, Stretch
from engram.train.runs.record import read_record
from engram.train.runs.results import env_steps

Points = list[list[float]]
"""[env step, value] with rising steps."""


@dataclass(frozen=True)
class Replay:
    """A line of descent on one clock.

    Attributes:
        member: Whose weights are at its end.
        stretches: Whose training they come from.
        schedules: Hyperparameter -> its values: the first at step 0, each until the next.
        env_steps: How long it is.
    """

    member: int
    stretches: tuple[Stretch, ...]
    schedules: dict[str, Points]
    env_steps: int


def replay_of(lineage: Lineage, member: int) -> Replay:
    """Put a member's line of descent on one clock.

    Args:
        lineage: The population.
        member: Whose.

    Raises:
        ExperimentError: there is no such member, or nothing that it has reported.
    """
    if member not in lineage.trials:
        known = ", ".join(map(str, lineage.trials))
        raise ExperimentError(f"--member: no member {member} in {lineage.folder}; known: best, {known}")
    stretches = lineage.ancestry(member)
    schedules: dict[str, Points] = {}
    clock = 0
    for stretch in stretches:
        for step, values in _values(lineage, stretch):
            for key, value in values.items():
                points = schedules.setdefault(key, [])
                if not points or points[-1][1] != value:
                    points.append([clock + step - stretch.first if points else 0, value])
        clock += stretch.last - stretch.first
    if not clock:
        raise ExperimentError(f"{lineage.folder}: member {member} has not reported yet")
    return Replay(member, tuple(stretches), {k: _last_of_each_step(p) for k, p in schedules.items()}, clock)


def _values(lineage: Lineage, stretch: Stretch) -> Iterator[tuple[int, Mapping[str, float]]]:
    """Hyperparameters of a member in a stretch, from which env step of its own on each."""
    looks = [
        look
        for look in lineage.copies
        if look["member"] == stretch.member and look["env_steps"] == stretch.first
    ]
    if looks and stretch.first:
        yield stretch.first, looks[-1]["after"]
    before = stretch.first
    for report in lineage.trials[stretch.member].reports:
        if stretch.first < env_steps(report) <= stretch.last:
            yield before, mapping_at(report, "hyperparameters")
            before = env_steps(report)


def _last_of_each_step(points: Points) -> Points:
    return [[step, value] for step, value in {point[0]: point[1] for point in points}.items()]


def experiment(lineage: Lineage, replay: Replay) -> dict[str, Any]:
    """Return the experiment that trains by a replay's schedules.

    Args:
        lineage: The population.
        replay: One of its lines of descent.

    Raises:
        ExperimentError: the run does not say what it was started with.
    """
    folder = lineage.trials[replay.member].folder
    record = read_record(folder)
    if record is None:
        raise ExperimentError(f"{folder}: what it was started with cannot be read")
    stored = record["experiment"]
    config = {key: value for key, value in record["trial_config"].items() if key not in ("population", "env")}
    stepped: dict[str, Any] = {}
    for key, points in replay.schedules.items():
        if len(points) == 1:
            config[key] = points[0][1]
        elif key in OWN_SCHEDULES:
            config[key] = _straight(points)
        else:
            config[key], stepped[key] = points[0][1], points
    if stepped:
        config["schedules"] = stepped
    return {
        "env": record["trial_config"].get("env", stored["env"]),
        "run": stored["run"],
        "stop": {"timesteps_total": replay.env_steps},
        "checkpoint_config": stored.get("checkpoint_config", {}),
        "config": config,
    }


def _straight(points: Points) -> Points:
    """Steps as points that straight lines join: each value up to the env step where the next begins."""
    joined = [points[0]]
    for (_, value), (step, following) in itertools.pairwise(points):
        joined += [[step, value], [step + 1, following]]
    return joined


def as_yaml(lineage: Lineage, replay: Replay) -> str:
    """Write the experiment as a file, with a comment that says where it comes from."""
    heading = [
        f"The schedule that member {replay.member} of the population {lineage.folder.name} was trained by.",
        *(
            f"Env steps {first:,} to {last:,}: member {each.member}, its own {each.first:,} to {each.last:,}."
            for each, (first, last) in zip(replay.stretches, _on_one_clock(replay), strict=True)
        ),
        "Not in it: optimiser moments that a copy left behind, and the choice among many at each copy.",
    ]
    name = f"{lineage.folder.name}_replay"
    text = yaml.safe_dump(
        {name: experiment(lineage, replay)}, sort_keys=False, default_flow_style=None, width=110
    )
    return "".join(f"# {line}\n" for line in heading) + text


def _on_one_clock(replay: Replay) -> Iterator[tuple[int, int]]:
    clock = 0
    for stretch in replay.stretches:
        yield clock, clock + stretch.last - stretch.first
        clock += stretch.last - stretch.first
