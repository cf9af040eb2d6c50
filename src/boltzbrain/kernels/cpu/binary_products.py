"""Products of binary states with a matrix on the CPU: sums of its rows, 64 columns at a time.

A row of states picks rows of the matrix. Where few units are active, their rows are added one by
one. Where many are, tables hold the sums of every subset of four consecutive rows, 16 entries each,
so that four units cost one addition; the tables of 64 units and 64 columns fit the first two caches
and serve all samples. Each sample goes the way that its own number of active units asks for, and
either way adds in the order of the units: results depend neither on the other samples nor on the
number of cores.
"""

# numba infers the types of the loops, so they carry none.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"

from __future__ import annotations

import numpy as np
from numba import njit

from boltzbrain.kernels.compiling import compiled
from boltzbrain.kernels.cpu.arrays import WORD
from boltzbrain.kernels.cpu.simd import active_bits, count_bits, load, lowest_bit, nothing, store

TABLE = 16 * 16 * WORD
"""Elements of the tables of one word of units and one tile of columns."""

STRETCH = 2048
"""Rows of the matrix that all samples go through together, so that they stay in the cache."""

_NONE, _ONE, _LOW = np.uint64(0), np.uint64(1), np.uint64(15)
_ALL = np.uint64(2**64 - 1)
_FOUR, _SIX = np.uint64(4), np.uint64(6)
_TABLES = np.uint64(16 * WORD)
_16 = np.uint64(16)
_32 = np.uint64(32)
_48 = np.uint64(48)


_AT_ONCE = 4


@njit(inline="always")
def list_room(limit):
    """Return the places that `pack` needs to list at most `limit` units."""
    return limit + 1 + _AT_ONCE


@njit(inline="always")
def state_bits(states, size, place, left):
    """Return the next 64 states, or as many as are left, as bits.

    The 64 bytes that are read end with the array at the latest, whose size is at least 64.
    """
    begin = min(place, size - WORD)
    bits = active_bits(states, np.uint64(begin)) >> np.uint64(place - begin)
    return bits & (_ALL >> np.uint64(WORD - min(left, WORD)))


@njit
def pack(states, stride, units, first, samples, limit, words, lists, order):
    """Pack states into words, and list the active units of samples with at most `limit` of them.

    Parameters
    ----------
    states, stride
        Flat uint8, one sample every `stride` elements, 64 elements at least.
    units
        Units of a sample.
    first, samples
        Which samples to pack.
    limit
        A sample with more active units is not listed.
    words
        Gets ceil(units / 64) words for each sample.
    lists
        Gets `list_room(limit)` places for each sample: its active units, `units`, and no matter
        what.
    order
        Gets the listed samples, counted from `first`, and behind them the others.

    Returns
    -------
    int
        How many are listed.
    """
    width = (units + WORD - 1) // WORD
    size = len(states)
    listed, others = 0, 0
    for sample in range(samples):
        start = (first + sample) * stride
        active = _NONE
        to = np.uint64(sample * width)
        for part in range(width):
            bits = state_bits(states, size, start + WORD * part, units - WORD * part)
            words[to + np.uint64(part)] = bits
            active += count_bits(bits)
        if active > np.uint64(limit):
            others += 1
            order[samples - others] = sample
            continue
        order[listed] = sample
        listed += 1
        place = np.uint64(sample) * np.uint64(list_room(limit))
        for part in range(width):
            bits = words[to + np.uint64(part)]
            base = np.uint64(WORD * part)
            follows = place + count_bits(bits)
            # the first few without asking how many there are, which the processor cannot foresee
            for step in range(_AT_ONCE):
                lists[place + np.uint64(step)] = base + lowest_bit(bits)
                bits &= bits - _ONE
            place += np.uint64(_AT_ONCE)
            while bits != _NONE:
                lists[place] = base + lowest_bit(bits)
                place += _ONE
                bits &= bits - _ONE
            place = follows
        lists[place] = units
    return listed


@njit
def _add_listed(order, listed, lists, cursors, end, rows, origin, fresh, sums):
    """Add the rows before `end` to the sums of the listed samples, which start at 0 if `fresh`."""
    for number in range(listed):
        sample = order[number]
        at = np.uint64(WORD * sample)
        s0, s1 = load(sums, at), load(sums, at + _16)
        s2, s3 = load(sums, at + _32), load(sums, at + _48)
        if fresh:
            s0 = nothing(s0)
            s1, s2, s3 = s0, s0, s0
        place = cursors[sample]
        unit = lists[place]
        while unit < end:
            row = np.uint64(origin) + (np.uint64(unit) << _SIX)
            s0, s1 = s0 + load(rows, row), s1 + load(rows, row + _16)
            s2, s3 = s2 + load(rows, row + _32), s3 + load(rows, row + _48)
            place += 1
            unit = lists[place]
        cursors[sample] = place
        store(sums, at, s0)
        store(sums, at + _16, s1)
        store(sums, at + _32, s2)
        store(sums, at + _48, s3)


