"""Which bin width: what each costs and what it tells, in one table, with a recommendation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from boltzbrain.data.recording import Recording
from boltzbrain.data.timescale import independent_bins, lag1_correlation, population_count
from boltzbrain.foundations.checks import bad_input
from boltzbrain.preparing.bins.binarize import binarize
from boltzbrain.preparing.card.cautions import MULTI_SPIKE_LIMIT


@dataclass(frozen=True)
class BinWidth:
    """What one bin width makes of a recording; None where a figure is not defined.

    Attributes
    ----------
    bin_ms, bins
        Milliseconds per bin and their number.
    mean_activity
        Fraction of active bins.
    multi_spike_fraction
        Of the active bins, those with several spikes: what a binary state cannot tell.
    lag1_correlation
        Of the population count with that of the next bin.
    independent_bins
        Bins that would be as informative if they were independent.
    """

    bin_ms: float
    bins: int
    mean_activity: float
    multi_spike_fraction: float | None
    lag1_correlation: float | None
    independent_bins: float | None


@dataclass(frozen=True)
class BinWidths:
    """The table and the recommended width with its reason."""

    table: tuple[BinWidth, ...]
    recommended_ms: float
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "table": [asdict(row) for row in self.table],
            "recommended_ms": self.recommended_ms,
            "reason": self.reason,
        }


def compare_bin_widths(
    recording: Recording,
    widths_ms: Sequence[float],
    *,
    epochs: Sequence[str] | None = None,
    memory_limit_gb: float | None = None,
) -> BinWidths:
    """Bin a recording at several widths and recommend one.

    The longest width is recommended at which at most 5 % of the active bins hold several spikes:
    longer bins lose spikes, shorter ones are emptier and more alike from one to the next. Where no
    width is that short, the shortest is recommended.

    Parameters
    ----------
    recording
        Spike times, or bins that are merged.
    widths_ms
        Milliseconds, in any order.
    epochs, memory_limit_gb
        As `binarize`.

    Raises
    ------
    InputError
        If there is no width, or one does not fit the recording.
    """
    widths = sorted(set(widths_ms))
    if not widths:
        raise bad_input("bins", "be widths in milliseconds", "none")
    rows: list[BinWidth] = []
    for width in widths:
        activity = binarize(recording, bin_ms=width, epochs=epochs, memory_limit_gb=memory_limit_gb)
        counts = population_count(activity.states)
        step = activity.step("binarize")
        assert step is not None
        rows.append(
            BinWidth(
                width,
                activity.n_bins,
                float(counts.sum()) / activity.states.size,
                step.options["multi_spike_fraction"],
                lag1_correlation(counts, activity.segment),
                independent_bins(counts, activity.segment),
            )
        )
    good = [
        row
        for row in rows
        if row.multi_spike_fraction is None or row.multi_spike_fraction <= MULTI_SPIKE_LIMIT
    ]
    limit = f"{100 * MULTI_SPIKE_LIMIT:g} % of the active bins"
    if good:
        chosen = good[-1]
        reason = f"the longest at which no more than {limit} hold several spikes"
    else:
        chosen = rows[0]
        reason = f"the shortest asked for; at each, more than {limit} hold several spikes"
    return BinWidths(tuple(rows), chosen.bin_ms, reason)
