"""Mixed differences of a large model: the input of every hidden unit taken as nearly normal.

Under an independent reference the input of hidden unit a is a sum over neurons, mean_a + sum_k W_ka
(v_k - m_k). The few neurons that carry much of its variance are summed over exactly; the rest is
replaced by a normal variable of the same variance, and the neurons of the set A that is being
differenced are taken out of either. The mean over the normal variable is a trapezoid over 8
standard deviations each way, with steps that resolve both it and the hidden unit, halved until two
answers agree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from boltzbrain.foundations.checks import number_in, whole_number_in
from boltzbrain.foundations.memory import VALUES, slices
from boltzbrain.interpretation.couplings.point_sets import GammaTable, normal_means
from boltzbrain.interpretation.marginal import Floats, Indices, Marginal

OUTLIER_SHARE = 0.1
"""A neuron with more than this share of a hidden input's remaining variance is no small term."""
MOST_OUTLIERS = 6
"""Most neurons per hidden unit that are enumerated, 2**6 states."""

_MOST_LARGE = 40
_REACH = 8.0
_FEWEST_NODES = 24
_MOST_NODES = 1 << 16
"""Cases held at once."""


@dataclass(frozen=True, eq=False)
class InputLaw:
    """The law of every hidden unit's input when the neurons are independent.

    Attributes
    ----------
    marginal
        The model.
    means
        (neuron,) mean activities.
    centre
        (hidden,) mean input.
    outliers
        (hidden, most) neurons that are enumerated, by falling share, -1 where there are fewer.
    large
        Per hidden unit, the neurons that carry more than the outlier share of what is left after
        the outliers, and the outliers: those for which no smooth expansion is made.
    rest
        (hidden,) variance of the input without the outliers.
    narrowness
        (hidden,) scale on which the hidden unit bends.
    """

    marginal: Marginal
    means: Floats
    centre: Floats
    outliers: Indices
    large: tuple[Indices, ...]
    rest: Floats
    narrowness: Floats

    @classmethod
    def of(
        cls,
        marginal: Marginal,
        means: Floats,
        *,
        outlier_share: float = OUTLIER_SHARE,
        most_outliers: int = MOST_OUTLIERS,
    ) -> InputLaw:
        """Find the outliers of every hidden unit and the variance of the rest.

        Parameters
        ----------
        marginal, means
            Model and mean activities.
        outlier_share
            In (0, 1]; 1 enumerates none.
        most_outliers
            From 0 to 16.
        """
        number_in("outlier_share", outlier_share, low=0.0, high=1.0, include_low=False)
        whole_number_in("most_outliers", most_outliers, low=0, high=16)
        weights = marginal.weights
        noise = means * (1.0 - means)
        shares = weights * weights * noise[:, None]
        total = shares.sum(axis=0)
        kept = min(len(weights), most_outliers + _MOST_LARGE)
        top = np.argpartition(-shares, kept - 1, axis=0)[:kept]
        order = np.argsort(-np.take_along_axis(shares, top, axis=0), axis=0, kind="stable")
        top = np.take_along_axis(top, order, axis=0)
        sizes = np.take_along_axis(shares, top, axis=0)
        left = np.maximum(total - np.cumsum(sizes, axis=0) + sizes, 0.0)
        bulky = (sizes > outlier_share * left) & (sizes > 1e-14 * total)
        count = np.minimum(np.cumprod(bulky, axis=0).sum(axis=0), most_outliers)
        place = np.arange(most_outliers)[:, None]
        padded = np.full((most_outliers, marginal.units), -1, dtype=np.int64)
        padded[: min(kept, most_outliers)] = top[:most_outliers]
        padded[place >= count] = -1
        enumerated = np.where(np.arange(kept)[:, None] < count, sizes, 0.0).sum(axis=0)
        rest = np.where(total - enumerated > 1e-13 * total, total - enumerated, 0.0)
        big = (np.arange(kept)[:, None] < count) | (sizes > outlier_share * rest)
        big &= sizes > 0
        large = tuple(top[big[:, unit], unit] for unit in range(marginal.units))
        centre = marginal.base + means @ weights
        reach = _REACH * np.sqrt(total) + np.abs(weights).max(axis=0, initial=0.0)
        return cls(
            marginal,
            means,
            centre,
            np.ascontiguousarray(padded.T),
            large,
            rest,
            marginal.narrowness(centre, reach),
        )

    @property
    def symmetric(self) -> bool:
        """Whether every neuron is as often active as not, so that only odd terms count."""
        return bool((self.means == 0.5).all())

    def steps(self, neurons: Indices, units: Indices) -> tuple[Floats, Floats]:
        """Return the inputs' deviation with a neuron active and inactive, W (1 - m) and -W m."""
        weights = self.marginal.weights[neurons, units]
        return weights * (1.0 - self.means[neurons]), -weights * self.means[neurons]

    def mixed_differences(
        self, units: Indices, members: Indices, shifts: Floats | None = None
    ) -> Floats:
        """Return E Delta_A Gamma_a(input + shift), one hidden unit and one set of neurons a column.

        Parameters
        ----------
        units
            (column,) hidden unit of each column.
        members
            (column, n) the neurons of A; n = 0 gives the mean of Gamma itself.
        shifts
            (point, column) added to the input; one point at 0 if None.

        Returns
        -------
        ndarray
            (point, column); the mean is over all neurons but those of A.
        """
        points = np.zeros((1, len(units))) if shifts is None else shifts
        result = np.empty(points.shape)
        if len(units) == 0:
            return result
        spread, taken = self._without(units, members)
        outliers = (taken >= 0).sum(axis=1)
        jobs = []
        low = np.full(self.marginal.units, np.inf)
        high = -low
        for count in np.unique(outliers).tolist():
            columns = np.flatnonzero(outliers == count)
            step = max(1, VALUES >> (members.shape[1] + count))
            for start in range(0, len(columns), step):
                part = columns[start : start + step]
                jobs.append((part, taken[part, :count]))
        for part, enumerated in jobs:
            offsets, _ = self._discrete(units[part], members[part], enumerated)
            middle = self.centre[units[part]]
            wide = _REACH * spread[part]
            np.minimum.at(
                low, units[part], middle + points[:, part].min(axis=0) + offsets.min(axis=0) - wide
            )
            np.maximum.at(
                high, units[part], middle + points[:, part].max(axis=0) + offsets.max(axis=0) + wide
            )
        used = np.isfinite(low)
        table = GammaTable.of(self.marginal, low, high, self.narrowness, units=np.flatnonzero(used))
        nodes = np.maximum(_FEWEST_NODES, 32.0 * spread / self.narrowness[units])
        nodes = np.minimum(np.ceil(nodes), _MOST_NODES).astype(np.int64)
        for part, enumerated in jobs:
            offsets, weights = self._discrete(units[part], members[part], enumerated)
            answer = np.empty((len(points), len(part)))
            normal_means(
                units[part],
                self.centre[units[part]] + points[:, part],
                offsets,
                weights,
                spread[part],
                nodes[part],
                table.low,
                table.width,
                table.first,
                table.coefficients,
                answer,
            )
            result[:, part] = answer
        return result

    def _without(self, units: Indices, members: Indices) -> tuple[Floats, Indices]:
        """Return the normal part's spread without A, and the outliers left, those first."""
        taken = self.outliers[units]
        variance = self.rest[units].copy()
        noise = self.means * (1.0 - self.means)
        for place in range(members.shape[1]):
            member = members[:, place]
            is_outlier = taken == member[:, None]
            share = self.marginal.weights[member, units] ** 2 * noise[member]
            variance -= np.where(is_outlier.any(axis=1), 0.0, share)
            taken = np.where(is_outlier, -1, taken)
        whole = self.rest[units]
        spread = np.sqrt(np.where(variance > 1e-12 * whole, variance, 0.0))
        order = np.argsort(taken < 0, axis=1, kind="stable")
        return spread, np.take_along_axis(taken, order, axis=1)

    def _discrete(self, units: Indices, members: Indices, taken: Indices) -> tuple[Floats, Floats]:
        """Return offsets and signed weights of the corners of A times the outliers' states."""
        offsets = np.zeros((1, len(units)))
        weights = np.ones((1, len(units)))
        for place in range(members.shape[1]):
            up, down = self.steps(members[:, place], units)
            offsets = np.concatenate((offsets + up, offsets + down))
            weights = np.concatenate((weights, -weights))
        for place in range(taken.shape[1]):
            neuron = taken[:, place]
            up, down = self.steps(neuron, units)
            chance = self.means[neuron]
            offsets = np.concatenate((offsets + up, offsets + down))
            weights = np.concatenate((weights * chance, weights * (1.0 - chance)))
        return offsets, weights


def tuple_differences(law: InputLaw, tuples: Indices) -> Floats:
    """Return E Delta_A f for every tuple of neurons, (tuple,), by direct quadrature.

    Parameters
    ----------
    law
        Model and reference.
    tuples
        (tuple, order), order at least 1. Cost: tuples x hidden units x 2**order quadratures.
    """
    count, units = len(tuples), law.marginal.units
    result = np.zeros(count)
    if tuples.shape[1] == 1:
        result += law.marginal.bias[tuples[:, 0]]
    for piece in slices(count, units * 8, VALUES):
        part = tuples[piece]
        columns = np.tile(np.arange(units), len(part))
        values = law.mixed_differences(columns, np.repeat(part, units, axis=0))
        result[piece] += values.reshape(len(part), units).sum(axis=1)
    return result


def relative_error(got: Floats, want: Floats) -> float:
    """Return the root mean square error over the root mean square of what it should be."""
    norm = math.sqrt(float(np.square(want).mean()))
    return math.sqrt(float(np.square(got - want).mean())) / norm if norm > 0 else 0.0
