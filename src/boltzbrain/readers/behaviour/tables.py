"""Tables of text beside a recording: a row per trial, or per sample of its series.

A table of trials has ``start_s`` and ``stop_s`` (or BIDS' ``onset`` and ``duration``) in seconds on
the clock of the recording; or ``segment``, the number of the segment that the trial is; or neither,
and a row for every segment in order. A table of series has ``time_s``, with ``segment`` where the
clock starts again in every segment, or neither and a row for every bin or frame in order. Any other
column is named by its first line, a unit in brackets: ``velocity [mm/s]``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.data.behaviour.clock import SegmentClock
from boltzbrain.data.behaviour.covariates import Covariate
from boltzbrain.data.behaviour.trials import checked_trials, is_labels
from boltzbrain.data.recording import Recording
from boltzbrain.data.signals import SpikeTimes
from boltzbrain.foundations.checks import InputError, bad_input

_NAMES = {
    "start_s": ("start_s", "start", "start_time", "onset"),
    "stop_s": ("stop_s", "stop", "stop_time", "end", "end_s", "end_time"),
    "duration_s": ("duration_s", "duration"),
    "time_s": ("time_s", "time", "times", "t", "timestamp", "timestamps"),
    "segment": ("segment",),
}
_MISSING = ("", "nan", "na", "n/a", "none", "null")
_TRUTHS = {"true": 1.0, "false": 0.0}


def read_words(path: Path) -> pd.DataFrame:
    """Return a table of text with its numbers as numbers and all else as text.

    Raises
    ------
    InputError
        If the file is missing, no table of UTF-8 with a first line of names, or has no row.
    """
    if not path.is_file():
        raise bad_input("the table", "be a file", "no such file", file=path)
    try:
        with path.open(encoding="utf-8-sig") as handle:
            first = handle.readline()
        separator = max(",;\t", key=first.count)
        table = pd.read_csv(
            path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig",
            skipinitialspace=True, index_col=False, comment=None,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the table must be a csv in UTF-8; got {error}") from error
    if not len(table):
        raise bad_input("the table", "have a line of names and a row or more", "none", file=path)
    decimal = "," if separator != "," else "."
    return pd.DataFrame(
        {str(name).strip(): _numbers_or_words(table[name], decimal) for name in table}
    )


def _numbers_or_words(column: pd.Series[Any], decimal: str) -> NDArray[Any]:
    words = [str(one).strip() for one in column.tolist()]
    numbers = np.full(len(words), np.nan)
    for row, word in enumerate(words):
        if word.lower() in _MISSING:
            continue
        try:
            numbers[row] = _TRUTHS.get(word.lower(), np.nan)
            if np.isnan(numbers[row]):
                numbers[row] = float(word.replace(decimal, ".") if decimal == "," else word)
        except ValueError:
            gone = ["" if one.lower() in _MISSING else one for one in words]
            return np.array(gone, dtype=object)
    return numbers


def trials_of_table(
    table: pd.DataFrame, recording: Recording, *, file: object = None
) -> pd.DataFrame:
    """Return the trials of a table, on the clock of a recording.

    Raises
    ------
    InputError
        If the table has not a row for every segment, names segments that there are not, or no trial
        lies in the recorded time.
    """
    table = _named(table, ("start_s", "stop_s", "duration_s", "segment"), file)
    clock = SegmentClock.of(recording.signal)
    if "stop_s" not in table and {"start_s", "duration_s"} <= set(table.columns):
        table = table.assign(stop_s=table["start_s"] + table["duration_s"])
    timed = {"start_s", "stop_s"} <= set(table.columns)
    if "segment" not in table and timed and not clock.ascends:
        raise bad_input(
            "trials",
            "have a column segment, as the clock of the recording starts again in each segment",
            ", ".join(map(str, table.columns)),
            file=file,
        )
    if "segment" in table:
        row = _rows_of(table["segment"], clock, file)
        if not timed:
            _require_each_once(row, clock, file)
    elif not timed:
        if len(table) != len(clock.number):
            raise bad_input(
                "trials",
                f"have start_s and stop_s, or a row for each of the {len(clock.number)} segments",
                f"{len(table)} rows and no such columns",
                file=file,
            )
        row = np.arange(len(table))
    if not timed:
        table = table.assign(start_s=clock.start_s[row], stop_s=clock.stop_s[row])
    if clock.ascends:
        table = table.drop(columns="segment", errors="ignore")
    elif "segment" not in table:
        table = table.assign(segment=clock.number)
    found = checked_trials(table, file=file)
    if clock.ascends:
        times = found[["start_s", "stop_s"]].to_numpy(np.float64)
        _require_overlap("trials", times[:, 0].min(), times[:, 1].max(), clock, file)
    return found


def covariates_of_table(
    table: pd.DataFrame, recording: Recording, *, file: object = None
) -> dict[str, Covariate]:
    """Return the series of a table, on the clock of a recording.

    Raises
    ------
    InputError
        If nothing tells when each row was, a column holds text, or no sample lies in the recorded
        time.
    """
    table = _named(table, ("time_s", "segment"), file)
    clock = SegmentClock.of(recording.signal)
    signal = recording.signal
    segment: NDArray[np.int32] | None = None
    if "time_s" in table:
        times = table["time_s"].to_numpy(np.float64)
        if "segment" in table:
            segment = clock.number[_rows_of(table["segment"], clock, file)]
        elif not clock.ascends:
            raise bad_input(
                "covariates",
                "have a column segment, as the clock of the recording starts again in each segment",
                ", ".join(map(str, table.columns)),
                file=file,
            )
    else:
        rows = None if isinstance(signal, SpikeTimes) else len(signal.times)
        if rows != len(table):
            each = "" if rows is None else f", or a row for each of the {rows} bins or frames"
            raise bad_input(
                "covariates", f"have a column time_s in seconds{each}",
                f"{len(table)} rows and no such column", file=file,
            )  # fmt: skip
        times = signal.times.astype(np.float64)
        segment = getattr(signal, "segment", None)
    if clock.ascends:
        segment = None
        _require_overlap("covariates", float(np.min(times)), float(np.max(times)), clock, file)
    found: dict[str, Covariate] = {}
    for column in table.columns:
        if column in ("time_s", "segment"):
            continue
        name, unit = _name_and_unit(str(column))
        if is_labels(table[column]):
            raise bad_input(
                f"covariates.{name}", "hold numbers (labels go into a table of trials)",
                "text", file=file,
            )  # fmt: skip
        found[name] = covariate(
            name, times, table[column].to_numpy(np.float64), unit, segment, file=file
        )
    if not found:
        raise bad_input("covariates", "have a column of values", "none", file=file)
    return found


def covariate(
    name: str,
    times: NDArray[np.float64],
    values: NDArray[np.float64],
    unit: str = "",
    segment: NDArray[np.int32] | None = None,
    *,
    file: object = None,
) -> Covariate:
    """Return a covariate, its errors with its name and file."""
    try:
        return Covariate(times, values, unit, segment)
    except InputError as error:
        where = f"{file}: " if file is not None else ""
        raise InputError(f"{where}covariates.{name}.{error}") from error


def _named(table: pd.DataFrame, wanted: tuple[str, ...], file: object) -> pd.DataFrame:
    """Return a table whose columns of places have our names."""
    known = {str(name).lower(): str(name) for name in table.columns}
    names: dict[str, str] = {}
    for ours in wanted:
        found = next((known[one] for one in _NAMES[ours] if one in known), None)
        if found is not None and not (ours == "duration_s" and "stop_s" in names.values()):
            names[found] = ours
    named = table.rename(columns=str).rename(columns=names)
    for ours in wanted:
        if ours in named and is_labels(named[ours]):
            raise bad_input(ours, "hold numbers", "text", file=file)
    return named


def _rows_of(column: pd.Series[Any], clock: SegmentClock, file: object) -> NDArray[np.int64]:
    """Return the place of each segment that is named."""
    place = {int(number): row for row, number in enumerate(clock.number)}
    numbers = column.to_numpy(np.float64)
    unknown = [one for one in numbers.tolist() if one not in place]
    if unknown:
        raise bad_input(
            "segment",
            f"be one of the {len(place)} segments of the recording, {min(place)} to {max(place)}",
            f"{unknown[0]:g}" + (f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""),
            file=file,
        )
    return np.array([place[int(one)] for one in numbers.tolist()], dtype=np.int64)


def _require_each_once(row: NDArray[np.int64], clock: SegmentClock, file: object) -> None:
    times = np.bincount(row, minlength=len(clock.number))
    if (times == 1).all():
        return
    wrong = int(np.argmax(times != 1))
    raise bad_input(
        "trials",
        f"have one row for each of the {len(clock.number)} segments",
        f"{len(row)} rows, {int(times[wrong])} for segment {clock.number[wrong]}",
        file=file,
    )


def _require_overlap(
    name: str, first: float, last: float, clock: SegmentClock, file: object
) -> None:
    low, high = float(clock.start_s.min()), float(clock.stop_s.max())
    if first < high and last > low:
        return
    raise bad_input(
        name,
        f"overlap the recorded time, {low:,.6g} to {high:,.6g} s (one clock, in seconds)",
        f"{first:,.6g} to {last:,.6g} s",
        file=file,
    )


def _name_and_unit(header: str) -> tuple[str, str]:
    """Return name and unit of a column.

    Examples
    --------
    >>> _name_and_unit("velocity [mm/s]"), _name_and_unit("pupil")
    (('velocity', 'mm/s'), ('pupil', ''))
    """
    found = re.fullmatch(r"(.+?)\s*[\[(]([^\])]*)[\])]", header.strip())
    return (found[1].strip(), found[2].strip()) if found else (header.strip(), "")
