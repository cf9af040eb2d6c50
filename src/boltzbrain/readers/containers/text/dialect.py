"""How a table of numbers is written: what separates, what marks decimals, header, index column.

Every way to read the first lines is tried. The one under which all of them are numbers, as many in
each line, is taken; where two are possible and mean different numbers, or a first line or a column
may be numbers or their names, the option that says which is asked for.
"""

from __future__ import annotations

import codecs
import csv
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boltzbrain.foundations.checks import bad_input, one_of

SEPARATORS = {"tab": "\t", "semicolon": ";", "comma": ",", "space": " "}
DECIMALS = {"point": ".", "comma": ","}
MISSING = frozenset({"", "NA", "N/A", "n/a", "nan", "NaN", "NAN", "-nan", "null", "NULL", "None"})
"""What stands for no value."""

_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_LINES, _LONGEST = 60, 1 << 24
_LINE_END = re.compile(r"\r\n|\r|\n")
# below, a column that counts up or a first line in order may be so by chance
_ENOUGH, _SURE = 4, 8


@dataclass(frozen=True)
class TableOptions:
    """What the user says of a table; None where it is to be found.

    Attributes
    ----------
    separator, decimal
        Of `SEPARATORS`, of `DECIMALS`.
    header, index
        "yes" or "no": whether the first line holds names, whether the first column numbers the
        lines and is left out.
    """

    separator: str | None = None
    decimal: str | None = None
    header: Any = None
    index: Any = None

    def checked(self, where: object) -> TableOptions:
        """Return the options as words.

        Raises
        ------
        InputError
            If a word is unknown.
        """
        if self.separator is not None:
            one_of("separator", self.separator, SEPARATORS, file=where)
        if self.decimal is not None:
            one_of("decimal", self.decimal, DECIMALS, file=where)
        return TableOptions(
            self.separator,
            self.decimal,
            _yes_or_no("header", self.header, where),
            _yes_or_no("index", self.index, where),
        )

    @property
    def given(self) -> dict[str, Any]:
        """The options that were given."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class Dialect:
    """How a table is written.

    Attributes
    ----------
    encoding
        Of the text: "utf-8", "utf-8-sig" or "utf-16".
    separator, decimal
        Names, of `SEPARATORS` and `DECIMALS`.
    skipped
        Lines before the numbers.
    names
        Of the columns, from the header; None where there is none.
    index
        What the user says of the first column.
    unnamed
        Whether the header has no name for the first column.
    """

    encoding: str
    separator: str
    decimal: str
    skipped: int
    names: tuple[str, ...] | None
    index: str | None
    unnamed: bool

    @property
    def described(self) -> dict[str, Any]:
        """What was found, for the source of the recording."""
        return {
            "separator": self.separator,
            "decimal": self.decimal,
            "header": "no" if self.names is None else "yes",
            "byte_order_mark": self.encoding != "utf-8",
        }


def _yes_or_no(name: str, value: Any, where: object) -> str | None:
    if value is None:
        return None
    word = ("yes" if value else "no") if isinstance(value, bool) else str(value)
    return one_of(name, word, ("yes", "no"), file=where)


def encoding_of(start: bytes) -> str:
    r"""Return the encoding that the first bytes of a text tell.

    Examples
    --------
    >>> encoding_of(b"1,2"), encoding_of(b"\xef\xbb\xbf1,2")
    ('utf-8', 'utf-8-sig')
    """
    return next((name for mark, name in _BOMS.items() if start.startswith(mark)), "utf-8")


def _lines_of(start: bytes, whole: bool) -> list[str]:
    """Return the lines of the beginning of a text, without one that may be cut short.

    Raises
    ------
    UnicodeDecodeError
        If it is no text.
    """
    # a character may be cut as well
    text = codecs.getincrementaldecoder(encoding_of(start))().decode(start)
    lines = _LINE_END.split(text)
    if not lines[-1] or (not whole and len(lines) > 1):
        return lines[:-1]
    return lines if whole else [re.split(r"[,;\t ]+(?=[^,;\t ]*$)", lines[0])[0]]


def is_table(start: bytes, whole: bool) -> bool:
    """Return whether a text begins with lines of numbers, the first of them perhaps names.

    Parameters
    ----------
    start
        Its first bytes.
    whole
        Whether these are all.
    """
    try:
        lines = _lines_of(start, whole)
    except UnicodeDecodeError:
        return False
    lines = [line for line in lines if line.strip() and not line.startswith("#")][:3]
    if not lines or any(ord(sign) < 32 and sign != "\t" for line in lines for sign in line):
        return False
    last = lines[-1:]
    return any(
        len(row) > 1 and all(_fits(word, decimal) for word in row[separator != "space" :])
        for separator in SEPARATORS
        for decimal in DECIMALS
        for row in split_lines(last, separator)
    )


def find_dialect(path: Path, options: TableOptions) -> Dialect:
    """Return how a table is written.

    Parameters
    ----------
    path
        The file.
    options
        What the user says.

    Raises
    ------
    InputError
        If it can be read in several ways, or in none.
    """
    try:
        lines = _lines_of(*_start_of(path))
    except UnicodeDecodeError as error:
        raise bad_input("the table", "be text", f"{error}".split("\n")[0], file=path) from error
    number = [
        row for row, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")
    ][:_LINES]
    if not number:
        raise bad_input("the table", "hold at least one line of numbers", "none", file=path)
    used = [lines[row] for row in number]
    separator, decimal = _ways(used, options, path)
    rows = split_lines(used, separator)
    if not rows or not all(rows):
        raise bad_input("the table", "hold numbers in each line", "lines without any", file=path)
    head = _has_header(rows, decimal, options.header, path)
    unnamed = False
    names: tuple[str, ...] | None = None
    if head:
        words = [word.strip() for word in rows[0]]
        width = len(rows[1]) if len(rows) > 1 else len(words)
        if len(words) == width - 1:  # as R writes: the column of names has none itself
            words = ["", *words]
        elif len(words) == width + 1 and not words[-1]:
            words = words[:-1]
        if len(words) != width:
            raise bad_input(
                "the header", f"have as many names as a line has numbers ({width})",
                f"{len(words)}; do commas mark decimals? (--read separator=, --read decimal=)",
                file=path,
            )  # fmt: skip
        unnamed = width > 1 and (not words[0] or words[0].lower() in ("index", "unnamed: 0"))
        names = tuple(words)
    skipped = number[1] if head and len(number) > 1 else number[0] + head
    with path.open("rb") as stream:
        encoding = encoding_of(stream.read(4))
    return Dialect(encoding, separator, decimal, skipped, names, options.index, unnamed)


def _start_of(path: Path) -> tuple[bytes, bool]:
    """Return some lines of a file, and whether they are all."""
    with path.open("rb") as stream:
        start = b""
        for _ in range(_LINES):
            start += stream.readline(_LONGEST - len(start))
        return start, not stream.read(1)


def split_lines(lines: Iterable[str], separator: str) -> list[list[str]]:
    """Return the words of each line; nothing where quotes are not closed."""
    if separator == "space":
        return [line.replace('"', "").split() for line in lines]
    sign = SEPARATORS[separator]
    try:
        rows = list(csv.reader(lines, delimiter=sign, skipinitialspace=True))
    except csv.Error:
        return []
    return [[word.strip() for word in row] for row in rows]


_NUMBERS = {
    decimal: re.compile(
        rf"[-+]?(?:\d+(?:{re.escape(sign)}\d*)?|{re.escape(sign)}\d+)(?:[eE][-+]?\d+)?"
        r"|[-+]?(?:inf|Inf|INF|infinity|Infinity)"
    )
    for decimal, sign in DECIMALS.items()
}
_TRUTH = frozenset({"True", "TRUE", "true", "False", "FALSE", "false"})
# what is left of 0,05 or -0,5 where its comma was taken to separate
_HALF = re.compile(r"0\d+|-0")


def _fits(word: str, decimal: str) -> bool:
    return word in MISSING or word in _TRUTH or _NUMBERS[decimal].fullmatch(word) is not None


def _ways(lines: Sequence[str], options: TableOptions, path: Path) -> tuple[str, str]:
    """Return the separator and the decimal mark under which the lines are numbers."""
    body = lines[1:] or lines
    fits: list[tuple[str, str]] = []
    for separator in SEPARATORS if options.separator is None else (options.separator,):
        rows = split_lines(body, separator)
        width = {len(row) for row in rows}
        if len(width) != 1 or (width == {1} and options.separator is None):
            continue
        fits += [
            (separator, decimal)
            for decimal in (DECIMALS if options.decimal is None else (options.decimal,))
            if all(_fits(word, decimal) for row in rows for word in row)
        ]
    seen = {
        tuple(
            tuple(word.replace(DECIMALS[decimal], ".") for word in row)
            for row in split_lines(body, separator)
        )
        for separator, decimal in fits
    }
    if len(seen) > 1:
        told = " or ".join(f"{a} with decimal {b}" for a, b in fits)
        raise bad_input(
            "separator", "be given, as the table can be read in several ways (--read separator=)",
            told, file=path,
        )  # fmt: skip
    if fits:
        chosen = fits[0]
        _refuse_halves(split_lines(body, chosen[0]), chosen, options, path)
        return chosen
    return _nearest(body, options), options.decimal or "point"


def _refuse_halves(
    rows: list[list[str]], way: tuple[str, str], options: TableOptions, path: Path
) -> None:
    """Refuse commas that separate what look like halves of numbers."""
    if way[0] != "comma" or options.separator is not None:
        return
    half = next((word for row in rows for word in row[1:] if _HALF.fullmatch(word)), None)
    half = half or next((row[0] for row in rows if row[0] == "-0"), None)
    if half is not None:
        raise bad_input(
            "separator",
            "be given, as commas seem to mark decimals: separate the numbers by another sign, or "
            "say --read separator=comma if commas do separate",
            f"{half} between commas",
            file=path,
        )


def _nearest(body: Sequence[str], options: TableOptions) -> str:
    """Return the separator that cuts most lines alike, for a table that is not all numbers."""
    if options.separator is not None:
        return options.separator

    def alike(separator: str) -> int:
        lengths = [len(row) for row in split_lines(body, separator)]
        return max((lengths.count(one) for one in set(lengths) if one > 1), default=0)

    return max(SEPARATORS, key=alike)


def _value(word: str, decimal: str) -> float | None:
    if not _fits(word, decimal) or word in MISSING or word in _TRUTH:
        return None
    return float(word.replace(DECIMALS[decimal], "."))


def _has_header(rows: list[list[str]], decimal: str, told: str | None, path: Path) -> bool:
    if told is not None:
        return told == "yes"
    first, body = rows[0], rows[1:]
    if not all(_fits(word, decimal) for word in first):
        return True
    if body and len(first) == len(body[0]) - 1:
        return True
    # a separator at the end of the line names nothing
    values = [_value(word, decimal) for word in (first if first[-1] else first[:-1])]
    named = values[1:] if values[0] is None and len(values) > 1 else values
    if any(one is None for one in named) or len(named) < 2:
        return False
    numbers = [one for one in named if one is not None]
    steps = [later - one for one, later in itertools.pairwise(numbers)]
    counted = numbers[0] in (0.0, 1.0) and all(step == 1.0 for step in steps)
    if counted:
        whole = all(_whole(word, decimal) for row in body for word in row)
        if len(named) < len(values) or len(numbers) >= _ENOUGH or not whole:
            return True
    ascend = all(step > 0 for step in steps)
    even = ascend and max(steps) - min(steps) <= 1e-6 * max(steps)
    doubtful = (even and len(numbers) >= _ENOUGH) or (ascend and len(numbers) >= _SURE)
    if counted or doubtful:
        raise bad_input(
            "header",
            "be yes or no (--read header=yes or no): the first line may be numbers or their names",
            ", ".join(first[:6]) + (", ..." if len(first) > 6 else ""),
            file=path,
        )
    return False


def _whole(word: str, decimal: str) -> bool:
    value = _value(word, decimal)
    return value is None or (value == int(value) if abs(value) < 2**53 else False)
