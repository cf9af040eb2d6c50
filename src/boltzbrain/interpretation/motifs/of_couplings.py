"""The couplings of an RBM in windows of time, in place of affinities: who is coupled, and when.

The weights of a run hold at all times. What differs from window to window are the fields of both
layers, fitted anew to the bins of each window beside weights that rest, and by the fields of the
hidden units which couplings the weights make. What all windows have in common would be in every
component, which are then not unique; so the mean of each pair over the windows is taken off, and
what rises and what falls are slabs of their own, as the components are not negative. A window of
few bins has fields of its own by chance: as much is done with windows whose bins are drawn from the
whole recording.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.memory import require_memory
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.in_time.differences import couplings_of
from boltzbrain.interpretation.motifs.affinities import (
    Affinities,
    FromMatrices,
    columns_of,
    shared_names,
)
from boltzbrain.interpretation.motifs.changes import names_of
from boltzbrain.training.context.refit import refitted
from boltzbrain.training.run.run import TrainingRun

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

BLOCKS = 20
"""Pieces of a window that keep their bins together where windows are mixed."""


def coupling_affinities(
    runs: Mapping[str, TrainingRun],
    window_bins: int,
    atlas: str | None,
    generator: Generator,
    *,
    scales: dict[str, float],
    mixed: bool = False,
) -> Affinities:
    """Return how couplings of every window differ from their mean, what rises before what falls.

    Parameters
    ----------
    runs
        Animal to its run; one with a context is taken at its mean.
    window_bins
        About how many bins of all folds, in their order, are a window.
    atlas
        Take the mean couplings of the regions of this atlas in place of neurons.
    generator
        Moves on.
    scales
        Animal to the root mean square of its differences, which they are told in units of; those
        of animals that are not in it are put there.
    mixed
        Whether the windows are mixed: twentieths of a window, drawn from the whole recording.

    Raises
    ------
    InputError
        If there are fewer than 3 names in common, no animal has two windows, or memory is too
        small.
    """
    tables = {name: (run.activity(), run.at_mean_context()) for name, run in runs.items()}
    whole = [max(1, activity.n_bins // window_bins) for activity, _ in tables.values()]
    if max(whole) < 2:
        bins = ", ".join(f"{activity.n_bins:,}" for activity, _ in tables.values())
        must = f"leave two windows or more of an animal ({bins} bins)"
        raise bad_input("window_bins", must, window_bins)
    names = [_names(activity, atlas, name) for name, (activity, _) in tables.items()]
    columns = [columns_of(one) for one in names]
    nodes = shared_names(columns)
    if len(nodes) < 3:
        must = "share at least 3 names" if len(runs) > 1 else "have 3 neurons or regions or more"
        raise bad_input("animals", must, len(nodes))
    first, second = np.triu_indices(len(nodes), 1)
    most = max(activity.n_neurons for activity, _ in tables.values())
    require_memory(
        f"couplings of {sum(whole)} windows", 8 * sum(whole) * len(first) + 24 * most**2,
        limit_gb=None, advice="regions in place of neurons, or longer windows",
    )  # fmt: skip
    epoch_names = tuple(
        dict.fromkeys(name for activity, _ in tables.values() for name in activity.epoch_names)
    )
    sources, shown, epochs = [], [], []
    start_s: list[Floats] = []
    for (name, (activity, model)), count, column in zip(
        tables.items(), whole, columns, strict=True
    ):
        edges = np.round(np.linspace(0, activity.n_bins, count + 1)).astype(np.int64)
        stream = generator.child(name)
        label = np.repeat(np.arange(count), np.diff(edges))
        if mixed:
            label = _mixed(label, max(1, window_bins // BLOCKS), stream)
        posterior = torch.from_numpy((label[:, None] == np.arange(count)).astype(np.float64))
        rows = refitted(model, torch.from_numpy(activity.states), posterior, stream)
        place = np.array([column.get(one, -1) for one in nodes])
        both = (place[first] >= 0) & (place[second] >= 0)
        values = np.zeros((count, len(first)))
        for window, row in enumerate(rows.rows()):
            found = couplings_of(model, row, activity.states)[:, :, 0]
            if atlas is not None:
                found = _by_region(found, activity, atlas)
            values[window] = np.where(both, found[place[first], place[second]], 0.0)
        values -= values.mean(axis=0)
        size = float(np.sqrt(np.square(values[:, both]).mean())) if both.any() else 0.0
        scaled = values / (scales.setdefault(name, size) or 1.0)
        signed = np.concatenate([np.maximum(scaled, 0), np.maximum(-scaled, 0)], axis=1)
        sources.append(FromMatrices(signed.astype(np.float32)))
        shown.append(np.tile(both, 2))
        start_s.append(edges[:-1].astype(np.float64) * activity.bin_width_s)
        epochs.append(_epochs(activity, edges, epoch_names))
    pairs = np.tile(np.column_stack((first, second)), (2, 1)).astype(np.int64)
    return Affinities(
        tuple(runs), nodes, pairs, np.array(shown), tuple(whole), tuple(start_s), tuple(epochs),
        epoch_names, tuple(sources), signed=True,
    )  # fmt: skip


def with_mixed_windows(
    runs: Mapping[str, TrainingRun], window_bins: int, atlas: str | None, generator: Generator
) -> tuple[Affinities, Callable[[int], Affinities]]:
    """Return `coupling_affinities`, and what makes those of mixed windows, by their number."""
    scales: dict[str, float] = {}
    own = coupling_affinities(runs, window_bins, atlas, generator, scales=scales)

    def made(draw: int) -> Affinities:
        stream = generator.child("mixed", draw)
        return coupling_affinities(runs, window_bins, atlas, stream, scales=scales, mixed=True)

    return own, made


def spread_of(found: Affinities) -> float:
    """Return the root mean square of differences, 1 of the windows as they are.

    Couplings that the same hidden unit makes change together, of mixed windows as well, so that
    held-out pairs are told by the others and do not tell motifs from chance; how much they change
    does.
    """
    total, number = 0.0, 0
    for animal in range(len(found.animals)):
        number += found.windows[animal] * int(found.shown[animal].sum()) // 2
        total += sum(float(np.square(values).sum()) for _, values in found.pieces(animal))
    return float(np.sqrt(total / max(number, 1)))


def _mixed(label: Indices, block: int, generator: Generator) -> Indices:
    """Return labels in blocks of so many bins that are permuted over the recording."""
    blocks = -(-len(label) // block)
    order = generator.permutation(blocks)
    parts = [label[one * block : (one + 1) * block] for one in order.tolist()]
    return np.concatenate(parts)


def _names(activity: Activity, atlas: str | None, animal: str) -> tuple[str, ...]:
    if atlas is None:
        return names_of(activity)
    if atlas not in activity.regions:
        must = f"be an atlas that every animal has ({animal}: {', '.join(activity.regions) or '-'})"
        raise bad_input("atlas", must, atlas)
    regions = activity.regions[atlas]
    counts = regions.counts().tolist()
    return tuple(name for name, count in zip(regions.names, counts, strict=True) if count)


def _by_region(found: Floats, activity: Activity, atlas: str) -> Floats:
    """Return the mean couplings of the neurons of two regions, of regions that hold some."""
    member = activity.regions[atlas].membership.toarray().astype(np.float64)
    member = member[:, member.sum(axis=0) > 0]
    counts = member.sum(axis=0)
    result: Floats = member.T @ found @ member / np.outer(counts, counts)
    return result


def _epochs(activity: Activity, edges: Indices, names: tuple[str, ...]) -> NDArray[np.int32]:
    """Return the epoch that holds the middle of each window, by its place in names."""
    if activity.epoch is None:
        return np.full(len(edges) - 1, -1, dtype=np.int32)
    place = np.array([*(names.index(one) for one in activity.epoch_names), -1], dtype=np.int32)
    return np.asarray(place[activity.epoch[(edges[:-1] + edges[1:]) // 2]], dtype=np.int32)
