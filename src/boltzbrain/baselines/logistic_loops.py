"""The loss of many logistic regressions on binary states and its slope, in one pass over the bins.

Of each bin the weights of its active neurons are summed for 64 targets, these become what is not
predicted, and that is added to the slopes of the same neurons: the states are read once, packed,
and nothing as large as (bin, target) is ever held. Sums over a block of bins are float32, over
blocks float64; stretches of bins are fixed, so that results do not depend on the number of threads.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from boltzbrain.foundations.compiling.cache import kept
from boltzbrain.kernels.cpu.threads import share

TILE = 64
"""Targets that share a pass."""
_BLOCK, _STRETCHES = 512, 8
"""Bins of a block: a product of so many numbers up to 2 is a float64. Parts of the recording."""
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


def packed_bins(states: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return states (bin, neuron) in {0, 1} as bits, 64 neurons to a word, (bin, word)."""
    octets = np.packbits(states, axis=1, bitorder="little")
    padded = np.pad(octets, ((0, 0), (0, -octets.shape[1] % 8)))
    return np.ascontiguousarray(padded).view("<u8").astype(np.uint64, copy=False)


def logistic_loss(
    words: NDArray[np.uint64],
    targets: NDArray[np.int64],
    weights: NDArray[np.float32],
    field: NDArray[np.float32],
) -> Loss:
    """Return the loss of targets given all neurons by log-odds states @ weights + field.

    Parameters
    ----------
    words
        Of `packed_bins`.
    targets
        (target,) neurons.
    weights, field
        (neuron, target) and (target,).
    """
    neurons, count = weights.shape
    tiles = -(-count // TILE)
    room = tiles * TILE - count
    rows = np.pad(weights, ((0, 0), (0, room))).reshape(neurons, tiles, TILE)
    tiled = np.ascontiguousarray(rows.transpose(1, 0, 2))
    fields = np.pad(field, (0, room)).reshape(tiles, TILE)
    of = np.pad(targets, (0, room)).reshape(tiles, TILE)
    edges = [len(words) * place // _STRETCHES for place in range(_STRETCHES + 1)]
    value, total, slope = np.zeros((tiles, TILE)), np.zeros((tiles, TILE)), []
    for tile in range(tiles):
        values, totals = np.zeros((_STRETCHES, TILE)), np.zeros((_STRETCHES, TILE))
        slopes = np.zeros((_STRETCHES, neurons, TILE))

        def task(
            first: int, number: int, tile: int = tile, values: Any = values, totals: Any = totals,
            slopes: Any = slopes,
        ) -> None:  # fmt: skip
            for place in range(first, first + number):
                _pass(
                    words, of[tile], tiled[tile], fields[tile], edges[place], edges[place + 1],
                    values[place], totals[place], slopes[place],
                )  # fmt: skip

        share(task, _STRETCHES, least=1, most=1)
        value[tile], total[tile] = values.sum(axis=0), totals.sum(axis=0)
        slope.append(slopes.sum(axis=0))
    return Loss(value.reshape(-1)[:count], np.hstack(slope)[:, :count], total.reshape(-1)[:count])


@intrinsic
def _lowest(typing_context: Any, word: Any) -> Any:
    """Return the place of the lowest set bit of a word that is not 0."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    return types.uint64(types.uint64), code


def _one_pass(
    words: Any,
    targets: Any,
    weights: Any,
    field: Any,
    first: Any,
    last: Any,
    value: Any,
    total: Any,
    slope: Any,
) -> None:
    neurons = len(weights)
    listed = np.empty(neurons, np.int64)
    odds, rest, power = (
        np.empty(TILE, np.float32),
        np.empty(TILE, np.float32),
        np.empty(TILE, np.float32),
    )
    bits = np.empty(TILE, np.int32)
    scale = bits.view(np.float32)
    partial = np.empty((neurons, TILE), np.float32)
    sums, products = np.empty(TILE), np.empty(TILE)
    active = np.empty(TILE, np.float32)
    for start in range(first, last, _BLOCK):
        partial[:] = 0
        sums[:] = 0
        products[:] = 1
        for place in range(start, min(start + _BLOCK, last)):
            row = words[place]
            count = 0
            odds[:] = field
            for step in range(len(row)):
                word = row[step]
                while word != 0:
                    neuron = np.int64(64 * step) + np.int64(_lowest(word))  # type: ignore[call-arg]
                    word &= word - np.uint64(1)
                    listed[count] = neuron
                    count += 1
                    mine = weights[neuron]
                    for unit in range(TILE):
                        odds[unit] += mine[unit]
            for unit in range(TILE):
                neuron = targets[unit]
                bit = row[neuron >> 6] >> np.uint64(neuron & 63)
                active[unit] = np.float32(bit & np.uint64(1))
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
            for unit in range(TILE):
                small = power[unit] * scale[unit]
                share_of = _ONE / (_ONE + small)
                chance = share_of if odds[unit] >= 0 else small * share_of
                rest[unit] = chance - active[unit]
                sums[unit] += max(odds[unit], np.float32(0)) - active[unit] * odds[unit]
                products[unit] *= _ONE + small
            for unit in range(TILE):
                total[unit] += rest[unit]
            for entry in range(count):
                mine = partial[listed[entry]]
                for unit in range(TILE):
                    mine[unit] += rest[unit]
        for unit in range(TILE):
            value[unit] += sums[unit] + math.log(products[unit])
        for other in range(neurons):
            for unit in range(TILE):
                slope[other, unit] += partial[other, unit]


_pass = kept(_one_pass, nogil=True)
