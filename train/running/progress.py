"""Show progress: a live table on a terminal, plain lines elsewhere."""

import time
from collections.abc import Mapping
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial
from rich.console import Console
from rich.live import Live
from rich.table import Table
from typing_extensions import override

from engram.train.console.errors import last_words
from engram.train.running.failing import described
from engram.train.runs.results import env_steps, number_at

COLUMNS = ("trial", "return", "success", "env steps", "steps/s", "left", "iteration")
_QUIET = 1.0  # s between two plain lines of one trial
_THROUGHPUT = "num_env_steps_sampled_lifetime_throughput"  # RLlib's own, env steps/s


class Pace:
    """Estimates from one trial's results when it meets its stop conditions."""

    def __init__(self, stop: Mapping[str, float]) -> None:
        self.stop = stop
        self._first: tuple[float, dict[str, float]] | None = None

    def left(self, result: Mapping[str, Any]) -> float | None:
        """Seconds until the first of the stop conditions that grow steadily, or None where none does."""
        now = float(result.get("time_total_s") or 0.0)
        counts = {
            "timesteps_total": env_steps(result),
            "training_iteration": result.get("training_iteration", 0),
        }
        counts["num_env_steps_sampled_lifetime"] = counts["timesteps_total"]
        if self._first is None:
            self._first = (now, counts)
        since, start = self._first
        left = [self.stop["time_total_s"] - now] if "time_total_s" in self.stop else []
        for key, count in counts.items():
            if key in self.stop and count > start[key] and now > since:
                left.append((self.stop[key] - count) * (now - since) / (count - start[key]))
        return max(0.0, min(left)) if left else None


def cells(trial: str, result: Mapping[str, Any], left: float | None) -> tuple[str, ...]:
    """One row of the table."""
    success = number_at(result, "env_runners/success_rate")
    return (
        trial,
        _return(result),
        "-" if success is None else f"{success:.1%}",
        f"{env_steps(result):,}",
        _number(_speed(result), ",.0f"),
        "-" if left is None else _clock(left),
        str(result.get("training_iteration", "-")),
    )


def of_trials(result: Mapping[str, Any]) -> list[str]:
    """Return name and mean of each measure of trials; nothing where episodes have none."""
    means = result.get("env_runners", {}).get("trials", {})
    return [f"{name} {value:.3f}" for name, value in means.items() if name not in ("count", "reward")]


def _return(result: Mapping[str, Any]) -> str:
    """The mean return; before an episode has ended, how far the longest one is."""
    value = number_at(result, "env_runners/episode_return_mean")
    under_way = number_at(result, "env_runners/unfinished_episode_len_max")
    if value is None and under_way:
        return f"- (episodes at step {under_way:,.0f})"
    return _number(value, ".3f")


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _speed(result: Mapping[str, Any]) -> float | None:
    own = number_at(result, "steps_per_second")
    return own if own is not None else number_at(result, f"env_runners/{_THROUGHPUT}")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class Progress(Callback):  # type: ignore[misc]
    """Shows each trial's newest result."""

    def __init__(self, stop: Mapping[str, float]) -> None:
        self.stop = dict(stop)
        self._start()

    def _start(self) -> None:
        self._console = Console()
        self._live: Live | None = None
        self._paces: dict[str, Pace] = {}
        self._rows: dict[str, tuple[str, ...]] = {}
        self._printed: dict[str, float] = {}
        self._skipped: dict[str, int] = {}
        self._trials: dict[str, list[str]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Ray Tune pickles its callbacks; what is on the screen stays behind."""
        return {"stop": self.stop}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Begin afresh in another process."""
        self.stop = state["stop"]
        self._start()

    @override
    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Show a new result."""
        pace = self._paces.setdefault(trial.trial_id, Pace(self.stop))
        self._rows[trial.trial_id] = cells(label(trial), result, pace.left(result))
        self._trials[trial.trial_id] = of_trials(result)
        self._tell_skipped(trial, result)
        if "new_episodes" in result:
            self._say(trial, f"new episodes began: {result['new_episodes']}")
        if self._console.is_terminal:
            self._redraw()
        elif result.get("done") or time.monotonic() - self._printed.get(trial.trial_id, 0.0) >= _QUIET:
            self._print_line(trial.trial_id)

    @override
    def on_trial_recover(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Say why a trial has failed that is tried again; its `error.txt` goes when it starts."""
        error = trial.get_pickled_error() or trial.get_error()
        said = described(error) if isinstance(error, BaseException) else last_words(str(error))
        often = f" of {trial.max_failures}" if trial.max_failures > 0 else ""
        self._say(trial, f"failed: {said}; tried again ({trial.num_failures}{often})")

    def _tell_skipped(self, trial: Trial, result: Mapping[str, Any]) -> None:
        """Say once that numbers are skipped that are not finite, and in the end how many."""
        count = int(number_at(result, "non_finite_skipped") or 0)
        first, last = trial.trial_id not in self._skipped, bool(result.get("done"))
        if not count or not (first or (last and count > self._skipped[trial.trial_id])):
            return
        self._skipped[trial.trial_id] = count
        what = f"; {result['non_finite']}" if "non_finite" in result else ""
        self._say(
            trial, f"not finite, left out so far: {count:,} (fragments of a lane, or minibatches){what}"
        )

    def _say(self, trial: Trial, said: str) -> None:
        text = f"{label(trial)}: notice: {said}"
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    @override
    def on_experiment_end(self, trials: list[Trial], **info: Any) -> None:
        """Leave the last state of the table on the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _redraw(self) -> None:
        if self._live is None:
            self._live = Live(console=self._console, refresh_per_second=4, redirect_stdout=False)
            self._live.start()
        table = Table(*COLUMNS, box=None, header_style="bold", pad_edge=False)
        for row in self._rows.values():
            table.add_row(*row)
        self._live.update(table)

    def _print_line(self, trial_id: str) -> None:
        self._printed[trial_id] = time.monotonic()
        trial, *values = self._rows[trial_id]
        pairs = [f"{name} {value}" for name, value in zip(COLUMNS[1:], values, strict=True)]
        print(f"{trial}: {', '.join([*pairs, *self._trials[trial_id]])}", flush=True)


def label(trial: Trial) -> str:
    """Return a trial's label in the table: its number and the settings in which trials differ."""
    number, _, searched = trial.experiment_tag.partition("_")
    return f"{number} {searched}".strip()
