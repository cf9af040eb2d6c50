"""Moments of binary states by counting bits: rates, covariances and three-body correlations.

States are packed per neuron, 64 bins to a word, so that the bins in which two or three neurons are
active together are counted by one bitwise AND and one count of bits per word. All counts are exact
integers. 50,000 neurons x 5,000 bins take 32 MB, and no (neuron, neuron) matrix is ever formed: a
caller asks for the tuples of neurons that it wants, all of them or a sample.

Bins belong to groups (segments in time, or independent chains). Each group starts a new word, so
that counts per group cost no more than counts in all; a bootstrap over groups weighs them.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import prange, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from boltzbrain.foundations.checks import bad_input, has_shape, whole_number_in
from boltzbrain.foundations.compiling.cache import kept
from boltzbrain.foundations.memory import VALUES, slices
from boltzbrain.foundations.random import Generator

_NEAR, _FEWEST, _PIECES = 160 << 10, 32, 32
"""Words that a core keeps near, and fewest of a neuron at which it pays to return to it.

Tuples are counted in so many pieces, which threads share.
"""


@dataclass(frozen=True)
class Packed:
    """Binary states, packed per neuron.

    Attributes
    ----------
    words
        (neuron, word) uint64; bit b of a word is bin b of its stretch of 64.
    stops
        (group,) int64, end of each group's stretch of words.
    sizes
        (group,) int64, bins of each group.
    """

    words: NDArray[np.uint64]
    stops: NDArray[np.int64]
    sizes: NDArray[np.int64]

    @property
    def bins(self) -> int:
        """Number of bins of all groups."""
        return int(self.sizes.sum())

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return int(self.words.shape[0])


def pack(states: NDArray[np.uint8], group: NDArray[np.int64] | None = None) -> Packed:
    """Pack binary states.

    Parameters
    ----------
    states
        (bin, neuron) in {0, 1}.
    group
        (bin,) number of the group of each bin, in any order; groups are kept by ascending number.
        None puts all bins into one group.

    Raises
    ------
    InputError
        If there is no bin or the groups do not fit.
    """
    has_shape("states", states, (None, None))
    if len(states) == 0:
        raise bad_input("states", "hold at least one bin", "none")
    labels = np.zeros(len(states), dtype=np.int64) if group is None else group
    has_shape("group", labels, (len(states),))
    order = np.argsort(labels, kind="stable")
    sizes = np.unique(labels, return_counts=True)[1].astype(np.int64)
    stops = np.cumsum((sizes + 63) // 64)
    first_bin = np.concatenate(([0], np.cumsum(sizes)))
    first_word = np.concatenate(([0], stops))
    words = np.zeros((int(stops[-1]), states.shape[1]), dtype=np.uint64)
    _pack(np.ascontiguousarray(states), order, first_bin, first_word, words)
    return Packed(np.ascontiguousarray(words.T), stops, sizes)


@functools.partial(kept, parallel=True)
def _pack(states: Any, order: Any, first_bin: Any, first_word: Any, words: Any) -> None:
    for group in prange(len(first_bin) - 1):
        for place in range(first_bin[group], first_bin[group + 1]):
            offset = place - first_bin[group]
            target = words[first_word[group] + offset // 64]
            bit = np.uint64(offset % 64)
            source = states[order[place]]
            for neuron in range(len(source)):
                target[neuron] |= np.uint64(source[neuron]) << bit


@intrinsic
def _ones(typing_context: Any, word: Any) -> Any:
    """Count the bits of a word, by the one instruction that does it."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), code


@functools.partial(kept, parallel=True)
def _count_all(words: Any, tuples: Any, chunk: Any, counts: Any) -> None:
    number, order = tuples.shape
    for piece in prange(_PIECES):
        first, last = number * piece // _PIECES, number * (piece + 1) // _PIECES
        for start in range(0, words.shape[1], chunk):
            stop = min(start + chunk, words.shape[1])
            for row in range(first, last):
                # a neuron stands in for one that a shorter tuple lacks
                a = words[tuples[row, 0], start:stop]
                b = words[tuples[row, min(1, order - 1)], start:stop]
                total = np.uint64(0)
                if order < 3:
                    for place in range(len(a)):
                        total += _ones(a[place] & b[place])  # type: ignore[call-arg]
                else:
                    c = words[tuples[row, 2], start:stop]
                    for place in range(len(a)):
                        total += _ones(a[place] & b[place] & c[place])  # type: ignore[call-arg]
                counts[row, 0] += total


