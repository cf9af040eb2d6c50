"""The log-partition of every hidden unit as a table, and its mean over a normal input.

Quadratures evaluate Gamma millions of times, and for some kinds of unit it is slow. So each unit's
Gamma is cut into panels, each a polynomial through Chebyshev points, halved until it agrees with
`Layer.log_partition` between the points to 1e-13; the compiled loop reads the panels.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from boltzbrain.foundations.compiling.cache import kept
from boltzbrain.interpretation.marginal import Floats, Indices, Marginal

_TERMS = 16
_HALVINGS = 8
_ACCURACY = 1e-13
_CHECKS = (-0.97, -0.51, 0.03, 0.49, 0.98)


@functools.cache
def chebyshev_points(count: int) -> Floats:
    """Return the roots of the Chebyshev polynomial of degree `count`, on (-1, 1)."""
    result: Floats = np.cos((2 * np.arange(count) + 1) * np.pi / (2 * count))
    return result


def polynomials(places: Floats, count: int) -> Floats:
    """Return the Chebyshev polynomials T_0 to T_(count - 1) at each place, (..., count)."""
    result: Floats = np.empty((*places.shape, count))
    result[..., 0] = 1.0
    if count > 1:
        result[..., 1] = places
    for degree in range(2, count):
        result[..., degree] = 2.0 * places * result[..., degree - 1] - result[..., degree - 2]
    return result


@functools.cache
def to_coefficients(count: int) -> Floats:
    """Return the matrix from values at `chebyshev_points` to Chebyshev coefficients."""
    matrix = polynomials(chebyshev_points(count), count).T * (2.0 / count)
    matrix[0] *= 0.5
    return np.ascontiguousarray(matrix)


@dataclass(frozen=True, eq=False)
class GammaTable:
    """Polynomials of Gamma on panels of each hidden unit's inputs.

    Attributes
    ----------
    low, width
        (unit,) start of the first panel and width of each.
    first
        (unit + 1,) place of each unit's panels in `coefficients`.
    coefficients
        (panel, term) Chebyshev coefficients in the place within the panel, from -1 to 1.
    """

    low: Floats
    width: Floats
    first: Indices
    coefficients: Floats

    @classmethod
    def of(
        cls, marginal: Marginal, low: Floats, high: Floats, scale: Floats, *, units: Indices
    ) -> GammaTable:
        """Tabulate Gamma of some hidden units.

        Parameters
        ----------
        marginal
            The model.
        low, high
            (unit,) interval to cover.
        scale
            (unit,) scale on which the unit bends; a panel is at most twice as wide.
        units
            The units to tabulate; the others have no panels.
        """
        count = np.zeros(marginal.units, dtype=np.int64)
        width = np.ones(marginal.units)
        range_of = np.maximum(high[units] - low[units], 1e-9)
        count[units] = np.maximum(1, np.ceil(range_of / (2.0 * scale[units])))
        width[units] = range_of / count[units]
        found = [np.empty((0, _TERMS))] * marginal.units
        waiting = units
        for _ in range(_HALVINGS):
            if len(waiting) == 0:
                break
            waiting = _fill(marginal, waiting, low, width, count, found)
            count[waiting] *= 2
            width[waiting] *= 0.5
        for unit in waiting.tolist():
            count[unit] //= 2
            width[unit] *= 2.0
        first = np.concatenate(([0], np.cumsum(count)))
        coefficients = np.concatenate(found) if found else np.empty((0, _TERMS))
        return cls(low, width, first, coefficients)


def _fill(
    marginal: Marginal,
    units: Indices,
    low: Floats,
    width: Floats,
    count: Indices,
    found: list[Floats],
) -> Indices:
    """Fit the panels of some units into `found`; return the units that are not accurate yet."""
    owner = np.repeat(units, count[units])
    starts = np.cumsum(count[units]) - count[units]
    number = np.arange(len(owner)) - np.repeat(starts, count[units])
    middle = low[owner] + (number + 0.5) * width[owner]
    checks = np.array(_CHECKS)
    places = np.concatenate((chebyshev_points(_TERMS), checks))[:, None]
    values = marginal.gamma(owner, middle + 0.5 * places * width[owner])
    coefficients = (to_coefficients(_TERMS) @ values[:_TERMS]).T
    told = polynomials(checks, _TERMS) @ coefficients.T
    gap = np.abs(told - values[_TERMS:]) / np.maximum(1.0, np.abs(values[_TERMS:]))
    worst = np.zeros(marginal.units)
    np.maximum.at(worst, owner, gap.max(axis=0))
    for unit, start in zip(units.tolist(), starts.tolist(), strict=True):
        found[unit] = coefficients[start : start + count[unit]]
    return units[worst[units] > _ACCURACY]


@njit(inline="always")
def _gamma(x: Any, low: Any, width: Any, first: Any, last: Any, coefficients: Any) -> Any:
    place = (x - low) / width
    panel = min(max(int(place), 0), last - first - 1)
    t = 2.0 * (place - panel) - 1.0
    row = coefficients[first + panel]
    later, value = 0.0, 0.0
    for term in range(_TERMS - 1, 0, -1):
        value, later = row[term] + 2.0 * t * value - later, value
    return row[0] + t * value - later


@functools.partial(kept, parallel=True)
def normal_means(
    units: NDArray[Any],
    totals: Any,
    offsets: Any,
    weights: Any,
    spread: Any,
    nodes: Any,
    low: Any,
    width: Any,
    first: Any,
    coefficients: Any,
    result: Any,
) -> None:
    """Fill result (point, column) with sum_c weights_c E Gamma(total + offset_c + spread z).

    z is a standard normal variable: a trapezoid over 8 standard deviations each way, from `nodes`
    (column,) steps, halved until two answers agree to 1e-10. `offsets` and `weights` are (case,
    column); `totals` is (point, column).
    """
    for column in prange(len(units)):
        unit = units[column]
        a, w = low[unit], width[unit]
        p, q = first[unit], first[unit + 1]
        for point in range(len(totals)):
            total = totals[point, column]
            if spread[column] == 0.0:
                answer = 0.0
                for case in range(len(offsets)):
                    x = total + offsets[case, column]
                    answer += weights[case, column] * _gamma(x, a, w, p, q, coefficients)
                result[point, column] = answer
                continue
            step = 16.0 / nodes[column]
            count = nodes[column] + 1
            start = -8.0
            summed, norm, size, answer = 0.0, 0.0, 0.0, 0.0
            for level in range(10):
                for node in range(count):
                    z = start + node * step
                    density = np.exp(-0.5 * z * z)
                    value = 0.0
                    for case in range(len(offsets)):
                        x = total + offsets[case, column] + spread[column] * z
                        gamma = _gamma(x, a, w, p, q, coefficients)
                        value += weights[case, column] * gamma
                    size = max(size, abs(gamma))
                    summed += density * value
                    norm += density
                better = summed / norm
                if level > 0 and abs(better - answer) <= 1e-10 * abs(better) + 5e-13 * size:
                    answer = better
                    break
                answer = better
                if level > 0:
                    step *= 0.5
                start = -8.0 + 0.5 * step
                count = round(16.0 / step)
            result[point, column] = answer
