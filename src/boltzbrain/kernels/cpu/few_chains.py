"""Many units, few samples: one pass over the weights draws the visible layer and sums it again.

With 100 chains of 50,000 neurons the weights are what is read, so they are read once per sweep.
The inputs of four neurons to sixteen chains at a time are products of four rows of weights with the
hidden values, which lie with the chains side by side. The draws follow at once, and the rows of the
neurons that are 1 are added to the next hidden inputs while they are still in the cache: inputs to
neurons and random numbers never reach memory.

Neurons are shared among the threads in stretches; each has hidden inputs of its own, and these are
added in the order of the stretches: results do not depend on the number of cores.
"""

# numba infers the types of the loops, so they carry none.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

from boltzbrain.foundations.random import philox_block
from boltzbrain.kernels.compiling import compiled
from boltzbrain.kernels.cpu.arrays import WORD, flat, packable
from boltzbrain.kernels.cpu.binary_products import state_bits
from boltzbrain.kernels.cpu.draws import draw_sixteen, halves
from boltzbrain.kernels.cpu.products import VECTOR, multiply, padded_samples
from boltzbrain.kernels.cpu.simd import (
    eight_from,
    load,
    low_words,
    lowest_bit,
    mask_of,
    spread,
    store,
)
from boltzbrain.kernels.cpu.threads import share

SAMPLES = 128
"""Chains that go through the weights together: what they hold fits the second cache."""

STRETCHES = 16
"""Stretches of units, at most, that have hidden inputs of their own."""

_NONE, _ONE, _8, _16 = np.uint64(0), np.uint64(1), np.uint64(8), np.uint64(16)


@njit(inline="always")
def _copy_row(weights, row, units, room, to):
    """Copy a row of weights to where whole vectors can be read."""
    whole = units // VECTOR * VECTOR
    for first in range(0, whole, VECTOR):
        store(room, np.uint64(to + first), load(weights, np.uint64(row + first)))
    for unit in range(whole, units):
        room[to + unit] = weights[row + unit]


@njit(inline="always")
def _add_row(rows, row, width, sums, to):
    """Add a row of whole vectors to sums."""
    at, place = np.uint64(row), np.uint64(to)
    for _ in range(0, width, VECTOR):
        store(sums, place, load(sums, place) + load(rows, at))
        at, place = at + _16, place + _16


@njit(inline="always")
def words_of_rows(block, row, d0, d1, k0, k1):
    """Return the words of four columns, those of Philox block `block`, in sixteen rows."""
    place, low, high = spread(block), eight_from(row), eight_from(row + _8)
    a0, a1, a2, a3 = philox_block(place, low, spread(d0), spread(d1), k0, k1)
    b0, b1, b2, b3 = philox_block(place, high, spread(d0), spread(d1), k0, k1)
    return low_words(a0, b0), low_words(a1, b1), low_words(a2, b2), low_words(a3, b3)


@njit(inline="always")
def _take(marks, number, left, states, stride, unit, room, row, width, sums):
    """Set the states that are marked, of up to `left` samples, and add the row to their sums."""
    bits = mask_of(marks)
    if left < VECTOR:
        bits &= (_ONE << np.uint64(left)) - _ONE
    while bits != _NONE:
        sample = number + np.int64(lowest_bit(bits))
        states[sample * stride + unit] = 1
        _add_row(room, row, width, sums, sample * width)
        bits &= bits - _ONE


