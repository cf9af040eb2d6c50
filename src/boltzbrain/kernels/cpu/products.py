"""Products of a few rows of weights with the values of many samples, which lie side by side.

Four rows are read at once, so that a value is read once for all four; where most of the weights are
exactly 0 the others are listed and read alone, row by row. Every sum is taken in the order of the
units: both ways give the same bits.
"""

# numba infers the types of the loops, so they carry none.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"

from __future__ import annotations

import numpy as np
from numba import njit

from boltzbrain.kernels.cpu.simd import (
    bits_of,
    count_bits,
    fused,
    load,
    mask_of,
    nothing,
    store,
)

VECTOR = 16
"""Samples in one vector, which are summed and drawn together."""

SPARSE = 0.33
"""Four rows with a smaller share of weights that are not 0 are multiplied by these alone."""

_ONE = np.uint64(1)
_16, _32, _48 = np.uint64(16), np.uint64(32), np.uint64(48)
_ZERO, _SIGN = np.uint32(0), np.uint32(1)


@njit(inline="always")
def _marked_nonzero(weights, place):
    """Return which of sixteen weights are not 0 as bits; -0 counts as 0."""
    shifted = bits_of(load(weights, np.uint64(place))) << _SIGN
    return mask_of(_ZERO < shifted)  # noqa: SIM300  # vectors know < alone


@njit
def _count_nonzero(weights, first, count):
    """Return how many of `count` weights from `first` on are not 0."""
    total, whole = np.uint64(0), count // VECTOR * VECTOR
    for place in range(first, first + whole, VECTOR):
        total += count_bits(_marked_nonzero(weights, place))
    for place in range(first + whole, first + count):
        total += np.uint64(weights[place] != 0)
    return np.int64(total)


@njit
def _list_nonzero(weights, row, units, listed):
    """List which of the weights from `row` on are not 0; return how many."""
    count = 0
    for unit in range(units):
        # without a branch, which the processor could not foresee
        listed[count] = unit
        count += weights[row + unit] != 0
    return count


@njit
def _all_to_64(weights, row, units, values, stride, start, inputs):
    """Set inputs (4, stride) of four rows of weights to 64 samples, from `start` on."""
    zeros = nothing(load(values, np.uint64(0)))
    a0, a1, a2, a3 = zeros, zeros, zeros, zeros
    b0, b1, b2, b3 = zeros, zeros, zeros, zeros
    c0, c1, c2, c3 = zeros, zeros, zeros, zeros
    d0, d1, d2, d3 = zeros, zeros, zeros, zeros
    at, step = np.uint64(start), np.uint64(stride)
    one = np.uint64(row)
    two, three, four = (
        one + np.uint64(units),
        one + np.uint64(2 * units),
        one + np.uint64(3 * units),
    )
    for _ in range(units):
        x0, x1 = load(values, at), load(values, at + _16)
        x2, x3 = load(values, at + _32), load(values, at + _48)
        w = weights[one]
        a0, a1, a2, a3 = fused(w, x0, a0), fused(w, x1, a1), fused(w, x2, a2), fused(w, x3, a3)
        w = weights[two]
        b0, b1, b2, b3 = fused(w, x0, b0), fused(w, x1, b1), fused(w, x2, b2), fused(w, x3, b3)
        w = weights[three]
        c0, c1, c2, c3 = fused(w, x0, c0), fused(w, x1, c1), fused(w, x2, c2), fused(w, x3, c3)
        w = weights[four]
        d0, d1, d2, d3 = fused(w, x0, d0), fused(w, x1, d1), fused(w, x2, d2), fused(w, x3, d3)
        one, two, three, four = one + _ONE, two + _ONE, three + _ONE, four + _ONE
        at += step
    to = np.uint64(start)
    _store_64(inputs, to, a0, a1, a2, a3)
    _store_64(inputs, to + step, b0, b1, b2, b3)
    _store_64(inputs, to + step + step, c0, c1, c2, c3)
    _store_64(inputs, to + step + step + step, d0, d1, d2, d3)


@njit(inline="always")
def _store_64(target, to, v0, v1, v2, v3):
    store(target, to, v0)
    store(target, to + _16, v1)
    store(target, to + _32, v2)
    store(target, to + _48, v3)


