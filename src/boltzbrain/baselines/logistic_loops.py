"""The loss of many logistic regressions on binary states and its slope, in one pass over the bins.

Active neurons are listed bin by bin, to sum their weights, and block by block neuron by neuron, to
sum what is not predicted in their bins: both sums stay in registers, for 16 targets at a time, and
nothing as large as (bin, target) is ever held. Sums over a block of bins are float32, over blocks
float64; stretches of blocks are fixed, so that results do not depend on the number of threads.
"""

# mypy knows nothing of what numba's own intrinsics take
# mypy: disable-error-code="call-arg, var-annotated"

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from boltzbrain.kernels.compiling import compiled
from boltzbrain.kernels.cpu.simd import active_bits, load, lowest_bit, spread, store
from boltzbrain.kernels.cpu.threads import share

TILE = 16
"""Targets that share a pass: a vector of float32."""
BLOCK = 256
"""Bins of a block: a product of so many numbers up to 2 is a float64."""
_STRETCHES = 8
_ZERO = np.float32(0)
_LOG2_E, _HALF, _ONE, _FAR = (np.float32(one) for one in (math.log2(math.e), 0.5, 1.0, 80.0))
_P1, _P2, _P3, _P4, _P5, _P6 = (
    np.float32(math.log(2) ** power / math.factorial(power)) for power in range(1, 7)
)


class Loss(NamedTuple):
    """Summed negative log-likelihoods, nats, and their slopes.

    Attributes
    ----------
    value
        (target,) float64.
    weights
        (neuron, target) float64 slopes by the weights.
    field
        (target,) float64 slopes by the fields.
    """

    value: NDArray[np.float64]
    weights: NDArray[np.float64]
    field: NDArray[np.float64]


class Listed(NamedTuple):
    """Active neurons of every bin, and active bins of every neuron within a block.

    Attributes
    ----------
    ends
        (bin + 1,) where the neurons of each bin begin.
    neurons
        (spike,) uint16 or uint32, bin by bin.
    block_ends
        (block, neuron + 1) where the bins of each neuron begin.
    bins
        (spike,) uint16, counted from the start of the block, block by block and neuron by neuron.
    """

    ends: NDArray[np.int64]
    neurons: NDArray[Any]
    block_ends: NDArray[np.int64]
    bins: NDArray[np.uint16]


