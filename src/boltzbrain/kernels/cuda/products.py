"""The two Triton kernels: a product whose epilogue draws units, and the epilogue on its own.

`multiply` forms ``left @ right`` tile by tile and, while a tile is still in registers, adds the
fields, draws the binary states and writes only these: neither inputs nor random numbers reach
memory. In two cases `multiply` writes sums and `finish` adds them, in their order, and draws. A
product with few tiles and a long inner dimension would leave most of the GPU idle, so it is cut
along that dimension. And the draw of a real-valued unit takes hundreds of float64 operations, too
many to unroll over the units that one thread holds of a product. How a product is cut depends on
its shape alone, so that a run repeats on any GPU.

Random state is read from memory, not passed by value, so that a captured CUDA graph draws new
numbers at every replay.
"""

# Triton infers the types inside its kernels, so they carry none.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc, untyped-decorator"

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from boltzbrain.kernels.cpu import rectified
from boltzbrain.kernels.cuda.draws import (
    draw_binary,
    draw_gaussian,
    draw_half,
    draw_two_sided,
    draw_words,
)

INTERPRETED = tl.constexpr(bool(triton.knobs.runtime.interpret))
"""Whether the kernels run in Triton's interpreter, on the CPU, and not on a GPU."""

PROGRAMS = 256
"""Programs that keep a large GPU busy: a product of a quarter as many tiles or fewer is cut."""

_LEAST_DEPTH = 256
"""A shorter inner dimension is not worth a cut."""

PRECISIONS = {"highest": "tf32x3", "high": "tf32", "medium": "bf16"}
"""What PyTorch's float32 matmul precision stands for here; accumulation is always float32."""


class Units(NamedTuple):
    """Units to be drawn.

    Attributes
    ----------
    kind
        "bernoulli", "gaussian", "relu" or "drelu"; "none" for the plain product.
    parameters
        (row, unit), contiguous: for "bernoulli" the field, float32; else float64, the fields and
        below them the square roots of the precisions, for "drelu" the positive half first in both.
    """

    kind: str
    parameters: Tensor

    @property
    def draws(self) -> int:
        """Draw numbers that one draw of these units takes."""
        return {"none": 0, "drelu": 2}.get(self.kind, 1)

    @property
    def dtype(self) -> torch.dtype:
        """Type of the states."""
        return torch.uint8 if self.kind == "bernoulli" else torch.float32

    def __len__(self) -> int:
        """Return the number of units."""
        return int(self.parameters.shape[1])


class Plan(NamedTuple):
    """How a product is cut: the sizes of its tiles and the length of a piece of its depth."""

    tile_rows: int
    tile_columns: int
    tile_depth: int
    length: int
    pieces: int


