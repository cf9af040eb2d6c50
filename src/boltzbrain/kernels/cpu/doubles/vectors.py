"""Vectors of eight float64 for numba, beside the sixteen float32 of `kernels.cpu.simd`.

The usual operators work on them, and a plain number stands for eight of it. `exp_of` and `log_of`
are right to some 1e-14 of their result.
"""

# the hooks of numba's compiler are handed objects that have no types of their own
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated, misc"

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import types
from numba.extending import intrinsic

from boltzbrain.kernels.cpu.simd import (
    Vector,
    address_of,
    blocks,
    call_intrinsic,
    order_of,
    spread_of,
)

LANES = 8

eights = Vector(types.float64, LANES)
chosen = Vector(types.boolean, LANES)
_WORD, _NARROW = ir.IntType(64), ir.VectorType(ir.FloatType(), LANES)


@intrinsic
def load_eight(typingctx, array, start):
    """Return eight numbers of an array of float32, float64 or uint32 as float64."""

    def generate(context, builder, sig, args):
        element = sig.args[0].dtype
        if element == types.float64:
            kind = eights.llvm
        elif element == types.float32:
            kind = _NARROW
        else:
            kind = ir.VectorType(ir.IntType(32), LANES)
        value = builder.load(address_of(context, builder, sig, args, kind))
        value.align = kind.element.get_abi_size(context.target_data)
        if element == types.float32:
            value = builder.fpext(value, eights.llvm)
        elif element != types.float64:
            value = builder.uitofp(value, eights.llvm)
        return value

    return eights(array, start), generate


@intrinsic
def put_eight(typingctx, array, start, value):
    """Write eight numbers into an array of float64 from `start` on."""

    def generate(context, builder, sig, args):
        builder.store(args[2], address_of(context, builder, sig, args, eights.llvm)).align = 8
        return context.get_dummy_value()

    return types.void(array, start, eights), generate


@intrinsic
def all_of(typingctx, number):
    """Return eight times a float64."""

    def generate(context, builder, sig, args):
        return spread_of(builder, eights.llvm, args[0])

    return eights(types.float64), generate


@intrinsic
def fused_eight(typingctx, a, b, c):
    """Return a * b + c, rounded once."""

    def generate(context, builder, sig, args):
        return call_intrinsic(builder, "fma", args)

    return eights(eights, eights, eights), generate


@intrinsic
def root_of(typingctx, value):
    """Return square roots."""

    def generate(context, builder, sig, args):
        return call_intrinsic(builder, "sqrt", args)

    return eights(eights), generate


@intrinsic
def floor_of(typingctx, value):
    """Return the largest whole numbers that are not larger."""

    def generate(context, builder, sig, args):
        return call_intrinsic(builder, "floor", args)

    return eights(eights), generate


@intrinsic
def size_of(typingctx, value):
    """Return absolute values."""

    def generate(context, builder, sig, args):
        return call_intrinsic(builder, "fabs", args)

    return eights(eights), generate


@intrinsic
def below(typingctx, left, right):
    """Mark where the left number is smaller; never for a number that is none."""

    def generate(context, builder, sig, args):
        return builder.fcmp_ordered("<", *args)

    return chosen(eights, eights), generate


@intrinsic
def pick(typingctx, where, yes, no):
    """Return the one where marked, and the other elsewhere."""

    def generate(context, builder, sig, args):
        return builder.select(*args)

    return eights(chosen, eights, eights), generate


@intrinsic
def both(typingctx, left, right):
    """Mark where both are."""

    def generate(context, builder, sig, args):
        return builder.and_(*args)

    return chosen(chosen, chosen), generate


@intrinsic
def bits_of_marks(typingctx, marks):
    """Return marks as the low bits of a uint64."""

    def generate(context, builder, sig, args):
        return builder.zext(builder.bitcast(args[0], ir.IntType(LANES)), _WORD)

    return types.uint64(chosen), generate


@intrinsic
def bits_of_eight(typingctx, value):
    """Return the bits of numbers."""

    def generate(context, builder, sig, args):
        return builder.bitcast(args[0], blocks.llvm)

    return blocks(eights), generate


@intrinsic
def eight_of_bits(typingctx, value):
    """Return the numbers that have these bits."""

    def generate(context, builder, sig, args):
        return builder.bitcast(args[0], eights.llvm)

    return eights(blocks), generate


@intrinsic
def store_rounded(typingctx, array, start, value, error):
    """Write numbers into an array of float32; return where they could round either way.

    That is, as the low bits of a uint64, where the value less and plus its error differ in float32.
    """

    def generate(context, builder, sig, args):
        place = address_of(context, builder, sig, args, _NARROW)
        value, error = args[2], args[3]
        low = builder.fptrunc(builder.fsub(value, error), _NARROW)
        high = builder.fptrunc(builder.fadd(value, error), _NARROW)
        builder.store(low, place).align = 4
        unsure = builder.fcmp_unordered("!=", low, high)
        return builder.zext(builder.bitcast(unsure, ir.IntType(LANES)), _WORD)

    return types.uint64(array, start, eights, eights), generate


