"""The table of trials: when each was, and what of it is known, in numbers or labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.foundations.checks import bad_input

PLACES = ("start_s", "stop_s", "segment", "first_bin", "stop_bin")
"""Columns that say where a trial is; every other one says what it was."""

NWB_OURS = "boltzbrain_trials"
"""Attribute of the tables of trials that we write to NWB; the epochs of such a file stand apart."""


def no_trials() -> pd.DataFrame:
    """Return a table of no trial (start_s, stop_s in seconds)."""
    return pd.DataFrame({name: pd.Series(dtype=np.float64) for name in ("start_s", "stop_s")})


def columns_of(trials: pd.DataFrame) -> list[str]:
    """Return the columns that say what a trial was."""
    return [str(name) for name in trials.columns if name not in PLACES]


def all_trials(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of all tables; numbers of a column that one lacks are NaN, labels ""."""
    if not tables:
        return no_trials()
    whole = pd.concat(tables, ignore_index=True)
    for name in whole.columns:
        if is_labels(whole[name]):
            whole[name] = whole[name].fillna("")
    return whole


def is_labels(column: pd.Series[Any]) -> bool:
    """Return whether a column holds labels, and not numbers."""
    return column.dtype.kind not in "biuf"


def checked_trials(table: pd.DataFrame, *, file: object = None) -> pd.DataFrame:
    """Return a table of trials as a recording keeps it, in order of time.

    Parameters
    ----------
    table
        ``start_s`` and ``stop_s`` in seconds, maybe ``segment``, and columns of numbers, truth
        values or labels. Missing are NaN in numbers and "" in labels.
    file
        The file, for messages.

    Returns
    -------
    DataFrame
        Numbers as float64, labels as text.

    Raises
    ------
    InputError
        If a column is missing or there twice, or a trial does not end after it starts.
    """
    names = [str(name) for name in table.columns]
    for name in ("start_s", "stop_s"):
        if name not in names:
            raise bad_input(f"trials.{name}", "be a column", ", ".join(names), file=file)
    if len(set(names)) < len(names):
        raise bad_input("trials", "have columns of different names", ", ".join(names), file=file)
    made: dict[str, Any] = {}
    for place, name in enumerate(names):
        made[name] = _column(table.iloc[:, place], name, file)
    start, stop = made["start_s"], made["stop_s"]
    with np.errstate(invalid="ignore"):
        wrong = ~(np.isfinite(start) & np.isfinite(stop) & (stop > start))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise bad_input(
            "trials",
            "each stop after they start, at finite times",
            f"{start[row]:g} to {stop[row]:g} s in row {row}",
            file=file,
        )
    if "segment" in made:
        made["segment"] = made["segment"].astype(np.int32)
    whole = pd.DataFrame(made)
    # by segment they are in the order of the recording already
    if "segment" not in made:
        whole = whole.sort_values("start_s", kind="stable", ignore_index=True)
    return whole


def _column(column: pd.Series[Any], name: str, file: object) -> NDArray[Any]:
    if not is_labels(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    if name in PLACES:
        raise bad_input(f"trials.{name}", "hold numbers", "text", file=file)
    words = ["" if one is None or one != one else str(one) for one in column.tolist()]
    return np.array(words, dtype=object)
