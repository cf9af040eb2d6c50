"""Affinities of pairs in windows of time, as blocks that fit memory or are made when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import stretches
from boltzbrain.foundations.checks import bad_input, number_in
from boltzbrain.foundations.memory import VALUES, require_memory, require_size, slices
from boltzbrain.interpretation.motifs.changes import Signal, changes_of
from boltzbrain.interpretation.motifs.choices import WINDOW_S

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

KEPT_BYTES = 1 << 30
"""Affinities of all animals that are kept; more are made anew each time they are gone through."""


class Source(Protocol):
    """Affinities of one animal, made by rows."""

    def rows(self, which: slice) -> NDArray[np.float32]:
        """Return some windows, (window, pair), 0 where the animal lacks a pair."""


@dataclass(frozen=True, eq=False)
class FromChanges:
    """Affinities sqrt(max(0, d_i d_j)) of changes d, averaged over the frames of a window.

    The square root parts into those of both factors, so that a window's affinities are two products
    of matrices: of what rises and of what falls.

    Attributes
    ----------
    rising, falling
        (frame, node) square roots of the changes up and down.
    bounds
        (window, 2) first frame, and the one after the last.
    first, second
        (pair,) the columns of each pair.
    shown
        (pair,) whether the animal has both.
    signed
        Also sqrt(max(0, -d_i d_j)), as pairs of their own behind the others.
    """

    rising: NDArray[np.float32]
    falling: NDArray[np.float32]
    bounds: Indices
    first: Indices
    second: Indices
    shown: NDArray[np.bool_]
    signed: bool = False

    def rows(self, which: slice) -> NDArray[np.float32]:
        """Return some windows, (window, pair)."""
        bounds = self.bounds[which]
        pairs = len(self.first)
        made = np.zeros((len(bounds), pairs * (2 if self.signed else 1)), dtype=np.float32)
        for row, (start, stop) in enumerate(bounds.tolist()):
            up, down = self.rising[start:stop], self.falling[start:stop]
            alike = (up.T @ up + down.T @ down) / (stop - start)
            made[row, :pairs] = alike[self.first, self.second]
            if self.signed:
                against = up.T @ down
                against = (against + against.T) / (stop - start)
                made[row, pairs:] = against[self.first, self.second]
        made[:, ~self.shown] = 0.0
        return made


@dataclass(frozen=True, eq=False)
class FromMatrices:
    """Affinities that are kept, (window, pair)."""

    values: NDArray[np.float32]

    def rows(self, which: slice) -> NDArray[np.float32]:
        """Return some windows, (window, pair)."""
        return self.values[which]


@dataclass(frozen=True, eq=False)
class Affinities:
    """Non-negative affinities (window, animal, pair), with a mask for pairs that an animal lacks.

    Attributes
    ----------
    animals
        Their names.
    nodes
        Neurons, or regions, by name.
    pairs
        (pair, 2) numbers of two nodes, the smaller first; each twice where signed, those that
        change together first.
    shown
        (animal, pair) whether the animal has both.
    windows
        (animal,) windows of each.
    start_s
        Of each animal (window,) seconds since its beginning at which the windows begin; the time
        between segments is not counted.
    epochs
        Of each animal (window,) number of the epoch that holds most of the window, -1 for none.
    epoch_names
        Their names.
    sources
        What makes the values.
    signed
        Whether pairs that change against each other are there too.
    """

    animals: tuple[str, ...]
    nodes: tuple[str, ...]
    pairs: Indices
    shown: NDArray[np.bool_]
    windows: tuple[int, ...]
    start_s: tuple[Floats, ...]
    epochs: tuple[NDArray[np.int32], ...]
    epoch_names: tuple[str, ...]
    sources: tuple[Source, ...]
    signed: bool = False

    @property
    def kept(self) -> bool:
        """Whether the values are kept, and not made anew each time."""
        return all(isinstance(one, FromMatrices) for one in self.sources)

    @property
    def together(self) -> int:
        """Pairs of nodes; those that change against each other follow where signed."""
        return len(self.pairs) // (2 if self.signed else 1)

    def pieces(self, animal: int) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Go through an animal's windows, some at once."""
        for some in slices(self.windows[animal], len(self.pairs), VALUES):
            yield some, self.sources[animal].rows(some)


