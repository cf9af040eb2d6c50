"""What to mind before a model is fitted, in words, computed from the data card's figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from boltzbrain.data.activity import Activity
from boltzbrain.data.losses import COARSE_TIMES, losses_of
from boltzbrain.data.steps import Source
from boltzbrain.preparing.faults.traces import of_events

MULTI_SPIKE_LIMIT = 0.05
"""Above this fraction of active bins with several spikes a shorter bin is advised."""

SLOWEST_HZ, LONGEST_HOURS = 0.05, 24.0
"""Spikes of a slower median neuron, in a longer recording, may have times of another unit."""
MOST_GAPS = 2.0
"""Gaps between folds that an independent bin may stand for."""

_SHOWN = 6


def cautions(activity: Activity, figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield one sentence per thing to mind.

    Parameters
    ----------
    activity
        What the model will see.
    figures
        The figures of the `DataCard`, by name.
    """
    losses = losses_of(activity)
    # spikes that only seem to share a bin, by the rounding of their times
    coarse = any(one.name == COARSE_TIMES and one.large for one in losses)
    multiple = None if coarse else figures["multi_spike_fraction"]
    if multiple is not None and multiple > MULTI_SPIKE_LIMIT:
        yield (
            f"{100 * multiple:.1f} % of the active bins hold more than one spike, which a binary "
            f"state cannot tell; bins shorter than {1000 * activity.bin_width_s:g} ms lose less"
        )
    if figures["silent_neurons"]:
        yield (
            f"neurons never active: {figures['silent_neurons']:,}; the split drops those that are "
            "rarely active in training"
        )
    silent = figures["silent_bins_fraction"]
    if silent == 1.0:
        yield "no neuron is ever active"
    elif silent > 0.5:
        # where bins lose spikes already, longer ones are no help
        longer = "" if multiple is not None and multiple > MULTI_SPIKE_LIMIT else "longer bins, or "
        yield (
            f"{100 * silent:.0f} % of the bins hold no active neuron at all; {longer}more neurons "
            "would tell more"
        )
    yield from _of_times(activity, figures)
    if figures["mean_activity"] > 0.5:
        yield "more than half of all states are active; are 0 and 1 the right way round?"
    independent = figures["independent_bins"]
    if independent is not None and independent < activity.n_neurons:
        yield (
            f"the bins are worth about {independent:,.0f} independent ones, fewer than the "
            f"{activity.n_neurons:,} neurons: watch the held-out score, few hidden units may do"
        )
    yield from of_table(activity.source)
    yield from (one.said() for one in losses if one.kind in ("fault", "order"))
    left_out = activity.source.options.get("left_out")
    if left_out:
        yield f"arrays that are pickled, or stored in a way not known: {_few(left_out)}; left out"
    for point in of_events(activity):
        yield point.found + (f"; {point.mended}" if point.mended else "")
    for name in ("deconvolve", "binarize", "split"):
        step = activity.step(name)
        if step is not None:
            yield from _of_step(step.options)


def of_table(source: Source) -> Iterator[str]:
    """Yield how a table of text was read, where the recording comes from one."""
    told = source.options.get("table")
    if not isinstance(told, Mapping):
        return
    marked = ", a byte order mark" if told.get("byte_order_mark") else ""
    column = "a first column that numbers or names the lines, left out"
    yield (
        f"the table was read with {told['separator']}s between numbers, "
        + ("commas for decimals, " if told["decimal"] == "comma" else "")
        + ("a header" if told["header"] == "yes" else "no header")
        + f"{marked} and {column if told['index'] == 'yes' else 'no column that numbers the lines'}"
        " (--read separator=, decimal=, header=, index= say otherwise)"
    )


def _of_times(activity: Activity, figures: Mapping[str, Any]) -> Iterator[str]:
    median, hours = figures["rates_hz"]["50%"], figures["duration_s"] / 3600
    binned = activity.step("binarize")
    of_spikes = binned is not None and binned.options.get("values") == "spike times"
    if of_spikes and 0 < median < SLOWEST_HZ and hours > LONGEST_HOURS:
        yield (
            f"the recording lasts {hours:,.0f} hours, and the median neuron fires at {median:.2g} "
            "Hz: are its times in seconds?"
        )
    independent, split = figures["independent_bins"], activity.step("split")
    gap = None if split is None else split.options.get("gap_s")
    if independent and gap:
        memory = figures["duration_s"] / independent
        if memory > MOST_GAPS * gap:
            yield (
                f"the population count remembers: one independent bin stands for {memory:.2g} s, "
                f"and the gap between folds is {gap:.2g} s, so that held-out bins share slow "
                f"states with training bins; --gap-s {memory:.0f} asks for a longer gap"
            )


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _of_step(options: Mapping[str, Any]) -> Iterator[str]:
    if options.get("saturated"):
        yield f"{options['saturated']:,} counts above 255 were stored as 255"
    if options.get("segments_dropped"):
        yield f"{len(options['segments_dropped']):,} segments are shorter than a bin and left out"
    if options.get("epochs_without_length"):
        yield (
            f"{options['epochs_without_length']:,} chosen intervals have no length within the "
            "recorded time and are left out"
        )
    if options.get("warning"):
        yield str(options["warning"])