@njit
def _fill_table(rows, origin, units, table):
    """Fill the tables of at most 64 units whose rows lie from `origin` on; the rest count as 0."""
    for offset in range(0, WORD, 16):
        for group in range((units + 3) // 4):
            start = np.uint64(16 * WORD * group + offset)
            zeros = nothing(load(table, start))
            store(table, start, zeros)
            for member in range(4):
                unit = 4 * group + member
                row = zeros
                if unit < units:
                    row = load(rows, np.uint64(origin + WORD * unit + offset))
                half = 1 << member
                for code in range(half):
                    source = start + np.uint64(WORD * code)
                    store(table, source + np.uint64(WORD * half), load(table, source) + row)


@njit
def _add_coded(order, listed, samples, words, width, part, groups, table, sums):
    """Add the units of one word to the samples that are not listed, two samples at a time."""
    for number in range(listed, samples, 2):
        left, right = order[number], order[min(number + 1, samples - 1)]
        at, to = np.uint64(WORD * left), np.uint64(WORD * right)
        s0, s1 = load(sums, at), load(sums, at + _16)
        s2, s3 = load(sums, at + _32), load(sums, at + _48)
        t0, t1 = load(sums, to), load(sums, to + _16)
        t2, t3 = load(sums, to + _32), load(sums, to + _48)
        if part == 0:
            s0 = nothing(s0)
            s1, s2, s3, t0, t1, t2, t3 = s0, s0, s0, s0, s0, s0, s0
        bits, others = words[left * width + part], words[right * width + part]
        base = _NONE
        for _ in range(groups):
            row = base + ((bits & _LOW) << _SIX)
            s0, s1 = s0 + load(table, row), s1 + load(table, row + _16)
            s2, s3 = s2 + load(table, row + _32), s3 + load(table, row + _48)
            row = base + ((others & _LOW) << _SIX)
            t0, t1 = t0 + load(table, row), t1 + load(table, row + _16)
            t2, t3 = t2 + load(table, row + _32), t3 + load(table, row + _48)
            bits, others = bits >> _FOUR, others >> _FOUR
            base += _TABLES
        store(sums, at, s0)
        store(sums, at + _16, s1)
        store(sums, at + _32, s2)
        store(sums, at + _48, s3)
        store(sums, to, t0)
        store(sums, to + _16, t1)
        store(sums, to + _32, t2)
        store(sums, to + _48, t3)


@njit
def sum_tile(
    units, samples, limit, words, lists, order, listed, cursors, rows, origin, table, sums
):
    """Set `sums` (sample, 64) to the sums over packed samples of one tile of `rows`.

    The samples are those of `pack`. The tile lies in `rows` from `origin` on: 64 columns of each
    unit's row, one unit after the other. `cursors`, `table` and `sums` are overwritten.
    """
    if listed:
        for sample in range(samples):
            cursors[sample] = sample * list_room(limit)
        for end in range(STRETCH, units + STRETCH, STRETCH):
            _add_listed(
                order, listed, lists, cursors, min(end, units), rows, origin, end == STRETCH, sums
            )
    if listed < samples:
        width = (units + WORD - 1) // WORD
        for part in range(width):
            present = min(WORD, units - WORD * part)
            _fill_table(rows, origin + WORD * WORD * part, present, table)
            groups = (present + 3) // 4
            _add_coded(order, listed, samples, words, width, part, groups, table, sums)


@compiled
def count_active(states, first, count):
    """Return how many of `count` states from `first` on are not 0."""
    total, size = _NONE, len(states)
    for place in range(first, first + count, WORD):
        total += count_bits(state_bits(states, size, place, first + count - place))
    return total


@compiled
def count_by_unit(states, samples, stride, first, units, counts):
    """Add to `counts` (unit,) in how many samples each unit from `first` on is active."""
    start, step = np.uint64(first), np.uint64(stride)
    for _ in range(samples):
        for unit in range(units):
            place = np.uint64(unit)
            counts[np.uint64(first) + place] += states[start + place]
        start += step


@njit
def list_by_unit(states, samples, stride, first, units):
    """List, for each unit from `first` on, the samples in which it is active.

    Returns
    -------
    starts
        (unit + 1,) where each unit's list begins.
    lists
        The samples of each unit in rising order, and behind them the number of samples.
    """
    counts, size = np.zeros(units, np.int64), len(states)
    for sample in range(samples):
        for part in range(0, units, WORD):
            bits = state_bits(states, size, sample * stride + first + part, units - part)
            while bits != _NONE:
                counts[part + lowest_bit(bits)] += 1
                bits &= bits - _ONE
    starts = np.empty(units + 1, np.int64)
    starts[0] = 0
    for unit in range(units):
        starts[unit + 1] = starts[unit] + counts[unit] + 1
    lists = np.empty(starts[units], np.int32)
    for sample in range(samples):
        for part in range(0, units, WORD):
            bits = state_bits(states, size, sample * stride + first + part, units - part)
            while bits != _NONE:
                unit = part + lowest_bit(bits)
                counts[unit] -= 1
                lists[starts[unit + 1] - 2 - counts[unit]] = sample
                bits &= bits - _ONE
    for unit in range(units):
        lists[starts[unit + 1] - 1] = samples
    return starts, lists


@njit
def sum_listed(starts, lists, units, samples, rows, origin, order, cursors, sums):
    """Set `sums` (unit, 64) to the sums over the samples listed for each unit of one tile."""
    for unit in range(units):
        cursors[unit] = starts[unit]
    for end in range(STRETCH, samples + STRETCH, STRETCH):
        _add_listed(
            order, units, lists, cursors, min(end, samples), rows, origin, end == STRETCH, sums
        )


@njit
def copy_tile(sums, samples, result, first, columns, column):
    """Copy one tile of sums into the flat result (sample, column), less the padding."""
    width = min(WORD, columns - column)
    for sample in range(samples):
        source = np.uint64(WORD * sample)
        target = np.uint64((first + sample) * columns + column)
        if width == WORD:
            store(result, target, load(sums, source))
            store(result, target + _16, load(sums, source + _16))
            store(result, target + _32, load(sums, source + _32))
            store(result, target + _48, load(sums, source + _48))
            continue
        for offset in range(width):
            step = np.uint64(offset)
            result[target + step] = sums[source + step]