def affinities_of(
    signals: Mapping[str, Signal],
    *,
    smooth_s: float | None = None,
    window_s: float = WINDOW_S,
    signed: bool = False,
    changes: Sequence[NDArray[np.float32]] | None = None,
    memory_limit_gb: float | None = None,
) -> Affinities:
    """Return the affinities of concurrent changes.

    Of several animals the nodes are what at least two of them name alike; a name that an animal has
    twice tells nothing there.

    Parameters
    ----------
    signals
        Animal to what its neurons did.
    smooth_s
        As of `changes_of`.
    window_s
        Affinities are averaged over windows of about so many seconds; a segment holds a whole
        number of them, at least one.
    signed
        Also the affinities of changes against each other.
    changes
        Those of each animal, in place of `changes_of` its signal.
    memory_limit_gb
        What the affinities may take.

    Raises
    ------
    InputError
        If there are fewer than 3 nodes, a window is shorter than a frame, or memory is too small.
    """
    number_in("window_s", window_s, low=0.0, include_low=False)
    if not signals:
        raise bad_input("animals", "hold at least one", "none")
    columns = [columns_of(one.names) for one in signals.values()]
    nodes = shared_names(columns)
    if len(nodes) < 3:
        must = "share at least 3 neurons by name" if len(signals) > 1 else "have 3 neurons or more"
        raise bad_input("animals", must, len(nodes))
    bounds = [bounds_of(one, window_s) for one in signals.values()]
    total = sum(len(one) for one in bounds)
    require_size("neurons", len(nodes), each_bytes=8.0 * len(nodes), operations=1e3 * total)
    sheets = 2 if signed else 1
    first, second = np.triu_indices(len(nodes), 1)
    size = total * len(first) * sheets * 4
    frames = sum(one.values.shape[0] for one in signals.values())
    # what is held out is a copy; factors and their products are some rows of pairs
    needed = 2 * min(size, KEPT_BYTES) + 8 * frames * len(nodes) + 2_000 * len(first) * sheets
    require_memory(
        f"affinities of {total:,} windows x {len(first):,} pairs", needed, limit_gb=memory_limit_gb,
        advice="regions in place of neurons, fewer neurons or longer windows",
    )  # fmt: skip
    shown, epochs = [], []
    sources: list[Source] = []
    start_s: list[Floats] = []
    epoch_names = tuple(dict.fromkeys(name for one in signals.values() for name in one.epoch_names))
    for number, (signal, column, edges) in enumerate(
        zip(signals.values(), columns, bounds, strict=True)
    ):
        moves = changes_of(signal, smooth_s) if changes is None else changes[number]
        place = np.array([column.get(name, -1) for name in nodes])
        usable = (place >= 0) & (moves[:, place] != 0).any(axis=0)
        mine = np.where(usable, moves[:, place], 0.0).astype(np.float32)
        both = np.tile(usable[first] & usable[second], sheets)
        made: Source = FromChanges(
            np.sqrt(np.maximum(mine, 0.0)), np.sqrt(np.maximum(-mine, 0.0)), edges, first, second,
            both, signed,
        )  # fmt: skip
        if size <= KEPT_BYTES:
            made = FromMatrices(made.rows(slice(0, len(edges))))
        sources.append(made)
        shown.append(both)
        epochs.append(_epochs(signal, edges, epoch_names))
        start_s.append(edges[:, 0].astype(np.float64) * signal.step_s)
    pairs = np.tile(np.column_stack((first, second)), (sheets, 1)).astype(np.int64)
    return Affinities(
        tuple(signals), nodes, pairs, np.array(shown), tuple(len(one) for one in bounds),
        tuple(start_s), tuple(epochs), epoch_names, tuple(sources), signed,
    )  # fmt: skip


def columns_of(named: Sequence[str]) -> dict[str, int]:
    """Return the column of every name that the animal has once."""
    names, counts = np.unique(np.asarray(named, dtype=object), return_counts=True)
    once = {str(name) for name, count in zip(names, counts, strict=True) if count == 1 and name}
    return {name: place for place, name in enumerate(named) if name in once}


def shared_names(columns: Sequence[Mapping[str, int]]) -> tuple[str, ...]:
    """Return the names that at least two animals have, or those of the only one, in order."""
    counts: dict[str, int] = {}
    for column in columns:
        for name in column:
            counts[name] = counts.get(name, 0) + 1
    least = min(2, len(columns))
    return tuple(name for name, count in counts.items() if count >= least)


def bounds_of(signal: Signal, window_s: float) -> Indices:
    """Return first and last frame of every window, (window, 2), none across a segment's edge."""
    frames = window_s / signal.step_s
    if frames < 1:
        raise bad_input("window_s", f"be at least a frame ({signal.step_s:g} s)", window_s)
    found = []
    for start, count in zip(*stretches(signal.segment), strict=True):
        parts = max(1, int(count / frames + 1e-9))
        edges = start + np.round(np.linspace(0, count, parts + 1)).astype(np.int64)
        found.append(np.column_stack((edges[:-1], edges[1:])))
    return np.asarray(np.concatenate(found), dtype=np.int64)


def _epochs(signal: Signal, bounds: Indices, names: Sequence[str]) -> NDArray[np.int32]:
    """Return the epoch that holds the middle of each window, by its place in `names`."""
    if signal.epoch is None:
        return np.full(len(bounds), -1, dtype=np.int32)
    place = np.array([*(names.index(one) for one in signal.epoch_names), -1], dtype=np.int32)
    return np.asarray(place[signal.epoch[bounds.sum(axis=1) // 2]], dtype=np.int32)
