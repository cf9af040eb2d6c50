"""Several runs: maps averaged over animals, their agreement, assemblies matched across seeds."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from boltzbrain.data.atlas import canonical_name
from boltzbrain.foundations.checks import bad_input, has_shape, number_in, whole_number_in
from boltzbrain.foundations.disk.files import atomic_write
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.assemblies.returning import unit_columns
from boltzbrain.interpretation.marginal import Floats, Indices
from boltzbrain.interpretation.regions.maps import RegionMaps


@dataclass(frozen=True, eq=False)
class AverageMap:
    """A region map averaged over animals.

    Attributes
    ----------
    names
        Regions that any animal has, in order of first appearance.
    values
        (region, region) weighted mean; 0 where no animal has both regions.
    weight
        (region, region) sum of the weights; 0 there.
    animals
        (region, region) number of animals with both regions.
    """

    names: tuple[str, ...]
    values: Floats
    weight: Floats
    animals: Indices


def average_maps(
    maps: Sequence[RegionMaps], durations_s: Sequence[float], kind: str = "l1"
) -> AverageMap:
    """Average region maps over animals, long recordings of many neurons counting most.

    Van der Plas et al. 2023, eq. 22: the weight of an animal is its recording length times the mean
    number of neurons of the two regions.

    Parameters
    ----------
    maps
        One per animal; average its seeds before (`significance.repeats`). Regions are matched by
        name, however spelled.
    durations_s
        Length of each recording in seconds.
    kind
        "mean", "l1" or "rms".
    """
    if len(maps) == 0 or len(maps) != len(durations_s):
        raise bad_input("durations_s", f"have one entry per map ({len(maps)})", len(durations_s))
    place: dict[str, int] = {}
    names: list[str] = []
    for one in maps:
        for name in one.names:
            if canonical_name(name) not in place:
                place[canonical_name(name)] = len(names)
                names.append(name)
    total, weight = np.zeros((2, len(names), len(names)))
    animals = np.zeros(weight.shape, dtype=np.int64)
    for one, duration in zip(maps, durations_s, strict=True):
        number_in("durations_s", duration, low=0.0, include_low=False)
        mine = np.array([place[canonical_name(name)] for name in one.names], dtype=np.int64)
        share = duration * 0.5 * (one.counts[:, None] + one.counts)
        share = np.where(one.pairs > 0, share, 0.0)
        total[np.ix_(mine, mine)] += share * one.of(kind)
        weight[np.ix_(mine, mine)] += share
        animals[np.ix_(mine, mine)] += share > 0
    values = total / np.where(weight > 0, weight, 1.0)
    return AverageMap(tuple(names), values, weight, animals)


def write_map(path: Path, average: AverageMap) -> None:
    """Write an average map as a csv with names in its first row and column, whole or not at all."""
    with (
        atomic_write(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as handle,
    ):
        rows = csv.writer(handle)
        rows.writerow(["", *average.names])
        for name, row, animals in zip(
            average.names, average.values.tolist(), average.animals.tolist(), strict=True
        ):
            # a pair of regions that no animal has is unknown, not 0
            cells = [
                repr(value) if count else "" for value, count in zip(row, animals, strict=True)
            ]
            rows.writerow([name, *cells])


@dataclass(frozen=True)
class MapAgreement:
    """Pearson correlation of the maps of two animals or seeds over shared pairs of regions.

    Attributes
    ----------
    first, second
        Their numbers.
    regions, pairs
        Shared regions, and the pairs of them (within-region ones included).
    correlation, log_correlation
        Of the values and of their logarithms (pairs where both are above 0); None below 3 pairs or
        where nothing varies.
    """

    first: int
    second: int
    regions: int
    pairs: int
    correlation: float | None
    log_correlation: float | None


def map_agreement(maps: Sequence[RegionMaps], kind: str = "l1") -> list[MapAgreement]:
    """Return the agreement of every two maps (zebrafish paper, figure 5E-F, which uses the log)."""
    result = []
    for first in range(len(maps)):
        for second in range(first + 1, len(maps)):
            one, two = maps[first], maps[second]
            where = {canonical_name(name): number for number, name in enumerate(two.names)}
            here = [n for n, name in enumerate(one.names) if canonical_name(name) in where]
            there = [where[canonical_name(one.names[n])] for n in here]
            upper = np.triu_indices(len(here))
            x = one.of(kind)[np.ix_(here, here)][upper]
            y = two.of(kind)[np.ix_(there, there)][upper]
            both = (x > 0) & (y > 0)
            result.append(
                MapAgreement(
                    first,
                    second,
                    len(here),
                    len(x),
                    _pearson(x, y),
                    _pearson(np.log(x[both]), np.log(y[both])),
                )
            )
    return result


def _pearson(x: Floats, y: Floats) -> float | None:
    if len(x) < 3 or x.std() == 0 or y.std() == 0:
        return None
    return float(np.corrcoef(x, y)[0, 1])


@dataclass(frozen=True, eq=False)
class Matching:
    """Assemblies of one run paired with those of another, each at most once.

    Attributes
    ----------
    pairs
        (pair, 2) assemblies of the first and of the second run, most similar first.
    similarity
        (pair,) correlation of the columns, its size where signs are free.
    chance
        Mean similarity after matching with the rows of the second run shuffled.
    """

    pairs: Indices
    similarity: Floats
    chance: float


def match_assemblies(
    first: Floats,
    second: Floats,
    generator: Generator,
    *,
    signed: bool = False,
    shuffles: int = 5,
) -> Matching:
    """Pair the assemblies of two runs so that the summed similarity is largest.

    Parameters
    ----------
    first, second
        (neuron, hidden) weights of two seeds, or (bin, hidden) activities of their hidden units on
        the same bins: the rows are matched, the columns compared by correlation.
    generator
        Moves on; shuffles the rows for the chance level.
    signed
        Whether opposite columns count as different; False compares sizes of correlations.
    shuffles
        At least 1.
    """
    has_shape("second", second, (first.shape[0], None))
    whole_number_in("shuffles", shuffles, low=1)
    if first.shape[0] < 3:
        raise bad_input("first", "have at least 3 rows", first.shape[0])
    one, two = unit_columns(first), unit_columns(second)

    def matched(table: Floats) -> tuple[Indices, Floats]:
        similarity = one.T @ table
        if not signed:
            similarity = np.abs(similarity)
        rows, columns = linear_sum_assignment(-similarity)
        pairs = np.column_stack((rows, columns)).astype(np.int64)
        return pairs, similarity[rows, columns]

    pairs, similarity = matched(two)
    order = np.argsort(-similarity, kind="stable")
    chance = [
        float(matched(two[generator.permutation(len(two))])[1].mean()) for _ in range(shuffles)
    ]
    return Matching(pairs[order], similarity[order], float(np.mean(chance)))
