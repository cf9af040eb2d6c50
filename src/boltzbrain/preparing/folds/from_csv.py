"""Folds from a table: a csv with one row per segment and columns of train, validation and test."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import FOLDS
from boltzbrain.foundations.checks import InputError, bad_input, closest

SEGMENT_COLUMN = "segment"


def folds_from_csv(
    where: str | Path, segment: NDArray[np.int32], *, dropped: Iterable[int] = ()
) -> NDArray[np.int8]:
    """Return the fold of every bin from a csv.

    Parameters
    ----------
    where
        ``FILE.csv:COLUMN``. The file has a column ``segment`` of whole numbers and the named one
        of the words train, validation and test.
    segment
        (bin,) segment of every bin.
    dropped
        Segments of the recording that hold no bin; the csv may name them.

    Returns
    -------
    NDArray
        (bin,) int8: 0 train, 1 validation, 2 test.

    Raises
    ------
    InputError
        If the file cannot be read, the column is missing, a word is unknown, or the segments of
        the csv are not those of the recording.
    """
    path, column = _file_and_column(str(where))
    table = _read(path, column)
    numbers = np.unique(segment)
    missing = [int(number) for number in numbers if int(number) not in table]
    if missing:
        raise bad_input(
            SEGMENT_COLUMN,
            "list every segment of the recording",
            f"no row for {_some(missing)}",
            file=path,
        )
    unknown = sorted(set(table) - {int(number) for number in numbers} - set(dropped))
    if unknown:
        raise bad_input(
            SEGMENT_COLUMN,
            f"list only segments of the recording ({numbers[0]} to {numbers[-1]})",
            _some(unknown),
            file=path,
        )
    codes = np.array([table[int(number)] for number in numbers], dtype=np.int8)
    fold: NDArray[np.int8] = codes[np.searchsorted(numbers, segment)]
    return fold


def _file_and_column(where: str) -> tuple[Path, str]:
    name, colon, column = where.rpartition(":")
    if not colon or not name or not column or "/" in column or "\\" in column:
        raise bad_input("folds", "be FILE.csv:COLUMN", where)
    path = Path(name)
    if not path.is_file():
        raise bad_input("folds", "name a file that exists", "no such file", file=path)
    return path, column


def _read(path: Path, column: str) -> dict[int, int]:
    """Return the fold code of every segment of the table."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            rows = [row for row in csv.reader(handle) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: the file must be a csv in UTF-8; got {error}") from error
    if len(rows) < 2:
        raise bad_input(
            "the table", "have a header and a row per segment", f"{len(rows)} rows", file=path
        )
    header = [cell.strip() for cell in rows[0]]
    for name in (SEGMENT_COLUMN, column):
        if header.count(name) != 1:
            others = [known for known in header if known not in ("", SEGMENT_COLUMN)]
            raise bad_input(
                f"column {name}",
                f"be one of the columns ({', '.join(header)})",
                "none of this name" if name not in header else "several of this name",
                suggestion=closest(name, others if name == column else header),
                file=path,
            )
    where_segment, where_fold = header.index(SEGMENT_COLUMN), header.index(column)
    table: dict[int, int] = {}
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise bad_input(f"row {line}", f"have {len(header)} cells", len(row), file=path)
        number = _whole_number(row[where_segment], line, path)
        word = row[where_fold].strip()
        if word not in FOLDS:
            raise bad_input(
                f"{column} of segment {number}",
                "be one of: " + ", ".join(FOLDS),
                word or "nothing",
                suggestion=closest(word, FOLDS),
                file=path,
            )
        if number in table:
            raise bad_input(SEGMENT_COLUMN, "be listed once", f"{number} twice", file=path)
        table[number] = FOLDS[word]
    return table


def _whole_number(cell: str, line: int, path: Path) -> int:
    try:
        return int(cell)
    except ValueError:
        pass
    raise bad_input(
        f"{SEGMENT_COLUMN} in row {line}", "be a whole number", cell or "nothing", file=path
    )


def _some(numbers: list[int]) -> str:
    shown = ", ".join(str(number) for number in numbers[:5])
    return shown + (f" and {len(numbers) - 5} more" if len(numbers) > 5 else "")
