"""Annealing of models with ReLU or dReLU hidden units: many rungs in one call.

The chains of a thread stay in the cache and go through the weights as in `few_chains`. What a unit
needs to be drawn at a rung, the log-norms of its halves, is what its log-partition there was made
of, so that it is found once.
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

from boltzbrain.foundations.random import philox_block
from boltzbrain.kernels.compiling import compiled
from boltzbrain.kernels.cpu.annealed.stretches import stretches_of
from boltzbrain.kernels.cpu.arrays import WORD, flat
from boltzbrain.kernels.cpu.draws import halves
from boltzbrain.kernels.cpu.few_chains import (
    draw_stretch,
    sum_stretch,
    whole_vectors,
)
from boltzbrain.kernels.cpu.products import padded_samples
from boltzbrain.kernels.cpu.rectified import QUANTILES, TABLE, log_psi_at, size_at
from boltzbrain.kernels.cpu.threads import share

_MOST = 64
"""Chains that a thread takes at once: what they hold fits the second cache."""


@njit
def _norms_at(t, sums, width, samples, law, table, norms):
    """Note the log-norms (half, sample, unit) of the halves at t times the inputs.

    Returns
    -------
    (sample,)
        The log-partitions, summed over the units.
    """
    fields, roots, log_roots, two_sided = law
    totals = np.zeros(samples)
    for sample in range(samples):
        for unit in range(fields.shape[1]):
            value = np.float64(t * sums[sample * width + unit])
            norm = log_psi_at(-(value + fields[0, unit]) / roots[0, unit], table)
            norms[0, sample, unit] = norm
            total = norm - log_roots[0, unit]
            if two_sided:
                norm = log_psi_at((value - fields[1, unit]) / roots[1, unit], table)
                norms[1, sample, unit] = norm
                other = norm - log_roots[1, unit]
                total = max(total, other) + math.log1p(math.exp(-abs(total - other)))
            totals[sample] += total
    return totals


@njit
def _draw_at(t, sums, width, row, samples, law, norms, key, draw, quantiles, turned, stride):
    """Draw the hidden units at t times the inputs; `turned` (unit, stride) gets t times them."""
    fields, roots, log_roots, two_sided = law
    k0, k1 = halves(key)
    s0, s1 = halves(draw)
    z0, z1 = halves(np.uint64(draw) + np.uint64(two_sided))
    units, scale = fields.shape[1], 2.0**-32
    for sample in range(samples):
        for block in range((units + 3) // 4):
            place, line = np.uint64(block), np.uint64(row + sample)
            sides = philox_block(place, line, s0, s1, k0, k1)
            sizes = philox_block(place, line, z0, z1, k0, k1)
            for offset in range(min(4, units - 4 * block)):
                unit = 4 * block + offset
                value = np.float64(t * sums[sample * width + unit])
                sign, half, shifted = 1.0, 0, -(value + fields[0, unit])
                if two_sided:
                    log_odds = norms[0, sample, unit] - norms[1, sample, unit]
                    log_odds += log_roots[1, unit] - log_roots[0, unit]
                    uniform = (np.float64(sides[offset]) + 0.5) * scale
                    if uniform * (1.0 + math.exp(min(-log_odds, 700.0))) >= 1.0:
                        sign, half, shifted = -1.0, 1, value - fields[1, unit]
                root, norm = roots[half, unit], norms[half, sample, unit]
                uniform = (np.float64(sizes[offset]) + 0.5) * scale
                drawn = sign * size_at(shifted / root, norm, uniform, quantiles) / root
                turned[unit * stride + sample] = t * np.float32(drawn)


@compiled
def _climb(
    weights, ends, law, ts, swept, begin, samples, stride, key, draw, states, gains, sums, norms,
    turned, inputs, listed, room, many_room, tables,
):  # fmt: skip
    """Carry the samples from `begin` on along the rungs; see `reference.climb_bernoulli`.

    `swept`: whether they are swept at the first rung too. `ends` are the fields of the visible
    units at 0 and at 1, the second of no length where they are the same.
    """
    base, end = ends
    moving, field = len(end) > 0, base.copy()
    units, hidden = len(base), law[0].shape[1]
    width, number = len(room) // 4, np.uint64(draw)
    table, quantiles = tables
    mine = states[begin * units : (begin + samples) * units]
    sum_stretch(weights, units, hidden, states, samples, begin, 0, units, sums, many_room)
    if swept:
        _norms_at(np.float32(ts[0]), sums, width, samples, law, table, norms)
    for step in range(len(ts) - 1):
        start, stop = np.float32(ts[step]), np.float32(ts[step + 1])
        if step > 0 or swept:
            _draw_at(
                start, sums, width, begin, samples, law, norms, key, number, quantiles, turned,
                stride,
            )  # fmt: skip
            number += np.uint64(1) + np.uint64(law[3])
            if moving:
                rest = np.float32(1.0 - ts[step])
                for unit in range(units):
                    field[unit] = rest * base[unit] + start * end[unit]
            draw_stretch(
                weights, units, hidden, turned, stride, field, samples, begin, key, number, mine, 0,
                units, sums, inputs, listed, room,
            )  # fmt: skip
            number += np.uint64(1)
        before = _norms_at(start, sums, width, samples, law, table, norms)
        after = _norms_at(stop, sums, width, samples, law, table, norms)
        for sample in range(samples):
            gain = after[sample] - before[sample]
            if moving:
                slope = 0.0
                for unit in range(units):
                    if mine[sample * units + unit]:
                        slope += np.float64(end[unit]) - np.float64(base[unit])
                gain += (ts[step + 1] - ts[step]) * slope
            gains[step, begin + sample] = gain


def climb_rectified(
    visible: Tensor,
    ends: tuple[Tensor, Tensor],
    fields: Tensor,
    roots: Tensor,
    weights: Tensor,
    ts: Tensor,
    key: int,
    draw: int,
) -> tuple[Tensor, Tensor]:
    """Climb as `kernels.reference.climb_bernoulli` does, with ReLU or dReLU hidden units.

    Parameters
    ----------
    visible, weights, ts, key, draw
        As there; float32 weights. A sweep takes one draw for a ReLU, two for a dReLU, and one for
        the visible units.
    ends
        Visible fields at 0 and at 1, the same tensor twice where they are equal.
    fields, roots
        Parameters of the hidden units, as in `kernels.cpu.doubles.rectified.draw_rectified`.
    """
    chains, (units, others) = len(visible), weights.shape
    states = visible.clone(memory_format=torch.contiguous_format)
    room_of_words = torch.nn.functional.pad(states.reshape(-1), (0, max(0, WORD - states.numel())))
    drawn = room_of_words.numpy()
    base, end = (flat(field) for field in ends)
    if ends[0] is ends[1]:
        end = np.empty(0, np.float32)
    law = fields.numpy(), roots.numpy(), roots.log().numpy(), len(fields) == 2
    given, width, rungs = flat(weights), whole_vectors(others), ts.numpy()
    gains = torch.empty((len(ts) - 1, chains), dtype=torch.float64)
    for begin, stop in stretches_of(len(ts) - 1, chains * units * others):
        # no sweep comes before the first rung of all
        number = np.uint64(draw + (len(fields) + 1) * max(0, begin - 1))
        walk = rungs[begin : stop + 1], begin > 0
        found = gains[begin:stop].numpy()

        def task(
            first: int, count: int, walk: Any = walk, number: Any = number, found: Any = found
        ) -> None:
            stride = padded_samples(count)
            _climb(
                given,
                (base, end),
                law,
                *walk,
                first,
                count,
                stride,
                np.uint64(key),
                number,
                drawn,
                found,
                torch.empty(count * width).numpy(),
                np.empty((len(fields), count, others)),
                torch.zeros(others * stride).numpy(),
                torch.empty(4 * stride).numpy(),
                np.empty(others, np.int64),
                torch.zeros(4 * width).numpy(),
                torch.zeros(WORD * width).numpy(),
                (TABLE, QUANTILES),
            )

        share(task, chains, least=1 + 2000 // (units + others), most=_MOST)
    return room_of_words[: states.numel()].reshape(states.shape), gains