@functools.partial(kept, parallel=True)
def _count_groups(words: Any, stops: Any, tuples: Any, counts: Any) -> None:
    order = tuples.shape[1]
    for row in prange(len(tuples)):
        a = words[tuples[row, 0]]
        b = words[tuples[row, min(1, order - 1)]]
        c = words[tuples[row, order - 1]]
        total, group = np.uint64(0), 0
        for place in range(len(a)):
            total += _ones(a[place] & b[place] & c[place])  # type: ignore[call-arg]
            if place + 1 == stops[group]:
                counts[row, group] = total
                total = np.uint64(0)
                group += 1


def coincidences(
    packed: Packed, tuples: NDArray[np.int64], *, by_group: bool = False
) -> NDArray[np.float64]:
    """Count the bins in which all neurons of a tuple are active.

    Parameters
    ----------
    packed
        States.
    tuples
        (tuple, order) neurons; order 1 counts single neurons.
    by_group
        Count each group of bins apart.

    Returns
    -------
    ndarray
        (tuple, group) whole numbers, exact; one column of all bins unless `by_group`.
    """
    tuples = np.ascontiguousarray(tuples)
    if by_group:
        counts = np.empty((len(tuples), len(packed.stops)))
        _count_groups(packed.words, packed.stops, tuples, counts)
        return counts
    counts = np.zeros((len(tuples), 1))
    # where neurons return from tuple to tuple, so many words of all of them stay near
    near = _NEAR // max(packed.neurons, 1) // _FEWEST * _FEWEST
    dense = near >= _FEWEST and len(tuples) > packed.neurons
    _count_all(packed.words, tuples, near if dense else packed.words.shape[1], counts)
    return counts


@functools.partial(kept, parallel=True)
def _count_shared(words: Any, first: Any, second: Any, counts: Any) -> None:
    for row in prange(len(first)):
        a, b = words[first[row]], words[second[row]]
        total = np.uint64(0)
        for place in range(len(a)):
            total += _ones(a[place] & b[place])  # type: ignore[call-arg]
        counts[row] = total


