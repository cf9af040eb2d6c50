"""Mixed differences of all pairs at once: each hidden unit's mean log-partition as a polynomial.

With F_a(u) = E Gamma_a(input + u) over all neurons, the mixed difference of neurons i and j at unit
a is that of F_a(x + y) over their own steps x and y, after their share of the variance is taken
back: by the heat equation F at variance sigma**2 - s is exp(-s/2 d**2/du**2) F. F_a(x + y) is
tabulated at Chebyshev points, so it is a short sum over products of Chebyshev polynomials of x and
of y, and all pairs are two matrix products: J = A C A^T, A (neuron, polynomial), per hidden unit.
The same holds for fields and triplets with one and three factors. The few neurons that carry much
of a unit's variance (`InputLaw.large`) are left out of A and differenced one by one.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from boltzbrain.interpretation.couplings.normal_inputs import InputLaw
from boltzbrain.interpretation.couplings.point_sets import (
    chebyshev_points,
    polynomials,
    to_coefficients,
)
from boltzbrain.interpretation.marginal import Floats, Indices

DEGREES = (6, 10, 16, 24, 40, 64, 128)
TOLERANCE = 1e-6
"""Size of the last polynomial terms relative to the largest."""

_HEAT_TERMS = 4
_NOISE = 2e-13
"""Rounding error of a coefficient, relative to the largest value of F."""

_VALUES = 1 << 23


@functools.cache
def second_derivative(count: int) -> Floats:
    """Return the matrix from Chebyshev coefficients to those of the second derivative."""
    matrix = np.zeros((count, count))
    for degree in range(2, count):
        matrix[: count - 2, degree] = chebyshev.chebder(np.eye(count)[degree], 2)
    return matrix


@functools.cache
def to_tensor(order: int, degree: int) -> Floats:
    """Return the matrix from F at the points of the sum to the coefficients of F(x1 + ... + xn).

    (degree**order, order * degree): the sum of n variables on [-1, 1] lies on [-n, n].
    """
    points = chebyshev_points(degree)
    total = points
    for _ in range(order - 1):
        total = (total[:, None] + points).ravel()
    many = order * degree
    matrix = polynomials(total / order, many) @ to_coefficients(many)
    own = to_coefficients(degree)
    for axis in range(order):
        shaped = matrix.reshape(degree**axis, degree, -1)
        matrix = np.einsum("pq,aqb->apb", own, shaped).reshape(degree**order, many)
    return np.ascontiguousarray(matrix)


@dataclass(frozen=True, eq=False)
class Block:
    """Hidden units whose expansion has one degree.

    Attributes
    ----------
    law
        Model and reference.
    units
        (unit,) numbers of the hidden units.
    middle, radius
        (unit,) the interval of steps on which the polynomials live.
    degree
        Number of Chebyshev polynomials, T_0 included.
    kept
        Degrees of the polynomials that count: not 0, and only the odd ones where every neuron is
        as often active as not.
    tensor
        (unit, kept, ..., kept) coefficients, one axis per neuron of the set.
    """

    law: InputLaw
    units: Indices
    middle: Floats
    radius: Floats
    degree: int
    kept: Indices
    tensor: Floats

    def features(self, neurons: Indices | None = None) -> Floats:
        """Return A, (neuron, unit, kept): each neuron's difference of the polynomials.

        Rows of a unit's `large` neurons are zero.
        """
        law = self.law
        chosen = np.arange(law.marginal.neurons) if neurons is None else neurons
        rows, columns = chosen[:, None], self.units[None, :]
        up, down = law.steps(rows, columns)
        first = polynomials((up - self.middle) / self.radius, self.degree)
        first -= polynomials((down - self.middle) / self.radius, self.degree)
        result = first[..., self.kept]
        noise = law.means * (1.0 - law.means)
        share = law.marginal.weights[rows, columns] ** 2 * noise[chosen][:, None]
        if share.any():
            cooling = -0.5 * share / self.radius**2
            factor = np.ones_like(cooling)
            for term in range(1, min(_HEAT_TERMS, (self.degree - 1) // 2) + 1):
                first = first @ second_derivative(self.degree)
                factor = factor * cooling / term
                result += factor[..., None] * first[..., self.kept]
        for column, unit in enumerate(self.units.tolist()):
            large = law.large[unit]
            result[large if neurons is None else np.isin(chosen, large), column] = 0.0
        return result

    def part(self, first: int, last: int) -> Block:
        """Return the block of some of its units."""
        cut = slice(first, last)
        return Block(
            self.law,
            self.units[cut],
            self.middle[cut],
            self.radius[cut],
            self.degree,
            self.kept,
            self.tensor[cut],
        )

    def pieces(self, values: int = _VALUES) -> Iterator[Block]:
        """Cut the block so that the features of all neurons hold at most `values` numbers."""
        step = max(1, values // (self.law.marginal.neurons * self.degree))
        for first in range(0, len(self.units), step):
            yield self.part(first, first + step)


def step_interval(law: InputLaw, units: Indices) -> tuple[Floats, Floats]:
    """Return middle and half-width of the steps of each unit's neurons, `large` ones left out."""
    everyone = np.arange(law.marginal.neurons)[:, None]
    up, down = law.steps(everyone, units[None, :])
    for column, unit in enumerate(units.tolist()):
        up[law.large[unit], column] = 0.0
        down[law.large[unit], column] = 0.0
    low = np.minimum(up, down).min(axis=0, initial=0.0)
    high = np.maximum(up, down).max(axis=0, initial=0.0)
    return 0.5 * (low + high), 0.5 * (high - low)