@intrinsic
def four_from(typingctx, table, places):
    """Return the four float64 of a table that follow each of eight places, as four vectors."""
    quad = ir.VectorType(ir.DoubleType(), 4)

    def generate(context, builder, sig, args):
        data = context.make_array(sig.args[0])(context, builder, value=args[0]).data
        rows = []
        for lane in range(LANES):
            place = builder.extract_element(args[1], ir.IntType(32)(lane))
            row = builder.load(builder.bitcast(builder.gep(data, [place]), quad.as_pointer()))
            row.align = 8
            rows.append(row)
        # rows beside those two further on, so that halves of 128 bits end where they belong
        a, b, c, d = (
            builder.shuffle_vector(rows[lane], rows[lane + 2], order_of(*range(8)))
            for lane in (0, 1, 4, 5)
        )
        even, odd = order_of(0, 8, 2, 10, 4, 12, 6, 14), order_of(1, 9, 3, 11, 5, 13, 7, 15)
        first, second = order_of(0, 1, 4, 5, 8, 9, 12, 13), order_of(2, 3, 6, 7, 10, 11, 14, 15)
        low, high = (
            [builder.shuffle_vector(*two, taken) for two in ((a, b), (c, d))]
            for taken in (even, odd)
        )
        columns = [
            builder.shuffle_vector(*two, taken) for taken in (first, second) for two in (low, high)
        ]
        return context.make_tuple(builder, sig.return_type, columns)

    return types.UniTuple(eights, 4)(table, places), generate


_SHIFT, _MANTISSA, _ONE_BITS = np.uint64(52), np.uint64(2**52 - 1), np.uint64(1023 << 52)
_WHOLE, _WHOLE_BITS = 2.0**52, np.uint64(1075 << 52)
_ROUNDER = 1.5 * 2.0**52
_LOG2_E = math.log2(math.e)
# log 2 in two parts, the first with so few digits that its multiples are exact
_LN2_HIGH = 0.6931471803691238
_LN2_LOW = 1.9082149292705877e-10
_EXP = tuple(1.0 / math.factorial(power) for power in range(12))
_LOG = tuple(2.0 / (2 * power + 1) for power in range(9))


@njit(inline="always")
def whole_bits(value):
    """Return whole numbers from 0 to 2**52 as uint64."""
    return bits_of_eight(value + _WHOLE) & _MANTISSA


@njit(inline="always")
def exp_of(value):
    """Return exp of numbers from -700 to 700."""
    shifted = fused_eight(value, all_of(_LOG2_E), all_of(_ROUNDER))
    times = shifted - _ROUNDER
    rest = fused_eight(times, all_of(-_LN2_HIGH), value)
    rest = fused_eight(times, all_of(-_LN2_LOW), rest)
    power = all_of(_EXP[11])
    power = fused_eight(power, rest, all_of(_EXP[10]))
    power = fused_eight(power, rest, all_of(_EXP[9]))
    power = fused_eight(power, rest, all_of(_EXP[8]))
    power = fused_eight(power, rest, all_of(_EXP[7]))
    power = fused_eight(power, rest, all_of(_EXP[6]))
    power = fused_eight(power, rest, all_of(_EXP[5]))
    power = fused_eight(power, rest, all_of(_EXP[4]))
    power = fused_eight(power, rest, all_of(_EXP[3]))
    power = fused_eight(power, rest, all_of(_EXP[2]))
    power = fused_eight(power, rest, all_of(1.0))
    power = fused_eight(power, rest, all_of(1.0))
    return eight_of_bits(bits_of_eight(power) + (bits_of_eight(shifted) << _SHIFT))


@njit(inline="always")
def log_of(value):
    """Return log of normal numbers above 0."""
    bits = bits_of_eight(value)
    times = eight_of_bits((bits >> _SHIFT) | _WHOLE_BITS) - (_WHOLE + 1023.0)
    part = eight_of_bits((bits & _MANTISSA) | _ONE_BITS)
    large = below(all_of(math.sqrt(2.0)), part)
    part = pick(large, part * 0.5, part)
    times = pick(large, times + 1.0, times)
    ratio = (part - 1.0) / (part + 1.0)
    square = ratio * ratio
    total = all_of(_LOG[8])
    total = fused_eight(total, square, all_of(_LOG[7]))
    total = fused_eight(total, square, all_of(_LOG[6]))
    total = fused_eight(total, square, all_of(_LOG[5]))
    total = fused_eight(total, square, all_of(_LOG[4]))
    total = fused_eight(total, square, all_of(_LOG[3]))
    total = fused_eight(total, square, all_of(_LOG[2]))
    total = fused_eight(total, square, all_of(_LOG[1]))
    total = fused_eight(total, square, all_of(_LOG[0]))
    return fused_eight(times, all_of(_LN2_HIGH), fused_eight(ratio, total, times * _LN2_LOW))
