"""Non-negative factors of affinities (window, animal, pair), entries that are not shown left out.

Which pairs are shown is the same for all windows of a block, so each least-squares step has the
exact Gram matrix of what is shown, one for every set of blocks in which a pair occurs: nothing is
filled in, and a sweep costs two products with the affinities whatever is missing. All starts go
through the affinities together.

Hierarchical alternating least squares: Cichocki and Phan, IEICE Trans. Fundamentals E92-A:708
(2009).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from boltzbrain.foundations.random import Generator

Floats = NDArray[np.float64]
Values = NDArray[np.floating]
Pieces = Callable[[], Iterator[tuple[slice, Values]]]

SWEEPS, TOLERANCE = 100, 1e-6
_PASSES = 2
"""Updates of each component between two products with the affinities."""


@dataclass(frozen=True, eq=False)
class Block:
    """Windows of one animal in which the same pairs are shown.

    Attributes
    ----------
    animal
        Its number.
    rows
        Which rows of the factor over time its windows are.
    shown
        (pair,) whether it is shown.
    pieces
        Goes through the values, (window, pair), 0 where not shown, with their rows in the block.
    """

    animal: int
    rows: slice
    shown: NDArray[np.bool_]
    pieces: Pieces


@dataclass(frozen=True, eq=False)
class Factors:
    """Components of one start, each factor of norm 1, the largest first.

    Attributes
    ----------
    size
        (component,) what their product is multiplied by.
    time
        (component, row) of windows; of clocks of their own those of all animals, one after another.
    animal
        (component, animal); (component, 1) of ones where every animal has a clock of its own.
    pair
        (component, pair).
    """

    size: Floats
    time: Floats
    animal: Floats
    pair: Floats


@dataclass(frozen=True, eq=False)
class Fits:
    """The components of every start, the best start first.

    Attributes
    ----------
    factors
        (start,) each.
    residual
        (start,) sum of squares that is left, relative to that of the affinities.
    """

    factors: tuple[Factors, ...]
    residual: Floats


def factorise(
    blocks: Sequence[Block],
    rank: int,
    generator: Generator,
    *,
    starts: int = 10,
    sweeps: int = SWEEPS,
    tolerance: float = TOLERANCE,
    one_clock: bool = False,
) -> Fits:
    """Fit non-negative components by least squares over what is shown.

    Parameters
    ----------
    blocks
        What is shown of the affinities.
    rank
        Number of components.
    generator
        Draws where the starts begin; moves on.
    starts, sweeps
        Random starts, and the most updates of all factors.
    tolerance
        They end when no start gains this share of the sum of squares in a sweep.
    one_clock
        Whether the windows of all animals are at the same times, so that a component has one course
        for all and a weight for each. Else the course of every animal is its own.
    """
    work = _Work(blocks, rank, starts, generator, one_clock)
    last = np.full(starts, np.inf)
    for _ in range(sweeps):
        now = work.sweep()
        if (last - now <= tolerance).all():
            break
        last = now
    order = np.argsort(now, kind="stable")
    return Fits(tuple(work.factors_of(one) for one in order.tolist()), now[order])


def similarity(one: Factors, other: Factors) -> Floats:
    """Return the product of the cosines of matched components, (component,), in the order of `one`.

    A component that is 0 is like no other.
    """
    alike = _alike(one, other)
    result: Floats = alike[np.arange(len(alike)), matched(one, other)]
    return result


def matched(one: Factors, other: Factors) -> NDArray[np.int64]:
    """Return which component of `other` goes with each of `one`, each taken once."""
    return np.asarray(linear_sum_assignment(-_alike(one, other))[1], dtype=np.int64)


def _alike(one: Factors, other: Factors) -> Floats:
    return np.asarray(
        (one.time @ other.time.T) * (one.animal @ other.animal.T) * (one.pair @ other.pair.T)
    )


def pairs_given(blocks: Sequence[Block], factors: Factors, passes: int = 50) -> Floats:
    """Return what pairs would have in components whose windows and animals are known.

    Parameters
    ----------
    blocks
        What is shown of other affinities of the same windows, animals and pairs.
    factors
        Their windows and animals.
    passes
        Updates of each component.

    Returns
    -------
    Floats
        (component, pair), on the scale of ``factors.size[:, None] * factors.pair``.
    """
    result = factors.size[:, None] * factors.pair
    inner = np.zeros_like(result)
    grams = []
    for block in blocks:
        place = block.animal if factors.animal.shape[1] > 1 else 0
        mine = factors.time[:, block.rows] * factors.animal[:, place, None]
        grams.append(mine @ mine.T)
        for rows, values in block.pieces():
            inner += mine[:, rows].astype(values.dtype) @ values
    for members, columns in _groups(np.array([block.shown for block in blocks])):
        part, gram = result[None][:, :, columns].copy(), sum(grams[one] for one in members)
        for _ in range(passes):
            _update(part, inner[None][:, :, columns], np.asarray(gram)[None])
        result[:, columns] = part[0]
    return result


class _Work:
    """Factors of all starts, (start, component, row), and the sweep that updates them."""

    def __init__(
        self, blocks: Sequence[Block], rank: int, starts: int, generator: Generator, one_clock: bool
    ) -> None:
        self.blocks, self.one_clock = blocks, one_clock
        rows = max(block.rows.stop for block in blocks)
        animals = 1 + max(block.animal for block in blocks)
        pairs = len(blocks[0].shown)
        first = next(blocks[0].pieces())[1]
        self.kind = first.dtype

        def draw(count: int) -> Values:
            drawn = generator.uniform((starts * rank, count)).numpy()
            result: Values = drawn.reshape(starts, rank, count).astype(self.kind)
            return result

        self.time, self.pair = draw(rows), draw(pairs)
        self.animal = draw(animals) if one_clock else np.ones((starts, rank, animals), self.kind)
        self.squares = 0.0
        for block in blocks:
            for _, values in block.pieces():
                self.squares += float(np.square(values, dtype=np.float64).sum())
        self.groups = _groups(np.array([block.shown for block in blocks]))
        self._scale()

    def _scale(self) -> None:
        """Multiply the factors of each start so that they are as large as the affinities."""
        inner = np.zeros(len(self.time))
        own = np.zeros(len(self.time))
        for block, product, gram in self._through():
            mine = self._strength(block)
            inner += (mine * product).sum(axis=(1, 2), dtype=np.float64)
            own += (gram * (mine @ mine.swapaxes(1, 2))).sum(axis=(1, 2), dtype=np.float64)
        by = np.sqrt(np.maximum(inner, 1e-30) / np.maximum(own, 1e-30)).astype(self.kind)
        self.time *= by[:, None, None]
        self.pair *= by[:, None, None]

    def _strength(self, block: Block) -> Values:
        """Return the strength of each component in the windows of a block."""
        result: Values = self.time[:, :, block.rows] * self.animal[:, :, block.animal, None]
        return result

    def _through(self) -> Iterator[tuple[Block, Values, Values]]:
        """Yield of every block its products with the pair factors, and their Gram matrix."""
        starts, rank, pairs = self.pair.shape
        flat = self.pair.reshape(starts * rank, pairs)
        for block in self.blocks:
            product = np.concatenate([flat @ values.T for _, values in block.pieces()], axis=1)
            own = self.pair if block.shown.all() else self.pair[:, :, block.shown]
            yield block, product.reshape(starts, rank, -1), own @ own.swapaxes(1, 2)

    def sweep(self) -> Floats:
        """Update all factors once; return what is left of the squares, (start,), relative."""
        seen = list(self._through())
        by_rows: dict[tuple[int, int], list[tuple[Block, Values, Values]]] = {}
        for one in seen:
            by_rows.setdefault((one[0].rows.start, one[0].rows.stop), []).append(one)
        for (start, stop), some in by_rows.items():
            weights = [self.animal[:, :, block.animal] for block, _, _ in some]
            wanted = sum(
                product * weight[:, :, None]
                for (_, product, _), weight in zip(some, weights, strict=True)
            )
            gram = sum(
                own * weight[:, :, None] * weight[:, None, :]
                for (_, _, own), weight in zip(some, weights, strict=True)
            )
            _update(self.time[:, :, start:stop], np.asarray(wanted), np.asarray(gram))
        if self.one_clock:
            self._update_animals(seen)
        left = np.full(len(self.time), self.squares)
        inner = np.zeros_like(self.pair)
        grams = []
        for block, product, own in seen:
            mine = self._strength(block)
            gram = mine @ mine.swapaxes(1, 2)
            grams.append(gram)
            left -= 2 * (mine * product).sum(axis=(1, 2), dtype=np.float64)
            left += (own * gram).sum(axis=(1, 2), dtype=np.float64)
            flat = mine.reshape(-1, mine.shape[2])
            for part, values in block.pieces():
                inner += (flat[:, part] @ values).reshape(inner.shape)
        for members, columns in self.groups:
            total = np.asarray(sum(grams[member] for member in members))
            if isinstance(columns, slice):
                _update(self.pair, inner, total)
            else:
                mine = self.pair[:, :, columns]
                _update(mine, inner[:, :, columns], total)
                self.pair[:, :, columns] = mine
        return left / max(self.squares, 1e-300)

    def _update_animals(self, seen: Sequence[tuple[Block, Values, Values]]) -> None:
        for animal in range(self.animal.shape[2]):
            wanted = np.zeros((*self.animal.shape[:2], 1), dtype=self.kind)
            gram = np.zeros((*self.animal.shape[:2], self.animal.shape[1]), dtype=self.kind)
            for block, product, own in seen:
                if block.animal == animal:
                    time = self.time[:, :, block.rows]
                    wanted[:, :, 0] += (time * product).sum(axis=2)
                    gram += own * (time @ time.swapaxes(1, 2))
            _update(self.animal[:, :, animal : animal + 1], wanted, gram)

    def factors_of(self, start: int) -> Factors:
        """Return the components of one start, of norm 1, the largest first."""
        parts = [
            one[start].astype(np.float64)
            for one in (self.time, self.animal if self.one_clock else None, self.pair)
            if one is not None
        ]
        sizes = [np.sqrt((part**2).sum(axis=1)) for part in parts]
        size = np.prod(sizes, axis=0)
        order = np.argsort(-size, kind="stable")
        unit = [
            (part / np.where(length > 0, length, 1.0)[:, None])[order]
            for part, length in zip(parts, sizes, strict=True)
        ]
        animal = unit[1] if self.one_clock else np.ones((len(order), 1))
        return Factors(size[order], unit[0], animal, unit[-1])


def _groups(shown: NDArray[np.bool_]) -> list[tuple[list[int], slice | NDArray[np.int64]]]:
    """Return the sets of blocks that show the same pairs, with these; pairs shown nowhere too."""
    if shown.all():
        return [(list(range(len(shown))), slice(None))]
    sets, which = np.unique(shown, axis=1, return_inverse=True)
    return [
        (np.flatnonzero(sets[:, number]).tolist() or [], np.flatnonzero(which.ravel() == number))
        for number in range(sets.shape[1])
        if sets[:, number].any()
    ]


def _update(factor: Values, wanted: Values, gram: Values) -> None:
    """Update a factor (start, component, row) in place, one component after the other."""
    for _ in range(_PASSES):
        for one in range(factor.shape[1]):
            own = gram[:, one, one, None]
            others = (gram[:, one : one + 1, :] @ factor)[:, 0]
            new = factor[:, one] + (wanted[:, one] - others) / np.maximum(own, 1e-30)
            # a component that another factor has put out says nothing of this one
            factor[:, one] = np.where(own > 1e-25, np.maximum(new, 0.0), factor[:, one])
