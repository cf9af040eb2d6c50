"""How long activity remembers: correlations from bin to bin, within segments only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import active_bins, stretches
from boltzbrain.foundations.autocorrelation import lagged_products, windowed_sum
from boltzbrain.foundations.memory import slices

_LONGEST = 1 << 18
"""Most bins that are transformed at once: a stretch of more is cut, and lags end there."""


def population_count(states: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the number of active neurons of every bin, (bin,)."""
    counts: NDArray[np.int64] = states.sum(axis=1, dtype=np.int64)
    return counts


def lag1_correlation(values: NDArray[np.int64], segment: NDArray[np.int32]) -> float | None:
    """Return Pearson's correlation of a bin with the next one of its segment.

    Parameters
    ----------
    values
        (bin,) such as the population count.
    segment
        (bin,) segment of every bin.

    Returns
    -------
    float or None
        None where no segment has two bins or the values do not vary.
    """
    together = segment[1:] == segment[:-1]
    now, after = values[:-1][together].astype(np.float64), values[1:][together].astype(np.float64)
    if len(now) < 2:
        return None
    now, after = now - now.mean(), after - after.mean()
    scale = float(np.sqrt((now @ now) * (after @ after)))
    return float(now @ after) / scale if scale > 0 else None


def lag1_correlation_of_neurons(
    states: NDArray[np.uint8], segment: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Return each neuron's correlation of a bin with the next one of its segment.

    Parameters
    ----------
    states
        (bin, neuron) uint8 in {0, 1}.
    segment
        (bin,) segment of every bin.

    Returns
    -------
    NDArray
        One value per neuron that varies; the others are left out, so it may be empty.
    """
    together = segment[1:] == segment[:-1]
    neurons = states.shape[1]
    count = int(together.sum())
    if count < 2:
        return np.empty(0)
    ends = np.flatnonzero(~together)
    active = active_bins(states)
    now = (active - states[-1] - active_bins(states[ends])) / count
    after = (active - states[0] - active_bins(states[ends + 1])) / count
    both = -active_bins(states[ends] & states[ends + 1]).astype(np.float64)
    for part in slices(len(together), neurons):
        both += active_bins(states[part] & states[part.start + 1 : part.stop + 1])
    both /= count
    scale = np.sqrt(now * (1 - now) * after * (1 - after))
    varies = scale > 0
    result: NDArray[np.float64] = (both - now * after)[varies] / scale[varies]
    return result


def independent_bins(values: NDArray[np.int64], segment: NDArray[np.int32]) -> float | None:
    """Return the number of independent bins that would tell the mean of the values as well.

    This is bins / (1 + 2 sum of autocorrelations), at most the number of bins, with the window of
    `foundations.autocorrelation`; bins are compared only within their segment.

    Parameters
    ----------
    values
        (bin,) such as the population count.
    segment
        (bin,) segment of every bin.

    Returns
    -------
    float or None
        None where the values do not vary or no segment has two bins.
    """
    first, length = stretches(segment)
    longest = min(int(length.max()), _LONGEST)
    centred = values - values.mean()
    power = float(centred @ centred) / len(centred)
    if power == 0.0 or longest < 2:
        return None
    products, pairs = np.zeros(longest), np.zeros(longest)
    for begin, whole in zip(first.tolist(), length.tolist(), strict=True):
        for start in range(begin, begin + whole, _LONGEST):
            size = min(_LONGEST, begin + whole - start)
            products[:size] += lagged_products(centred[start : start + size])
            pairs[:size] += np.arange(size, 0, -1)
    time = windowed_sum(products / (pairs * power))
    return float(np.clip(len(values) / max(2 * time, 1.0), 1.0, len(values)))
