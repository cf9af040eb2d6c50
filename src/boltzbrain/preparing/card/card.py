"""The data card: what a recording holds, and what to know before a model is fitted to it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from boltzbrain.data.activity import FOLDS, TRAIN, Activity, active_bins, stretches
from boltzbrain.data.epochs import summarise_epochs
from boltzbrain.data.losses import UNITS_LEFT_OUT, losses_of
from boltzbrain.data.recording import Recording
from boltzbrain.data.regions import Regions
from boltzbrain.data.signals import Binned, SpikeTimes, Traces
from boltzbrain.data.timescale import (
    independent_bins,
    lag1_correlation,
    lag1_correlation_of_neurons,
    population_count,
)
from boltzbrain.foundations.checks import InputError, bad_input
from boltzbrain.preparing.behaviour.told import card_of_behaviour
from boltzbrain.preparing.bins.binarize import binarize
from boltzbrain.preparing.bins.plan import trace_frames
from boltzbrain.preparing.calcium.condition import TRACES_LEFT_OUT
from boltzbrain.preparing.card.cautions import cautions, of_table

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class DataCard:
    """What `info` prints; every figure that is not defined is None, with its reason in `reasons`.

    Attributes
    ----------
    format, path
        Of the file.
    values
        What the file holds: "spike times", "counts", "states" or "... traces".
    neurons, bins, bin_width_s, duration_s, segments
        Size of the activity; the duration is the sum of its bins, in seconds.
    mean_activity
        Fraction of bins and neurons that are active.
    rates_hz
        Mean and quantiles over neurons of the active bins per second.
    silent_neurons, silent_bins_fraction
        Neurons never active; fraction of bins without any active neuron.
    regions, atlases
        Neurons per region of the first atlas, and of all; regions may overlap.
    neurons_without_region
        Neurons in no region of the first atlas.
    multi_spike_fraction, multi_spike_fraction_of_all, spikes_lost
        Of the active bins, those that hold more than one spike; the same of all bins (bins times
        neurons); spikes beyond the first of their bin. Counted before rare neurons are dropped.
    lag1_correlation, lag1_correlation_neurons
        Correlation of a bin with the next one of its segment: of the population count, and the mean
        over neurons.
    independent_bins
        Bins that would be as informative if they were independent.
    memory_bytes
        Of the states as uint8.
    epochs
        Label, intervals and seconds of each epoch of the recording.
    trials
        Number of trials, and of each of their columns its levels or range, and the trials that lack
        it.
    covariates
        Of each covariate unit, rule, range and the share of bins that lack it.
    dropped
        Units left out: by each rule of the reader's filter, as traces of no use, and as rarely or
        always active in training.
    dropped_neurons
        Ids of the last.
    folds
        Bins of each fold, and of gaps; None before the split.
    warnings
        What to mind, in words.
    reasons
        Field to reason, for every field that is None.
    """

    format: str
    path: str
    values: str
    neurons: int
    bins: int | None
    bin_width_s: float | None
    duration_s: float | None
    segments: int | None
    mean_activity: float | None
    rates_hz: Mapping[str, float] | None
    silent_neurons: int | None
    silent_bins_fraction: float | None
    regions: Mapping[str, int]
    atlases: Mapping[str, Mapping[str, int]]
    neurons_without_region: int | None
    multi_spike_fraction: float | None
    multi_spike_fraction_of_all: float | None
    spikes_lost: int | None
    lag1_correlation: float | None
    lag1_correlation_neurons: float | None
    independent_bins: float | None
    memory_bytes: int | None
    epochs: tuple[Mapping[str, Any], ...]
    trials: Mapping[str, Any]
    covariates: Mapping[str, Mapping[str, Any]]
    dropped: Mapping[str, int]
    dropped_neurons: tuple[str, ...]
    folds: Mapping[str, int] | None
    warnings: tuple[str, ...]
    reasons: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return the card as plain values that ``json.dumps(..., allow_nan=False)`` takes."""
        card = asdict(self)
        card["epochs"] = [dict(epoch) for epoch in self.epochs]
        card["dropped_neurons"] = list(self.dropped_neurons)
        card["warnings"] = list(self.warnings)
        return card


