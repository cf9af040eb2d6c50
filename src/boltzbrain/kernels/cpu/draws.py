"""The draw of binary units on the CPU: Philox words against probabilities, 64 units at a time.

A unit of total input x is 1 where uniform < sigmoid(x) = 1 / (1 + exp(-x)), that is where
uniform (1 + exp(-x)) < 1: no division, and no probability is ever formed. For x >= 0 the complement
of the uniform is held against sigmoid(-x), so that the rare outcome has its whole precision on
either side. The probability of the rare outcome is right to 4e-7 of itself where it is above 1e-7,
and to 1e-6 everywhere.
"""

# numba infers the types of the loops, so they carry none.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"

from __future__ import annotations

import math

import numpy as np
from numba import njit

from boltzbrain.foundations.random import philox_block
from boltzbrain.kernels.compiling import compiled
from boltzbrain.kernels.cpu.simd import (
    alike,
    bits_of,
    braid,
    eight_from,
    floats_of,
    fused,
    load,
    magnitude,
    negative,
    signs,
    smaller,
    spread,
    store,
    to_floats,
)

TILE = 64
"""Units that are summed and drawn together; padded arrays have a multiple of it in a row."""

_16, _32, _48 = np.uint64(16), np.uint64(32), np.uint64(48)
_TWO, _EIGHT = np.uint64(2), np.uint64(8)
_LOW_HALF = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_ALL = np.uint32(0xFFFFFFFF)
_MANTISSA = np.uint32(23)
_HALF_STEP, _FAR, _RANGE = np.float32(0.5), np.float32(64.0), np.float32(2.0**32)
_LOG2_E = np.float32(math.log2(math.e))
# added to a float32 below 2**22, it leaves the nearest integer in the low bits
_ROUNDER = np.float32(1.5 * 2**23)
# 2**f for f from -1/2 to 1/2, of least relative error (7.5e-8): weighted least squares, the
# weights sharpened until the error is level
_C0, _C1, _C2, _C3, _C4, _C5 = (
    np.float32(value)
    for value in (
        1.0000001192092896,
        0.6931469440460205,
        0.24022120237350464,
        0.05550713092088699,
        0.009675540961325169,
        0.0013276472454890609,
    )
)


def whole_tiles(size: int) -> int:
    """Return the size rounded up to whole tiles."""
    return -(-size // TILE) * TILE


@njit(inline="always")
def exp_of(value):
    """Return exp of floats from 0 to 64."""
    shifted = fused(value, _LOG2_E, _ROUNDER)
    fraction = fused(value, _LOG2_E, _ROUNDER - shifted)
    power = fused(fraction, _C5, _C4)
    power = fused(fraction, power, _C3)
    power = fused(fraction, power, _C2)
    power = fused(fraction, power, _C1)
    power = fused(fraction, power, _C0)
    return floats_of(bits_of(power) + (bits_of(shifted) << _MANTISSA))


@njit(inline="always")
def draw_sixteen(total, uniform_words):
    """Mark the units that are 1, given their total inputs and a word each."""
    complemented = uniform_words ^ signs(total) ^ _ALL
    rare = to_floats(complemented) + _HALF_STEP
    size = exp_of(smaller(magnitude(total), _FAR))
    happens = fused(rare, size, rare) < _RANGE
    return alike(negative(total), happens)


@njit(inline="always")
def words_of_eight(block, row, d0, d1, k0, k1):
    """Return the words of eight Philox blocks from `block` on: those of 32 columns."""
    w0, w1, w2, w3 = philox_block(eight_from(block), spread(row), spread(d0), spread(d1), k0, k1)
    return braid(w0, w1, w2, w3)


@njit(inline="always")
def halves(number):
    """Return the low and the high 32 bits of a key or a draw number."""
    return np.uint64(number) & _LOW_HALF, np.uint64(number) >> _SHIFT


@njit
def draw_tile(
    inputs, origin, stride, field, field_origin, field_stride, column, row, samples, key, draw,
    states, place, states_stride
):  # fmt: skip
    """Draw 64 units of each of several samples, in the rows of the draw from `row` on.

    Parameters
    ----------
    inputs, origin, stride
        Flat float32: the first sample's 64 inputs lie from `origin` on, and `stride` elements on,
        the next one's.
    field, field_origin, field_stride
        The first sample's 64 fields likewise; a stride of 0 gives all samples the same.
    column
        Column of the first unit in the draw.
    row, samples
        The first sample's row in the draw, and how many follow.
    key, draw
        Random state.
    states, place, states_stride
        Flat uint8; the first sample's states go there from `place` on.
    """
    k0, k1 = halves(key)
    d0, d1 = halves(draw)
    block = np.uint64(column) >> _TWO
    for sample in range(samples):
        line, at = np.uint64(row + sample), np.uint64(origin + stride * sample)
        a, b = words_of_eight(block, line, d0, d1, k0, k1)
        c, d = words_of_eight(block + _EIGHT, line, d0, d1, k0, k1)
        to = np.uint64(place + states_stride * sample)
        by = np.uint64(field_origin + field_stride * sample)
        store(states, to, draw_sixteen(load(inputs, at) + load(field, by), a))
        store(states, to + _16, draw_sixteen(load(inputs, at + _16) + load(field, by + _16), b))
        store(states, to + _32, draw_sixteen(load(inputs, at + _32) + load(field, by + _32), c))
        store(states, to + _48, draw_sixteen(load(inputs, at + _48) + load(field, by + _48), d))


@compiled
def draw_rows(inputs, columns, field, first, rows, key, draw, states, room, room_states):
    """Draw rows of units from float32 inputs (row, columns); the field is padded to whole tiles.

    `room` and `room_states`, (rows, 64) each, hold the last tile if it is not whole.
    """
    whole = columns // TILE * TILE
    start = first * columns
    for column in range(0, whole, TILE):
        place = start + column
        draw_tile(
            inputs, place, columns, field, column, 0, column, first, rows, key, draw, states,
            place, columns,
        )  # fmt: skip
    rest = columns - whole
    if rest == 0:
        return
    for row in range(rows):
        for offset in range(rest):
            room[TILE * row + offset] = inputs[start + columns * row + whole + offset]
    draw_tile(room, 0, TILE, field, whole, 0, whole, first, rows, key, draw, room_states, 0, TILE)
    for row in range(rows):
        for offset in range(rest):
            states[start + columns * row + whole + offset] = room_states[TILE * row + offset]


@compiled
def draw_rows_exact(totals, columns, first, rows, key, draw, states):
    """Draw rows of units from total inputs in float64."""
    k0, k1 = halves(key)
    d0, d1 = halves(draw)
    for row in range(first, first + rows):
        for column in range(0, columns, 4):
            drawn = philox_block(np.uint64(column >> 2), np.uint64(row), d0, d1, k0, k1)
            for offset in range(min(4, columns - column)):
                place = row * columns + column + offset
                uniform = (np.float64(drawn[offset]) + 0.5) * 2.0**-32
                states[place] = uniform < 1.0 / (1.0 + math.exp(-totals[place]))
