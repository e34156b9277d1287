"""Improvements: how much more a core scores in Atari games than another one, in two readings.

Figure 6 of the RIMs paper (arXiv 1909.10893) shows a "relative score improvement" over LSTM, without a
formula. Reading 1 is the plain one; reading 2 is that of Wang et al. (arXiv 1511.06581, section 4.2), which
has a meaning for scores of 0 and below, too.
"""

import dataclasses
import json
import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from engram.envs.atari.options import AtariOptions
from engram.envs.atari.published import PublishedScores, published_scores
from engram.train.console.errors import ExperimentError, unknown
from engram.train.console.files import mapping_at
from engram.train.pictures.tables import table
from engram.train.plans.build import is_columnar
from engram.train.plans.changes import differences
from engram.train.runs.labels import label, short_keys
from engram.train.runs.record import read_record
from engram.train.runs.results import Trial, differing_settings, last_values

_GAME = re.compile(r"ALE/(\w+)-v5")
_DEFAULT = {"type": "lstm"}  # where an experiment names no core
_STICKY = "repeat_action_probability"


class Improvement(NamedTuple):
    """A core in one game.

    Attributes:
        core: Its name.
        game: Its name in ALE's id.
        trials: How many are averaged.
        score: Their mean score.
        baseline: Mean score of the core that it is compared with.
        published: What random actions and people score.
    """

    core: str
    game: str
    trials: int
    score: float
    baseline: float
    published: PublishedScores

    @property
    def over_baseline(self) -> float | None:
        """The gain over the size of the baseline; None where that is 0."""
        return (self.score - self.baseline) / abs(self.baseline) if self.baseline else None

    @property
    def over_better(self) -> float:
        """The gain over what the better of baseline and people scores above random actions."""
        better = max(self.published.human, self.baseline)
        return (self.score - self.baseline) / (better - self.published.random)

    @property
    def normalised(self) -> float:
        """The human-normalised score."""
        return self.published.normalised(self.score)

    @property
    def baseline_normalised(self) -> float:
        """That of the baseline."""
        return self.published.normalised(self.baseline)


@dataclasses.dataclass(frozen=True)
class Improvements:
    """Cores in the games that the baseline has played, too.

    Attributes:
        baseline: Name of the core that others are compared with.
        found: In the order of the cores, and of the games in the table of published scores.
        notes: What is left out, and what to beware of.
    """

    baseline: str
    found: list[Improvement]
    notes: list[str]

    def by_core(self) -> dict[str, list[Improvement]]:
        """Core -> its games."""
        return {
            core: [each for each in self.found if each.core == core]
            for core in dict.fromkeys(each.core for each in self.found)
        }

    def rows(self) -> Iterator[Sequence[object]]:
        """Yield lines of a CSV file: the heading, and one for each core and game."""
        base = self.baseline
        yield (
            *("core", "game", "trials", "score", f"score of {base}", "random", "human"),
            *(f"improvement over |{base}|", f"improvement over max(human, {base}) - random"),
            *("human-normalised score", f"human-normalised score of {base}"),
        )
        for each in self.found:
            own = (each.core, each.game, each.trials, each.score, each.baseline, *each.published)
            yield (*own, each.over_baseline, each.over_better, each.normalised, each.baseline_normalised)

    def text(self) -> str:
        """Return a table in Markdown with what its readings mean, medians over games, and the notes."""
        base = self.baseline
        heading = ("core", "game", "trials", "score", base, "reading 1", "reading 2", "of human", f"{base}'s")
        best_first = sorted(self.found, key=lambda each: -each.over_better)
        rows = [_cells(each) for core in self.by_core() for each in best_first if each.core == core]
        lines = [
            "scores of Atari games: means over trials, each over the last tenth of its reports",
            f"reading 1: (score - {base}) / |{base}|",
            f"reading 2: (score - {base}) / (max(human, {base}) - random)",
            "of human: (score - random) / (human - random)",
            "",
            *table(heading, rows),
            "",
            *(f"{core}: {_medians(games, base)}" for core, games in self.by_core().items()),
        ]
        return "\n".join([*lines, *self.notes])


def _cells(each: Improvement) -> list[str]:
    first = "-" if each.over_baseline is None else f"{each.over_baseline:+.1%}"
    shares = (f"{each.normalised:.1%}", f"{each.baseline_normalised:.1%}")
    scores = (f"{each.score:,.1f}", f"{each.baseline:,.1f}")
    return [
        f"`{each.core}`",
        each.game,
        str(each.trials),
        *scores,
        first,
        f"{each.over_better:+.1%}",
        *shares,
    ]


def _medians(games: list[Improvement], base: str) -> str:
    better = sum(each.score > each.baseline for each in games)
    first = [each.over_baseline for each in games if each.over_baseline is not None]
    shown = f"{statistics.median(first):+.1%}" if first else "-"
    second = statistics.median(each.over_better for each in games)
    own = statistics.median(each.normalised for each in games)
    theirs = statistics.median(each.baseline_normalised for each in games)
    return (
        f"better than {base} in {better} of {len(games)} games; medians: reading 1 {shown}, reading 2 "
        f"{second:+.1%}, of human {own:.1%} ({base} {theirs:.1%})"
    )


