"""Annealing of Bernoulli-Bernoulli models: many rungs in one call, tiles as in `many_chains`.

With 60 neurons and 20 hidden units a rung of a thousand chains is 0.2 ms of sums and draws; rung by
rung in operations of PyTorch it is some forty calls of them, and several times that.
"""

# numba infers the types of the loops, so they carry none.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.nn.functional import pad

from boltzbrain.kernels.compiling import compiled
from boltzbrain.kernels.cpu.annealed.stretches import stretches_of
from boltzbrain.kernels.cpu.arrays import flat
from boltzbrain.kernels.cpu.binary_products import pack, sum_tile
from boltzbrain.kernels.cpu.draws import TILE, draw_tile, exp_of, whole_tiles
from boltzbrain.kernels.cpu.many_chains import (
    Workspace,
    limit,
    padded_field,
    stride_of,
    tiled,
    tiled_transpose,
)
from boltzbrain.kernels.cpu.simd import (
    count_bits,
    load,
    lowest_bit,
    magnitude,
    nothing,
    smaller,
    spread,
    store,
)
from boltzbrain.kernels.cpu.threads import share

_VECTOR = 16
_MOST = 512
"""Chains that a thread takes at once."""
_ONE, _FAR = np.float32(1.0), np.float32(64.0)
_BLOCK = 96 * _VECTOR
"""Units between two logarithms: 96 factors of at most 2 stay below the largest float32."""


@njit(inline="always")
def _factor(size):
    """Return 1 + exp(-size) of floats of at least 0."""
    return exp_of(nothing(size) - smaller(size, _FAR)) + _ONE


@njit
def _softplus_gain(inputs, samples, sample, field, stride, columns, start, stop, lanes):
    """Return the sum of softplus(stop I + field) - softplus(start I + field) of one sample.

    The inputs lie as (tile, sample, 64), the fields of a sample from `stride` times its number on;
    units that fill up the last vector add nothing.
    """
    total = 0.0
    for begin in range(0, columns, _BLOCK):
        above, below = spread(_ONE), spread(_ONE)
        linear = nothing(above)
        for column in range(begin, min(begin + _BLOCK, columns), _VECTOR):
            tile, offset = column // TILE, column % TILE
            given = load(inputs, np.uint64((tile * samples + sample) * TILE + offset))
            fixed = load(field, np.uint64(stride * sample + column))
            old, new = given * start + fixed, given * stop + fixed
            old_size, new_size = magnitude(old), magnitude(new)
            above, below = above * _factor(new_size), below * _factor(old_size)
            linear = linear + ((new - old) + (new_size - old_size))
        store(lanes, np.uint64(0), above)
        store(lanes, np.uint64(_VECTOR), below)
        store(lanes, np.uint64(2 * _VECTOR), linear)
        for lane in range(_VECTOR):
            ratio = np.float64(lanes[lane]) / np.float64(lanes[_VECTOR + lane])
            total += math.log(ratio) + 0.5 * np.float64(lanes[2 * _VECTOR + lane])
    return total


@njit
def _sum_all(source, stride, units, most, rows, columns, first, samples, target, workspace):
    """Sum the rows of the active units of each sample into `target`, (tile, sample, 64)."""
    words, lists, order, cursors, table, _ = workspace
    listed = pack(source, stride, units, first, samples, most, words, lists, order)
    for column in range(0, columns, TILE):
        sums = target[column * samples : (column + TILE) * samples]
        sum_tile(
            units, samples, most, words, lists, order, listed, cursors, rows, column * units,
            table, sums,
        )  # fmt: skip


@njit
def _draw_all(inputs, t, field, stride, columns, first, samples, key, draw, states, workspace):
    """Draw all units of `samples` samples given t times their inputs; fields as there."""
    scaled = workspace[5]
    for column in range(0, columns, TILE):
        for place in range(0, TILE * samples, _VECTOR):
            at = np.uint64(place)
            store(scaled, at, load(inputs, np.uint64(column * samples + place)) * t)
        place = first * columns + column
        draw_tile(
            scaled, 0, TILE, field, column, stride, column, first, samples, key, draw, states,
            place, columns,
        )  # fmt: skip