def shared_bits(
    words: NDArray[np.uint64], first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Count the bits that are set in both rows (row, word) of each pair of rows, (pair,)."""
    counts = np.empty(len(first))
    _count_shared(words, first, second, counts)
    return counts


@functools.partial(kept, parallel=True)
def _count_pairs(words: Any, counts: Any) -> None:
    neurons = len(words)
    # rows from both ends in turn: the first have the most pairs
    for turn in prange(neurons):
        one = turn // 2 if turn % 2 == 0 else neurons - 1 - turn // 2
        a = words[one]
        for other in range(one, neurons):
            b = words[other]
            total = np.uint64(0)
            for place in range(len(a)):
                total += _ones(a[place] & b[place])  # type: ignore[call-arg]
            counts[one, other] = counts[other, one] = total


def pair_counts(packed: Packed) -> NDArray[np.int64]:
    """Count the bins in which both neurons of every pair are active.

    Returns
    -------
    ndarray
        (neuron, neuron); on the diagonal those in which a neuron is active.
    """
    counts = np.empty((packed.neurons, packed.neurons), dtype=np.int64)
    _count_pairs(packed.words, counts)
    return counts


def _means(
    packed: Packed, tuples: NDArray[np.int64], weights: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Return the mean product of each tuple, (tuple, weighting), in stretches that fit memory."""
    if weights is None:
        return coincidences(packed, tuples) / packed.bins
    share = (weights / (weights @ packed.sizes.astype(np.float64))[:, None]).T
    means = np.empty((len(tuples), len(weights)))
    for part in slices(len(tuples), len(packed.sizes), VALUES):
        means[part] = coincidences(packed, tuples[part], by_group=True) @ share
    return means


@dataclass(frozen=True)
class Tuples:
    """Sets of one, two or three neurons, and what of fewer neurons their cumulants need.

    Attributes
    ----------
    members
        (tuple, order) int64, distinct neurons.
    """

    members: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Refuse an order that is not 1, 2 or 3."""
        has_shape("tuples", self.members, (None, None))
        whole_number_in("order", self.members.shape[1], low=1, high=3)

    @functools.cached_property
    def used(self) -> NDArray[np.int64]:
        """Neurons that are members, ascending."""
        return np.flatnonzero(np.bincount(self.members.reshape(-1)))

    @functools.cached_property
    def place(self) -> NDArray[np.int64]:
        """(tuple, order) where among those `used` each member stands."""
        where = np.zeros(int(self.members.max(initial=0)) + 1, dtype=np.int64)
        where[self.used] = np.arange(len(self.used))
        return where[self.members]

    @functools.cached_property
    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pairs (pair, 2) in triplets, and (tuple, 3) which of them are ab, ac and bc."""
        a, b, c = self.members.T
        size = int(self.members.max(initial=0)) + 1
        keys, which = np.unique(
            np.column_stack((a * size + b, a * size + c, b * size + c)), return_inverse=True
        )
        return np.column_stack(np.divmod(keys, size)), which.reshape(len(a), 3)


def connected(
    packed: Packed,
    tuples: NDArray[np.int64] | Tuples,
    weights: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Return the connected correlation (joint cumulant) of one, two or three neurons.

    Order 1 is the rate <a>, order 2 the covariance <ab> - <a><b>, order 3 <abc> - <a><bc> -
    <b><ac> - <c><ab> + 2 <a><b><c>. Means are over bins, without Bessel's factor.

    Parameters
    ----------
    packed
        States.
    tuples
        (tuple, order) distinct neurons, order 1 to 3; as `Tuples` where they are asked for again.
    weights
        (weighting, group) number of times that each group is taken, e.g. of bootstrap draws; None
        takes every group once.

    Returns
    -------
    ndarray
        (tuple,) float64, or (tuple, weighting) where weights are given.

    Raises
    ------
    InputError
        If the order is not 1, 2 or 3 or the weights do not fit.
    """
    given = tuples if isinstance(tuples, Tuples) else Tuples(tuples)
    if weights is not None:
        has_shape("weights", weights, (None, len(packed.sizes)))
    order = given.members.shape[1]
    rates = _means(packed, given.used[:, None], weights)
    if order == 1:
        result = rates[given.place[:, 0]]
    else:
        result = _means(packed, given.members, weights)
        if order == 2:
            _less_pairs(result, rates, given.place)
        else:
            pairs, which = given.pairs
            _less_triplets(result, rates, given.place, _means(packed, pairs, weights), which)
    return result[:, 0] if weights is None else result


@functools.partial(kept, parallel=True)
def _less_pairs(result: Any, rates: Any, place: Any) -> None:
    for row in prange(len(result)):
        a, b = rates[place[row, 0]], rates[place[row, 1]]
        for weighting in range(len(a)):
            result[row, weighting] -= a[weighting] * b[weighting]


@functools.partial(kept, parallel=True)
def _less_triplets(result: Any, rates: Any, place: Any, pairs: Any, which: Any) -> None:
    for row in prange(len(result)):
        a, b, c = rates[place[row, 0]], rates[place[row, 1]], rates[place[row, 2]]
        ab, ac, bc = pairs[which[row, 0]], pairs[which[row, 1]], pairs[which[row, 2]]
        for one in range(len(a)):
            less = ab[one] * c[one] + ac[one] * b[one] + bc[one] * a[one]
            result[row, one] += 2 * a[one] * b[one] * c[one] - less


def rates(packed: Packed) -> NDArray[np.float64]:
    """Return the mean of every neuron, (neuron,): the probability of a spike in a bin."""
    return connected(packed, np.arange(packed.neurons)[:, None])


def draw_tuples(neurons: int, order: int, limit: int, generator: Generator) -> NDArray[np.int64]:
    """Return distinct sets of neurons: all of them, or a uniform sample if they exceed `limit`.

    Parameters
    ----------
    neurons
        Number of neurons, at least `order`.
    order
        Neurons in a set, 2 or 3.
    limit
        Most sets to return. A sample is drawn with equal probability for every set, so that a mean
        over it is unbiased; sets drawn twice are kept once.
    generator
        Moves on where a sample is drawn.

    Returns
    -------
    ndarray
        (set, order) int64, ascending within a set and over the sets.
    """
    whole_number_in("order", order, low=2, high=3)
    whole_number_in("neurons", neurons, low=order)
    total = neurons * (neurons - 1) // 2
    if order == 3:
        total = total * (neurons - 2) // 3
    if total <= limit:
        first, second = np.triu_indices(neurons, 1)
        if order == 2:
            return np.column_stack((first, second)).astype(np.int64)
        return np.array(list(itertools.combinations(range(neurons), 3)), dtype=np.int64)
    drawn = np.column_stack([generator.integers(neurons, limit) for _ in range(order)])
    drawn.sort(axis=1)
    distinct = drawn[(np.diff(drawn, axis=1) > 0).all(axis=1)]
    if neurons**order > np.iinfo(np.int64).max:
        chosen: NDArray[np.int64] = np.unique(distinct, axis=0)
        return chosen
    base = neurons ** np.arange(order - 1, -1, -1, dtype=np.int64)
    return np.unique(distinct @ base)[:, None] // base % neurons
