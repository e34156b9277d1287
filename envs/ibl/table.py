"""Trials as a table, one row each, and as CSV in the columns of the International Brain Laboratory.

Needs pandas: `pip install "engram[ibl]"`.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from engram.envs.arguments import check_known, check_number, shown
from engram.envs.arrays import Array, Flags, Floats
from engram.envs.ibl.play import COLUMNS, Trials

if TYPE_CHECKING:
    from pandas import DataFrame

IBL_COLUMNS = (
    "session_num",
    "trial_num",
    "stim_probability_left",
    "contrast",
    "position",
    "response_choice",
    "trial_correct",
    "reaction_time",
)
"""Of the CSV: two numbers from 1; probability of the left side in the block; contrast, 0 to 1; position,
-35 left or 35 right, degrees; response, -1 left, 1 right, 0 none; 1 for correct, else 0; reaction time,
in observations (seconds in a mouse's file)."""

CONTRASTS: Mapping[float, float] = {0.0: 0.0, 0.5: 0.0625, 0.75: 0.125, 1.0: 0.25, 1.5: 1.0}
"""Strength -> contrast, as the paper's published code exports them. Its default strengths are others."""

DEGREES = 35.0
"""Of a stimulus from the centre."""


def session_table(trials: Trials) -> DataFrame:
    """Return trials as a pandas table, one row each, ordered by session and trial.

    Args:
        trials: from `engram.envs.ibl.play.play_sessions`.

    Raises:
        ImportError: pandas is not installed.
        ValueError: a column is missing.
    """
    missing = [name for name in COLUMNS if name not in trials]
    if missing:
        raise ValueError(f"trials: no column {', '.join(missing)}; legal: what play_sessions returns")
    return load_pandas().DataFrame({name: np.asarray(values) for name, values in trials.items()})


def write_sessions(
    table: DataFrame,
    csv: str | os.PathLike[str],
    p_s: float = 0.8,
    contrasts: Mapping[float, float] | None = None,
) -> None:
    """Write trials as CSV, columns `IBL_COLUMNS`.

    Args:
        table: from `session_table` or `read_sessions`.
        csv: the file.
        p_s: probability that the stimulus is on the side of its block.
        contrasts: of each strength; without it `CONTRASTS` where these name all strengths, else the strengths
            as they are.

    Raises:
        ValueError: a column is missing, or a strength has no contrast.
        OSError: the file cannot be written.
    """
    needed = ("session", "trial", "block_side", "side", "mu", "response", "correct", "n_obs")
    _check_columns("table", table, needed)
    check_number("p_s", p_s, 0.0, 1.0)
    side = table["block_side"].to_numpy()
    columns = {
        "session_num": table["session"].to_numpy() + 1,
        "trial_num": table["trial"].to_numpy() + 1,
        "stim_probability_left": np.round(0.5 - (p_s - 0.5) * side, 9),
        "contrast": _translate("mu", table["mu"].to_numpy(), contrasts or CONTRASTS, contrasts is not None),
        "position": DEGREES * table["side"].to_numpy(),
        "response_choice": table["response"].to_numpy(),
        "trial_correct": table["correct"].to_numpy().astype(np.int64),
        "reaction_time": table["n_obs"].to_numpy(),
    }
    load_pandas().DataFrame(columns).to_csv(csv, index=False)


def read_sessions(csv: str | os.PathLike[str], contrasts: Mapping[float, float] | None = None) -> DataFrame:
    """Read trials from a CSV of `IBL_COLUMNS`, of a mouse or of a model, into a table like `session_table`'s.

    Other columns are left out. What a file does not say is not in the table: `steps` and `reward`; `n_obs` is
    the reaction time, whatever its unit. Sides are those of positions, blocks end where
    `stim_probability_left` changes.

    Args:
        csv: the file.
        contrasts: strength -> contrast; without it `CONTRASTS` where these name all contrasts of the file,
            else contrasts are taken for strengths.

    Raises:
        ValueError: it is no CSV, a column is missing, or holds what it cannot.
        OSError: the file cannot be read.
    """
    pandas = load_pandas()
    name = str(csv)
    try:
        found = pandas.read_csv(csv)
    except (pandas.errors.ParserError, pandas.errors.EmptyDataError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{name}: is no table of comma-separated values: {reason}") from None
    _check_columns(name, found, IBL_COLUMNS)
    if not len(found):
        raise ValueError(f"{name}: holds no trials; legal: one row each")
    read = {column: _numbers(name, column, found[column]) for column in IBL_COLUMNS}
    for column, legal in _legal(read).items():
        _check_values(name, column, read[column], legal, _WORDS[column])
    right = np.where(read["response_choice"] == np.sign(read["position"]), 1.0, 0.0)
    words = "1 where response_choice and position are on the same side, else 0"
    _check_values(name, "trial_correct", read["trial_correct"], read["trial_correct"] == right, words)
    return pandas.DataFrame(_columns(read, contrasts))


_WORDS: Mapping[str, str] = {
    "session_num": "whole numbers, the rows of a session together",
    "trial_num": "whole numbers >= 1",
    "stim_probability_left": "0 to 1",
    "contrast": ">= 0",
    "position": "below 0 left, above 0 right",
    "response_choice": "-1 left, 1 right, 0 none",
    "trial_correct": "0, 1",
    "reaction_time": ">= 0",
}


def _legal(read: Mapping[str, Floats]) -> dict[str, Flags]:
    """Return which values of each column are legal, as `_WORDS` says, (N,)."""
    session, trial, left = read["session_num"], read["trial_num"], read["stim_probability_left"]
    again = np.diff(session, prepend=np.nan) != 0  # a session begins
    again[np.unique(session, return_index=True)[1]] = False  # for the first time
    return {
        "session_num": (session == np.round(session)) & ~again,
        "trial_num": (trial == np.round(trial)) & (trial >= 1),
        "stim_probability_left": (left >= 0) & (left <= 1),
        "contrast": read["contrast"] >= 0,
        "position": read["position"] != 0,
        "response_choice": np.isin(read["response_choice"], (-1, 0, 1)),
        "trial_correct": np.isin(read["trial_correct"], (0, 1)),
        "reaction_time": read["reaction_time"] >= 0,
    }


def _columns(read: Mapping[str, Floats], contrasts: Mapping[float, float] | None) -> dict[str, Array]:
    """Return a table's columns from those of a file, in the file's order."""
    session = np.unique(read["session_num"], return_inverse=True)[1]
    side, block_side = np.sign(read["position"]), np.sign(0.5 - read["stim_probability_left"])
    strengths = {contrast: strength for strength, contrast in (contrasts or CONTRASTS).items()}
    mu = _translate("contrast", read["contrast"], strengths, contrasts is not None)
    block, place = _blocks(session, block_side)
    response = read["response_choice"].astype(np.int64)
    return {
        "session": session,
        "trial": read["trial_num"].astype(np.int64) - 1,
        "block": block,
        "trial_in_block": place,
        "block_side": block_side.astype(np.int64),
        "side": side.astype(np.int64),
        "mu": mu,
        "signed_contrast": side * mu,
        "concordant": side == block_side,
        "n_obs": read["reaction_time"],
        "response": response,
        "acted": response != 0,
        "correct": read["trial_correct"] == 1,
        "timeout": response == 0,
    }


def _blocks(session: Array, block_side: Array) -> tuple[Array, Array]:
    """Return the number of each trial's block in its session, and of the trial in its block, both from 0."""
    places = np.arange(len(session))
    new_session = np.diff(session, prepend=-1) != 0
    new_block = new_session | (np.diff(block_side, prepend=np.inf) != 0)
    count = np.cumsum(new_block)
    before = np.maximum.accumulate(np.where(new_session, count, 0))
    return count - before, places - np.maximum.accumulate(np.where(new_block, places, 0))


def _translate(name: str, values: Floats, table: Mapping[float, float], given: bool) -> Floats:
    """Return the translation of each value; the values themselves where the usual table lacks one.

    Raises:
        ValueError: a table that was given lacks one.
    """
    known = np.isin(values, list(table))
    if not known.all():
        if given:
            check_known(f"contrasts.{name}", f"{values[~known][0]:g}", [f"{each:g}" for each in table])
        return values.astype(np.float64)
    keys = np.array(sorted(table))
    return np.array([table[key] for key in keys.tolist()])[np.searchsorted(keys, values)]


def _check_columns(name: str, table: Any, needed: tuple[str, ...]) -> None:
    missing = [column for column in needed if column not in table.columns]
    if missing:
        raise ValueError(
            f"{name}: no column {', '.join(missing)}; it has {', '.join(map(str, table.columns)) or 'none'}"
        )


def _numbers(name: str, column: str, values: Any) -> Floats:
    """Return a column as finite numbers; true and false count as 1 and 0."""
    if values.dtype == np.bool_:
        return np.asarray(values, np.float64)
    numbers = np.asarray(load_pandas().to_numeric(values, errors="coerce"), np.float64)
    _check_values(name, column, np.asarray(values, object), np.isfinite(numbers), "numbers")
    return numbers


def _check_values(name: str, column: str, values: Array, legal: Array, words: str) -> None:
    """Refuse the first illegal value of a column."""
    if not legal.all():
        row = int(np.flatnonzero(~legal)[0])
        raise ValueError(
            f"{name}: {column}, row {row + 1}: {shown(values.tolist()[row])} is not legal; legal: {words}"
        )


def load_pandas() -> Any:
    """Return the module pandas.

    Raises:
        ImportError: it is not installed.
    """
    if importlib.util.find_spec("pandas") is None:
        raise ImportError('tables of trials need one more package: pip install "engram[ibl]"')
    import pandas

    return pandas
