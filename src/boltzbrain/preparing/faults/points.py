"""One finding of a check: what was found, in which neurons, and the option that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Severity = Literal["fact", "note", "mend"]

SHOWN = 8
"""Neurons that are named one by one."""


@dataclass(frozen=True)
class Point:
    """One finding.

    Attributes
    ----------
    name
        What was looked at.
    severity
        "mend" if a model of the recording as it is would learn the fault, "note" for what is to be
        minded, "fact" for what is only said and has no part in the verdict.
    found
        What was found, in words.
    mend
        The option that mends it, to be given as it is; None where none does.
    neurons
        Rows of the neurons concerned.
    mended
        What was done about it already, in words; None if nothing.
    """

    name: str
    severity: Severity
    found: str
    mend: str | None
    neurons: tuple[int, ...] = ()
    mended: str | None = None


def shown(neurons: NDArray[np.int64] | list[int]) -> str:
    """Return the first rows of a list as text."""
    listed = ", ".join(str(int(one)) for one in neurons[:SHOWN])
    rest = len(neurons) - SHOWN
    return listed + (f" and {rest:,} more" if rest > 0 else "")


def unless_all(option: str, rows: NDArray[np.int64], neurons: int) -> str | None:
    """Return an option that drops neurons, None where it would leave none."""
    return option if len(rows) < neurons else None


def as_rows(rows: NDArray[np.int64]) -> tuple[int, ...]:
    """Return rows as plain numbers."""
    return tuple(int(row) for row in rows)


def share_of(part: int, whole: int, noun: str = "cells") -> str:
    """Return how many of how many, with the percentage.

    Examples
    --------
    >>> share_of(3, 12), share_of(1, 3, "neurons")
    ('3 of 12 cells (25 %)', '1 of 3 neurons (33.3 %)')
    """
    return f"{part:,} of {whole:,} {noun} ({100 * part / max(1, whole):.3g} %)"
