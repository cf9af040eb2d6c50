"""Two groups of animals, conditions or genotypes: what differs, by permutation over animals.

The animals are what is exchanged: bins, neurons and pairs of neurons of one animal have much in
common, so that a test which takes them for independent finds differences between any two groups.
Every way of giving the labels to the animals is tried (some, drawn at random, where there are too
many), and an entry differs where its statistic lies beyond that of nearly all of the ways, the
largest over all entries (Westfall and Young's max T, so that 5 % of families without a difference
have a finding).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.foundations.checks import bad_input, has_shape
from boltzbrain.foundations.memory import slices
from boltzbrain.foundations.random import Generator

Floats = NDArray[np.float64]

LEVEL, POWER = 0.05, 0.8
"""Level of a test, and the share of studies that would see the smallest effect told."""
MOST_ASSIGNMENTS = 20_000
"""Ways of giving the labels up to which all are tried; of more as many are drawn."""
MOST_NEEDED = 1000
"""Animals of a group beyond which their number is not told."""
LISTED = 10
"""Entries of the largest effects that comparison.json lists; groups.csv has all."""
_TIES = 1e-9
"""Correlations that differ by less are the same: assignments that tie count as beyond."""


@dataclass(frozen=True, eq=False)
class GroupTest:
    """One family of entries, each compared between two groups of animals.

    Attributes
    ----------
    entries
        Names.
    values
        (animal, entry).
    second
        (animal,) bool, whether it is of the second group.
    difference
        (entry,) mean of the second group less that of the first.
    effect
        (entry,) it in standard deviations over animals within a group (Hedges' g, less its bias).
    p_value
        (entry,) share of assignments that differ as much, in either direction.
    corrected
        (entry,) the same of the largest difference over all entries.
    smallest
        Effect that would have been seen (corrected) in four studies of five; None where the
        animals are too few for any.
    needed
        (entry,) animals of each group with which the effect as found would be seen (corrected) in
        four studies of five; `MOST_NEEDED` for as many or more. Of the largest effect among many
        it is too few, as that is in part chance.
    assignments
        Ways of giving the labels that were tried.
    exact
        Whether these are all.
    """

    entries: tuple[str, ...]
    values: Floats
    second: NDArray[np.bool_]
    difference: Floats
    effect: Floats
    p_value: Floats
    corrected: Floats
    smallest: float | None
    needed: NDArray[np.int64]
    assignments: int
    exact: bool

    @property
    def found(self) -> NDArray[np.int64]:
        """Entries that differ, corrected, the largest effect first."""
        order = np.argsort(-np.abs(self.effect), kind="stable")
        return order[self.corrected[order] <= LEVEL]

    @property
    def least(self) -> float:
        """Smallest p-value that so few animals can have."""
        sizes = int(self.second.sum()), int((~self.second).sum())
        least = (1 + (sizes[0] == sizes[1])) / comb(sum(sizes), sizes[0])
        return max(least, 1 / self.assignments)


def group_test(
    entries: Sequence[str],
    values: Floats,
    second: NDArray[np.bool_],
    generator: Generator,
    *,
    most: int = MOST_ASSIGNMENTS,
) -> GroupTest:
    """Compare entries between two groups of animals.

    Parameters
    ----------
    entries
        Names.
    values
        (animal, entry) one value of every animal, finite.
    second
        (animal,) bool, whether it is of the second group.
    generator
        Moves on, where not all assignments are tried.
    most
        Assignments up to which all are tried, and how many are drawn of more.

    Raises
    ------
    InputError
        If a group has fewer than two animals, or shapes differ.

    Examples
    --------
    >>> second = np.arange(8) >= 4
    >>> values = np.array([[1.0, 2, 3, 4, 6, 7, 8, 9], [1.0, 2, 3, 4, 4, 3, 2, 1]]).T
    >>> found = group_test(["apart", "alike"], values, second, Generator.from_seed(0))
    >>> found.assignments, found.exact, found.p_value.round(3).tolist(), found.found.tolist()
    (70, True, [0.029, 1.0], [0])
    """
    has_shape("values", values, (len(second), len(entries)))
    sizes = int((~second).sum()), int(second.sum())
    if min(sizes) < 2:
        raise bad_input("groups", "have two animals or more each", f"{sizes[0]} and {sizes[1]}")
    whole = comb(len(second), sizes[1])
    exact = whole <= most
    ways = _every(len(second), sizes[1]) if exact else _drawn(second, most, generator)
    centred = values - values.mean(axis=0)
    length = np.sqrt(np.square(centred).sum(axis=0))
    varies = length > 1e-12 * np.maximum(np.abs(values).max(axis=0), 1e-300)
    unit = np.where(varies, centred / np.where(varies, length, 1.0), 0.0)
    own = np.abs(_correlations(second[None], unit)[0])
    beyond, largest = np.zeros(len(entries)), np.empty(len(ways))
    for part in slices(len(ways), max(len(entries), 1)):
        size = np.abs(_correlations(ways[part], unit))
        beyond += (size >= own - _TIES).sum(axis=0)
        largest[part] = size.max(axis=1, initial=0.0)
    order = np.sort(largest)
    corrected = 1 - np.searchsorted(order, own - _TIES, side="left") / len(ways)
    p_value = beyond / len(ways)
    difference = values[second].mean(axis=0) - values[~second].mean(axis=0)
    effect = _effect(values, second, difference)
    limit = _limit(order)
    smallest, needed = _power(effect, sizes, limit)
    return GroupTest(
        tuple(entries),
        values,
        second,
        difference,
        effect,
        np.where(varies, p_value, 1.0),
        np.where(varies, corrected, 1.0),
        smallest,
        needed,
        len(ways),
        exact,
    )


def _every(animals: int, chosen: int) -> NDArray[np.bool_]:
    """Return all ways to choose so many of the animals, (way, animal)."""
    rows = np.array(list(itertools.combinations(range(animals), chosen)), dtype=np.int64)
    ways = np.zeros((len(rows), animals), dtype=np.bool_)
    np.put_along_axis(ways, rows, True, axis=1)
    return ways


def _drawn(second: NDArray[np.bool_], number: int, generator: Generator) -> NDArray[np.bool_]:
    """Return the labels as they are and others at random, (way, animal)."""
    order = np.argsort(generator.uniform((number - 1, len(second))).numpy(), axis=1)
    return np.concatenate([second[None], second[order]])


def _correlations(ways: NDArray[np.bool_], unit: Floats) -> Floats:
    """Return the correlation of labels with values, (way, entry): a monotone of pooled t."""
    label = ways - ways.mean(axis=1, keepdims=True)
    label /= np.sqrt(np.square(label).sum(axis=1, keepdims=True))
    found: Floats = label @ unit
    return found


def _effect(values: Floats, second: NDArray[np.bool_], difference: Floats) -> Floats:
    """Return Hedges' g of every entry, 0 where nothing varies within a group."""
    parts = [values[second], values[~second]]
    freedom = len(values) - 2
    square = sum(np.square(one - one.mean(axis=0)).sum(axis=0) for one in parts) / freedom
    spread = np.sqrt(np.asarray(square))
    tiny = spread <= 1e-12 * np.maximum(np.abs(values).max(axis=0), 1e-300)
    small = 1 - 3 / (4 * freedom - 1)
    found: Floats = np.where(tiny, 0.0, small * difference / np.where(tiny, 1.0, spread))
    return found


def _limit(order: Floats) -> float | None:
    """Return the correlation from which on an entry differs, corrected; None where none can."""
    held = int(LEVEL * len(order) + _TIES)
    if held < 1:
        return None
    limit = float(order[-held])
    # of ties at the limit no more than a share of the level may be there
    if (order >= limit - _TIES).sum() > held:
        more = order[order > limit + _TIES]
        if not len(more):
            return None
        limit = float(more[0])
    return limit


def _power(
    effect: Floats, sizes: tuple[int, int], limit: float | None
) -> tuple[float | None, NDArray[np.int64]]:
    """Return the smallest effect that is seen, and how many animals each effect takes.

    By the normal law of an effect around its true value, at the level that the largest over all
    entries sets, as if it were the same with other numbers of animals.
    """
    from scipy.stats import norm, t

    if limit is None or limit >= 1 - _TIES:
        return None, np.full(len(effect), MOST_NEEDED)
    freedom = sum(sizes) - 2
    statistic = limit * np.sqrt(freedom / (1 - limit**2))
    # of two-sided tests the half of a level
    at, power = float(norm.isf(t.sf(statistic, freedom))), float(norm.ppf(POWER))
    smallest = (statistic + power) * np.sqrt(1 / sizes[0] + 1 / sizes[1])
    size = np.maximum(np.abs(effect), 1e-6)
    needed = np.ceil(2 * np.square((at + power) / size) + at**2 / 4)
    return float(smallest), np.clip(needed, 2, MOST_NEEDED).astype(np.int64)


def told(found: GroupTest, names: tuple[str, str]) -> dict[str, Any]:
    """Return what comparison.json says of a family of entries."""
    listed = np.argsort(-np.abs(found.effect), kind="stable")[:LISTED]
    return {
        "entries": len(found.entries),
        "differ": len(found.found),
        "smallest_effect": found.smallest,
        "assignments": found.assignments,
        "exact": found.exact,
        "least_p_value": found.least,
        "largest": [
            {
                "entry": found.entries[one],
                names[0]: float(found.values[~found.second, one].mean()),
                names[1]: float(found.values[found.second, one].mean()),
                "effect": float(found.effect[one]),
                "p_value": float(found.p_value[one]),
                "corrected": float(found.corrected[one]),
                "animals_needed": int(found.needed[one]),
            }
            for one in listed.tolist()
        ],
    }
