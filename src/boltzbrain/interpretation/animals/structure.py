"""Functional maps against anatomy: reading, matching and testing a structural matrix."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from boltzbrain.data.atlas import canonical_name
from boltzbrain.foundations.checks import (
    InputError,
    bad_input,
    closest,
    has_shape,
    whole_number_in,
)
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.marginal import Floats, Indices


@dataclass(frozen=True, eq=False)
class RegionMatrix:
    """A symmetric (region, region) matrix with names.

    Attributes
    ----------
    names
        Regions, unique once spelled alike (`data.atlas.canonical_name`).
    values
        (region, region), not negative.
    """

    names: tuple[str, ...]
    values: Floats

    def __post_init__(self) -> None:
        """Refuse a matrix that does not fit its names or is not symmetric and finite."""
        has_shape("structure", self.values, (len(self.names), len(self.names)))
        spelled = [canonical_name(name) for name in self.names]
        for number, name in enumerate(spelled):
            if name in spelled[:number]:
                raise bad_input("structure", "name every region once", self.names[number])
        if not np.isfinite(self.values).all() or (self.values < 0).any():
            raise bad_input("structure", "hold finite values from 0", "others")
        if not np.allclose(self.values, self.values.T, rtol=1e-6, atol=1e-12):
            raise bad_input("structure", "be symmetric", "a matrix that is not")


def read_structure(path: str | Path) -> RegionMatrix:
    """Read a structural matrix: csv with the names in the first row and the first column.

    Raises
    ------
    InputError
        If the file cannot be read, is not square, or names of rows and columns differ.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as handle:
            rows = [row for row in csv.reader(handle) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: must be a csv file that can be read; got {error}") from error
    if len(rows) < 2:
        raise bad_input("structure", "have a row of names and rows of values", len(rows), file=path)
    names = tuple(rows[0][1:])
    values = np.empty((len(rows) - 1, len(names)))
    for number, row in enumerate(rows[1:]):
        if len(row) != len(names) + 1:
            raise bad_input(
                f"row {number + 2}", f"have {len(names) + 1} cells", len(row), file=path
            )
        if number < len(names) and canonical_name(row[0]) != canonical_name(names[number]):
            raise bad_input(
                f"row {number + 2}",
                f"be named as column {number + 2}, {names[number]}",
                row[0],
                file=path,
            )
        try:
            values[number] = [float(cell) for cell in row[1:]]
        except ValueError as error:
            raise bad_input(f"row {number + 2}", "hold numbers", str(error), file=path) from error
    try:
        return RegionMatrix(names, values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def match_names(names: tuple[str, ...], known: tuple[str, ...]) -> Indices:
    """Return the place in `known` of each name, -1 where there is none, however they are spelled.

    Small and large letters, spaces, underscores, the place of the side and the known misspelling
    are ignored.

    Examples
    --------
    >>> match_names(("Habenula left", "Cerebellum_right"), ("cerebellum_RIGHT", "habenula_LEFT"))
    array([1, 0])
    """
    place = {canonical_name(name): number for number, name in enumerate(known)}
    return np.array([place.get(canonical_name(name), -1) for name in names], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class StructureComparison:
    """A functional map against a structural one, over pairs of different regions, each once.

    Attributes
    ----------
    names
        Regions that both have.
    pairs, connected
        Pairs of regions, and those with structural strength above 0.
    spearman, spearman_p
        Rank correlation over connected pairs and its two-sided p by Student's law, as the zebrafish
        paper reports it; pairs of regions are not independent, so the Mantel p is the one to trust.
        None below 3 connected pairs.
    spearman_all
        Rank correlation over all pairs, unconnected ones tied at 0.
    pearson_log
        Correlation of the logarithms over connected pairs; None where a functional value is not
        above 0 or there are fewer than 3.
    distance, distance_p
        Kolmogorov-Smirnov distance of functional strength between connected and unconnected pairs,
        and its p; None where one group is empty.
    mantel_p
        (1 + permutations of the regions with a `spearman_all` at least as large) / (1 + all).
    null
        (permutation,) `spearman_all` of permuted maps.
    log_means, log_deviations
        Of the natural logarithm of functional strength of unconnected and connected pairs; None
        where one of them has fewer than 2 values above 0.
    """

    names: tuple[str, ...]
    pairs: int
    connected: int
    spearman: float | None
    spearman_p: float | None
    spearman_all: float | None
    pearson_log: float | None
    distance: float | None
    distance_p: float | None
    mantel_p: float | None
    null: Floats
    log_means: tuple[float, float] | None
    log_deviations: tuple[float, float] | None

    def evidence(self, strength: Floats) -> Floats | None:
        """Return the density of connected over that of unconnected pairs at functional strengths.

        Normal laws fitted to the logarithm, as figure 6D of the zebrafish paper.
        """
        if self.log_means is None or self.log_deviations is None:
            return None
        logs = np.log(strength)
        without, with_ = (
            stats.norm(mean, deviation).logpdf(logs)
            for mean, deviation in zip(self.log_means, self.log_deviations, strict=True)
        )
        result: Floats = np.exp(with_ - without)
        return result


def compare_with_structure(
    names: tuple[str, ...],
    values: Floats,
    structure: RegionMatrix,
    generator: Generator,
    *,
    permutations: int = 10_000,
) -> StructureComparison:
    """Compare a functional map with a structural matrix.

    Parameters
    ----------
    names, values
        Regions of the functional map and its symmetric (region, region) values, e.g. the L1 map.
    structure
        Structural matrix; regions that only one of them has are left out.
    generator
        Moves on.
    permutations
        Of the regions (Mantel), at least 10.

    Raises
    ------
    InputError
        If fewer than 3 regions are shared.
    """
    has_shape("values", values, (len(names), len(names)))
    whole_number_in("permutations", permutations, low=10)
    place = match_names(names, structure.names)
    shared = np.flatnonzero(place >= 0)
    if len(shared) < 3:
        unmatched = [name for name, where in zip(names, place, strict=True) if where < 0]
        raise bad_input(
            "structure",
            "share at least 3 regions with the map",
            f"{len(shared)}",
            suggestion=closest(unmatched[0], structure.names) if unmatched else None,
        )
    functional = values[np.ix_(shared, shared)]
    anatomy = structure.values[np.ix_(place[shared], place[shared])]
    first, second = np.triu_indices(len(shared), 1)
    x, y = functional[first, second], anatomy[first, second]
    has = y > 0
    observed, null = _mantel(functional, y, first, second, generator, permutations)
    spearman = spearman_p = pearson_log = None
    if has.sum() >= 3 and x[has].std() > 0 and y[has].std() > 0:
        found = stats.spearmanr(x[has], y[has])
        spearman, spearman_p = float(found.statistic), float(found.pvalue)
        if (x[has] > 0).all():
            pearson_log = float(np.corrcoef(np.log(x[has]), np.log(y[has]))[0, 1])
    distance = distance_p = None
    if has.any() and not has.all():
        gap = stats.ks_2samp(x[has], x[~has])
        distance, distance_p = float(gap.statistic), float(gap.pvalue)
    logs = [np.log(group[group > 0]) for group in (x[~has], x[has])]
    fitted = all(len(group) >= 2 and group.std() > 0 for group in logs)
    mantel_p = None
    if observed is not None:
        mantel_p = float((1 + (null >= observed - 1e-12).sum()) / (1 + permutations))
    return StructureComparison(
        tuple(names[number] for number in shared.tolist()),
        len(x),
        int(has.sum()),
        spearman,
        spearman_p,
        observed,
        pearson_log,
        distance,
        distance_p,
        mantel_p,
        null,
        (float(logs[0].mean()), float(logs[1].mean())) if fitted else None,
        (float(logs[0].std()), float(logs[1].std())) if fitted else None,
    )


def _mantel(
    functional: Floats,
    y: Floats,
    first: Indices,
    second: Indices,
    generator: Generator,
    permutations: int,
) -> tuple[float | None, Floats]:
    """Return Spearman's correlation over all pairs and that with the regions permuted."""
    if functional[first, second].std() == 0 or y.std() == 0:
        return None, np.zeros(0)
    ranks = np.zeros_like(functional)
    ranks[first, second] = stats.rankdata(functional[first, second])
    ranks += ranks.T
    target = stats.rankdata(y)
    target -= target.mean()
    spread = ranks[first, second].std() * target.std() * len(y)
    observed = float(ranks[first, second] @ target / spread)
    null = np.empty(permutations)
    for number in range(permutations):
        order = generator.permutation(len(functional))
        null[number] = ranks[order[first], order[second]] @ target / spread
    return observed, null


def structural_estimate(
    neurites: Floats, soma: NDArray[np.int64], volumes: Floats, names: tuple[str, ...]
) -> RegionMatrix:
    """Estimate the connection strength between regions from traced neurons (eq. 20).

    c_rr' is the sum over neurons with their soma in r of their neurite length in r', divided by the
    volume of r' and the number of those neurons; the result is the mean with its transpose. A
    region without traced somata takes the other direction's value alone.

    Parameters
    ----------
    neurites
        (traced neuron, region) length of all neurites within each region.
    soma
        (traced neuron,) region of the soma, -1 for none.
    volumes
        (region,) above 0.
    names
        (region,) names.

    Returns
    -------
    RegionMatrix
        Length per volume, per traced neuron; 0 where neither region has a traced soma.
    """
    has_shape("neurites", neurites, (len(soma), len(names)))
    has_shape("volumes", volumes, (len(names),))
    if (volumes <= 0).any() or not np.isfinite(volumes).all():
        raise bad_input("volumes", "be finite and above 0", "others")
    if len(soma) and (soma.min() < -1 or soma.max() >= len(names)):
        raise bad_input("soma", f"be from -1 to {len(names) - 1}", int(soma.max()))
    total = np.zeros((len(names), len(names)))
    inside = soma >= 0
    np.add.at(total, soma[inside], neurites[inside])
    counts = np.bincount(soma[inside], minlength=len(names)).astype(np.float64)
    one_way = total / volumes / np.where(counts > 0, counts, 1.0)[:, None]
    known = (counts > 0).astype(np.float64)
    times = known[:, None] + known
    return RegionMatrix(names, (one_way + one_way.T) / np.where(times > 0, times, 1.0))