def data_card(recording: Recording | None, activity: Activity | None = None) -> DataCard:
    """Compute the data card.

    Parameters
    ----------
    recording
        None where only the activity is there, as in the folder of a run.
    activity
        What was made of it. If None, the recording is binned at its stored width, or at 20 ms;
        traces that need a threshold first leave their figures None.

    Raises
    ------
    InputError
        If both are None, or the recording cannot be binned (its memory, its times).
    """
    if activity is not None:
        return _card_of_activity(activity, recording)
    if recording is None:
        raise bad_input("the data card", "have a recording or an activity", "neither")
    try:
        return _card_of_activity(binarize(recording), recording)
    except InputError as error:
        if not isinstance(recording.signal, Traces):
            raise
        return _card_of_traces(recording, recording.signal, str(error))


def _card_of_traces(recording: Recording, signal: Traces, reason: str) -> DataCard:
    """Return what is known of traces that are not binary yet: frames, no activity."""
    description = _description(recording)
    known: dict[str, Any] = {}
    try:
        width, segment = trace_frames(signal, recording.source.path)
    except InputError as error:
        reason = str(error)
    else:
        known = {
            "bins": len(segment),
            "bin_width_s": width,
            "duration_s": len(segment) * width,
            "segments": len(stretches(segment)[0]),
        }
    unknown = [name for name in (*_FIGURES, "folds") if name not in known]
    return DataCard(
        **description,
        **known,
        **dict.fromkeys(unknown),  # type: ignore[arg-type]  # each of them may be None
        epochs=_epochs(recording),
        **card_of_behaviour(recording),
        dropped=_dropped_by_reader(recording),
        dropped_neurons=(),
        warnings=(
            reason,
            *of_table(recording.source),
            *(one.said() for one in losses_of(recording) if one.kind != "choice"),
        ),
        reasons={**dict.fromkeys(unknown, reason), **_reasons(description)},
    )


_FIGURES = (
    "bins",
    "bin_width_s",
    "duration_s",
    "segments",
    "mean_activity",
    "rates_hz",
    "silent_neurons",
    "silent_bins_fraction",
    "multi_spike_fraction",
    "multi_spike_fraction_of_all",
    "spikes_lost",
    "lag1_correlation",
    "lag1_correlation_neurons",
    "independent_bins",
    "memory_bytes",
)


def _card_of_activity(activity: Activity, recording: Recording | None) -> DataCard:
    counts = population_count(activity.states)
    per_neuron = active_bins(activity.states)
    of_neurons = lag1_correlation_of_neurons(activity.states, activity.segment)
    rates = per_neuron / (activity.n_bins * activity.bin_width_s)
    binned = activity.step("binarize")
    told: Mapping[str, Any] = binned.options if binned else {}
    multiple = told.get("multi_spike_bins")
    rare = activity.step("drop_rare_neurons")
    dropped = {**_dropped_by_reader(recording or activity), **_left_out(activity)}
    if rare is not None:
        always = len(set(rare.options["dropped"]) & set(rare.options["always_active"]))
        few = f"active in fewer than {rare.options['min_active_bins']} training bins"
        dropped = {**dropped, few: len(rare.options["dropped"]) - always}
        if always:
            dropped["active in every training bin"] = always
    was_split = activity.step("split") is not None or bool((activity.fold != TRAIN).any())
    folds = {name: int((activity.fold == code).sum()) for name, code in FOLDS.items()}
    folds["gap"] = activity.n_bins - sum(folds.values())
    all_neurons = activity.n_neurons + (len(rare.options["dropped"]) if rare else 0)
    figures: dict[str, Any] = {
        "bins": activity.n_bins,
        "bin_width_s": activity.bin_width_s,
        "duration_s": activity.n_bins * activity.bin_width_s,
        "segments": len(stretches(activity.segment)[0]),
        "mean_activity": float(per_neuron.sum()) / activity.states.size,
        "rates_hz": {
            "mean": float(rates.mean()),
            **{f"{100 * q:g}%": float(np.quantile(rates, q)) for q in QUANTILES},
        },
        "silent_neurons": int((per_neuron == 0).sum()),
        "silent_bins_fraction": float((counts == 0).mean()),
        "multi_spike_fraction": told.get("multi_spike_fraction"),
        "multi_spike_fraction_of_all": None
        if multiple is None
        else multiple / (activity.n_bins * all_neurons),
        "spikes_lost": told.get("spikes_lost"),
        "lag1_correlation": lag1_correlation(counts, activity.segment),
        "lag1_correlation_neurons": float(of_neurons.mean()) if len(of_neurons) else None,
        "independent_bins": independent_bins(counts, activity.segment),
        "memory_bytes": int(activity.states.nbytes),
        "folds": folds if was_split else None,
    }
    figures = {name: _finite(value) for name, value in figures.items()}
    values = {"values": str(told["values"])} if "values" in told else {}
    description = {**_description(recording or activity), **values}
    description |= {"neurons": activity.n_neurons, **_places(activity.regions)}
    return DataCard(
        **description,
        **figures,
        epochs=_epochs(recording) if recording else tuple(told.get("epochs_of_recording", ())),
        **card_of_behaviour(activity),
        dropped=dropped,
        dropped_neurons=tuple(rare.options["dropped"]) if rare else (),
        warnings=tuple(cautions(activity, figures)),
        reasons=_reasons({**description, **figures}),
    )