def listed_bins(states: NDArray[np.uint8]) -> Listed:
    """List what is active in states (bin, neuron) in {0, 1}."""
    number, neurons = states.shape
    ends = np.concatenate(([0], np.cumsum(states.sum(axis=1, dtype=np.int64))))
    of_bins = np.empty(ends[-1], np.uint16 if neurons <= 1 << 16 else np.uint32)
    of_neurons = np.empty(ends[-1], np.uint16)
    block_ends = np.empty((-(-number // BLOCK), neurons + 1), np.int64)
    flat = np.ascontiguousarray(states).reshape(-1)

    def task(first: int, count: int) -> None:
        _list(flat, number, neurons, ends, first, first + count, of_bins, block_ends, of_neurons)

    share(task, len(block_ends), least=1, most=64)
    return Listed(ends, of_bins, block_ends, of_neurons)


def logistic_loss(
    listed: Listed,
    active: NDArray[np.uint8],
    weights: NDArray[np.float32],
    field: NDArray[np.float32],
) -> Loss:
    """Return the loss of targets given all neurons by log-odds states @ weights + field.

    Parameters
    ----------
    listed
        Of `listed_bins`.
    active
        (bin, target) states of the targets.
    weights, field
        (neuron, target) and (target,).
    """
    neurons, count = weights.shape
    tiles, blocks = -(-count // TILE), len(listed.block_ends)
    room = ((0, 0), (0, tiles * TILE - count))
    rows = np.pad(weights, room).reshape(neurons, tiles, TILE).transpose(1, 0, 2)
    flat = np.ascontiguousarray(rows).reshape(tiles, -1)
    fields = np.pad(field, room[1]).reshape(tiles, TILE)
    edges = [blocks * place // _STRETCHES for place in range(_STRETCHES + 1)]
    value, total, slope = np.zeros((tiles, TILE)), np.zeros((tiles, TILE)), []
    for tile in range(tiles):
        values, totals = np.zeros((_STRETCHES, TILE)), np.zeros((_STRETCHES, TILE))
        slopes = np.zeros((_STRETCHES, neurons, TILE))
        mine = np.ascontiguousarray(active[:, tile * TILE : (tile + 1) * TILE])

        def task(
            first: int, number: int, tile: int = tile, values: Any = values, totals: Any = totals,
            slopes: Any = slopes, mine: Any = mine,
        ) -> None:  # fmt: skip
            for place in range(first, first + number):
                _pass(
                    *listed, mine, flat[tile], fields[tile], edges[place], edges[place + 1],
                    values[place], totals[place], slopes[place],
                )  # fmt: skip

        share(task, _STRETCHES, least=1, most=1)
        value[tile], total[tile] = values.sum(axis=0), totals.sum(axis=0)
        slope.append(slopes.sum(axis=0))
    return Loss(value.reshape(-1)[:count], np.hstack(slope)[:, :count], total.reshape(-1)[:count])


@compiled
def _list(
    states: Any,
    bins: Any,
    neurons: Any,
    ends: Any,
    first: Any,
    last: Any,
    of_bins: Any,
    block_ends: Any,
    of_neurons: Any,
) -> None:
    at = np.empty(neurons, np.int64)
    whole = neurons // 64
    for block in range(first, last):
        start, stop = block * BLOCK, min(block * BLOCK + BLOCK, bins)
        at[:] = 0
        for place in range(start, stop):
            to = ends[place]
            for word in range(whole):
                bits = active_bits(states, np.uint64(place * neurons + 64 * word))
                while bits != 0:
                    neuron = 64 * word + np.int64(lowest_bit(bits))
                    bits &= bits - np.uint64(1)
                    of_bins[to] = neuron
                    to += 1
                    at[neuron] += 1
            for neuron in range(64 * whole, neurons):
                if states[place * neurons + neuron]:
                    of_bins[to] = neuron
                    to += 1
                    at[neuron] += 1
        to = ends[start]
        for neuron in range(neurons):
            block_ends[block, neuron] = to
            to += at[neuron]
            at[neuron] = block_ends[block, neuron]
        block_ends[block, neurons] = to
        for place in range(start, stop):
            for entry in range(ends[place], ends[place + 1]):
                neuron = of_bins[entry]
                of_neurons[at[neuron]] = place - start
                at[neuron] += 1


@compiled
def _pass(
    ends: Any,
    listed: Any,
    block_ends: Any,
    listed_bins: Any,
    active: Any,
    weights: Any,
    field: Any,
    first: Any,
    last: Any,
    value: Any,
    total: Any,
    slope: Any,
) -> None:
    bins, targets = active.shape
    neurons = len(slope)
    odds, power = np.empty(TILE, np.float32), np.empty(TILE, np.float32)
    bits = np.empty(TILE, np.int32)
    scale = bits.view(np.float32)
    partial = np.empty(TILE, np.float32)
    state = np.zeros(TILE, np.float32)
    sums, products = np.empty(TILE), np.empty(TILE)
    rest = np.empty(BLOCK * TILE, np.float32)
    none = spread(_ZERO)
    for block in range(first, last):
        start, stop = block * BLOCK, min(block * BLOCK + BLOCK, bins)
        sums[:] = 0
        products[:] = 1
        for place in range(start, stop):
            # four sums, so that none waits for another
            a, b, c, d = load(field, np.uint64(0)), none, none, none
            entry, end = np.uint64(ends[place]), np.uint64(ends[place + 1])
            while entry + np.uint64(4) <= end:
                a = a + load(weights, np.uint64(listed[entry]) * np.uint64(TILE))
                b = b + load(weights, np.uint64(listed[entry + np.uint64(1)]) * np.uint64(TILE))
                c = c + load(weights, np.uint64(listed[entry + np.uint64(2)]) * np.uint64(TILE))
                d = d + load(weights, np.uint64(listed[entry + np.uint64(3)]) * np.uint64(TILE))
                entry += np.uint64(4)
            while entry < end:
                a = a + load(weights, np.uint64(listed[entry]) * np.uint64(TILE))
                entry += np.uint64(1)
            store(odds, np.uint64(0), (a + b) + (c + d))
            for unit in range(targets):
                state[unit] = active[place, unit]
            # exp(-|odds|) = 2**whole 2**fraction
            for unit in range(TILE):
                size = min(abs(odds[unit]), _FAR)
                raised = -size * _LOG2_E
                whole = np.float32(math.floor(raised + _HALF))
                part = raised - whole
                series = _P5 + part * _P6
                series = _P4 + part * series
                series = _P3 + part * series
                series = _P2 + part * series
                series = _P1 + part * series
                power[unit] = _ONE + part * series
                bits[unit] = (np.int32(whole) + np.int32(127)) << np.int32(23)
            at = (place - start) * TILE
            for unit in range(TILE):
                small = power[unit] * scale[unit]
                share_of = _ONE / (_ONE + small)
                chance = share_of if odds[unit] >= 0 else small * share_of
                rest[at + unit] = chance - state[unit]
                sums[unit] += max(odds[unit], _ZERO) - state[unit] * odds[unit]
                products[unit] *= _ONE + small
            for unit in range(TILE):
                total[unit] += rest[at + unit]
        for unit in range(TILE):
            value[unit] += sums[unit] + math.log(products[unit])
        for neuron in range(neurons):
            entry = np.uint64(block_ends[block, neuron])
            end = np.uint64(block_ends[block, neuron + 1])
            a, b = none, none
            while entry + np.uint64(2) <= end:
                a = a + load(rest, np.uint64(listed_bins[entry]) * np.uint64(TILE))
                b = b + load(rest, np.uint64(listed_bins[entry + np.uint64(1)]) * np.uint64(TILE))
                entry += np.uint64(2)
            while entry < end:
                a = a + load(rest, np.uint64(listed_bins[entry]) * np.uint64(TILE))
                entry += np.uint64(1)
            store(partial, np.uint64(0), a + b)
            for unit in range(TILE):
                slope[neuron, unit] += partial[unit]
