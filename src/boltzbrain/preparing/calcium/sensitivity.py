"""What happens to rates and correlations when the threshold of a binarisation moves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MULTIPLES = (0.5, 0.75, 1.0, 1.5, 2.0)
"""Of the chosen threshold."""

ABOVE_ZERO = (0.0, 0.25, 0.5, 1.0, 2.0)
"""Thresholds that are looked at where the chosen one is 0."""

_NEURONS = 100


def sensitivity_table(
    scores: NDArray[np.float32], segment: NDArray[np.int32], threshold: float
) -> list[dict[str, float | None]]:
    """Return one row per multiple of the threshold, or threshold beside one of 0.

    Parameters
    ----------
    scores
        (frame, neuron) scores that are compared with the threshold.
    segment
        (frame,) segment of each frame.
    threshold
        The chosen one.

    Returns
    -------
    list of dict
        ``threshold``; ``rate``, events per neuron and frame; ``correlation``, the mean Pearson
        correlation over pairs of at most 100 neurons (evenly spread over those that have events at
        every threshold); ``lag1``, the mean correlation of a frame with the next one;
        ``agreement``, the correlation over pairs of these correlations with those at the chosen
        threshold. None where it is not defined.
    """
    limits = [multiple * threshold for multiple in MULTIPLES] if threshold > 0 else ABOVE_ZERO
    active = np.flatnonzero((scores > limits[-1]).any(axis=0))
    if len(active) > _NEURONS:
        active = active[np.linspace(0, len(active) - 1, _NEURONS).astype(np.int64)]
    chosen = scores[:, active]
    reference = _pairs(chosen > threshold)
    rows: list[dict[str, float | None]] = []
    for limit in limits:
        on = chosen > limit
        pairs = _pairs(on)
        rows.append(
            {
                "threshold": limit,
                "rate": float((scores > limit).mean()),
                "correlation": _mean(pairs),
                "lag1": _lag1(on, segment),
                "agreement": _correlation(pairs, reference),
            }
        )
    return rows


def _pairs(on: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the correlation of each pair of neurons, NaN where one does not vary."""
    values = on.astype(np.float32)
    values -= values.mean(axis=0)
    norm = np.sqrt((values.astype(np.float64) ** 2).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        matrix = (values.T @ values).astype(np.float64) / np.outer(norm, norm)
    pairs: NDArray[np.float64] = matrix[np.triu_indices(len(matrix), 1)]
    return pairs


def _mean(values: NDArray[np.float64]) -> float | None:
    good = values[np.isfinite(values)]
    return float(good.mean()) if len(good) else None


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    good = np.isfinite(first) & np.isfinite(second)
    if good.sum() < 2 or not (np.ptp(first[good]) > 0 and np.ptp(second[good]) > 0):
        return None
    return float(np.corrcoef(first[good], second[good])[0, 1])


def _lag1(on: NDArray[np.bool_], segment: NDArray[np.int32]) -> float | None:
    together = segment[1:] == segment[:-1]
    now = on[:-1][together].astype(np.float64)
    after = on[1:][together].astype(np.float64)
    if len(now) < 2 or now.shape[1] == 0:
        return None
    now -= now.mean(axis=0)
    after -= after.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        each = (now * after).sum(axis=0) / np.sqrt((now**2).sum(axis=0) * (after**2).sum(axis=0))
    return _mean(each)
