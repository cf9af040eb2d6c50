"""Series and trials of several recordings as those of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.data.behaviour.clock import SegmentClock
from boltzbrain.data.behaviour.covariates import Covariate
from boltzbrain.data.behaviour.trials import all_trials, no_trials
from boltzbrain.data.recording import Recording
from boltzbrain.data.signals import Binned


def behaviour_of_probes(
    recordings: Sequence[Recording], labels: Sequence[str]
) -> tuple[dict[str, Covariate], pd.DataFrame]:
    """Return the covariates of all probes and the trials of the first that has any.

    A covariate that another probe has by the same name is kept once where it is the same, else
    beside it under the name of its probe.
    """
    found: dict[str, Covariate] = {}
    for label, one in zip(labels, recordings, strict=True):
        for name, series in one.covariates.items():
            if name not in found:
                found[name] = series
            elif not _same(found[name], series):
                found[f"{label}_{name}"] = series
    trials = next((one.trials for one in recordings if len(one.trials)), no_trials())
    return found, trials


def _same(one: Covariate, other: Covariate) -> bool:
    return np.array_equal(one.times, other.times) and np.array_equal(
        one.values, other.values, equal_nan=True
    )


def behaviour_of_sessions(
    recordings: Sequence[Recording], labels: Sequence[str], shift: NDArray[np.float64]
) -> tuple[dict[str, Covariate], pd.DataFrame]:
    """Return covariates and trials of sessions that follow each other, moved by (session,) s.

    Segments are numbered on as `join_sessions` numbers them.
    """
    names = dict.fromkeys(name for one in recordings for name in one.covariates)
    binned = isinstance(recordings[0].signal, Binned)
    numbered = binned and not all(SegmentClock.of(one.signal).ascends for one in recordings)
    offset, parts, trials = 0, {name: list[Covariate]() for name in names}, list[pd.DataFrame]()
    for one, label, by in zip(recordings, labels, shift.tolist(), strict=True):
        number = SegmentClock.of(one.signal).number
        on = offset - int(number.min()) if numbered else 0
        offset += int(number.max() - number.min()) + 1
        for name, series in one.covariates.items():
            segment = series.segment
            if numbered:
                own = _segments_at(one, series.times) if segment is None else segment
                segment = (own + np.int32(on)).astype(np.int32)
            parts[name].append(replace(series, times=series.times + by, segment=segment))
        if len(one.trials):
            start = one.trials["start_s"].to_numpy(np.float64)
            table = one.trials.assign(
                start_s=start + by, stop_s=one.trials["stop_s"] + by, session=label
            )
            if numbered:
                told = "segment" in table
                own = table["segment"].to_numpy(np.int32) if told else _segments_at(one, start)
                table["segment"] = (own + on).astype(np.int32)
            trials.append(table)
    joined = {name: _one_after_another(series) for name, series in parts.items()}
    return joined, all_trials(trials)


def _segments_at(one: Recording, times: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return the segment in which times of a recording lie whose times ascend."""
    clock = SegmentClock.of(one.signal)
    at = np.searchsorted(clock.start_s, times, side="right") - 1
    return clock.number[np.maximum(at, 0)]


def _one_after_another(series: list[Covariate]) -> Covariate:
    first = series[0]
    told = all(one.segment is not None for one in series)
    return Covariate(
        np.concatenate([one.times for one in series]),
        np.concatenate([one.values for one in series]),
        first.unit,
        np.concatenate([one.segment for one in series if one.segment is not None])
        if told
        else None,
        # what each would take by itself may differ
        first.rule if len({one.takes for one in series}) > 1 else first.takes,
    )
