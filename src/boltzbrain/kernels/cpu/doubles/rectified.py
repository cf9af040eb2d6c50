"""Draws of rectified units, eight at a time, with the bits that one at a time has.

The arithmetic is that of `kernels.cpu.rectified`, but for the last digits of its exponentials and
logarithms. A draw is rounded to float32 in the end, so those digits matter only where the value
lies next to where rounding turns, or a uniform next to a probability: there, and wherever a table
ends, the unit is drawn again on its own (Ziv's way to correct rounding; ACM Transactions on
Mathematical Software 17:410, 1991).
"""

# numba infers the types of the loops, so they carry none.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated, assignment"

from __future__ import annotations

import math
from typing import Any

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
    put_eight,
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
    partition_unit,
    rows_worth,
)
from boltzbrain.kernels.cpu.simd import lowest_bit, store
from boltzbrain.kernels.cpu.threads import share

_ALL = np.uint64(2**LANES - 1)
_ONE = np.uint64(1)
_COLUMNS = 32
"""Units that go through a draw together."""
_NORM, _OTHER_X, _OTHER_NORM, _INVERSE = (np.uint64(_COLUMNS * part) for part in range(1, 5))
"""Where the room of a draw holds what; x comes first."""
_HALF_LOG = 0.5 * math.log(2.0 * math.pi)
_LOG_HALF = math.log(0.5)
_ERROR = 4e-12
"""Bound on the error of a size in units of its law, over 1 + |x|, far above what is found."""
_ODDS_ERROR = 1e-9
"""Bound on the relative error of a side's probability."""
_DEEP, _END = -1e4, HIGH - 1.0 / PER_UNIT
"""Below, squares lose digits; above, the table ends."""
_NOTHING = 50.0
"""A log-partition that is less than another by so much adds nothing to it."""
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
def _norms(inputs, at, unit, count, law, table, room):
    """Note x, the log-norm and that of the other side, of `count` units from `unit` on.

    Each step of a draw is a loop of its own over 32 units: in one long loop every operation would
    wait for the one before it.
    """
    fields, _, _, two_sided, inverses = law
    for lane in range(0, count, LANES):
        here, to = np.uint64(unit + lane), np.uint64(lane)
        value = load_eight(inputs, np.uint64(at + lane))
        x = (all_of(0.0) - (value + load_eight(fields, here))) * load_eight(inverses, here)
        put_eight(room, to, x)
        put_eight(room, to + _NORM, _norm_at(x, table))
        if two_sided:
            there = here + np.uint64(fields.shape[1])
            x = (value - load_eight(fields, there)) * load_eight(inverses, there)
            put_eight(room, to + _OTHER_X, x)
            put_eight(room, to + _OTHER_NORM, _norm_at(x, table))