@compiled
def _climb(
    visible, hidden, units, wholes, limits, ends, hidden_field, strides, matrices, ts, swept, first,
    samples, key, draw, gains, workspace, to_hidden, to_visible,
):  # fmt: skip
    """Carry the samples from `first` on along the rungs; see `kernels.reference.climb_bernoulli`.

    `swept`: whether they are swept at the first rung too. `ends` are the fields of the visible
    units at 0 and at 1, the second of no length where they are the same. Where `strides` of the
    layers' fields are not 0, they are those of these samples alone.
    """
    n_visible, n_hidden = units
    base, end = ends
    moving = len(end) > 0
    field, lanes = base.copy(), np.empty(3 * _VECTOR, np.float32)
    width, wide = wholes
    stride, hidden_stride = strides
    parts = (n_visible + TILE - 1) // TILE
    words = workspace[0]
    number = np.uint64(draw)
    _sum_all(
        visible, width, n_visible, limits[0], matrices[0], wide, first, samples, to_hidden,
        workspace,
    )  # fmt: skip
    for step in range(len(ts) - 1):
        start, stop = np.float32(ts[step]), np.float32(ts[step + 1])
        if step > 0 or swept:
            _draw_all(
                to_hidden, start, hidden_field, hidden_stride, wide, first, samples, key, number,
                hidden, workspace,
            )  # fmt: skip
            _sum_all(
                hidden, wide, n_hidden, limits[1], matrices[1], width, first, samples, to_visible,
                workspace,
            )  # fmt: skip
            if moving:
                rest = np.float32(1.0 - ts[step])
                for place in range(len(field)):
                    field[place] = rest * base[place] + start * end[place]
            _draw_all(
                to_visible, start, field, stride, width, first, samples, key, number + np.uint64(1),
                visible, workspace,
            )  # fmt: skip
            number += np.uint64(2)
            _sum_all(
                visible, width, n_visible, limits[0], matrices[0], wide, first, samples, to_hidden,
                workspace,
            )  # fmt: skip
        for sample in range(samples):
            gain = _softplus_gain(
                to_hidden, samples, sample, hidden_field, hidden_stride, n_hidden, start, stop,
                lanes,
            )  # fmt: skip
            if moving:
                slope = 0.0
                for part in range(parts):
                    bits = words[sample * parts + part]
                    for _ in range(np.int64(count_bits(bits))):
                        place = stride * sample + np.int64(TILE * part + lowest_bit(bits))
                        slope += np.float64(end[place]) - np.float64(base[place])
                        bits &= bits - np.uint64(1)
                gain += (ts[step + 1] - ts[step]) * slope
            gains[step, first + sample] = gain


def _of(field: Any, stride: int, first: int, count: int) -> Any:
    """Return the fields of some samples, all of them where every sample has the same."""
    return field[first * stride : (first + count) * stride] if stride else field


def climb_bernoulli(
    visible: Tensor,
    fields: tuple[Tensor, Tensor],
    hidden_field: Tensor,
    weights: Tensor,
    ts: Tensor,
    key: int,
    draw: int,
) -> tuple[Tensor, Tensor]:
    """Climb as `kernels.reference.climb_bernoulli` does, in float32."""
    chains, (units, others) = len(visible), weights.shape
    whole, whole_others = whole_tiles(units), whole_tiles(others)
    states = pad(visible, (0, whole - units)).contiguous()
    if states.data_ptr() == visible.data_ptr():
        states = states.clone()
    drawn = flat(states), np.zeros(chains * whole_others, np.uint8)
    base, end = (padded_field(field) for field in fields)
    if fields[0] is fields[1]:
        end = np.empty(0, np.float32)
    fixed = padded_field(hidden_field)
    strides = stride_of(fields[0]), stride_of(hidden_field)
    matrices, rungs = tiled(weights), ts.numpy()
    matrices = matrices, tiled_transpose(weights)
    gains = torch.empty((len(ts) - 1, chains), dtype=torch.float64)
    for begin, stop in stretches_of(len(ts) - 1, chains * units * others):
        # no sweep comes before the first rung of all
        number = np.uint64(draw + 2 * max(0, begin - 1))
        walk = rungs[begin : stop + 1], begin > 0
        found = gains[begin:stop].numpy()

        def task(
            first: int, count: int, walk: Any = walk, number: Any = number, found: Any = found
        ) -> None:
            _climb(
                *drawn,
                (units, others),
                (whole, whole_others),
                (limit(units), limit(others)),
                (_of(base, strides[0], first, count), _of(end, strides[0], first, count)),
                _of(fixed, strides[1], first, count),
                strides,
                matrices,
                *walk,
                first,
                count,
                np.uint64(key),
                number,
                found,
                tuple(Workspace.of(count, max(units, others), weights.dtype)),
                torch.empty(whole_others * count).numpy(),
                torch.empty(whole * count).numpy(),
            )

        share(task, chains, least=1 + 20_000 // (units + others), most=_MOST)
    return states[:, :units].contiguous(), gains