@compiled
def draw_stretch(
    weights, units, hidden, values, stride, field, field_stride, samples, row, key, draw, states,
    first, last, sums, inputs, listed, room
):  # fmt: skip
    """Draw the units from `first` to `last` and sum their rows; see `draw_and_sum`.

    Where `field_stride` is not 0, each sample has fields of its own: they lie as (unit, sample),
    with so many samples in a row.
    """
    k0, k1 = halves(key)
    d0, d1 = halves(draw)
    width = len(room) // 4
    sums[: samples * width] = 0
    for sample in range(samples):
        states[sample * units + first : sample * units + last] = 0
    for unit in range(first, last, 4):
        present = min(4, last - unit)
        multiply(weights, unit * hidden, present, hidden, values, stride, listed, inputs)
        for member in range(present):
            _copy_row(weights, (unit + member) * hidden, hidden, room, member * width)
        block = np.uint64(unit) >> np.uint64(2)
        for number in range(0, samples, VECTOR):
            w0, w1, w2, w3 = words_of_rows(block, np.uint64(row + number), d0, d1, k0, k1)
            for member in range(present):
                word = w0
                if member == 1:
                    word = w1
                elif member == 2:
                    word = w2
                elif member == 3:
                    word = w3
                at, place = np.uint64(member * stride + number), unit + member
                total = load(inputs, at)
                if field_stride:
                    total = total + load(field, np.uint64(place * field_stride + number))
                else:
                    total = total + field[place]
                marks = draw_sixteen(total, word)
                left = samples - number
                _take(marks, number, left, states, units, place, room, member * width, width, sums)


@compiled
def sum_stretch(weights, units, hidden, states, samples, begin, first, last, sums, room):
    """Sum the rows of the active units from `first` to `last` for each sample."""
    width, size = len(room) // WORD, len(states)
    sums[: samples * width] = 0
    for start in range(first, last, WORD):
        present = min(WORD, last - start)
        for member in range(present):
            _copy_row(weights, (start + member) * hidden, hidden, room, member * width)
        for sample in range(samples):
            bits = state_bits(states, size, (begin + sample) * units + start, present)
            while bits != _NONE:
                _add_row(room, np.int64(lowest_bit(bits)) * width, width, sums, sample * width)
                bits &= bits - _ONE


@compiled
def _add_stretches(parts, stretches, size, width, first, samples, hidden, begin, result):
    """Add the sums of all stretches in their order, and leave the padding out."""
    whole = hidden // VECTOR * VECTOR
    for sample in range(first, first + samples):
        place, part = (begin + sample) * hidden, sample * width
        for unit in range(0, whole, VECTOR):
            at = np.uint64(part + unit)
            total = load(parts, at)
            for _ in range(1, stretches):
                at += np.uint64(size)
                total = total + load(parts, at)
            store(result, np.uint64(place + unit), total)
        for unit in range(whole, hidden):
            rest = parts[part + unit]
            for stretch in range(1, stretches):
                rest += parts[stretch * size + part + unit]
            result[place + unit] = rest


@compiled
def _contrast(
    states, samples, values, others, other_samples, other_values, units, columns, first, last,
    room, result
):  # fmt: skip
    """Correlate two sets of states with their values and subtract; see `contrast`."""
    width = len(room) // WORD
    for start in range(first, last, WORD):
        present = min(WORD, last - start)
        room[:] = 0
        for sample in range(samples):
            bits = state_bits(states, len(states), sample * units + start, present)
            while bits != _NONE:
                unit = np.int64(lowest_bit(bits))
                _add_row(values, sample * width, width, room, unit * width)
                bits &= bits - _ONE
        for sample in range(other_samples):
            bits = state_bits(others, len(others), sample * units + start, present)
            while bits != _NONE:
                unit = np.int64(lowest_bit(bits))
                _add_row(other_values, sample * width, width, room, unit * width)
                bits &= bits - _ONE
        for member in range(present):
            at, to = member * width, (start + member) * columns
            whole = columns // VECTOR * VECTOR
            for column in range(0, whole, VECTOR):
                store(result, np.uint64(to + column), load(room, np.uint64(at + column)))
            for column in range(whole, columns):
                result[to + column] = room[at + column]


