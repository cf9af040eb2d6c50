r"""First weights of a student: those of the teacher's neurons at its own neurons' places.

By positions, W_S(i, a) = beta_a sum_j K_ij W_T(j, a) / sum_j K_ij with K a Gaussian of width s, cut
at 3 s. s and beta are those that predict the teacher's own weights best, each neuron left out of
its own prediction: what the published procedure takes for them (Dommanget-Kott et al., PNAS
123:e2529064123, 2026) has seen the neuron itself. Sums are over the neurons that are there, so that
weights do not shrink at the edge of the brain. By names a neuron has the weights of the neuron of
its name, and by regions the mean over those of its region.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree

from boltzbrain.alignment.register import Floats, Neurons, Register
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.random import Generator

REACH = 3.0
"""Widths at which the kernel is cut."""
FEWEST_OF_REGION = 5
"""Neurons that a region must have in the teacher for its mean weights to be taken."""
_WIDTHS = (0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)
"""Widths that are tried, in median distances to the nearest neighbour."""
_MOST_NEIGHBOURS = 400.0
"""Mean number of neighbours beyond which no wider kernel is tried."""


@dataclass(frozen=True, eq=False)
class Start:
    """The first weights of a student.

    Attributes
    ----------
    weights
        (neuron, hidden) float64, 0 where a neuron has no start.
    started
        (neuron,) whether it has one.
    told
        What study.json says of it.
    """

    weights: Floats
    started: NDArray[np.bool_]
    told: dict[str, Any] = field(default_factory=dict)

    def without(self, blind: NDArray[np.bool_]) -> Start:
        """Return the start with some neurons, (neuron,) bool, left without one."""
        kept = self.started & ~blind
        return replace(self, weights=np.where(kept[:, None], self.weights, 0.0), started=kept)

    def with_units(self, order: NDArray[np.int64]) -> Start:
        """Return the start with the hidden units in another order."""
        return replace(self, weights=self.weights[:, order])

    def with_noise(self, std: float, generator: Generator) -> Start:
        """Return the start with noise where there is none: equal neurons would stay equal."""
        noise = std * generator.normal(self.weights.shape).numpy().astype(np.float64)
        return replace(self, weights=np.where(self.started[:, None], self.weights, noise))


def start_of(register: Register, teacher: Neurons, weights: Floats, receiver: Neurons) -> Start:
    """Return the first weights of a receiver.

    Parameters
    ----------
    register
        By what.
    teacher
        Its neurons.
    weights
        (neuron, hidden) of the teacher.
    receiver
        Its neurons.

    Raises
    ------
    InputError
        If no neuron of the receiver gets a start.
    """
    makers = {"positions": by_positions, "names": by_names, "regions": by_regions}
    found = makers[register.way](teacher, weights, receiver)
    if not found.started.any():
        raise bad_input(
            "by",
            f"tie neurons of {receiver.animal} to neurons of {teacher.animal}: from a random start "
            "a student finds assemblies of its own",
            f"{register.way} that no two neurons share",
        )
    share = float(1.0 - found.started.mean())
    return replace(found, told={"rule": register.way, "without_start": share, **found.told})


def by_names(teacher: Neurons, weights: Floats, receiver: Neurons) -> Start:
    """Return the weights of the teacher's neurons of the same names."""
    place = {name: number for number, name in enumerate(teacher.names.tolist()) if name}
    index = np.array([place.get(name, -1) for name in receiver.names.tolist()])
    started = index >= 0
    found = np.where(started[:, None], weights[np.maximum(index, 0)], 0.0)
    return Start(found, started, {"neurons_in_common": int(started.sum())})


def by_regions(teacher: Neurons, weights: Floats, receiver: Neurons) -> Start:
    """Return the mean weights of the teacher's neurons of a neuron's region or regions."""
    assert teacher.regions is not None
    assert receiver.regions is not None
    known = dict(zip(teacher.regions.names, range(len(teacher.regions.names)), strict=True))
    counts = teacher.regions.counts()
    sums = teacher.regions.membership.T.astype(np.float64) @ weights
    means = sums / np.maximum(counts, 1)[:, None]
    usable = [
        known[name] if name in known and counts[known[name]] >= FEWEST_OF_REGION else -1
        for name in receiver.regions.names
    ]
    member = receiver.regions.membership.astype(np.float64)
    has = np.array(usable) >= 0
    table = np.where(has[:, None], means[np.maximum(usable, 0)], 0.0)
    number = member @ has.astype(np.float64)
    started = number > 0
    lacking = [
        name
        for name, fits, count in zip(
            receiver.regions.names, has, receiver.regions.counts().tolist(), strict=True
        )
        if count and not fits
    ]
    found = (member @ table) / np.maximum(number, 1.0)[:, None]
    return Start(found, started, {"regions_without_start": lacking})


