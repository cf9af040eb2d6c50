"""What binning loses: spikes beyond the first of a bin, time left over, times that are coarse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.epochs import unusable
from boltzbrain.data.losses import COARSE_TIMES, Loss
from boltzbrain.data.recording import Recording
from boltzbrain.data.signals import SpikeTimes
from boltzbrain.foundations.memory import VALUES, slices
from boltzbrain.preparing.bins.plan import BinPlan

STEPS_PER_BIN = 5
"""Bins of fewer steps of the stored times hold now more, now fewer of them."""

# spikes looked at together, in order of time, and how far steps of one size may be off by rounding
_PIECE = 4096
_FEWEST = 32
_OFF, _LONGEST = 1e-3, 100.0
# spikes below which all are sorted at once; one in so many tells of the others; spikes of a cell
_MANY, _SOME, _CELL = 1_000_000, 16, 512


@dataclass(frozen=True)
class TimeSteps:
    """The steps in which spike times are stored.

    Attributes
    ----------
    from_s
        (piece,) time from which each holds, ascending.
    step_s
        (piece,) seconds; 0 where the times are not on a grid.
    spikes
        (piece,) spikes in it.
    """

    from_s: NDArray[np.float64]
    step_s: NDArray[np.float64]
    spikes: NDArray[np.int64]

    def at(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the step at each time, (spike,) seconds."""
        piece = np.searchsorted(self.from_s, times, side="right") - 1
        return self.step_s[np.maximum(piece, 0)] if len(self.step_s) else np.zeros(len(times))


def time_steps(signal: SpikeTimes) -> TimeSteps:
    """Return in which steps the times of spikes stand, told by the times alone.

    Times of all neurons together, in pieces of some thousand: where the gaps between them are whole
    multiples of the smallest, they lie on a grid (of a sampling clock, of rounded seconds, of
    single precision late in a long session).
    """
    times = np.sort(signal.times)
    if not len(times):
        return TimeSteps(np.empty(0), np.empty(0), np.empty(0, dtype=np.int64))
    pieces = np.array_split(times, max(1, len(times) // _PIECE))
    return TimeSteps(
        np.array([one[0] for one in pieces]),
        np.array([_step_of(one) for one in pieces]),
        np.array([len(one) for one in pieces], dtype=np.int64),
    )


def _step_of(times: NDArray[np.float64]) -> float:
    gaps = np.diff(times)
    gaps = gaps[gaps != 0]
    # on a grid that is coarse some spikes fall on one point of it
    if len(gaps) < _FEWEST or len(gaps) + 1 == len(times):
        return 0.0
    smallest = float(gaps.min())
    ratio = gaps / smallest
    # the smallest gap is off by rounding, and longer ones by as many times as much
    near = ratio[ratio < _LONGEST]
    on_grid = len(near) >= _FEWEST and bool((np.abs(near - np.rint(near)) < _OFF * near).all())
    return smallest if on_grid else 0.0


def surely_finer(signal: SpikeTimes, limit_s: float) -> bool:
    """Return whether some of the spikes already show that no piece has steps of `limit_s` or more.

    A piece with two spikes that lie nearer, and not at one time, has none. One spike in sixteen is
    looked at, in cells of time: if at most a few spikes of all lie from one cell with such a pair
    to the end of the next, every piece holds one. To sort all spikes takes ten times as long.
    """
    times = signal.times
    start, stop = (float(times.min()), float(times.max())) if len(times) >= _MANY else (0.0, 0.0)
    if not start < stop:
        return False
    cells = len(times) // _CELL
    per_second, totals = cells / (stop - start), np.zeros(cells + 1, dtype=np.int64)

    def cell_of(some: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.minimum((some - start) * per_second, cells - 1).astype(np.int64)

    for part in slices(len(times), 1, VALUES):
        totals[1:] += np.bincount(cell_of(times[part]), minlength=cells)
    totals = np.cumsum(totals)
    some = np.sort(times[::_SOME])
    gaps, cell = np.diff(some), cell_of(some)
    near = (gaps > 0) & (gaps < (1 - _OFF) * limit_s) & (cell[1:] == cell[:-1])
    with_pair = np.unique(cell[1:][near])
    spikes = np.r_[totals[with_pair + 1], totals[-1]] - np.r_[0, totals[with_pair]]
    return bool((spikes < _PIECE).all())


def losses_of_binning(
    recording: Recording, plan: BinPlan, counted: Mapping[str, Any]
) -> list[Loss]:
    """Return what was lost between a recording and its bins.

    Parameters
    ----------
    recording
        The recording.
    plan
        Where the bins lie.
    counted
        What was counted while they were filled, as the step "binarize" has it.
    """
    signal = recording.signal
    coarse = _coarse(signal, plan) if isinstance(signal, SpikeTimes) else []
    losses = [*coarse, *(replace(one, by="binning") for one in unusable(recording.epochs))]
    more_per_bin, active = counted["spikes_lost"], counted["active_bins"]
    if more_per_bin:
        shorter = f"--bin-ms {plan.bin_ms / 2:g}"
        if not isinstance(signal, SpikeTimes):
            shorter = f"--bin-ms {plan.bin_ms / plan.merged:g}" if plan.merged > 1 else ""
        losses.append(
            Loss(
                "spikes beyond the first of their bin",
                f"of bins of {plan.bin_ms:g} ms that are active or not, left uncounted",
                more_per_bin,
                active + more_per_bin,
                "spikes",
                "binning",
                None if coarse else shorter or None,
                "method",
            )
        )
    left = float(plan.notes["seconds_left_over"])
    if left > 0:
        losses.append(
            Loss(
                "time left over",
                f"at the end of segments, too short for a bin of {plan.bin_ms:g} ms, dropped",
                left,
                left + plan.bins * plan.bin_width_s,
                "time, s",
                "binning",
                "shorter bins, by --bin-ms",
                "method",
            )
        )
    return losses


def _coarse(signal: SpikeTimes, plan: BinPlan) -> list[Loss]:
    if surely_finer(signal, plan.bin_width_s / STEPS_PER_BIN):
        return []
    steps = time_steps(signal)
    # bins of a whole number of steps hold as many each: so do those that the times were made of
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = plan.bin_width_s / steps.step_s
        whole = (np.abs(ratio - np.rint(ratio)) < _OFF) & (ratio > 1 - _OFF)
    coarse = (ratio < STEPS_PER_BIN) & ~whole
    if not coarse.any():
        return []
    largest = float(steps.step_s.max())
    return [
        Loss(
            COARSE_TIMES,
            f"in steps of up to {1000 * largest:.4g} ms, where a bin of {plan.bin_ms:g} ms should "
            f"hold {STEPS_PER_BIN} or more: the times were rounded, or kept in single precision "
            "late in a session",
            int(steps.spikes[coarse].sum()),
            len(signal.times),
            "spikes",
            mend=f"--bin-ms {np.ceil(1000 * largest * STEPS_PER_BIN):g}",
        )
    ]