def expand(
    law: InputLaw, order: int, *, tolerance: float = TOLERANCE, most_degree: int | None = None
) -> tuple[list[Block], Indices]:
    """Expand E Gamma_a(input + x1 + ... + xn) of every hidden unit in the steps of n neurons.

    Parameters
    ----------
    law
        Model and reference.
    order
        Number of neurons n, from 1.
    tolerance
        The degree is raised until the last terms are this small beside the largest.
    most_degree
        Highest number of polynomials to try; if None, the highest of `DEGREES` is taken as it is.

    Returns
    -------
    blocks
        Units by degree; units without any small step are in none.
    unresolved
        Units for which `most_degree` was not enough.
    """
    units = np.arange(law.marginal.units)
    middle, radius = step_interval(law, units)
    waiting = units[radius > 0]
    blocks = []
    for degree in DEGREES:
        if degree > (most_degree or DEGREES[-1]) or len(waiting) == 0:
            break
        kept = np.arange(1, degree, 2 if law.symmetric else 1)
        tensor, good = _tensors(law, waiting, middle, radius, order, degree, kept, tolerance)
        if most_degree is None and degree == DEGREES[-1]:
            good[:] = True
        if good.any():
            done = waiting[good]
            blocks.append(Block(law, done, middle[done], radius[done], degree, kept, tensor[good]))
        waiting = waiting[~good]
    return blocks, waiting


def _tensors(
    law: InputLaw,
    units: Indices,
    middle: Floats,
    radius: Floats,
    order: int,
    degree: int,
    kept: Indices,
    tolerance: float,
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the coefficients of each unit and whether the degree is enough for it."""
    points = order * chebyshev_points(order * degree)[:, None]
    shifts = order * middle[units] + points * radius[units]
    values = law.mixed_differences(units, np.empty((len(units), 0), dtype=np.int64), shifts)
    size = np.abs(values).max(axis=0)
    tensor = (to_tensor(order, degree) @ values).T.reshape((len(units), *(degree,) * order))
    for axis in range(1, order + 1):
        tensor = np.take(tensor, kept, axis=axis)
    largest = np.abs(tensor).reshape(len(units), -1).max(axis=1)
    # all axes are alike, so the last slices of the first one tell
    last = 1 if law.symmetric else 2
    tail = np.abs(tensor[:, -last:]).reshape(len(units), -1).max(axis=1)
    # of a unit that is all but always off Gamma is some 1e-12 nats: what it adds is lost among the
    # rounding errors of the others, and no degree resolves it
    noise = _NOISE * np.maximum(size, 1.0)
    good = (tail <= tolerance * largest) | (tail <= noise)
    # `features` takes derivatives, which would blow rounding errors up
    tensor[np.abs(tensor) <= noise.reshape((-1,) + (1,) * order)] = 0.0
    return np.ascontiguousarray(tensor), good
