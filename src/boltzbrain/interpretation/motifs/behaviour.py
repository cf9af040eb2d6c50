"""What goes with a motif over time: covariates, numbers of trials, and their labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from boltzbrain.data.behaviour.trials import columns_of, is_labels
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.behaviour.nulls import SeriesNull
from boltzbrain.interpretation.behaviour.power import false_discoveries
from boltzbrain.interpretation.behaviour.trials import (
    FEWEST_TRIALS,
    column_of,
    responses,
    tuning_of_trials,
)
from boltzbrain.interpretation.motifs.affinities import bounds_of
from boltzbrain.interpretation.motifs.changes import Signal

Floats = NDArray[np.float64]
Row = dict[str, Any]

DRAWS = 1000
_FEWEST = 20
"""Windows that must know a name."""


def motifs_and_behaviour(
    time: Floats,
    whose: NDArray[np.int64],
    signals: Mapping[str, Signal],
    window_s: float,
    generator: Generator,
) -> tuple[list[Row], list[Row]]:
    """Return how far the strength of motifs goes with behaviour: with numbers, and with labels.

    Parameters
    ----------
    time
        (motif, window) strength.
    whose
        (window,) number of the animal of each window; all 0 where all animals share them.
    signals
        Animal to what its neurons did, with its behaviour.
    window_s
        Seconds of a window.
    generator
        Moves on; moves the strength in time, and the labels among trials.

    Returns
    -------
    tuple
        Rows of a motif, animal and name each: ``motif``, ``animal``, ``name``, ``p_value`` and
        ``q_value`` over all rows of the animal. Numbers that 20 windows or more know and that vary
        have ``windows`` and the ``rank_correlation`` of strength and mean over the window, against
        strengths moved in a circle within segments, or segments swapped
        (`behaviour.nulls.SeriesNull`), each different draw once. Labels of trials, two or more of
        five trials each, have ``trials``, the ``levels``, the one of the largest mean strength
        (``preferred``), and the share of the variance over trials that they explain beyond chance
        (``effect``), against labels permuted among neighbours (`behaviour.trials`).
    """
    numbers: list[Row] = []
    labels: list[Row] = []
    for number, (animal, signal) in enumerate(signals.items()):
        bounds = bounds_of(signal, window_s)
        mine = time[:, np.flatnonzero(whose == (number if whose.any() else 0))]
        found = _with_numbers(mine, signal, bounds, generator.child("numbers", animal))
        differ = _with_labels(mine, signal, bounds, generator.child("labels", animal))
        every = [*found, *differ]
        q_values = false_discoveries(np.array([one["p_value"] for one in every]))
        told = [
            {**one, "animal": animal, "q_value": float(q)}
            for one, q in zip(every, q_values, strict=True)
        ]
        numbers += told[: len(found)]
        labels += told[len(found) :]
    return numbers, labels


def _with_numbers(
    time: Floats, signal: Signal, bounds: NDArray[np.int64], generator: Generator
) -> list[Row]:
    """Return a row for every motif of an animal and name of numbers."""
    null = SeriesNull.of(signal.segment[bounds[:, 0]])
    # of few windows there are fewer shifts than draws, and the same one twice tells nothing new
    orders = np.unique([null.draw(generator) for _ in range(DRAWS)], axis=0)
    rows = []
    for name, values in _in_windows(signal, bounds):
        known = np.isfinite(values)
        if known.sum() < _FEWEST or np.ptp(values[known]) == 0:
            continue
        fixed = _unit(rankdata(values[known]))
        for motif, strength in enumerate(time):
            # ranks over all windows, so that they are found once and not for every draw
            ranks = rankdata(strength)
            rho = float(_unit(ranks[known]) @ fixed)
            drawn = np.array([_unit(ranks[one][known]) @ fixed for one in orders])
            beyond = int((np.abs(drawn) >= abs(rho) - 1e-12).sum())
            rows.append(
                {
                    "motif": motif,
                    "name": name,
                    "windows": int(known.sum()),
                    "rank_correlation": rho,
                    "p_value": (1 + beyond) / (1 + len(orders)),
                }
            )
    return rows


def _with_labels(
    time: Floats, signal: Signal, bounds: NDArray[np.int64], generator: Generator
) -> list[Row]:
    """Return a row for every motif of an animal and column of labels of its trials."""
    trials = None if signal.behaviour is None else signal.behaviour.trials
    if trials is None or not len(trials):
        return []
    in_frames = np.repeat(time.T, np.diff(bounds, axis=1)[:, 0], axis=0)
    of_trials = responses(in_frames, trials[["first_bin", "stop_bin"]].to_numpy(np.int64))
    there = np.flatnonzero(np.isfinite(of_trials).all(axis=1))
    trials, of_trials = trials.iloc[there], of_trials[there]
    rows = []
    for name in columns_of(trials):
        if not is_labels(trials[name]):
            continue
        counts = trials[name][trials[name] != ""].value_counts()
        if (counts >= FEWEST_TRIALS).sum() < 2:
            continue
        column = column_of(trials, name)
        found = tuning_of_trials(of_trials, column, draws=DRAWS, generator=generator)
        rows += [
            {
                "motif": motif,
                "name": name,
                "trials": len(column.rows),
                "levels": list(column.levels),
                "preferred": column.levels[int(found.preferred[motif])],
                "effect": float(found.effect[motif]),
                "p_value": float(found.p_value[motif]),
            }
            for motif in range(len(time))
        ]
    return rows


def _in_windows(signal: Signal, bounds: NDArray[np.int64]) -> Iterator[tuple[str, Floats]]:
    """Yield every name of numbers and its mean in every window, NaN where it is not known."""
    behaviour = signal.behaviour
    for name in () if behaviour is None else behaviour.names:
        assert behaviour is not None
        values = behaviour.values(name)
        if values.dtype.kind != "f":
            continue
        known = np.isfinite(values)
        sums = np.cumsum(np.r_[0.0, np.where(known, values, 0.0)])
        counts = np.cumsum(np.r_[0, known])
        total = sums[bounds[:, 1]] - sums[bounds[:, 0]]
        number = counts[bounds[:, 1]] - counts[bounds[:, 0]]
        yield name, np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _unit(values: Floats) -> Floats:
    centred = values - values.mean()
    size = float(np.linalg.norm(centred))
    found: Floats = centred / size if size > 0 else centred
    return found
