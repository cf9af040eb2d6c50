"""Figures with their errors in words: an error never reads as zero where it is not."""

from __future__ import annotations

import math
from typing import Any

_NOTHING = 1e-8
"""Errors below this are those of the arithmetic and read as 0."""


def digits_of(error: float | None, least: int) -> int:
    """Return the digits after the point that a figure needs for one significant one of its error.

    Parameters
    ----------
    error
        Standard error; None where it is unknown.
    least
        Digits that are shown anyway.
    """
    if error is None or not math.isfinite(error) or abs(error) < _NOTHING:
        return least
    return max(least, math.ceil(-math.log10(abs(error))))


def number(value: float, digits: int, sign: str = "") -> str:
    """Return a figure with a true minus, and without one where only zeros are left.

    Examples
    --------
    >>> number(-0.0004, 2, "+"), number(-1.25, 1)
    ('+0.00', '−1.2')
    """
    return f"{round(value, digits) + 0.0:{sign}.{digits}f}".replace("-", "−")


def error_words(error: float, least: int) -> str:
    """Return an error with at least one significant digit; 0 where it is one of the arithmetic."""
    return "0" if abs(error) < _NOTHING else number(error, digits_of(error, least))


def with_error(value: float, error: float | None, least: int, sign: str = "") -> str:
    """Return a figure and its standard error, with as many digits as the error asks for.

    Both have at least `least` digits after the point; "+" shows the sign of positive figures too.

    Examples
    --------
    >>> with_error(3.14159, 0.1, 2), with_error(-0.00116, 0.0016, 2, "+")
    ('3.14 ± 0.10', '−0.001 ± 0.002')
    >>> with_error(0.0, None, 2)
    '0.00'
    """
    text = number(value, digits_of(error, least), sign)
    return text if error is None else f"{text} ± {error_words(error, least)}"


def value_words(value: Any) -> str:
    """Return a value of a hyperparameter as it is given, whatever a table has made of it.

    Examples
    --------
    >>> value_words(100.0), value_words(math.nan), value_words((0.01, 0.02))
    ('100', 'none', '0.01,0.02')
    """
    if isinstance(value, tuple):
        return ",".join(map(value_words, value))
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "none"
    if isinstance(value, float):
        # a column with a missing value holds whole numbers as floats
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:g}"
    return str(value)


def joined(names: str) -> str:
    """Return names with commas as a sentence has them.

    Examples
    --------
    >>> joined("past,trial")
    'past and trial'
    """
    return names.replace(",", " and ")
