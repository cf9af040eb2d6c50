"""One statistic of two sets of activity: how well its entries agree."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from boltzbrain.foundations.checks import Undefined, has_shape
from boltzbrain.kernels.compiling import compiled
from boltzbrain.kernels.cpu.threads import share

_STRETCHES = 8
"""Parts of the entries, fixed, so that sums do not depend on the number of threads."""


@dataclass(frozen=True)
class Comparison:
    """One statistic of two sets of activity, entry by entry.

    Attributes
    ----------
    reference
        (entry,) float64, the statistic of the test fold: the horizontal axis.
    values
        (entry,) float64, the same statistic of generated or training activity.
    """

    reference: NDArray[np.float64]
    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Refuse sizes that disagree."""
        has_shape("values", self.values, self.reference.shape)

    @cached_property
    def _sums(self) -> tuple[float, float, float]:
        """Sums of squares and of products of both sides, each less its mean."""
        x, y = (one - one.mean() for one in (self.reference, self.values))
        return float(x @ x), float(y @ y), float(x @ y)

    @property
    def pearson(self) -> float | Undefined:
        """Pearson's correlation of the entries."""
        x, y, product = self._sums
        scale = math.sqrt(x) * math.sqrt(y)
        if len(self.values) < 2 or scale == 0:
            return Undefined("a correlation needs two entries that differ on both sides")
        return product / scale

    @property
    def slope(self) -> float | Undefined:
        """Slope of the least-squares line, with intercept, of the values on the test fold's.

        Noise in the test fold lowers it alike for generated and training activity.
        """
        square, _, product = self._sums
        if len(self.values) < 2 or square == 0:
            return Undefined("a slope needs two entries of the test fold that differ")
        return product / square

    @cached_property
    def rmse(self) -> float:
        """Root of the mean squared difference, in the statistic's own unit."""
        apart = self.values - self.reference
        return math.sqrt(float(apart @ apart) / len(apart))

    def summary(self) -> dict[str, Any]:
        """Return the three figures for a result."""
        return {"pearson": self.pearson, "slope": self.slope, "rmse": self.rmse}


CELLS = 70
"""Cells along either axis of a `Density`."""


@dataclass(frozen=True)
class Density:
    """How many entries of a comparison lie where.

    Attributes
    ----------
    limits
        Least and greatest value counted, on both axes.
    counts
        (cell of the reference, cell of the values) entries, in cells of one size.
    pearson, slope
        Of all entries, as of `Comparison`.
    """

    limits: tuple[float, float]
    counts: NDArray[np.int64]
    pearson: float | Undefined
    slope: float | Undefined


def counts_within(comparison: Comparison, limits: tuple[float, float]) -> NDArray[np.int64]:
    """Return how many entries lie in each cell of a `Density`; those beyond the limits in none."""
    low, high = limits
    size = (high - low) / CELLS
    x, y = ((one - low) / size for one in (comparison.reference, comparison.values))
    kept = (x >= 0) & (x <= CELLS) & (y >= 0) & (y <= CELLS)
    # as of a histogram, the last cell holds its upper edge
    column, row = (np.minimum(one[kept].astype(np.int64), CELLS - 1) for one in (x, y))
    return np.bincount(CELLS * column + row, minlength=CELLS**2).reshape(CELLS, CELLS)


def shared_limits(*comparisons: Comparison) -> tuple[float, float]:
    """Return limits that hold the inner 99.8% of all values and zero, with a margin."""
    values = np.concatenate([one for each in comparisons for one in (each.reference, each.values)])
    low, high = (float(one) for one in np.quantile(values, [0.001, 0.999]))
    low, high = min(low, 0.0), max(high, 0.0)
    margin = 0.06 * (high - low) or 1e-6
    return low - margin, high + margin