def compare(trials: Sequence[Trial], baseline: str, metric: str) -> Improvements:
    """Compare the cores of trials with one of them, game by game.

    Args:
        trials: Finished or not.
        baseline: Name of the core that others are compared with.
        metric: Path of the score in the reports.

    Raises:
        ExperimentError: a trial of no Atari game, or of one without a published score; one core only, or none
            that the baseline names; no finished trial with a score; no game that two of them have played.
    """
    games = {trial.folder: game_of(trial, "--options.runs") for trial in trials}
    cores = _by_core(trials)
    if len(cores) == 1:
        raise ExperimentError(f"--options.runs: only {next(iter(cores))}; expected another core's runs, too")
    if baseline not in cores:
        raise unknown("--options.baseline", baseline, cores)
    notes = [f"left out: {trial.name}: {why}" for trial in trials if (why := _no_score(trial, metric))]
    scores = {core: _scores(own, games, metric) for core, own in cores.items()}
    found: list[Improvement] = []
    for core in [name for name in cores if name != baseline]:
        notes += _not_shared(core, scores[core], baseline, scores[baseline])
        notes += _other_differences(core, cores[core], baseline, cores[baseline])
        found += _improvements(core, scores[core], scores[baseline])
    if not found:
        raise ExperimentError(f"--options.runs: no game with two cores' scores; {'; '.join(notes)}")
    return Improvements(baseline, found, [*notes, *_cautions(trials, found, baseline)])


def _improvements(
    core: str, own: Mapping[str, list[float]], theirs: Mapping[str, list[float]]
) -> Iterator[Improvement]:
    for game, known in published_scores().items():
        if game in own and game in theirs:
            score, baseline = statistics.fmean(own[game]), statistics.fmean(theirs[game])
            yield Improvement(core, game, len(own[game]), score, baseline, known)


def _cautions(trials: Sequence[Trial], found: list[Improvement], baseline: str) -> Iterator[str]:
    undefined = sorted({each.game for each in found if each.over_baseline is None})
    if undefined:
        yield f"note: reading 1 is not defined where {baseline} scores 0: {', '.join(undefined)}"
    yield from sticky_note(trials)


def sticky_note(trials: Sequence[Trial]) -> list[str]:
    """Return a note where a game is played with sticky actions, unlike those of published scores."""
    default = AtariOptions().repeat_action_probability
    sticky = any(mapping_at(trial.config, "env_config").get(_STICKY, default) for trial in trials)
    return ["note: with sticky actions; published scores are without"] if sticky else []


def game_of(trial: Trial, where: str) -> str:
    """Return the Atari game that a trial plays, as `published_scores` calls it.

    Args:
        trial: Any.
        where: What asked for it, which messages begin with.

    Raises:
        ExperimentError: it plays something else, or a game without a published score.
    """
    match = _GAME.fullmatch(trial.env)
    if match is None:
        raise ExperimentError(f"{where}: {trial.name} plays {trial.env}, no Atari game; legal: ALE/Game-v5")
    if match[1] not in published_scores():
        raise unknown(f"{where}: no published score of what {trial.name} plays", match[1], published_scores())
    return match[1]


def _core(trial: Trial) -> dict[str, Any]:
    """The core of a trial; the algorithm in its place where that has none of ours."""
    core = mapping_at(trial.config, "model", "core")
    run = mapping_at(read_record(trial.folder) or {}, "experiment").get("run")
    default = _DEFAULT if run is None or is_columnar(run) else {"type": run}
    return {**default, **core}


def _by_core(trials: Sequence[Trial]) -> dict[str, list[Trial]]:
    """Name of a core -> its trials: its type and, where several are of it, the options that differ."""
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(json.dumps(_core(trial), sort_keys=True), []).append(trial)
    cores = {key: _core(own[0]) for key, own in groups.items()}
    found: dict[str, list[Trial]] = {}
    for key, core in cores.items():
        alike = [other for other in cores.values() if other["type"] == core["type"]]
        options = dict.fromkeys(name for other in alike for name in other)
        differing = [name for name in options if any(other.get(name) != core.get(name) for other in alike)]
        settings: dict[tuple[str, ...], Any] = {(name,): core[name] for name in differing if name in core}
        name = " ".join([core["type"], *label(settings, short_keys(settings))])
        found.setdefault(name, []).extend(groups[key])
    return found


def _no_score(trial: Trial, metric: str) -> str:
    """Why a trial has no score; empty where it has one."""
    return trial.unfinished() or ("" if last_values(trial, metric) else f"no {metric} in its last reports")


def _scores(trials: Sequence[Trial], games: Mapping[Path, str], metric: str) -> dict[str, list[float]]:
    """Game -> a score for each finished trial."""
    found: dict[str, list[float]] = {}
    for trial in trials:
        if not _no_score(trial, metric):
            score = statistics.fmean(last_values(trial, metric))
            found.setdefault(games[trial.folder], []).append(score)
    return found


def _not_shared(core: str, own: Mapping[str, Any], baseline: str, theirs: Mapping[str, Any]) -> Iterator[str]:
    for played, name, other, lacking in ((own, core, theirs, baseline), (theirs, baseline, own, core)):
        alone = sorted(set(played) - set(other))
        if alone:
            yield f"left out: {', '.join(alone)} of {name}: no score of {lacking}"


def _other_differences(
    core: str, own: Sequence[Trial], baseline: str, theirs: Sequence[Trial]
) -> Iterator[str]:
    """Notes where trials differ in more than game, core and seed."""
    for name, trials in ((core, own), (baseline, theirs)):
        mixed = {path for each in differing_settings(trials) for path in each if path != "env"}
        if mixed:
            yield f"note: trials of {name} differ in {', '.join(sorted(mixed))}; means mix them"
    further = differences(_settings(theirs[0]), _settings(own[0]))
    if further:
        yield f"note: {core} differs from {baseline} in {', '.join(further)}, too"


def _settings(trial: Trial) -> dict[str, Any]:
    model = {key: value for key, value in mapping_at(trial.config, "model").items() if key != "core"}
    return {
        **{key: value for key, value in trial.config.items() if key not in ("env", "seed")},
        "model": model,
    }