def plan(rows: int, depth: int, columns: int) -> Plan:
    """Return how to cut a product of these sizes."""
    tile_rows, tile_columns = _power(rows, 16, 128), _power(columns, 16, 64)
    tiles = max(1, triton.cdiv(rows, tile_rows) * triton.cdiv(columns, tile_columns))
    few = tiles <= PROGRAMS // 4
    wanted = max(1, min(PROGRAMS // tiles, depth // _LEAST_DEPTH)) if few else 1
    tile_depth = 32
    length = max(1, triton.cdiv(triton.cdiv(depth, wanted), tile_depth)) * tile_depth
    return Plan(tile_rows, tile_columns, tile_depth, length, max(1, triton.cdiv(depth, length)))


def _power(size: int, least: int, most: int) -> int:
    """Return the power of two that holds `size`, within bounds."""
    return min(max(int(triton.next_power_of_2(size)), least), most)


@triton.jit
def _draw_and_store(
    inputs,
    row,
    column,
    rows,
    columns,
    parameters,
    table,
    quantiles,
    state,
    offset,
    result,
    first_column,
    KIND: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Draw a tile of units given the sums of their inputs, float32, and write the states."""
    key = tl.load(state).to(tl.uint64)
    draw = (tl.load(state + 1) + offset).to(tl.uint64)
    line = row.to(tl.uint32)[:, None]
    block = (first_column // 4 + tl.arange(0, COLUMNS // 4)).to(tl.uint32)[None, :]
    inside = column < columns
    unit = column.to(tl.int64)
    stride = tl.cast(columns, tl.int64)
    if KIND == "none":
        states = inputs
    elif KIND == "bernoulli":
        field = tl.load(parameters + unit, mask=inside, other=0.0)[None, :]
        words = draw_words(line, block, key, draw)
        states = draw_binary(inputs + field, words).to(tl.uint8)
    else:
        exact = inputs.to(tl.float64)
        words = draw_words(line, block, key, draw)
        field = tl.load(parameters + unit, mask=inside, other=0.0)[None, :]
        if KIND == "drelu":
            minus = tl.load(parameters + stride + unit, mask=inside, other=0.0)[None, :]
            root = tl.load(parameters + 2 * stride + unit, mask=inside, other=1.0)[None, :]
            root_minus = tl.load(parameters + 3 * stride + unit, mask=inside, other=1.0)[None, :]
            sizes = draw_words(line, block, key, draw + 1)
            drawn = draw_two_sided(
                exact, field, minus, root, root_minus, words, sizes, table, quantiles
            )
        else:
            root = tl.load(parameters + stride + unit, mask=inside, other=1.0)[None, :]
            if KIND == "relu":
                drawn = draw_half(exact + field, root, words, table, quantiles)
            else:
                drawn = draw_gaussian(exact + field, root, words, quantiles)
        states = drawn.to(tl.float32)
    to = result + row.to(tl.int64)[:, None] * columns + unit[None, :]
    tl.store(to, states, mask=(row < rows)[:, None] & inside[None, :])


@triton.jit(do_not_specialize=["offset"])
def _multiply(
    left,
    right,
    parameters,
    table,
    quantiles,
    state,
    offset,
    result,
    rows,
    depth,
    columns,
    length,
    left_row,
    left_step,
    right_step,
    right_column,
    KIND: tl.constexpr,
    PRECISION: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
):
    first_column = tl.program_id(1) * COLUMNS
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    column = first_column + tl.arange(0, COLUMNS)
    begin = tl.program_id(2) * length
    end = tl.minimum(begin + length, depth)
    lefts = left + row.to(tl.int64)[:, None] * left_row
    rights = right + column.to(tl.int64)[None, :] * right_column
    sums = tl.zeros((ROWS, COLUMNS), tl.float32)
    for start in range(begin, end, DEPTH):
        step = start + tl.arange(0, DEPTH)
        far = step.to(tl.int64)
        kept = (row < rows)[:, None] & (step < end)[None, :]
        a = tl.load(lefts + far[None, :] * left_step, mask=kept, other=0)
        kept = (step < end)[:, None] & (column < columns)[None, :]
        b = tl.load(rights + far[:, None] * right_step, mask=kept, other=0)
        if PRECISION == "bf16":
            narrow, other = a.to(tl.float32).to(tl.bfloat16), b.to(tl.bfloat16)
            if INTERPRETED:  # which takes the bits of bfloat16 for whole numbers
                sums = tl.dot(narrow.to(tl.float32), other.to(tl.float32), sums)
            else:
                sums = tl.dot(narrow, other, sums)
        else:
            sums = tl.dot(a.to(tl.float32), b, sums, input_precision=PRECISION)
    part = result + tl.program_id(2).to(tl.int64) * rows * columns
    _draw_and_store(
        sums,
        row,
        column,
        rows,
        columns,
        parameters,
        table,
        quantiles,
        state,
        offset,
        part,
        first_column,
        KIND,
        COLUMNS,
    )


@triton.jit(do_not_specialize=["offset"])
def _finish(
    parts,
    parameters,
    table,
    quantiles,
    state,
    offset,
    result,
    rows,
    columns,
    pieces,
    KIND: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    first_column = tl.program_id(1) * COLUMNS
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    column = first_column + tl.arange(0, COLUMNS)
    place = row.to(tl.int64)[:, None] * columns + column[None, :]
    kept = (row < rows)[:, None] & (column < columns)[None, :]
    sums = tl.zeros((ROWS, COLUMNS), tl.float32)
    for piece in range(pieces):
        part = parts + tl.cast(piece, tl.int64) * rows * columns
        sums += tl.load(part + place, mask=kept, other=0.0)
    _draw_and_store(
        sums,
        row,
        column,
        rows,
        columns,
        parameters,
        table,
        quantiles,
        state,
        offset,
        result,
        first_column,
        KIND,
        COLUMNS,
    )


@cache
def _tables(device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the tables of log Psi and of the normal quantile on a device."""
    return (
        torch.from_numpy(rectified.TABLE).to(device),
        torch.from_numpy(rectified.QUANTILES).to(device),
    )


def random_state(key: int, draw: int, device: torch.device) -> Tensor:
    """Return the random state as the kernels read it, (2,) int64: key and draw number."""
    state = torch.empty(2, dtype=torch.int64, device=device)
    set_random_state(state, key, draw)
    return state


def set_random_state(state: Tensor, key: int, draw: int) -> None:
    """Write key and draw number without a copy from the host, which would wait for the GPU."""
    for place, number in enumerate((key, draw)):
        state[place].fill_(number - (1 << 64) if number >= 1 << 63 else number)


def finish(parts: Tensor, units: Units, state: Tensor, offset: int, result: Tensor) -> None:
    """Draw units given parts of their inputs.

    Parameters
    ----------
    parts
        (piece, sample, unit) float32; the inputs are their sum.
    units
        What to draw, or "none" for the sum itself.
    state, offset
        Random state, and what is added to its draw number.
    result
        (sample, unit), written.
    """
    pieces, rows, columns = parts.shape
    # four units to a thread
    tile_rows, tile_columns = _power(rows, 1, 8), _power(columns, 4, 32)
    grid = (triton.cdiv(rows, tile_rows), triton.cdiv(columns, tile_columns))
    if not (rows and columns):
        return
    with torch.cuda.device_of(parts):
        _finish[grid](
            parts,
            units.parameters,
            *_tables(parts.device),
            state,
            offset,
            result,
            rows,
            columns,
            pieces,
            KIND=units.kind,
            ROWS=tile_rows,
            COLUMNS=tile_columns,
            num_warps=2,
        )


def multiply(
    left: Tensor,
    right: Tensor,
    units: Units,
    state: Tensor,
    offset: int,
    result: Tensor,
    room: Tensor | None = None,
) -> None:
    """Draw units given their inputs ``left @ right``.

    Parameters
    ----------
    left
        (sample, step) uint8 or float32, of any strides.
    right
        (step, unit) float32, of any strides.
    units, state, offset, result
        As in `finish`.
    room
        Flat float32 for partial sums, as long as `room_for` says; made here if None.
    """
    (rows, depth), columns = left.shape, right.shape[1]
    if not (rows and columns):
        return
    cut = plan(rows, depth, columns)
    whole, parts, size = units, result, _room(units, cut, rows, columns)
    if size:
        room = torch.empty(size, device=left.device) if room is None else room[:size]
        whole, parts = Units("none", units.parameters), room.view(cut.pieces, rows, columns)
    grid = (
        triton.cdiv(rows, cut.tile_rows),
        triton.cdiv(columns, cut.tile_columns),
        cut.pieces,
    )
    with torch.cuda.device_of(left):
        _multiply[grid](
            left,
            right,
            whole.parameters,
            *_tables(left.device),
            state,
            offset,
            parts,
            rows,
            depth,
            columns,
            cut.length,
            *left.stride(),
            *right.stride(),
            KIND=whole.kind,
            PRECISION=PRECISIONS[torch.get_float32_matmul_precision()],
            ROWS=cut.tile_rows,
            COLUMNS=cut.tile_columns,
            DEPTH=cut.tile_depth,
            num_warps=4,
            num_stages=3,
        )
    if size:
        finish(parts, units, state, offset, result)


def _room(units: Units, cut: Plan, rows: int, columns: int) -> int:
    at_once = cut.pieces == 1 and units.kind in ("none", "bernoulli")
    return 0 if at_once else cut.pieces * rows * columns


def room_for(units: Units, rows: int, depth: int) -> int:
    """Return how many sums a product of these sizes writes before its units are drawn."""
    return _room(units, plan(rows, depth, len(units)), rows, len(units))
