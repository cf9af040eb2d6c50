"""Many samples: the weights are copied into tiles of 64 columns, which go one after the other.

A tile stays in the cache while all samples of a thread add its rows (see
`kernels.cpu.binary_products`), and its 64 units are drawn as soon as their sums are there.
"""

# numba infers the types of the loops, so they carry none.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.nn.functional import pad

from boltzbrain.kernels.compiling import compiled
from boltzbrain.kernels.cpu.arrays import flat, packable
from boltzbrain.kernels.cpu.binary_products import (
    TABLE,
    copy_tile,
    list_by_unit,
    list_room,
    pack,
    sum_listed,
    sum_tile,
)
from boltzbrain.kernels.cpu.draws import TILE, draw_tile, whole_tiles
from boltzbrain.kernels.cpu.simd import load, store
from boltzbrain.kernels.cpu.threads import share

LISTED = 0.2
"""A sample with a larger share of active units is summed by tables, not unit by unit."""

_MOST = 1024
"""Samples that a thread takes at once: their partial sums fit the second cache."""

OUT = -1e4
"""Field of the units that fill up the last tile: they are never 1."""


class Workspace(NamedTuple):
    """What one thread writes while it sums; see `kernels.cpu.binary_products`."""

    words: Any
    lists: Any
    order: Any
    cursors: Any
    table: Any
    sums: Any

    @classmethod
    def of(cls, samples: int, units: int, dtype: torch.dtype) -> Workspace:
        """Return room for so many samples of so many units."""
        # torch aligns to 64 bytes, so that no vector straddles two cache lines
        return cls(
            torch.empty(samples * -(-units // TILE), dtype=torch.int64).numpy().view(np.uint64),
            torch.empty(samples * list_room(limit(units)), dtype=torch.int32).numpy(),
            torch.empty(samples, dtype=torch.int64).numpy(),
            torch.empty(samples, dtype=torch.int64).numpy(),
            torch.zeros(TABLE, dtype=dtype).numpy(),
            torch.empty(TILE * samples, dtype=dtype).numpy(),
        )


def limit(units: int) -> int:
    """Return the most active units of a sample that is summed unit by unit."""
    return int(LISTED * units)


def padded_field(field: Tensor) -> Any:
    """Return the fields of all units, or of each sample's, flat, with rows of whole tiles."""
    units = field.shape[-1]
    return flat(pad(field, (0, whole_tiles(units) - units), value=OUT))


def stride_of(field: Tensor) -> int:
    """Return how far apart the padded fields of two samples lie, 0 where all have the same."""
    return whole_tiles(field.shape[1]) if field.ndim == 2 else 0


@compiled
def _copy_rows(matrix, rows, columns, first, count, tiles):
    for row in range(first, first + count):
        for column in range(0, columns, TILE):
            source = np.uint64(row * columns + column)
            target = np.uint64(column * rows + row * TILE)
            width = min(TILE, columns - column)
            if width == TILE:
                for offset in range(0, TILE, 16):
                    step = np.uint64(offset)
                    store(tiles, target + step, load(matrix, source + step))
                continue
            for offset in range(TILE):
                step = np.uint64(offset)
                tiles[target + step] = matrix[source + step] if offset < width else 0


@compiled
def _copy_columns(matrix, rows, columns, first, count, tiles):
    """Transpose the tiles `first` to `first` + `count`, 16 columns of 64 rows at a time."""
    height = np.uint64(TILE)
    for tile in range(first, first + count):
        for column in range(0, columns, 16):
            width = min(16, columns - column)
            for offset in range(TILE):
                row = TILE * tile + offset
                source = np.uint64(row * columns + column)
                target = np.uint64((tile * columns + column) * TILE + offset)
                if row < rows:
                    for place in range(width):
                        step = np.uint64(place)
                        tiles[target + height * step] = matrix[source + step]
                else:
                    for place in range(width):
                        tiles[target + height * np.uint64(place)] = 0


def tiled(matrix: Tensor) -> Any:
    """Return a matrix (row, column) flat, as (tile, row, 64 columns), padded with zeros."""
    rows, columns = matrix.shape
    tiles = torch.empty(rows * whole_tiles(columns), dtype=matrix.dtype).numpy()
    given = flat(matrix)

    def task(first: int, count: int) -> None:
        _copy_rows(given, rows, columns, first, count, tiles)

    share(task, rows, least=256, most=rows)
    return tiles


def tiled_transpose(matrix: Tensor) -> Any:
    """Return the transpose of a matrix (column, row) as `tiled` would."""
    rows, columns = matrix.shape
    tiles = torch.empty(whole_tiles(rows) * columns, dtype=matrix.dtype).numpy()
    given = flat(matrix)

    def task(first: int, count: int) -> None:
        _copy_columns(given, rows, columns, first, count, tiles)

    share(task, len(tiles) // (TILE * columns), least=4, most=rows)
    return tiles


@compiled
def _sum_rows(states, units, limit, rows, columns, first, samples, result, workspace):
    words, lists, order, cursors, table, sums = workspace
    listed = pack(states, units, units, first, samples, limit, words, lists, order)
    for column in range(0, columns, TILE):
        origin = column * units
        sum_tile(
            units, samples, limit, words, lists, order, listed, cursors, rows, origin, table, sums
        )
        copy_tile(sums, samples, result, first, columns, column)


@compiled
def _correlate(states, samples, units, values, columns, first, count, result, order, cursors, sums):
    starts, lists = list_by_unit(states, samples, units, first, count)
    for column in range(0, columns, TILE):
        sum_listed(starts, lists, count, samples, values, column * samples, order, cursors, sums)
        copy_tile(sums, count, result, first, columns, column)


@njit
def _half_sweep(
    source, width, units, limit, rows, field, stride, columns, target, first, samples, key, draw,
    workspace
):  # fmt: skip
    """Draw the target layer given the source layer, whose rows are `width` long.

    The fields of one sample lie `stride` behind those of the one before: 0 where all have the same.
    """
    words, lists, order, cursors, table, sums = workspace
    listed = pack(source, width, units, first, samples, limit, words, lists, order)
    for column in range(0, columns, TILE):
        origin = column * units
        sum_tile(
            units, samples, limit, words, lists, order, listed, cursors, rows, origin, table, sums
        )
        place = first * columns + column
        draw_tile(
            sums, 0, TILE, field, first * stride + column, stride, column, first, samples, key,
            draw, target, place, columns,
        )  # fmt: skip


@compiled
def sweep_tiled(
    visible, hidden, units, wholes, limits, fields, strides, matrices, sweeps, first, samples, key,
    draw, workspace
):  # fmt: skip
    """Sweep the samples from `first` on; both layers have rows of whole tiles."""
    n_visible, n_hidden = units
    width, wide = wholes
    limit_visible, limit_hidden = limits
    field_visible, field_hidden = fields
    to_hidden, to_visible = matrices
    for sweep in range(sweeps):
        number = draw + np.uint64(2 * sweep)
        _half_sweep(
            visible, width, n_visible, limit_visible, to_hidden, field_hidden, strides[1], wide,
            hidden, first, samples, key, number, workspace,
        )  # fmt: skip
        _half_sweep(
            hidden, wide, n_hidden, limit_hidden, to_visible, field_visible, strides[0], width,
            visible, first, samples, key, number + np.uint64(1), workspace,
        )  # fmt: skip


def sum_active_rows(states: Tensor, weights: Tensor) -> Tensor:
    """Sum as `kernels.reference.sum_active_rows` does."""
    return _sum_tiled(states, tiled(weights), weights.shape[1], weights.dtype)


def sum_active_columns(states: Tensor, weights: Tensor) -> Tensor:
    """Sum as `kernels.reference.sum_active_columns` does."""
    return _sum_tiled(states, tiled_transpose(weights), len(weights), weights.dtype)


def _sum_tiled(states: Tensor, rows: Any, columns: int, dtype: torch.dtype) -> Tensor:
    samples, units = states.shape
    result = torch.empty((samples, columns), dtype=dtype)
    given, sums = packable(states), flat(result)

    def task(first: int, count: int) -> None:
        workspace = tuple(Workspace.of(count, units, dtype))
        _sum_rows(given, units, limit(units), rows, columns, first, count, sums, workspace)

    share(task, samples, least=1 + 20_000 // (units + columns), most=_MOST)
    return result


def correlate(states: Tensor, values: Tensor) -> Tensor:
    """Multiply as `kernels.reference.correlate` does, by adding the values of active units."""
    (samples, units), columns = states.shape, values.shape[1]
    given = packable(states)
    result = torch.empty((units, columns), dtype=values.dtype)
    rows, sums = tiled(values), flat(result)

    def task(first: int, count: int) -> None:
        order, cursors = np.arange(count), np.empty(count, np.int64)
        room = torch.empty(TILE * count, dtype=values.dtype).numpy()
        _correlate(given, samples, units, rows, columns, first, count, sums, order, cursors, room)

    share(task, units, least=1 + 20_000 // (samples + columns), most=_MOST)
    return result


def sweep_bernoulli(
    visible: Tensor,
    visible_field: Tensor,
    hidden_field: Tensor,
    weights: Tensor,
    sweeps: int,
    key: int,
    draw: int,
) -> tuple[Tensor, Tensor]:
    """Sweep as `kernels.reference.sweep_bernoulli` does, in float32."""
    chains, (units, others) = len(visible), weights.shape
    whole, whole_others = whole_tiles(units), whole_tiles(others)
    states = pad(visible, (0, whole - units)).contiguous()
    if states.data_ptr() == visible.data_ptr():
        states = states.clone()
    hidden = torch.zeros((chains, whole_others), dtype=torch.uint8)
    fields = padded_field(visible_field), padded_field(hidden_field)
    strides = stride_of(visible_field), stride_of(hidden_field)
    matrices = tiled(weights), tiled_transpose(weights)
    drawn = flat(states), flat(hidden)

    def task(first: int, count: int) -> None:
        sweep_tiled(
            *drawn,
            (units, others),
            (whole, whole_others),
            (limit(units), limit(others)),
            fields,
            strides,
            matrices,
            sweeps,
            first,
            count,
            np.uint64(key),
            np.uint64(draw),
            tuple(Workspace.of(count, max(units, others), weights.dtype)),
        )

    share(task, chains, least=1 + 20_000 // (units + others), most=_MOST)
    return states[:, :units].contiguous(), hidden[:, :others].contiguous()
