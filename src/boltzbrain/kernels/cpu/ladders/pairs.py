"""What the log-weights between neighbouring rungs are made of: hidden inputs under both of them.

The sums are those of `kernels.cpu.backend.sum_active_rows`, bit for bit: few states add up their
rows in stretches of units, many go as in `kernels.cpu.binary_products`. Layer by layer the weights
of a small model are laid out anew, and copied row by row, for every pair and step.
"""

# numba infers the types of the loops, so they carry none.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

from boltzbrain.kernels.compiling import compiled
from boltzbrain.kernels.cpu.arrays import WORD, packable
from boltzbrain.kernels.cpu.backend import FEW
from boltzbrain.kernels.cpu.binary_products import copy_tile, pack, state_bits, sum_tile
from boltzbrain.kernels.cpu.few_chains import length_of_stretches
from boltzbrain.kernels.cpu.many_chains import Workspace, limit, tiled
from boltzbrain.kernels.cpu.simd import count_bits, load, lowest_bit, nothing, store
from boltzbrain.kernels.cpu.threads import share

_NONE, _ONE, _LOW, _FOUR = np.uint64(0), np.uint64(1), np.uint64(15), np.uint64(4)
_SIX, _16, _32, _48 = np.uint64(6), np.uint64(16), np.uint64(32), np.uint64(48)


@njit
def _sum_in_stretches(words, parts, per_stretch, rows, origin, sums):
    """Set 64 sums to those of the rows of the active units of one state, added by stretches."""
    s0 = nothing(load(sums, _NONE))
    s1, s2, s3 = s0, s0, s0
    for begin in range(0, parts, per_stretch):
        p0 = nothing(s0)
        p1, p2, p3 = p0, p0, p0
        for part in range(begin, min(begin + per_stretch, parts)):
            bits = words[part]
            base = np.uint64(origin) + np.uint64(WORD * WORD * part)
            while bits != _NONE:
                row = base + (lowest_bit(bits) << _SIX)
                p0, p1 = p0 + load(rows, row), p1 + load(rows, row + _16)
                p2, p3 = p2 + load(rows, row + _32), p3 + load(rows, row + _48)
                bits &= bits - _ONE
        s0, s1, s2, s3 = s0 + p0, s1 + p1, s2 + p2, s3 + p3
    store(sums, _NONE, s0)
    store(sums, _16, s1)
    store(sums, _32, s2)
    store(sums, _48, s3)


@njit
def _sum_of_active(words, start, parts, most, values):
    """Return the sum of the values of the active units, as `binary_products` adds them up."""
    total, active = 0.0, _NONE
    for part in range(parts):
        active += count_bits(words[start + part])
    if active <= np.uint64(most):
        for part in range(parts):
            bits = words[start + part]
            while bits != _NONE:
                total += values[WORD * part + np.int64(lowest_bit(bits))]
                bits &= bits - _ONE
        return total
    for part in range(parts):
        bits, place = words[start + part], WORD * part
        while bits != _NONE:
            four, some = bits & _LOW, 0.0
            while four != _NONE:
                some += values[place + np.int64(lowest_bit(four))]
                four &= four - _ONE
            total += some
            bits, place = bits >> _FOUR, place + 4
    return total


@compiled
def _weigh_few(
    states, units, others, chains, lower, tiles, changes, most, per_stretch, first, samples, inputs,
    sums_of_changes,
):  # fmt: skip
    """Find the hidden inputs of the states `first` to `first` + `samples` of every pair."""
    parts = (units + WORD - 1) // WORD
    words, sums = np.empty(parts, np.uint64), np.empty(WORD, np.float32)
    for pair in range(len(inputs)):
        rung = lower + 2 * pair
        for sample in range(first, first + samples):
            row = (rung * chains + sample) * units
            for part in range(parts):
                place = WORD * part
                words[part] = state_bits(states, len(states), row + place, units - place)
            for side in range(2):
                found = inputs[pair, side]
                for column in range(0, others, WORD):
                    _sum_in_stretches(
                        words, parts, per_stretch, tiles[rung + side], column * units, sums
                    )
                    copy_tile(sums, 1, found, sample, others, column)
            if len(changes) > 0:
                sums_of_changes[pair, sample] = _sum_of_active(words, 0, parts, most, changes[rung])


@compiled
def _weigh_many(
    states, units, others, chains, lower, tiles, changes, most, first, samples, inputs,
    sums_of_changes, workspace,
):  # fmt: skip
    """Find the hidden inputs as `_weigh_few` does, by tables."""
    words, lists, order, cursors, table, sums = workspace
    parts = (units + WORD - 1) // WORD
    for pair in range(len(inputs)):
        rung = lower + 2 * pair
        row = rung * chains + first
        listed = pack(states, units, units, row, samples, most, words, lists, order)
        for side in range(2):
            found = inputs[pair, side]
            for column in range(0, others, WORD):
                sum_tile(
                    units, samples, most, words, lists, order, listed, cursors, tiles[rung + side],
                    column * units, table, sums,
                )  # fmt: skip
                copy_tile(sums, samples, found, first, others, column)
        if len(changes) > 0:
            for sample in range(samples):
                sums_of_changes[pair, first + sample] = _sum_of_active(
                    words, sample * parts, parts, most, changes[rung]
                )


class Pairs:
    """Neighbouring rungs whose weights are laid out to weigh states between them.

    Parameters
    ----------
    weights
        (visible, hidden) float32 of each rung, lowest first.
    changes
        (rung - 1, visible) float32, visible fields of each rung less those of the next; None where
        all have the same.

    Attributes
    ----------
    tiles
        (rung, element), the weights of each rung as `many_chains.tiled` lays them out.
    """

    def __init__(self, weights: Sequence[Tensor], changes: Tensor | None) -> None:
        self._units, self._others = weights[0].shape
        self.tiles = np.stack([tiled(one) for one in weights])
        exact = torch.empty((0, 0)) if changes is None else changes
        self._changes: Any = exact.to(torch.float64).contiguous().numpy()

    def inputs(self, visible: Tensor, lower: int) -> tuple[Tensor, Tensor]:
        """Find the hidden inputs of states under the two rungs of every second pair.

        Parameters
        ----------
        visible
            (rung, chain, visible) uint8.
        lower
            Lower rung of the first pair, 0 or 1.

        Returns
        -------
        inputs
            (pair, 2, 2 chain, hidden): the states of both rungs, under the lower and the upper one.
        changes
            (pair, 2 chain) float64, sums of the changes of the fields of the active units.
        """
        rungs, chains, units = visible.shape
        pairs, samples = (rungs - lower) // 2, 2 * chains
        inputs = torch.empty((pairs, 2, samples * self._others))
        sums = torch.zeros((pairs, samples), dtype=torch.float64)
        given = packable(visible), units, self._others, chains, lower, self.tiles, self._changes
        found = inputs.numpy(), sums.numpy()
        per_stretch = length_of_stretches(units) // WORD

        def few(first: int, count: int) -> None:
            _weigh_few(*given, limit(units), per_stretch, first, count, *found)

        def many(first: int, count: int) -> None:
            workspace = tuple(Workspace.of(count, units, torch.float32))
            _weigh_many(*given, limit(units), first, count, *found, workspace)

        task = few if samples <= FEW else many
        share(task, samples, least=1 + 20_000 // (pairs * (units + self._others)), most=1024)
        return inputs.reshape(pairs, 2, samples, self._others), sums
