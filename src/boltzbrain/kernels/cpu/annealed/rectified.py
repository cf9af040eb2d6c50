"""Annealing of models with ReLU or dReLU hidden units: many rungs in one call.

The chains of a thread stay in the cache and go through the weights as in `few_chains`.
"""

# numba infers the types of the loops, so they carry none.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

from boltzbrain.kernels.compiling import compiled
from boltzbrain.kernels.cpu.annealed.stretches import stretches_of
from boltzbrain.kernels.cpu.arrays import WORD, flat
from boltzbrain.kernels.cpu.doubles.rectified import (
    draw_row,
    law_of,
    partitions_of_row,
    room_to_draw,
)
from boltzbrain.kernels.cpu.few_chains import (
    draw_stretch,
    field_of,
    sum_stretch,
    whole_vectors,
)
from boltzbrain.kernels.cpu.products import padded_samples
from boltzbrain.kernels.cpu.rectified import QUANTILES, TABLE
from boltzbrain.kernels.cpu.threads import share

_MOST = 64
"""Chains that a thread takes at once: what they hold fits the second cache."""


@njit
def _scaled(t, sums, width, samples, units, rows, inputs):
    """Set inputs (sample, unit) to t times the sums, whose rows are longer, plus rows if any."""
    for sample in range(samples):
        for unit in range(units):
            inputs[sample * units + unit] = t * sums[sample * width + unit]
    for place in range(len(rows)):
        inputs[place] += rows[place]


@compiled
def _climb(
    weights, units, ends, field_stride, rows, law, ts, swept, begin, samples, stride, key, draw,
    states, gains, sums, turned, inputs, listed, room, many_room, tables,
):  # fmt: skip
    """Carry the samples from `begin` on along the rungs; see `reference.climb_bernoulli`.

    `swept`: whether they are swept at the first rung too. `ends` are the fields of the visible
    units at 0 and at 1, as `draw_stretch` takes them, the second of no length where they are the
    same; `rows` are offsets of the hidden inputs, (sample, hidden), or of no length.
    """
    base, end = ends
    moving, field = len(end) > 0, base.copy()
    hidden = law[0].shape[1]
    width, number = len(room) // 4, np.uint64(draw)
    mine = states[begin * units : (begin + samples) * units]
    sum_stretch(weights, units, hidden, states, samples, begin, 0, units, sums, many_room)
    scaled, drawn = np.empty(samples * hidden, np.float32), np.empty(samples * hidden, np.float32)
    before, after, tools = np.empty(samples), np.empty(samples), room_to_draw()
    for step in range(len(ts) - 1):
        start, stop = np.float32(ts[step]), np.float32(ts[step + 1])
        if step > 0 or swept:
            _scaled(start, sums, width, samples, hidden, rows, scaled)
            for sample in range(samples):
                at, row = sample * hidden, begin + sample
                draw_row(scaled, at, row, law, (key, number), tables, tools, drawn)
                for unit in range(hidden):
                    turned[unit * stride + sample] = start * drawn[at + unit]
            number += np.uint64(1) + np.uint64(law[3])
            if moving:
                rest = np.float32(1.0 - ts[step])
                for place in range(len(field)):
                    field[place] = rest * base[place] + start * end[place]
            draw_stretch(
                weights, units, hidden, turned, stride, field, field_stride, samples, begin, key,
                number, mine, 0, units, sums, inputs, listed, room,
            )  # fmt: skip
            number += np.uint64(1)
        for t, found in ((start, before), (stop, after)):
            _scaled(t, sums, width, samples, hidden, rows, scaled)
            for sample in range(samples):
                found[sample] = partitions_of_row(
                    scaled, sample * hidden, law, tables[0], tools, drawn
                )
        for sample in range(samples):
            gain = after[sample] - before[sample]
            if moving:
                slope = 0.0
                for unit in range(units):
                    if mine[sample * units + unit]:
                        place = unit
                        if field_stride:
                            place = unit * field_stride + sample
                        slope += np.float64(end[place]) - np.float64(base[place])
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
    rows: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Climb as `kernels.reference.climb_bernoulli` does, with ReLU or dReLU hidden units.

    Parameters
    ----------
    visible, weights, ts, key, draw
        As there; float32 weights. A sweep takes one draw for a ReLU, two for a dReLU, and one for
        the visible units.
    ends
        Visible fields at 0 and at 1, both (visible,) or both (chain, visible), the same tensor
        twice where they are equal.
    fields, roots
        Parameters of the hidden units, as in `kernels.cpu.doubles.rectified.draw_rectified`.
    rows
        (chain, hidden), added to the inputs of the hidden units at every rung.
    """
    chains, (units, others) = len(visible), weights.shape
    states = visible.clone(memory_format=torch.contiguous_format)
    room_of_words = torch.nn.functional.pad(states.reshape(-1), (0, max(0, WORD - states.numel())))
    drawn = room_of_words.numpy()
    nothing = np.empty(0, np.float32)
    law = law_of(fields, roots)
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
            base, field_stride = field_of(ends[0], first, count, stride)
            end = nothing if ends[0] is ends[1] else field_of(ends[1], first, count, stride)[0]
            _climb(
                given,
                units,
                (base, end),
                field_stride,
                nothing if rows is None else flat(rows[first : first + count]),
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
                torch.zeros(others * stride).numpy(),
                torch.empty(4 * stride).numpy(),
                np.empty(others, np.int64),
                torch.zeros(4 * width).numpy(),
                torch.zeros(WORD * width).numpy(),
                (TABLE, QUANTILES),
            )

        share(task, chains, least=1 + 2000 // (units + others), most=_MOST)
    return room_of_words[: states.numel()].reshape(states.shape), gains