def normalised_rmse(generated: Comparison, ceiling: Comparison) -> float | Undefined:
    """Return 1 - (RMSE - RMSE_shuffled) / (RMSE_optimal - RMSE_shuffled).

    The normalisation of van der Plas et al. 2023 ('Calculating the normalized Root Mean Square
    Error'): 0 where the generated statistic is as near to the test fold as the training fold is, 1
    where it is no nearer than a permuted one, below 0 where it is nearer than the training fold.
    RMSE_shuffled is the root of the mean square over all permutations, mean x**2 + mean y**2 -
    2 mean x mean y, so that no chance enters.

    Parameters
    ----------
    generated
        Generated against test statistic.
    ceiling
        Training against test statistic, RMSE_optimal.
    """
    x, y = generated.values, generated.reference
    if not len(x):
        return Undefined("there is nothing to compare")
    square = float(x @ x + y @ y) / len(x) - 2 * float(x.mean() * y.mean())
    shuffled = float(np.sqrt(max(square, 0.0)))
    span = ceiling.rmse - shuffled
    if span == 0:
        return Undefined("the training statistic is as far from the test fold as a permuted one")
    return 1 - (generated.rmse - shuffled) / span


def sampling_stderr(comparison: Comparison, entries: int) -> float:
    """Return the standard error of Pearson's correlation from comparing some of all entries.

    Parameters
    ----------
    comparison
        A uniform sample of the entries.
    entries
        Number of entries that there are; the error is 0 where all were compared.

    Returns
    -------
    float
        By the influence of each entry on the correlation, with the finite-population factor; 0
        where the correlation is undefined.
    """
    correlation, number = comparison.pearson, len(comparison.values)
    if isinstance(correlation, Undefined) or number >= entries:
        return 0.0
    x, y = ((one - one.mean()) / one.std() for one in (comparison.reference, comparison.values))
    influence = x * y - correlation / 2 * (x**2 + y**2)
    return float(np.sqrt(np.mean(influence**2) / number * (1 - number / entries)))


class Columns(NamedTuple):
    """How well values agree with a reference, column by column, each (column,).

    Attributes
    ----------
    pearson, slope
        As of `Comparison`; 0 where a side is constant.
    rmse
        As of `Comparison`.
    shuffled
        What ``rmse`` is, in the mean of squares, where the entries are permuted.
    """

    pearson: NDArray[np.float64]
    slope: NDArray[np.float64]
    rmse: NDArray[np.float64]
    shuffled: NDArray[np.float64]


def compare_columns(values: NDArray[np.float64], reference: NDArray[np.float64]) -> Columns:
    """Compare each column of values (entry, column) with that of the reference."""
    number, columns = values.shape
    given = [np.ascontiguousarray(one) for one in (values, reference)]
    means = [one.mean(axis=0) for one in given]
    parts = np.zeros((_STRETCHES, 4, columns))

    def task(first: int, count: int) -> None:
        for part in range(first, first + count):
            edges = (number * part // _STRETCHES, number * (part + 1) // _STRETCHES)
            _add_products(*given, *means, *edges, parts[part])

    share(task, _STRETCHES, least=1, most=1)
    xx, yy, xy, apart = parts.sum(axis=0)
    scale = np.sqrt(xx * yy)
    return Columns(
        np.divide(xy, scale, out=np.zeros(columns), where=scale > 0),
        np.divide(xy, yy, out=np.zeros(columns), where=yy > 0),
        np.sqrt(apart / number),
        np.sqrt((xx + yy) / number + (means[0] - means[1]) ** 2),
    )


@compiled
def _add_products(
    values: Any, reference: Any, mean: Any, of_reference: Any, first: Any, last: Any, sums: Any
) -> None:
    for row in range(first, last):
        for column in range(len(mean)):
            x, y = values[row, column], reference[row, column]
            sums[3, column] += (x - y) ** 2
            x -= mean[column]
            y -= of_reference[column]
            sums[0, column] += x * x
            sums[1, column] += y * y
            sums[2, column] += x * y


def kolmogorov_smirnov(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the greatest difference of two empirical distribution functions, between 0 and 1."""
    points = np.concatenate((first, second))
    shares = [
        np.searchsorted(np.sort(one), points, side="right") / len(one) for one in (first, second)
    ]
    return float(np.abs(shares[0] - shares[1]).max())
