"""Draws of rectified units, eight at a time, with the bits that one at a time has.

The arithmetic is that of `kernels.cpu.rectified`, but for the last digits of its exponentials and
logarithms. A draw is rounded to float32 in the end, so those digits matter only where the value
lies next to where rounding turns, or a uniform next to a probability: there, and wherever a table
ends, the unit is drawn again on its own (Ziv's way to correct rounding; ACM Transactions on
Mathematical Software 17:410, 1991).
"""

# numba infers the types of the loops, so they carry none.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"

from __future__ import annotations

import math

import numpy as np
import torch
from numba import njit
from torch import Tensor

from boltzbrain.foundations.numerics import FAR
from boltzbrain.foundations.random import philox_block
from boltzbrain.kernels.compiling import compiled
from boltzbrain.kernels.cpu.arrays import flat
from boltzbrain.kernels.cpu.doubles.vectors import (
    LANES,
    all_of,
    below,
    bits_of_marks,
    both,
    exp_of,
    floor_of,
    four_from,
    fused_eight,
    load_eight,
    log_of,
    pick,
    root_of,
    size_of,
    store_rounded,
    whole_bits,
)
from boltzbrain.kernels.cpu.draws import halves, words_of_eight
from boltzbrain.kernels.cpu.rectified import (
    HIGH,
    LOW,
    PER_UNIT,
    QUANTILES,
    ROOT_HIGH,
    ROOT_LOW,
    TABLE,
    draw_unit,
    rows_worth,
)
from boltzbrain.kernels.cpu.simd import lowest_bit, store
from boltzbrain.kernels.cpu.threads import share

_ALL = np.uint64(2**LANES - 1)
_ONE = np.uint64(1)
_COLUMNS = 32
"""Units whose random words are made at once."""
_HALF_LOG = 0.5 * math.log(2.0 * math.pi)
_LOG_HALF = math.log(0.5)
_ERROR = 4e-12
"""Bound on the error of a size in units of its law, over 1 + |x|; it is found to be 1e-14."""
_ODDS_ERROR = 1e-10
"""Bound on the relative error of a side's probability."""
_DEEP, _END = -1e4, HIGH - 1.0 / PER_UNIT
"""Below, squares lose digits; above, the table ends."""
_SURE_SHARE = 0.02
"""Shares nearer to 1 than this lose digits in 1 - share."""


@njit(inline="always")
def _cubic(flat_table, place):
    """Return the cubic through the nodes around places that lie within a table."""
    node = floor_of(place)
    t = place - node
    left, rise_left, right, rise_right = four_from(flat_table, whole_bits(node + node))
    jump = right - left
    bend = jump * 3.0 - rise_left * 2.0 - rise_right
    twist = rise_left + rise_right - jump * 2.0
    return left + t * (rise_left + t * (bend + t * twist))


@njit(inline="always")
def _within(value, low, high):
    """Return numbers moved to where a table has them, and marks of those that lay there."""
    inside = both(below(all_of(low), value), below(value, all_of(high)))
    return pick(inside, value, all_of(0.5 * (low + high))), inside


@njit(inline="always")
def _norm_at(x, table):
    """Return log Psi(x) as `log_psi_at` does; above the end of the table, that of its end.

    Psi falls, so that a side beyond the end seems likelier than it is: where it is refused all the
    same, rightly so; where it is taken, the unit is drawn on its own.
    """
    closed = fused_eight(x * 0.5, x, all_of(_HALF_LOG))
    low = below(x, all_of(LOW))
    near = pick(low, all_of(0.0), x)
    near = pick(below(near, all_of(_END)), near, all_of(_END))
    return pick(low, closed, _cubic(table, (near - LOW) * PER_UNIT))


@njit
def _draw_eight(
    inputs, at, unit, fields, roots, log_roots, two_sided, sides, sizes, place, table, quantiles,
    states,
):  # fmt: skip
    """Draw eight units from `unit` on; return as bits which of them are not sure.

    Their inputs lie from `at` on, and their random words from `place` on.
    """
    value = load_eight(inputs, at)
    here = np.uint64(unit)
    root = load_eight(roots, here)
    x = (all_of(0.0) - (value + load_eight(fields, here))) / root
    norm = _norm_at(x, table)
    sign, decided = all_of(1.0), below(all_of(0.0), all_of(1.0))
    if two_sided:
        there = np.uint64(unit + fields.shape[1])
        other_root = load_eight(roots, there)
        other_x = (value - load_eight(fields, there)) / other_root
        other_norm = _norm_at(other_x, table)
        log_odds = norm - other_norm - load_eight(log_roots, here) + load_eight(log_roots, there)
        log_odds = pick(below(log_odds, all_of(600.0)), log_odds, all_of(600.0))
        log_odds = pick(below(all_of(-600.0), log_odds), log_odds, all_of(-600.0))
        uniform = (load_eight(sides, place) + 0.5) * 2.0**-32
        product = uniform * (exp_of(all_of(0.0) - log_odds) + 1.0)
        apart = size_of(product - 1.0)
        decided = below(all_of(_ODDS_ERROR), apart)
        positive = below(product, all_of(1.0))
        sign = pick(positive, sign, all_of(-1.0))
        root = pick(positive, root, other_root)
        x = pick(positive, x, other_x)
        norm = pick(positive, norm, other_norm)
    sure = both(below(all_of(_DEEP), x), below(x, all_of(FAR)))
    if two_sided:
        sure = both(sure, decided)
    uniform = (load_eight(sizes, place) + 0.5) * 2.0**-32
    log_uniform = log_of(uniform)
    log_share = log_uniform + norm - x * x * 0.5 - _HALF_LOG
    log_share = pick(below(log_share, log_uniform), log_share, log_uniform)
    lower = below(all_of(_LOG_HALF), log_share)
    rest = all_of(1.0) - exp_of(pick(lower, log_share, all_of(-1.0)))
    sure = both(sure, below(all_of(_SURE_SHARE), rest))
    log_share = pick(lower, log_of(rest), log_share)
    s, inside = _within(root_of(log_share * -2.0), ROOT_LOW, ROOT_HIGH)
    sure = both(sure, inside)
    y = _cubic(quantiles, (s - ROOT_LOW) * PER_UNIT)
    y = pick(lower, all_of(0.0) - y, y)
    size = y - x
    error = (size_of(x) + 1.0) * _ERROR
    sure = both(sure, below(error, size))
    rounding = store_rounded(states, at, sign * size / root, error / root)
    return rounding | (bits_of_marks(sure) ^ _ALL)


