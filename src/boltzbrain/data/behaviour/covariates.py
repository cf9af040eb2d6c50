"""Series that were recorded beside the neurons: running, pupil, velocity, each on its own clock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from boltzbrain.foundations.checks import bad_input, has_shape, one_of
from boltzbrain.foundations.showing.told import Brief

RULES = ("mean", "last", "any")
"""What a bin takes of the samples that fall into it."""


@dataclass(frozen=True, repr=False)
class Covariate(Brief):
    """One series of numbers over time.

    Attributes
    ----------
    times
        (sample,) float64 seconds on the clock of the recording, ascending within a segment.
    values
        (sample,) float64, NaN where missing.
    unit
        Unit of the values, "" where it is not known.
    segment
        (sample,) int32 segment of the recording in which each sample lies, where the clock starts
        again in every segment; else None.
    rule
        What a bin takes: the "mean" of its samples, the "last" one (and the one before where it
        holds none), or whether there is "any" that is not 0. If "", "any" for values of 0 and 1
        and else "mean".

    Raises
    ------
    InputError
        If lengths differ, times do not ascend, no value is a number, or one is infinite.
    """

    times: NDArray[np.float64]
    values: NDArray[np.float64]
    unit: str = ""
    segment: NDArray[np.int32] | None = None
    rule: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be laid into bins."""
        has_shape("values", self.values, (None,))
        has_shape("times", self.times, self.values.shape)
        if self.segment is not None:
            has_shape("segment", self.segment, self.values.shape)
        if not np.isfinite(self.times).all():
            raise bad_input("times", "be finite seconds", "NaN or infinity")
        same = np.ones(max(len(self.times) - 1, 0), dtype=np.bool_)
        if self.segment is not None:
            same = np.diff(self.segment) == 0
        falls = np.flatnonzero((np.diff(self.times) < 0) & same)
        if len(falls):
            at = int(falls[0])
            got = f"{self.times[at + 1]:g} after {self.times[at]:g} s"
            raise bad_input("times", "ascend", got)
        if np.isinf(self.values).any():
            raise bad_input("values", "be finite, or NaN where missing", "infinity")
        if not np.isfinite(self.values).any():
            raise bad_input("values", "hold at least one number", "none")
        if self.rule:
            one_of("rule", self.rule, RULES)

    @property
    def takes(self) -> str:
        """The rule that holds: "mean", "last" or "any"."""
        known = self.values[np.isfinite(self.values)]
        return self.rule or ("any" if bool(np.isin(known, (0.0, 1.0)).all()) else "mean")


@dataclass(frozen=True, repr=False)
class BinnedCovariate(Brief):
    """One series in the bins of an activity.

    Attributes
    ----------
    values
        (bin,) float64, NaN where it is missing.
    unit
        Unit of the values, "" where it is not known.
    rule
        What each bin took: "mean", "last" or "any".
    """

    values: NDArray[np.float64]
    unit: str = ""
    rule: str = "mean"
