"""Tables of numbers as text (csv): every number as it is meant, and no column that is no neuron."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.foundations.checks import InputError, bad_input, closest
from boltzbrain.readers.containers.npy import DAMAGE
from boltzbrain.readers.containers.text.dialect import (
    DECIMALS,
    MISSING,
    SEPARATORS,
    Dialect,
    TableOptions,
    find_dialect,
    split_lines,
)

_ROWS = 1 << 14
_SHOWN = 8
# fewer lines in order may be so by chance
_ENOUGH, _SURE = 4, 8


@dataclass(frozen=True)
class Table:
    """A table of numbers.

    Attributes
    ----------
    values
        (row, column), without the columns of times and of line numbers.
    names
        Of the columns; None where the table has no header.
    times
        (row,) seconds, None where they were not asked for.
    told
        How it was read.
    """

    values: NDArray[Any]
    names: list[str] | None
    times: NDArray[np.float64] | None
    told: dict[str, Any] = field(default_factory=dict)


@dataclass
class _Ascent:
    """Which columns go up from line to line throughout, and which by one from 0 or 1."""

    lines: int
    last: NDArray[np.float64]
    ascends: NDArray[np.bool_]
    counts: NDArray[np.bool_]

    @classmethod
    def of(cls, columns: int) -> _Ascent:
        every = np.ones(columns, dtype=np.bool_)
        return cls(0, np.full(columns, -np.inf), every, every.copy())

    def add(self, piece: NDArray[np.float64]) -> None:
        start = piece[:1] if self.lines == 0 else self.last[None]
        if self.lines == 0:
            self.counts &= (piece[0] == 0) | (piece[0] == 1)
        whole = np.concatenate([start, piece[1:] if self.lines == 0 else piece])
        with np.errstate(invalid="ignore"):
            steps = np.diff(whole, axis=0)
            self.ascends &= (steps > 0).all(axis=0)
            self.counts &= (steps == 1).all(axis=0)
        self.last = piece[-1]
        self.lines += len(piece)


def read_table(path: Path, times: Any, options: TableOptions, upright: bool) -> Table:
    """Read a table of numbers.

    Parameters
    ----------
    path
        The file.
    times
        Name or number of the column of times, None if there is none.
    options
        What the user says of how it is written.
    upright
        Whether lines are times: then a column that ascends throughout is no neuron.

    Raises
    ------
    InputError
        If it is damaged, holds anything but numbers, can be read in several ways, or has a column
        that by its looks counts or tells time and is not said to be one.
    """
    dialect = find_dialect(path, options.checked(path))
    found = _parse(path, dialect)
    columns = found.rest.shape[1] + 1
    names = list(dialect.names or map(str, range(columns)))
    kept = list(range(columns))
    seconds = None
    if times is not None:
        at = _column(times, names, path)
        seconds = found.column(at).astype(np.float64)
        kept.remove(at)
    if found.ends_empty and columns > 1:  # a separator at the end of each line
        kept = [one for one in kept if one < columns - 1]
    numbered = 0 in kept and len(kept) > 1 and _numbers_lines(found, dialect, upright)
    if numbered:
        kept.remove(0)
    if dialect.index != "no":
        _refuse_ascending(found, kept, names, upright, path)
    values = found.take(kept)
    return Table(
        values.astype(np.float32) if values.dtype.kind == "f" else values,
        None if dialect.names is None else [names[one] for one in kept],
        seconds,
        {**dialect.described, "index": "yes" if numbered else "no"},
    )


@dataclass(frozen=True)
class _Parsed:
    """The numbers of a table: first column, the others (row, column), and what they look like."""

    first: NDArray[Any]
    rest: NDArray[Any]
    text: bool
    ends_empty: bool
    ascent: _Ascent

    def column(self, at: int) -> NDArray[Any]:
        return self.first if at == 0 else self.rest[:, at - 1]

    def take(self, columns: list[int]) -> NDArray[Any]:
        others = [one - 1 for one in columns if one > 0]
        rest = self.rest if len(others) == self.rest.shape[1] else self.rest[:, others]
        return np.column_stack([self.first, rest]) if 0 in columns else rest


def _numbers_lines(found: _Parsed, dialect: Dialect, upright: bool) -> bool:
    """Return whether the first column numbers the lines or names them, and is no neuron."""
    if dialect.index is not None:
        return dialect.index == "yes"
    enough = found.ascent.lines >= _ENOUGH
    if enough and found.ascent.counts[0]:
        return True
    # without a name it may hold times still: then that must be said
    times = upright and enough and bool(found.ascent.ascends[0])
    return found.text or (dialect.unnamed and not times)


def _refuse_ascending(
    found: _Parsed, kept: list[int], names: list[str], upright: bool, path: Path
) -> None:
    """Refuse columns that go up from the first line to the last as if they were neurons."""
    if found.ascent.lines < _SURE:
        return
    for column in kept if upright else kept[:1]:
        if found.ascent.ascends[column] and (upright or column == 0):
            name = names[column] or str(column)
            ways = [f"--read times={name} if it tells seconds"] if upright else []
            ways += ["--read index=yes to leave it out"] if column == 0 else []
            raise bad_input(
                f"column {name}",
                f"be told for what it is ({', '.join(ways)}, --read index=no if it is a neuron)",
                "a column that ascends from the first line to the last",
                file=path,
            )


def _parse(path: Path, dialect: Dialect) -> _Parsed:
    first: list[NDArray[Any]] = []
    rest: list[NDArray[Any]] = []
    ascent: _Ascent | None = None
    # whether the first column may hold anything
    free = dialect.index == "yes" or (dialect.unnamed and dialect.index is None)
    text, gaps, ends_empty = False, False, True
    for piece in _pieces(path, dialect):
        for column, dtype in enumerate(piece.dtypes):
            if dtype.kind in "biuf":
                continue
            if column or not free:
                name = column if dialect.names is None else dialect.names[column]
                raise bad_input(
                    "the table",
                    "hold numbers only (--read separator=, decimal= and index= say how it is "
                    "written)",
                    f"text in column {name}",
                    file=path,
                )
            text = True
            piece[0] = np.nan
        last = piece.iloc[:, -1].isna()
        gaps, ends_empty = gaps or bool(last.any()), ends_empty and bool(last.all())
        ascent = ascent or _Ascent.of(piece.shape[1])
        ascent.add(piece.to_numpy(dtype=np.float64))
        first.append(piece[0].to_numpy())
        others = piece.iloc[:, 1:]
        whole = all(dtype.kind in "biu" for dtype in others.dtypes)
        mixed = whole and len({dtype.kind for dtype in others.dtypes}) > 1
        kind = (np.int64 if mixed else None) if whole else np.float64
        rest.append(others.to_numpy(dtype=kind))
    if ascent is None:
        raise bad_input("the table", "hold at least one line of numbers", "none", file=path)
    if gaps and not ends_empty:
        _refuse_short_lines(path, dialect, len(ascent.last))
    return _Parsed(np.concatenate(first), np.concatenate(rest), text, ends_empty, ascent)


def _pieces(path: Path, dialect: Dialect) -> Iterator[pd.DataFrame]:
    """Yield the numbers of a table, some lines at a time."""
    separator = r"\s+" if dialect.separator == "space" else SEPARATORS[dialect.separator]
    try:
        with pd.read_csv(
            path, sep=separator, decimal=DECIMALS[dialect.decimal], header=None,
            skiprows=dialect.skipped, chunksize=_ROWS, engine="c", skipinitialspace=True,
            encoding=dialect.encoding, na_values=sorted(MISSING), keep_default_na=False,
        ) as table:  # fmt: skip
            yield from table
    except InputError:
        raise
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise bad_input(
            "the table", "have as many numbers in each line", f"{error}".split("\n")[0], file=path
        ) from error
    except DAMAGE as error:
        raise bad_input("the table", "be text", f"{error}".split("\n")[0], file=path) from error


def _refuse_short_lines(path: Path, dialect: Dialect, columns: int) -> None:
    """Refuse a line with fewer numbers than the others, which pandas would fill up."""
    with path.open(encoding=dialect.encoding, errors="replace", newline=None) as stream:
        for number, line in enumerate(stream):
            if number >= dialect.skipped and line.strip():
                (words,) = split_lines([line], dialect.separator) or [[]]
                if len(words) < columns:
                    raise bad_input(
                        "the table",
                        "have as many numbers in each line",
                        f"{len(words)} in line {number + 1}, {columns} elsewhere",
                        file=path,
                    )


def _column(times: Any, names: list[str], path: Path) -> int:
    # the command line makes a number of what looks like one
    word = f"{times:g}" if isinstance(times, (int, float)) else str(times)
    if word in names:
        return names.index(word)
    if word.isdecimal() and int(word) < len(names):
        return int(word)
    raise bad_input(
        "times", "be a column of the table: " + ", ".join(names[:_SHOWN]), times,
        suggestion=closest(word, names), file=path,
    )  # fmt: skip
