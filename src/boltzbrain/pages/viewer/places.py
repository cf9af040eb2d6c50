"""Where the viewer draws each neuron, also where positions are missing, and hulls of regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from boltzbrain.interpretation.marginal import Floats, Indices

_LONGEST = 4.0
_BESIDE, _FAR_BESIDE = 0.005, 0.03
_APART = 2.5
_GOLDEN = np.pi * (3.0 - np.sqrt(5.0))
_MOST_HULLS = 100


@dataclass(frozen=True, eq=False)
class Places:
    """Where neurons are drawn.

    Attributes
    ----------
    xyz
        (neuron, 3); micrometres where they are positions. 0 for neurons without a place.
    known
        (neuron,) whether a neuron has a place.
    names
        Name of each axis, "" for one that means nothing.
    flat
        Whether all lie in one plane.
    stretched
        Whether the axes have different scales.
    words
        A sentence that says what the places are.
    """

    xyz: Floats
    known: NDArray[np.bool_]
    names: tuple[str, str, str]
    flat: bool
    stretched: bool
    words: str


def find_places(xyz_um: Floats, weights: Floats, order: Indices) -> Places:
    """Return where neurons are drawn.

    Parameters
    ----------
    xyz_um
        (neuron, 3) micrometres, NaN where unknown.
    weights, order
        (neuron, hidden), and hidden units with similar ones next to each other: a map is made of
        them where no position is known.
    """
    finite = np.isfinite(xyz_um)
    counts = finite.sum(axis=0)
    axes = [axis for axis in range(3) if counts[axis] > 1 and 2 * counts[axis] >= counts.max()]
    known: NDArray[np.bool_] = np.zeros(len(xyz_um), dtype=np.bool_)
    if axes:
        known = np.asarray(finite[:, axes].all(axis=1))
    live = [axis for axis in axes if known.any() and np.ptp(xyz_um[known, axis]) > 0]
    if not live:
        return _by_assembly(weights, order)
    xyz = np.zeros((len(xyz_um), 3))
    xyz[:, : len(live)] = np.where(known[:, None], xyz_um[:, live], 0.0)
    letters = ["xyz"[axis] for axis in live]
    words = "Neurons lie at their places"
    stretched = False
    if len(live) == 1:
        # along an upright axis, spread to the sides so that they can be told apart
        depth = xyz[:, 0].copy()
        xyz[:, 1] = depth
        side = (np.arange(len(xyz)) * 0.618033988749895) % 1.0 - 0.5
        xyz[:, 0] = np.where(known, side * np.ptp(depth[known]) / _LONGEST, 0.0)
        letters = ["", letters[0]]
        words += f" along {letters[1]}, all that is known of them, and are spread to the sides"
    elif len(live) == 2:
        spans = np.ptp(xyz[known, :2], axis=0)
        narrow, ratio = int(spans.argmin()), float(spans.max() / spans.min())
        if ratio > _LONGEST:
            xyz[known, narrow] *= ratio / _LONGEST
            stretched = True
            words += f" ({letters[0]} and {letters[1]} are known), {letters[narrow]} stretched"
        else:
            words += f" ({letters[0]} and {letters[1]} are known)"
    if _set_beside(xyz, known, len(live) == 3):
        words += "; those of one place are drawn beside each other"
    missing = int((~known).sum())
    if missing:
        words += f"; {missing:,} without a place are left out"
    letters += [""] * (3 - len(letters))
    return Places(
        xyz, known, (letters[0], letters[1], letters[2]), len(live) < 3, stretched, f"{words}."
    )


def _set_beside(xyz: Floats, known: NDArray[np.bool_], solid: bool) -> bool:
    """Move neurons of one place onto a spiral about it; say whether there were any."""
    mine = np.flatnonzero(known)
    _, group, size = np.unique(xyz[mine], axis=0, return_inverse=True, return_counts=True)
    group = group.ravel()
    if size.max() == 1:
        return False
    order = np.argsort(group, kind="stable")
    first = np.r_[0, np.cumsum(size)[:-1]]
    rank = np.empty(len(mine), dtype=np.int64)
    rank[order] = np.arange(len(mine)) - first[group[order]]
    spans = np.ptp(xyz[mine], axis=0)
    step = min(_BESIDE, _FAR_BESIDE / np.sqrt(size.max()))
    radius = step * spans.max() * np.sqrt(rank)
    wide = np.argsort(-spans, kind="stable")[:2] if solid else np.array([0, 1])
    xyz[mine, wide[0]] += radius * np.cos(_GOLDEN * rank)
    xyz[mine, wide[1]] += radius * np.sin(_GOLDEN * rank)
    return True


def _by_assembly(weights: Floats, order: Indices) -> Places:
    """Return a map of discs, one an assembly, of the neurons whose largest weight is its own.

    The largest weights lie in the middle of each disc, similar assemblies follow each other on a
    spiral, and neurons without weights have a disc of their own at its end.
    """
    size = np.abs(weights)
    strongest = np.where(size.max(axis=1) > 0, size.argmax(axis=1), -1)
    groups = [np.flatnonzero(strongest == unit) for unit in [*order.tolist(), -1]]
    xyz = np.zeros((len(weights), 3))
    middles: list[tuple[float, float, float]] = []
    for mine in groups:
        if not len(mine):
            continue
        rank = np.arange(len(mine))
        x, y = _next_place(middles, np.sqrt(len(mine)) + _APART)
        inward = mine[np.argsort(-size[mine].max(axis=1), kind="stable")]
        xyz[inward, 0] = x + np.sqrt(rank) * np.cos(_GOLDEN * rank)
        xyz[inward, 1] = y + np.sqrt(rank) * np.sin(_GOLDEN * rank)
    words = (
        "No positions are known: each neuron lies in the disc of its strongest assembly, the "
        "largest weights in the middle, similar assemblies near each other."
    )
    known = np.ones(len(xyz), dtype=bool)
    return Places(xyz, known, ("", "", ""), True, True, words)


def _next_place(discs: list[tuple[float, float, float]], radius: float) -> tuple[float, float]:
    """Return the first place on a spiral where a disc meets no other, and add it to them."""
    there = np.array(discs).reshape(-1, 3)
    turn = 0.0
    while True:
        far = 0.25 * radius * turn / np.pi
        x, y = 1.4 * far * np.cos(turn), far * np.sin(turn)
        if (np.hypot(there[:, 0] - x, there[:, 1] - y) >= there[:, 2] + radius).all():
            discs.append((x, y, radius))
            return x, y
        turn += 0.1 + 0.5 / (1.0 + turn)


def region_hulls(
    places: Places, regions: Sequence[str]
) -> tuple[Indices, list[str]]:  # fmt: skip
    """Return the faces of the convex hull of every region, (face, 3) neurons, and their regions.

    Regions whose neurons span no volume (no area, where all lie in one plane) have none, nor have
    any where places are no positions.
    """
    labels = np.asarray(regions, dtype=np.str_)
    axes = 2 if places.flat else 3
    names, counts = np.unique(labels[places.known], return_counts=True)
    faces: list[Indices] = []
    of: list[str] = []
    if sum(map(bool, places.names)) < 2:
        return np.zeros((0, 3), dtype=np.int64), of
    for place in np.argsort(-counts, kind="stable")[:_MOST_HULLS]:
        name = str(names[place])
        mine = np.flatnonzero(places.known & (labels == name))
        if not name or len(mine) <= axes:
            continue
        try:
            hull = ConvexHull(places.xyz[mine, :axes])
        except QhullError:  # they lie in a plane or on a line
            continue
        corners = mine[hull.vertices]
        sides = (
            np.array([[corners[0], corners[k], corners[k + 1]] for k in range(1, len(corners) - 1)])
            if places.flat
            else mine[hull.simplices]
        )
        faces.append(sides)
        of += [name] * len(sides)
    return (np.concatenate(faces) if faces else np.zeros((0, 3), dtype=np.int64)), of
