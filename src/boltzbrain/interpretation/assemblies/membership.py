"""Assemblies against chance and in space: embedded neurons, regions they span, compactness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.regions import Regions
from boltzbrain.foundations.checks import bad_input, has_shape, number_in, whole_number_in
from boltzbrain.foundations.random import Generator
from boltzbrain.foundations.units import participation_ratio
from boltzbrain.interpretation.marginal import Floats, Indices


@dataclass(frozen=True, eq=False)
class Embedding:
    """Neurons with strong weights, against the same weights in random places.

    Attributes
    ----------
    thresholds
        (threshold,) sizes of a strong weight.
    fraction
        (threshold,) fraction of neurons with at least one strong weight.
    shuffled, shuffled_deviation
        (threshold,) mean and standard deviation of that fraction over shuffles of all weights.
    """

    thresholds: Floats
    fraction: Floats
    shuffled: Floats
    shuffled_deviation: Floats


def shuffled_weights(weights: Floats, generator: Generator) -> Floats:
    """Return the weights in random places of the table; the generator moves on."""
    result: Floats = weights.ravel()[generator.permutation(weights.size)].reshape(weights.shape)
    return result


def embedding(
    weights: Floats, thresholds: Floats, generator: Generator, *, shuffles: int = 20
) -> Embedding:
    """Return the fraction of neurons embedded against the threshold, and after shuffling.

    Van der Plas et al. 2023, figures 2J and 2-supplement 4.

    Parameters
    ----------
    weights
        (neuron, hidden).
    thresholds
        (threshold,) above 0.
    generator
        Moves on.
    shuffles
        Number of shuffles of all weights, at least 2.
    """
    has_shape("weights", weights, (None, None))
    whole_number_in("shuffles", shuffles, low=2)

    def fractions(table: Floats) -> Floats:
        # a neuron is embedded as long as its largest weight is strong
        largest = np.sort(np.abs(table).max(axis=1, initial=0.0))
        result: Floats = 1.0 - np.searchsorted(largest, thresholds, side="left") / len(table)
        return result

    found = np.stack([fractions(shuffled_weights(weights, generator)) for _ in range(shuffles)])
    return Embedding(
        np.asarray(thresholds, dtype=np.float64),
        fractions(weights),
        found.mean(axis=0),
        found.std(axis=0, ddof=1),
    )


def region_occupancy(weights: Floats, regions: Regions, *, divided: bool = True) -> Floats:
    """Return how much of each region an assembly occupies, (hidden, region): |W|^T L per size.

    Van der Plas et al. 2023, 'Regional occupancy'.

    Parameters
    ----------
    weights
        (neuron, hidden).
    regions
        Membership L of the neurons.
    divided
        Divide by the number of neurons of the region, as the paper's code does; its text does not.
        Empty regions have occupancy 0.
    """
    has_shape("weights", weights, (regions.membership.shape[0], None))
    total = np.asarray((regions.membership.T.astype(np.float64) @ np.abs(weights)).T)
    if not divided:
        return total
    counts = regions.counts()
    result: Floats = total / np.where(counts > 0, counts, 1)
    return result


def effective_regions(occupancy: Floats) -> Floats:
    """Return the effective number of regions of each assembly, (hidden,), by eq. 19."""
    return participation_ratio(occupancy, axis=1)


def spanned_regions(
    membership: NDArray[np.bool_], regions: Regions, *, share: float = 0.1
) -> list[tuple[str, ...]]:
    """Return the regions that hold at least a share of each assembly's members, most first.

    Parameters
    ----------
    membership
        (neuron, hidden).
    regions
        Membership of the neurons.
    share
        In (0, 1].
    """
    number_in("share", share, low=0.0, high=1.0, include_low=False)
    has_shape("membership", membership, (regions.membership.shape[0], None))
    counts = np.asarray(regions.membership.T.astype(np.int64) @ membership.astype(np.int64)).T
    spans = []
    for row, size in zip(counts, membership.sum(axis=0).tolist(), strict=True):
        order = np.argsort(-row, kind="stable")
        spans.append(
            tuple(regions.names[number] for number in order if row[number] >= share * size > 0)
        )
    return spans


@dataclass(frozen=True, eq=False)
class Compactness:
    """How close the members of each assembly lie together.

    Attributes
    ----------
    radius_um
        (hidden,) root mean square distance of the members from their centre, micrometres; NaN where
        fewer than 2 members have a position (a reader stores null).
    chance_um
        (hidden,) mean of that over random sets of as many neurons.
    p_value
        (hidden,) fraction of random sets that are as compact or more, (1 + count) / (1 + sets).
    members
        (hidden,) members with a known position.
    """

    radius_um: Floats
    chance_um: Floats
    p_value: Floats
    members: Indices


def compactness(
    membership: NDArray[np.bool_],
    xyz_um: Floats,
    generator: Generator,
    *,
    shuffles: int = 200,
) -> Compactness:
    """Return the spatial radius of every assembly against random sets of as many neurons.

    Parameters
    ----------
    membership
        (neuron, hidden).
    xyz_um
        (neuron, 3) micrometres; neurons with NaN take no part.
    generator
        Moves on.
    shuffles
        Random sets, at least 10.

    Raises
    ------
    InputError
        If fewer than two neurons have a position.
    """
    has_shape("xyz_um", xyz_um, (membership.shape[0], 3))
    whole_number_in("shuffles", shuffles, low=10)
    known = np.isfinite(xyz_um).all(axis=1)
    if known.sum() < 2:
        raise bad_input("xyz_um", "hold the positions of at least 2 neurons", int(known.sum()))
    places = xyz_um[known] - xyz_um[known].mean(axis=0)
    members = membership[known].astype(np.float64)
    sizes = members.sum(axis=0)
    squares = np.square(places).sum(axis=1)

    def radii(table: Floats) -> Floats:
        count = np.maximum(sizes, 1.0)
        centre = table.T @ places / count[:, None]
        spread = table.T @ squares / count - np.square(centre).sum(axis=1)
        result: Floats = np.sqrt(np.maximum(spread, 0.0))
        return result

    own = radii(members)
    chance = np.stack(
        [radii(members[generator.permutation(len(members))]) for _ in range(shuffles)]
    )
    told = sizes >= 2
    p_value = (1 + (chance <= own).sum(axis=0)) / (1 + shuffles)
    return Compactness(
        np.where(told, own, np.nan),
        np.where(told, chance.mean(axis=0), np.nan),
        np.where(told, p_value, np.nan),
        sizes.astype(np.int64),
    )