@njit
def _all_to_48(weights, row, units, values, stride, start, inputs):
    """Set inputs as `_all_to_64` does, to 48 samples."""
    zeros = nothing(load(values, np.uint64(0)))
    a0, a1, a2 = zeros, zeros, zeros
    b0, b1, b2 = zeros, zeros, zeros
    c0, c1, c2 = zeros, zeros, zeros
    d0, d1, d2 = zeros, zeros, zeros
    at, step = np.uint64(start), np.uint64(stride)
    one = np.uint64(row)
    two, three, four = (
        one + np.uint64(units),
        one + np.uint64(2 * units),
        one + np.uint64(3 * units),
    )
    for _ in range(units):
        x0, x1, x2 = load(values, at), load(values, at + _16), load(values, at + _32)
        w = weights[one]
        a0, a1, a2 = fused(w, x0, a0), fused(w, x1, a1), fused(w, x2, a2)
        w = weights[two]
        b0, b1, b2 = fused(w, x0, b0), fused(w, x1, b1), fused(w, x2, b2)
        w = weights[three]
        c0, c1, c2 = fused(w, x0, c0), fused(w, x1, c1), fused(w, x2, c2)
        w = weights[four]
        d0, d1, d2 = fused(w, x0, d0), fused(w, x1, d1), fused(w, x2, d2)
        one, two, three, four = one + _ONE, two + _ONE, three + _ONE, four + _ONE
        at += step
    to = np.uint64(start)
    _store_48(inputs, to, a0, a1, a2)
    _store_48(inputs, to + step, b0, b1, b2)
    _store_48(inputs, to + step + step, c0, c1, c2)
    _store_48(inputs, to + step + step + step, d0, d1, d2)


@njit(inline="always")
def _store_48(target, to, v0, v1, v2):
    store(target, to, v0)
    store(target, to + _16, v1)
    store(target, to + _32, v2)


@njit
def _listed_to_64(weights, row, listed, count, values, stride, start, inputs, to):
    """Set the inputs of one row to 64 samples from the weights that are listed."""
    s0 = nothing(load(values, np.uint64(0)))
    s1, s2, s3 = s0, s0, s0
    for place in range(count):
        unit = listed[place]
        w, at = weights[row + unit], np.uint64(start + stride * unit)
        s0, s1 = fused(w, load(values, at), s0), fused(w, load(values, at + _16), s1)
        s2, s3 = fused(w, load(values, at + _32), s2), fused(w, load(values, at + _48), s3)
    _store_64(inputs, np.uint64(to + start), s0, s1, s2, s3)


@njit
def _listed_to_48(weights, row, listed, count, values, stride, start, inputs, to):
    """Set inputs as `_listed_to_64` does, to 48 samples."""
    s0 = nothing(load(values, np.uint64(0)))
    s1, s2 = s0, s0
    for place in range(count):
        unit = listed[place]
        w, at = weights[row + unit], np.uint64(start + stride * unit)
        s0, s1 = fused(w, load(values, at), s0), fused(w, load(values, at + _16), s1)
        s2 = fused(w, load(values, at + _32), s2)
    _store_48(inputs, np.uint64(to + start), s0, s1, s2)


@njit
def multiply(weights, row, present, units, values, stride, listed, inputs):
    """Set inputs (4, stride) of up to four rows of weights; `stride` is 48 a + 64 b."""
    threes = (4 - stride // VECTOR % 4) % 4 * 48
    if present == 4 and _count_nonzero(weights, row, 4 * units) >= SPARSE * 4 * units:
        for start in range(0, threes, 48):
            _all_to_48(weights, row, units, values, stride, start, inputs)
        for start in range(threes, stride, 64):
            _all_to_64(weights, row, units, values, stride, start, inputs)
        return
    for member in range(present):
        at, to = row + member * units, member * stride
        count = _list_nonzero(weights, at, units, listed)
        for start in range(0, threes, 48):
            _listed_to_48(weights, at, listed, count, values, stride, start, inputs, to)
        for start in range(threes, stride, 64):
            _listed_to_64(weights, at, listed, count, values, stride, start, inputs, to)