def by_positions(teacher: Neurons, weights: Floats, receiver: Neurons) -> Start:
    """Return the weights of the teacher's neurons around a place, weighted by their distance."""
    placed = teacher.placed
    xyz, given = teacher.xyz_um[placed], weights[placed]
    width, beta, left = kernel_of(xyz, given)
    theirs = receiver.placed
    found = np.zeros((len(receiver), weights.shape[1]))
    mean, has = _smoothed(xyz, given, receiver.xyz_um[theirs], width)
    found[theirs] = beta * mean
    started = np.zeros(len(receiver), dtype=np.bool_)
    started[theirs] = has
    told = {"kernel_um": width, "scale": beta.tolist(), "explained_left_out": left}
    if teacher.regions is None or receiver.regions is None or started.all():
        return Start(found, started, {**told, "from_region": 0})
    other = by_regions(teacher, weights, receiver)
    filled = ~started & other.started
    found[filled] = other.weights[filled]
    return Start(found, started | filled, {**told, "from_region": int(filled.sum())})


def kernel_of(xyz: Floats, weights: Floats) -> tuple[float, Floats, float]:
    """Return width (um), scale of every unit, and the share of the weights that these predict.

    The width is the one of `_WIDTHS` that predicts weights of left-out neurons best.
    """
    if len(xyz) < 2:
        return 1.0, np.ones(weights.shape[1]), 0.0
    unit = float(np.median(np.asarray(cKDTree(xyz).query(xyz, k=2)[0])[:, 1])) or 1.0
    total = float(np.square(weights).sum()) or 1.0
    best: tuple[float, float, Floats] | None = None
    for width in _WIDTHS:
        kernel = _kernel(xyz, xyz, width * unit, left_out=True)
        if best is not None and kernel.nnz > _MOST_NEIGHBOURS * len(xyz):
            break
        predicted = _mean_by(kernel, weights)[0]
        power = np.square(predicted).sum(axis=0)
        beta = np.maximum((predicted * weights).sum(axis=0) / np.where(power > 0, power, 1.0), 0.0)
        error = float(np.square(weights - beta * predicted).sum())
        if best is None or error < best[0]:
            best = error, width * unit, beta
    assert best is not None
    return best[1], best[2], 1.0 - best[0] / total


def smoothing(xyz: Floats, at: Floats, width: float) -> sparse.csr_array:
    """Return the matrix that means values of neurons around places, (place, neuron)."""
    kernel = _kernel(at, xyz, width, left_out=False)
    total = np.asarray(kernel.sum(axis=1)).ravel()
    return sparse.csr_array(sparse.diags_array(1.0 / np.where(total > 0, total, 1.0)) @ kernel)


def _smoothed(
    xyz: Floats, weights: Floats, at: Floats, width: float
) -> tuple[Floats, NDArray[np.bool_]]:
    return _mean_by(_kernel(at, xyz, width, left_out=False), weights)


def _mean_by(kernel: sparse.csr_array, weights: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    total = np.asarray(kernel.sum(axis=1)).ravel()
    has = total > 0
    found: Floats = (kernel @ weights) / np.where(has, total, 1.0)[:, None]
    return found, has


def _kernel(at: Floats, xyz: Floats, width: float, *, left_out: bool) -> sparse.csr_array:
    pairs = cKDTree(at).sparse_distance_matrix(cKDTree(xyz), REACH * width, output_type="ndarray")
    rows, columns = pairs["i"], pairs["j"]
    value = np.exp(-0.5 * (pairs["v"] / width) ** 2)
    if left_out:
        value = np.where(rows == columns, 0.0, value)
    return sparse.csr_array((value, (rows, columns)), shape=(len(at), len(xyz)))