def whole_vectors(size: int) -> int:
    """Return the size rounded up to whole vectors."""
    return -(-size // VECTOR) * VECTOR


def _padded(values: Tensor) -> Any:
    """Return values (sample, column) flat, with rows of whole vectors."""
    rows = torch.zeros((len(values), whole_vectors(values.shape[1])))
    rows[:, : values.shape[1]] = values
    return flat(rows)


def side_by_side(values: Tensor, stride: int) -> Any:
    """Return values (sample, unit) as (unit, stride), flat, the samples side by side."""
    turned = torch.zeros((values.shape[1], stride))
    turned[:, : len(values)] = values.T
    return flat(turned)


def field_of(field: Tensor, begin: int, count: int, stride: int) -> tuple[Any, int]:
    """Return fields and their stride, as `draw_stretch` takes them, of samples from `begin` on."""
    if field.ndim == 1:
        return flat(field), 0
    return side_by_side(field[begin : begin + count], stride), stride


def draw_and_sum(
    hidden: Tensor, weights: Tensor, field: Tensor, key: int, draw: int
) -> tuple[Tensor, Tensor]:
    """Draw and sum as `kernels.reference.draw_and_sum` does, in float32."""
    samples, (units, others) = len(hidden), weights.shape
    states = torch.empty((samples, units), dtype=torch.uint8)
    sums = torch.empty((samples, others))
    given, drawn, width = flat(weights), flat(states), whole_vectors(others)
    for begin in range(0, samples, SAMPLES):
        count = min(SAMPLES, samples - begin)
        stride = padded_samples(count)
        turned = side_by_side(hidden[begin : begin + count], stride)
        chosen = drawn[begin * units : (begin + count) * units]
        fields = field_of(field, begin, count, stride)
        fixed = turned, stride, *fields, count, begin, np.uint64(key), np.uint64(draw), chosen

        def work(first: int, last: int, part: Any, fixed: Any = fixed) -> None:
            room = (
                torch.empty(4 * fixed[1]).numpy(),
                np.empty(others, np.int64),
                torch.zeros(4 * width).numpy(),
            )
            draw_stretch(given, units, others, *fixed, first, last, part, *room)

        _in_stretches(work, units, others, count, begin, sums)
    return states, sums


def sum_active_rows(states: Tensor, weights: Tensor) -> Tensor:
    """Sum as `kernels.reference.sum_active_rows` does, in float32."""
    samples, (units, others) = len(states), weights.shape
    sums = torch.empty((samples, others))
    given, packed, width = flat(weights), packable(states), whole_vectors(others)
    for begin in range(0, samples, SAMPLES):
        count = min(SAMPLES, samples - begin)

        def work(first: int, last: int, part: Any, begin: int = begin, count: int = count) -> None:
            room = torch.zeros(WORD * width).numpy()
            sum_stretch(given, units, others, packed, count, begin, first, last, part, room)

        _in_stretches(work, units, others, count, begin, sums)
    return sums


def contrast(
    states: Tensor, values: Tensor, others: Tensor, other_values: Tensor, out: Tensor
) -> Tensor:
    """Correlate and subtract as `kernels.reference.contrast` does, for few samples in float32."""
    units, columns = out.shape
    fixed = (
        packable(states),
        len(states),
        _padded(values),
        packable(others),
        len(others),
        _padded(-other_values),
    )
    found = out.numpy().reshape(-1)

    def task(first: int, count: int) -> None:
        room = torch.empty(WORD * whole_vectors(columns)).numpy()
        last = min(WORD * (first + count), units)
        _contrast(*fixed, units, columns, WORD * first, last, room, found)

    share(task, -(-units // WORD), least=4, most=32)
    return out


def length_of_stretches(units: int) -> int:
    """Return how many units have hidden inputs of their own, by the number of units alone."""
    return WORD * -(-units // (WORD * STRETCHES))


def _in_stretches(work: Any, units: int, others: int, count: int, begin: int, sums: Tensor) -> None:
    """Call ``work(first unit, last, sums)`` for all stretches of units, and add up their sums.

    How many there are depends on the number of units only.
    """
    length = length_of_stretches(units)
    stretches, width = -(-units // length), whole_vectors(others)
    size, result = count * width, flat(sums)
    parts = torch.empty(stretches * size).numpy()

    def several(first: int, number: int) -> None:
        for stretch in range(first, first + number):
            last = min((stretch + 1) * length, units)
            work(stretch * length, last, parts[stretch * size : (stretch + 1) * size])

    def add(first: int, number: int) -> None:
        _add_stretches(parts, stretches, size, width, first, number, others, begin, result)

    share(several, stretches, least=1, most=1)
    share(add, count, least=16, most=count)
