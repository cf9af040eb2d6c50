"""How many motifs: as many as starts agree on, and as tell what was held out better than chance.

Neither the explained variance nor that of held-out entries stops where the planted number is
reached; what does is that components of several starts no longer match. Starts agree on components
of chance as well, where there are few; the surrogates tell these.

Every neuron of a surrogate is moved by a lag of its own, any as likely as another. Of neurons that
know nothing of each other the recording and its surrogates are then alike in law, so that it is the
best of n + 1 once in n + 1 times. As several numbers are tried, the best of a recording or
surrogate is the largest of its scores, each in units of the spread that its number has over all of
them (single-step maxT, Westfall and Young, Resampling-Based Multiple Testing, 1993).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.behaviour.nulls import SeriesNull
from boltzbrain.interpretation.motifs.affinities import Affinities
from boltzbrain.interpretation.motifs.changes import Signal
from boltzbrain.interpretation.motifs.factors import (
    Block,
    Factors,
    Fits,
    Floats,
    Values,
    factorise,
    similarity,
)

AGREE, LEAST = 0.95, 0.9
"""Starts agree where the product of the cosines of matched components is so large: over all pairs
of starts and components in the mean, and at least."""
_GROUPS = 10
"""Pieces of the recording, of which every other one has hidden pairs."""
_HIDDEN = 0.2
"""Share of the pairs that are hidden there: a tenth of all entries."""
_HELD_STARTS, _HELD_SWEEPS, _HELD_TOLERANCE = 1, 40, 1e-5


@dataclass(frozen=True, eq=False)
class Tried:
    """One number of components.

    Attributes
    ----------
    rank
        It.
    explained
        Share of the sum of squares that the best start explains.
    agreement, least
        Mean and least product of the cosines of matched components of two starts; None of one
        start.
    held_out
        1 - (squared error of held-out entries) / (that of each pair's mean over the windows that
        are not held out). Of couplings of windows their root mean square about each pair's mean, in
        its own units (`of_couplings.spread_of`).
    by_chance
        The same of surrogates, in each of which every neuron is shifted by a lag of its own, or
        the windows are mixed.
    p_value
        Of `held_out` against surrogates, corrected over the numbers that were tried; None without
        surrogates.
    """

    rank: int
    explained: float
    agreement: float | None
    least: float | None
    held_out: float
    by_chance: tuple[float, ...] = ()
    p_value: float | None = None

    @property
    def agrees(self) -> bool:
        """Whether the starts agree."""
        if self.agreement is None or self.least is None:
            return False
        return self.agreement >= AGREE and self.least >= LEAST

    @property
    def beyond_chance(self) -> bool:
        """Whether held-out entries are told better than in every surrogate by any number."""
        return self.p_value is not None and no_surrogate_is_as_good(self.p_value, self.by_chance)


def no_surrogate_is_as_good(p_value: float, by_chance: Sequence[float]) -> bool:
    """Return whether a p-value of `with_chance` is the least that so many surrogates allow."""
    return p_value * (1 + len(by_chance)) < 1.5


def with_chance(tried: Sequence[Tried], by_chance: Floats) -> list[Tried]:
    """Return numbers of components with what surrogates have, and the p-value of each.

    Parameters
    ----------
    tried
        Numbers of components.
    by_chance
        (number, surrogate) their ``held_out``.

    Examples
    --------
    >>> tried = [Tried(rank, 0.5, 1.0, 1.0, 0.3) for rank in (1, 2)]
    >>> scores = np.array([[0.1, 0.0, 0.2], [0.0, 0.31, 0.1]])
    >>> [one.p_value for one in with_chance(tried, scores)]
    [0.25, 0.5]
    """
    every = np.column_stack(([one.held_out for one in tried], by_chance))
    spread = every.std(axis=1, keepdims=True)
    scaled = (every - every.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
    largest = scaled[:, 1:].max(axis=0)
    beyond = (largest >= scaled[:, :1] - 1e-12).sum(axis=1)
    return [
        replace(one, by_chance=tuple(scores.tolist()), p_value=float((1 + count) / every.shape[1]))
        for one, scores, count in zip(tried, by_chance, beyond, strict=True)
    ]


def blocks_of(found: Affinities, one_clock: bool) -> list[Block]:
    """Return the affinities of every animal as a block of rows."""
    at = _places(found, one_clock)
    return [
        Block(
            animal,
            slice(at[animal], at[animal] + count),
            found.shown[animal],
            partial(found.pieces, animal),
        )
        for animal, count in enumerate(found.windows)
    ]


def agreement_of(fits: Fits) -> tuple[float | None, float | None]:
    """Return mean and least similarity of the matched components of every two starts."""
    between = [
        similarity(one, other)
        for place, one in enumerate(fits.factors)
        for other in fits.factors[place + 1 :]
    ]
    if not between:
        return None, None
    return float(np.mean(between)), float(np.min(between))


def held_out_score(
    found: Affinities, rank: int, generator: Generator, *, one_clock: bool = False
) -> float:
    """Return how well components tell entries that they have not seen.

    A fifth of the pairs is hidden in every other tenth of each recording. The score is 1 - (squared
    error) / (squared error of each pair's mean over the windows in which it is shown).
    """
    pairs = len(found.pairs)
    hidden = np.zeros(pairs, dtype=np.bool_)
    # a pair that changes together is hidden with the one that changes against each other
    drawn = generator.permutation(found.together)[: max(int(_HIDDEN * found.together), 1)]
    for sheet in range(pairs // found.together):
        hidden[drawn + sheet * found.together] = True
    at = _places(found, one_clock)
    blocks, kept = [], []
    for animal, count in enumerate(found.windows):
        group = np.arange(count) * min(_GROUPS, count) // count
        first, second = (np.flatnonzero(group % 2 == odd) for odd in (0, 1))
        middle, shown = at[animal] + len(first), found.shown[animal]
        kept.append((animal, second, slice(middle, middle + len(second))))
        for windows, start, mask in (
            (first, at[animal], shown),
            (second, middle, shown & ~hidden),
        ):
            if len(windows):
                rows = slice(start, start + len(windows))
                blocks.append(_part(found, animal, windows, rows, mask))
    fits = factorise(
        blocks,
        rank,
        generator,
        starts=_HELD_STARTS,
        sweeps=_HELD_SWEEPS,
        tolerance=_HELD_TOLERANCE,
        one_clock=one_clock,
    )
    best = fits.factors[0]
    error = spread = 0.0
    for animal, windows, rows in kept:
        mask = found.shown[animal]
        columns = np.flatnonzero(mask & hidden)
        values = np.concatenate([part[:, columns] for _, part in found.pieces(animal)])
        value = values[windows].astype(np.float64)
        mean = np.delete(values, windows, axis=0).mean(axis=0, dtype=np.float64)
        told = _told(best, animal, rows, columns)
        error += float(np.square(value - told).sum())
        spread += float(np.square(value - mean).sum())
    return 1.0 - error / max(spread, 1e-300)


def shifted(
    changes: Mapping[str, NDArray[np.float32]], signals: Mapping[str, Signal], generator: Generator
) -> list[NDArray[np.float32]]:
    """Return the changes of every animal with each neuron shifted by a lag of its own.

    Within each segment in a circle, by any lag; where there are many segments of like length these
    are swapped among neighbours (`behaviour.nulls.SeriesNull`).
    """
    result = []
    for name, values in changes.items():
        null = SeriesNull.of(signals[name].segment)
        moved = np.empty_like(values)
        for column in range(values.shape[1]):
            moved[:, column] = values[null.draw(generator, anywhere=True), column]
        result.append(moved)
    return result


def choose_rank(tried: Sequence[Tried]) -> int:
    """Return the largest number of components that starts agree on beyond chance, 0 if none."""
    return max((one.rank for one in tried if one.agrees and one.beyond_chance), default=0)


def _told(factors: Factors, animal: int, rows: slice, columns: NDArray[np.int64]) -> Floats:
    weight = factors.size * factors.animal[:, animal if factors.animal.shape[1] > 1 else 0]
    result: Floats = (factors.time[:, rows] * weight[:, None]).T @ factors.pair[:, columns]
    return result


def _places(found: Affinities, one_clock: bool) -> list[int]:
    """Return where the rows of each animal begin."""
    if one_clock:
        return [0] * len(found.windows)
    return [0, *np.cumsum(found.windows)[:-1].tolist()]


def _part(
    found: Affinities,
    animal: int,
    windows: NDArray[np.int64],
    rows: slice,
    shown: NDArray[np.bool_],
) -> Block:
    """Return a block of some windows, of which some pairs are hidden."""

    def made() -> list[tuple[slice, Values]]:
        result: list[tuple[slice, Values]] = []
        done = 0
        for some, values in found.pieces(animal):
            inside = windows[(windows >= some.start) & (windows < some.stop)] - some.start
            if len(inside):
                result.append((slice(done, done + len(inside)), values[inside] * shown))
                done += len(inside)
        return result

    if not found.kept:
        return Block(animal, rows, shown, lambda: iter(made()))
    held = made()
    return Block(animal, rows, shown, lambda: iter(held))