@compiled
def _draw_rows(
    inputs, columns, fields, roots, log_roots, two_sided, key, draw, tables, first, count, states
):
    """Draw rows of units from flat float32 inputs; see `draw_rectified`.

    `fields`, `roots` and `log_roots` are (half, unit), the positive half first.
    """
    k0, k1 = halves(key)
    s0, s1 = halves(draw)
    z0, z1 = halves(np.uint64(draw) + np.uint64(two_sided))
    table, quantiles = tables
    sides, sizes = np.empty(_COLUMNS, np.uint32), np.empty(_COLUMNS, np.uint32)
    for row in range(first, first + count):
        line = np.uint64(row)
        for begin in range(0, columns, _COLUMNS):
            block = np.uint64(begin // 4)
            a, b = words_of_eight(block, line, z0, z1, k0, k1)
            store(sizes, np.uint64(0), a)
            store(sizes, np.uint64(16), b)
            if two_sided:
                a, b = words_of_eight(block, line, s0, s1, k0, k1)
                store(sides, np.uint64(0), a)
                store(sides, np.uint64(16), b)
            for offset in range(0, min(_COLUMNS, columns - begin), LANES):
                unit = begin + offset
                at = np.uint64(row * columns + unit)
                left = min(LANES, columns - unit)
                unsure = (_ONE << np.uint64(left)) - _ONE
                if left == LANES:
                    unsure = _draw_eight(
                        inputs, at, unit, fields, roots, log_roots, two_sided, sides, sizes,
                        np.uint64(offset), table, quantiles, states,
                    )  # fmt: skip
                while unsure != np.uint64(0):
                    lane = np.int64(lowest_bit(unsure))
                    place = row * columns + unit + lane
                    states[place] = draw_unit(
                        np.float64(inputs[place]), unit + lane, fields, roots, log_roots,
                        two_sided, sides[offset + lane], sizes[offset + lane], table, quantiles,
                    )  # fmt: skip
                    unsure &= unsure - _ONE


@compiled
def _draw_each(
    inputs, columns, fields, roots, log_roots, two_sided, key, draw, tables, first, count, states
):
    """Draw rows of units one by one, as `_draw_rows` does eight by eight."""
    k0, k1 = halves(key)
    s0, s1 = halves(draw)
    z0, z1 = halves(np.uint64(draw) + np.uint64(two_sided))
    table, quantiles = tables
    for row in range(first, first + count):
        line = np.uint64(row)
        for unit in range(0, columns, 4):
            block = np.uint64(unit // 4)
            sides = philox_block(block, line, s0, s1, k0, k1)
            sizes = philox_block(block, line, z0, z1, k0, k1)
            for offset in range(min(4, columns - unit)):
                place = row * columns + unit + offset
                states[place] = draw_unit(
                    np.float64(inputs[place]), unit + offset, fields, roots, log_roots, two_sided,
                    sides[offset], sizes[offset], table, quantiles,
                )  # fmt: skip


def draw_rectified(inputs: Tensor, fields: Tensor, roots: Tensor, key: int, draw: int) -> Tensor:
    """Draw ReLU or dReLU units given inputs, in the type of the inputs.

    Parameters
    ----------
    inputs
        (sample, unit).
    fields, roots
        Fields and square roots of the precisions, float64 (1, unit) for a ReLU, (2, unit), the
        positive half first, for a dReLU.
    key, draw
        Random state: a ReLU uses the draw `draw`, a dReLU that for the half and the next for the
        size.
    """
    states = torch.empty(inputs.shape, dtype=inputs.dtype)
    given, drawn, units = flat(inputs), flat(states), inputs.shape[1]
    law = (
        fields.contiguous().numpy(),
        roots.contiguous().numpy(),
        roots.log().contiguous().numpy(),
        len(fields) == 2,
    )
    state, tables = (np.uint64(key), np.uint64(draw)), (TABLE, QUANTILES)
    loop = _draw_rows if inputs.dtype == torch.float32 else _draw_each

    def task(first: int, count: int) -> None:
        loop(given, units, *law, *state, tables, first, count, drawn)

    share(task, len(inputs), least=rows_worth(inputs), most=len(inputs) + 1)
    return states
