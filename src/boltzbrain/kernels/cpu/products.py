"""Products of a few rows of weights with the values of many samples, which lie side by side.

Four rows are read at once, so that a value is read once for all four; where most of the weights are
exactly 0 the others are listed and read alone, row by row. Every sum is taken in the order of the
units: both ways give the same bits.
"""

# numba infers the types of the loops, so they carry none.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import cgutils, types
from numba.extending import intrinsic

from boltzbrain.kernels.cpu.simd import (
    bits_of,
    count_bits,
    floats,
    fused_multiply,
    load,
    mask_of,
    spread_of,
)
from boltzbrain.kernels.machine import machine

VECTOR = 16
"""Samples in one vector, which are summed and drawn together."""

SPARSE = 0.33
"""Four rows with a smaller share of weights that are not 0 are multiplied by these alone."""

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


def _tile(rows: int, vectors: int, *, listed: bool = False) -> Any:
    """Return a loop that multiplies some rows of weights with 16 `vectors` samples.

    All sums stay in registers, if `kernels.machine` counted them right. It is called with weights,
    the place of the first row and the distance of rows; values, the place of the first unit's
    samples and the distance of units; how many units; a list of them, read where `listed`; inputs,
    the place of the first sum and the distance of rows there.
    """

    @intrinsic
    def loop(
        typingctx, weights, row, step, values, start, stride, units, chosen, inputs, to, apart
    ):
        kind = floats.llvm

        def generate(context, builder, sig, args):
            def pointer(number):
                given = context.make_array(sig.args[number])(context, builder, value=args[number])
                return given.data

            def place(number):
                return context.cast(builder, args[number], sig.args[number], types.intp)

            def vector_at(data, at):
                return builder.bitcast(builder.gep(data, [at]), kind.as_pointer())

            data, by, out, units_chosen = pointer(0), pointer(3), pointer(8), pointer(7)
            whole = ir.IntType(64)
            firsts = [
                builder.add(place(1), builder.mul(whole(member), place(2)))
                for member in range(rows)
            ]
            zeros = ir.Constant(kind, [0.0] * VECTOR)
            sums = [
                [cgutils.alloca_once_value(builder, zeros) for _ in range(vectors)]
                for _ in range(rows)
            ]
            with cgutils.for_range(builder, place(6)) as turn:
                unit = turn.index
                if listed:
                    unit = builder.load(builder.gep(units_chosen, [turn.index]))
                begin = builder.add(place(4), builder.mul(unit, place(5)))
                samples = []
                for number in range(vectors):
                    at = builder.add(begin, whole(VECTOR * number))
                    value = builder.load(vector_at(by, at))
                    value.align = 4
                    samples.append(value)
                for first, line in zip(firsts, sums, strict=True):
                    weight = builder.load(builder.gep(data, [builder.add(first, unit)]))
                    for value, total in zip(samples, line, strict=True):
                        done = fused_multiply(
                            builder, spread_of(builder, kind, weight), value, total
                        )
                        builder.store(done, total)
            for member, line in enumerate(sums):
                begin = builder.add(place(9), builder.mul(whole(member), place(10)))
                for number, total in enumerate(line):
                    at = builder.add(begin, whole(VECTOR * number))
                    builder.store(builder.load(total), vector_at(out, at)).align = 4
            return context.get_dummy_value()

        given = weights, row, step, values, start, stride, units, chosen, inputs, to, apart
        return types.void(*given), generate

    return loop


TILE = machine().tile
"""Vectors of sixteen samples that four rows are multiplied with at once."""

_all, _listed = _tile(4, TILE), _tile(1, TILE, listed=True)
_all_less, _listed_less = _tile(4, 3), _tile(1, 3, listed=True)


@njit
def multiply(weights, row, present, units, values, stride, listed, inputs):
    """Set inputs (4, stride) of up to four rows of weights; see `padded_samples` for `stride`."""
    # where four vectors fit, three do for the rest, so that no more than a vector is idle
    threes = (4 - stride // VECTOR % 4) % 4 * 48 if TILE == 4 else 0
    wide = VECTOR * TILE
    if present == 4 and _count_nonzero(weights, row, 4 * units) >= SPARSE * 4 * units:
        for start in range(0, threes, 48):
            _all_less(
                weights, row, units, values, start, stride, units, listed, inputs, start, stride
            )
        for start in range(threes, stride, wide):
            _all(weights, row, units, values, start, stride, units, listed, inputs, start, stride)
        return
    for member in range(present):
        at, to = row + member * units, member * stride
        count = _list_nonzero(weights, at, units, listed)
        for start in range(0, threes, 48):
            _listed_less(
                weights, at, 0, values, start, stride, count, listed, inputs, to + start, 0
            )
        for start in range(threes, stride, wide):
            _listed(weights, at, 0, values, start, stride, count, listed, inputs, to + start, 0)


def padded_samples(samples: int) -> int:
    """Return the samples rounded up to what `multiply` takes."""
    vectors = -(-samples // VECTOR)
    if TILE < 4:
        return VECTOR * TILE * -(-vectors // TILE)
    # threes and fours
    return VECTOR * (6 if vectors == 5 else max(3, vectors))
