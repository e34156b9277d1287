"""`population.jsonl`: a line for each look of a member at the others, written by the command's process."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial
from typing_extensions import override

from engram.agents.population.member import TESTS
from engram.train.console.files import write_whole
from engram.train.population.lineage import FILE, read_looks


class PopulationLog(Callback):  # type: ignore[misc]
    """Writes the file, takes its lines out of results, and says on the screen who copies whom.

    A member that goes on from a checkpoint looks again; lines of what it has gone back behind are taken out.
    """

    def __init__(self, folder: Path | None) -> None:
        """Reads what a run that goes on has written.

        Args:
            folder: The experiment's; None: it is no folder of this machine, and no file is written.
        """
        self._file = None if folder is None else folder / FILE
        self._looks = [] if folder is None else read_looks(folder)

    @override
    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Called with each result; before other loggers."""
        told = result.get(TESTS)
        if not isinstance(told, dict) or "found" not in told:
            return
        found = told.pop("found")
        member = trial.config["population"]["member"]
        before = int(told["looks"]) - len(found)
        kept = [each for each in self._looks if each["member"] != member or each["look"] <= before]
        gone_back, self._looks = len(kept) < len(self._looks), [*kept, *found]
        if self._file is not None and gone_back:
            write_whole(self._file, "".join(map(_line, self._looks)))
        elif self._file is not None and found:
            with self._file.open("a", encoding="utf-8") as stream:
                stream.writelines(map(_line, found))
        for look in found:
            if look["copied"]:
                print(said(look), flush=True)


def _line(look: Mapping[str, Any]) -> str:
    return json.dumps(look) + "\n"


def said(look: Mapping[str, Any]) -> str:
    """Say who copied whom, and why."""
    p = "" if look["p"] is None else f", p {look['p']:.2g}"
    return (
        f"population: at {look['env_steps']:,} env steps member {look['member']} takes the weights of member "
        f"{look['donor']} (mean return {look['donor_mean']:.4g} of {look['donor_n']:,} episodes against "
        f"{look['mean']:.4g} of {look['n']:,}{p})"
    )