@njit
def _choose_sides(unit, count, law, sides, room, unsure):
    """Choose a side of each unit, and note x, log-norm and signed 1 / root of that alone."""
    _, _, log_roots, two_sided, inverses = law
    for lane in range(0, count, LANES):
        here, to = np.uint64(unit + lane), np.uint64(lane)
        unsure[lane // LANES] = np.uint64(0)
        inverse = load_eight(inverses, here)
        if not two_sided:
            put_eight(room, to + _INVERSE, inverse)
            continue
        there = here + np.uint64(inverses.shape[1])
        norm, other_norm = load_eight(room, to + _NORM), load_eight(room, to + _OTHER_NORM)
        log_odds = norm - other_norm - load_eight(log_roots, here) + load_eight(log_roots, there)
        log_odds = pick(below(log_odds, all_of(600.0)), log_odds, all_of(600.0))
        log_odds = pick(below(all_of(-600.0), log_odds), log_odds, all_of(-600.0))
        uniform = (load_eight(sides, to) + 0.5) * 2.0**-32
        product = uniform * (exp_of(all_of(0.0) - log_odds) + 1.0)
        decided = below(all_of(_ODDS_ERROR), size_of(product - 1.0))
        unsure[lane // LANES] = bits_of_marks(decided) ^ _ALL
        positive = below(product, all_of(1.0))
        other = all_of(0.0) - load_eight(inverses, there)
        put_eight(room, to + _INVERSE, pick(positive, inverse, other))
        put_eight(room, to, pick(positive, load_eight(room, to), load_eight(room, to + _OTHER_X)))
        put_eight(room, to + _NORM, pick(positive, norm, other_norm))


@njit
def _share_out(count, sizes, room, unsure):
    """Note which share of a normal law lies above each size, as log; below 0 for the lower half."""
    for lane in range(0, count, LANES):
        to = np.uint64(lane)
        x = load_eight(room, to)
        log_uniform = log_of((load_eight(sizes, to) + 0.5) * 2.0**-32)
        log_share = log_uniform + load_eight(room, to + _NORM) - x * x * 0.5 - _HALF_LOG
        log_share = pick(below(log_share, log_uniform), log_share, log_uniform)
        lower = below(all_of(_LOG_HALF), log_share)
        rest = all_of(1.0) - exp_of(pick(lower, log_share, all_of(-1.0)))
        sure = both(below(all_of(_SURE_SHARE), rest), below(all_of(_DEEP), x))
        unsure[lane // LANES] |= bits_of_marks(both(sure, below(x, all_of(FAR)))) ^ _ALL
        put_eight(room, to + _NORM, log_share)
        put_eight(room, to + _OTHER_NORM, pick(lower, all_of(-1.0), all_of(1.0)))
        put_eight(room, to + _OTHER_X, rest)


@njit
def _finish(count, at, quantiles, room, unsure, states):
    """Write the states, and note which might be rounded either way."""
    for lane in range(0, count, LANES):
        to = np.uint64(lane)
        x, side = load_eight(room, to), load_eight(room, to + _OTHER_NORM)
        lower = below(side, all_of(0.0))
        of_rest = log_of(load_eight(room, to + _OTHER_X))
        log_share = pick(lower, of_rest, load_eight(room, to + _NORM))
        s, sure = _within(root_of(log_share * -2.0), ROOT_LOW, ROOT_HIGH)
        size = side * _cubic(quantiles, (s - ROOT_LOW) * PER_UNIT) - x
        error = (size_of(x) + 1.0) * _ERROR
        sure = both(sure, below(error, size))
        inverse = load_eight(room, to + _INVERSE)
        rounding = store_rounded(states, np.uint64(at + lane), size * inverse, error * inverse)
        unsure[lane // LANES] |= rounding | (bits_of_marks(sure) ^ _ALL)


@njit
def draw_row(inputs, at, row, law, state, tables, room, states):
    """Draw one row of units, whose float32 inputs lie from `at` on, as its states will.

    `law` is that of `law_of`; `state` the key and the draw number; `room` that of `room_to_draw`.
    """
    fields, roots, log_roots, two_sided, _ = law
    key, draw = state
    table, quantiles = tables
    values, unsure, sides, sizes = room
    k0, k1 = halves(key)
    s0, s1 = halves(draw)
    z0, z1 = halves(np.uint64(draw) + np.uint64(two_sided))
    line, columns = np.uint64(row), fields.shape[1]
    for begin in range(0, columns, _COLUMNS):
        block = np.uint64(begin // 4)
        a, b = words_of_eight(block, line, z0, z1, k0, k1)
        store(sizes, np.uint64(0), a)
        store(sizes, np.uint64(16), b)
        if two_sided:
            a, b = words_of_eight(block, line, s0, s1, k0, k1)
            store(sides, np.uint64(0), a)
            store(sides, np.uint64(16), b)
        present, here = min(_COLUMNS, columns - begin), at + begin
        whole = present // LANES * LANES
        _norms(inputs, here, begin, whole, law, table, values)
        _choose_sides(begin, whole, law, sides, values, unsure)
        _share_out(whole, sizes, values, unsure)
        _finish(whole, here, quantiles, values, unsure, states)
        if whole < present:
            unsure[whole // LANES] = (_ONE << np.uint64(present - whole)) - _ONE
        for group in range((present + LANES - 1) // LANES):
            bits = unsure[group]
            while bits != np.uint64(0):
                lane = LANES * group + np.int64(lowest_bit(bits))
                states[here + lane] = draw_unit(
                    np.float64(inputs[here + lane]), begin + lane, fields, roots, log_roots,
                    two_sided, sides[lane], sizes[lane], table, quantiles,
                )  # fmt: skip
                bits &= bits - _ONE


@njit
def room_to_draw():
    """Return what `draw_row` and `partitions_of_row` write on the way."""
    return (
        np.empty(5 * _COLUMNS),
        np.empty(_COLUMNS // LANES, np.uint64),
        np.empty(_COLUMNS, np.uint32),
        np.empty(_COLUMNS, np.uint32),
    )


@compiled
def _draw_rows(inputs, columns, law, state, tables, first, count, states):
    """Draw rows of units from flat float32 inputs; see `draw_rectified`."""
    room = room_to_draw()
    for row in range(first, first + count):
        draw_row(inputs, row * columns, row, law, state, tables, room, states)


@njit
def partitions_of_row(inputs, at, law, table, room, result):
    """Write log-partitions of one row of units, from `at` on as their float32 inputs; add them up.

    The sum is one of float64, in the order of the units.
    """
    fields, roots, log_roots, two_sided, _ = law
    values, columns, total = room[0], fields.shape[1], 0.0
    for begin in range(0, columns, LANES):
        left, here = min(LANES, columns - begin), at + begin
        unsure = (_ONE << np.uint64(left)) - _ONE
        if left == LANES:
            unit = np.uint64(begin)
            value = load_eight(inputs, np.uint64(here))
            x = (all_of(0.0) - (value + load_eight(fields, unit))) / load_eight(roots, unit)
            found = _norm_at(x, table) - load_eight(log_roots, unit)
            most = x
            if two_sided:
                there = unit + np.uint64(columns)
                other_x = (value - load_eight(fields, there)) / load_eight(roots, there)
                other = _norm_at(other_x, table) - load_eight(log_roots, there)
                apart = size_of(found - other)
                apart = pick(below(apart, all_of(600.0)), apart, all_of(600.0))
                larger = below(found, other)
                found = pick(larger, other, found)
                found = found + log_of(exp_of(all_of(0.0) - apart) + 1.0)
                # a side that adds nothing may lie beyond the table
                less = pick(larger, x, other_x)
                less = pick(below(all_of(_NOTHING), apart), all_of(0.0), less)
                x = pick(larger, other_x, x)
                most = pick(below(x, less), less, x)
            sure = both(below(all_of(_DEEP), x), below(most, all_of(_END)))
            put_eight(values, np.uint64(0), found)
            error = (size_of(found) + size_of(x) + 1.0) * _ERROR
            unsure = store_rounded(result, np.uint64(here), found, error)
            unsure |= bits_of_marks(sure) ^ _ALL
        while unsure != np.uint64(0):
            lane = np.int64(lowest_bit(unsure))
            exact = partition_unit(
                np.float64(inputs[here + lane]), begin + lane, fields, roots, log_roots, two_sided,
                table,
            )  # fmt: skip
            values[lane] = exact
            result[here + lane] = exact
            unsure &= unsure - _ONE
        for lane in range(left):
            total += values[lane]
    return total


@compiled
def _partition_rows(inputs, columns, law, table, first, count, result):
    """Find the log-partitions of rows of units from flat float32 inputs."""
    room = room_to_draw()
    for row in range(first, first + count):
        partitions_of_row(inputs, row * columns, law, table, room, result)


@compiled
def _partition_each(inputs, columns, law, table, first, count, result):
    """Find log-partitions one by one, as `_partition_rows` does eight by eight."""
    fields, roots, log_roots, two_sided, _ = law
    for place in range(first * columns, (first + count) * columns):
        result[place] = partition_unit(
            np.float64(inputs[place]), place % columns, fields, roots, log_roots, two_sided, table
        )


@compiled
def _draw_each(inputs, columns, law, state, tables, first, count, states):
    """Draw rows of units one by one, as `_draw_rows` does eight by eight."""
    fields, roots, log_roots, two_sided, _ = law
    key, draw = state
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
    law = law_of(fields, roots)
    state, tables = (np.uint64(key), np.uint64(draw)), (TABLE, QUANTILES)
    loop = _draw_rows if inputs.dtype == torch.float32 else _draw_each

    def task(first: int, count: int) -> None:
        loop(given, units, law, state, tables, first, count, drawn)

    share(task, len(inputs), least=rows_worth(inputs), most=len(inputs) + 1)
    return states


def log_partition_rectified(inputs: Tensor, fields: Tensor, roots: Tensor) -> Tensor:
    """Return the log-partitions of ReLU or dReLU units, parameters as for `draw_rectified`."""
    result = torch.empty(inputs.shape, dtype=inputs.dtype)
    given, found, units = flat(inputs), flat(result), inputs.shape[1]
    law = law_of(fields, roots)
    loop = _partition_rows if inputs.dtype == torch.float32 else _partition_each

    def task(first: int, count: int) -> None:
        loop(given, units, law, TABLE, first, count, found)

    share(task, len(inputs), least=rows_worth(inputs), most=len(inputs) + 1)
    return result


def law_of(fields: Tensor, roots: Tensor) -> tuple[Any, ...]:
    """Return what loops take of a law.

    Fields, roots and log-roots (half, unit), whether there are two halves, and 1 / roots.
    """
    parts = (part.contiguous().numpy() for part in (fields, roots, roots.log(), 1.0 / roots))
    fields_of, roots_of, log_roots, inverses = parts
    return fields_of, roots_of, log_roots, len(fields) == 2, inverses