_ONE_SPIKE = "the file holds states, which do not tell how many spikes a bin held"
_NO_PAIRS = "no segment has two bins, or the activity does not vary"
_REASONS = {
    "multi_spike_fraction": _ONE_SPIKE,
    "multi_spike_fraction_of_all": _ONE_SPIKE,
    "spikes_lost": _ONE_SPIKE,
    "lag1_correlation": _NO_PAIRS,
    "lag1_correlation_neurons": _NO_PAIRS,
    "independent_bins": _NO_PAIRS,
    "folds": "not split yet",
    "neurons_without_region": "the file names no regions",
}


def _reasons(card: Mapping[str, Any]) -> dict[str, str]:
    return {name: _REASONS[name] for name, value in card.items() if value is None}


def _description(data: Recording | Activity) -> dict[str, Any]:
    """Return what both a recording and an activity tell: file, neurons, regions."""
    values = "states"
    if isinstance(data, Recording):
        signal = data.signal
        values = "spike times" if isinstance(signal, SpikeTimes) else "counts"
        if isinstance(signal, Binned) and signal.counts.max() <= 1:
            values = "states"
        if isinstance(signal, Traces):
            values = signal.words
    return {
        "format": data.source.format,
        "path": data.source.path,
        "values": values,
        "neurons": len(data.neurons),
        **_places(data.regions),
    }


def _places(regions: Mapping[str, Regions]) -> dict[str, Any]:
    atlases = {
        atlas: {
            name: int(count) for name, count in zip(one.names, one.counts(), strict=True) if count
        }
        for atlas, one in regions.items()
    }
    first = next(iter(regions), None)
    outside = None
    if first is not None:
        outside = int((regions[first].membership.sum(axis=1) == 0).sum())
    return {
        "regions": atlases[first] if first is not None else {},
        "atlases": atlases,
        "neurons_without_region": outside,
    }


def _epochs(recording: Recording) -> tuple[Mapping[str, Any], ...]:
    return tuple(
        {"label": str(label), "intervals": int(count), "seconds": float(seconds)}
        for label, count, seconds in summarise_epochs(recording.epochs).itertuples(index=False)
    )


def _dropped_by_reader(data: Recording | Activity) -> dict[str, int]:
    return {one.what: int(one.lost) for one in losses_of(data) if one.name == UNITS_LEFT_OUT}


def _left_out(activity: Activity) -> dict[str, int]:
    """Return how many traces were of no use, by reason."""
    step = activity.step("deconvolve")
    told = {} if step is None else step.options
    return {
        f"traces that {reason}": len(told[name])
        for name, reason in TRACES_LEFT_OUT.items()
        if told.get(name)
    }


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
