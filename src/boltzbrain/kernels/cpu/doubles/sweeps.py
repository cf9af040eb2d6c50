"""Sweeps of models with ReLU or dReLU hidden units, all in one call: a thread's own chains.

Chains do not meet, so that a thread takes its own through all sweeps; layer by layer the threads
wait for each other three times a sweep. The states are those of `few_chains.draw_and_sum` and
`doubles.rectified.draw_rectified` in turn, bit for bit: sums are taken in the same stretches.
"""

# numba infers the types of the loops, so they carry none.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from torch import Tensor

from boltzbrain.kernels.compiling import compiled
from boltzbrain.kernels.cpu.annealed.stretches import stretches_of
from boltzbrain.kernels.cpu.arrays import WORD, flat
from boltzbrain.kernels.cpu.backend import FEW
from boltzbrain.kernels.cpu.doubles.rectified import draw_row, law_of, room_to_draw
from boltzbrain.kernels.cpu.few_chains import (
    SAMPLES,
    draw_stretch,
    field_of,
    length_of_stretches,
    sum_stretch,
    whole_vectors,
)
from boltzbrain.kernels.cpu.products import VECTOR, padded_samples
from boltzbrain.kernels.cpu.rectified import QUANTILES, TABLE
from boltzbrain.kernels.cpu.threads import share, thread_count

CACHED = 400_000
"""Up to so many weights, each thread may read them all: they fit the second cache."""


def worth(chains: int, weights: Tensor) -> bool:
    """Whether chains are few enough, and the model small enough, to go through it thread by thread.

    Chains that fill up a thread's last tile are multiplied for nothing.
    """
    if chains > FEW or weights.numel() > CACHED:
        return False
    threads = min(thread_count(), chains)
    padded = threads * padded_samples(-(-chains // threads))
    return padded <= 1.5 * padded_samples(chains)


@njit
def _add(part, sums):
    """Add the sums of a stretch to those of the stretches before it."""
    for place in range(len(sums)):
        sums[place] += part[place]


@compiled
def sweep_through(
    weights, units, length, field, field_stride, rows, law, sweeps, begin, samples, stride, key,
    draw, states, drawn, sums, part, turned, inputs, listed, room, many_room, tables,
):  # fmt: skip
    """Sweep the samples from `begin` on; `states` and `drawn` are those of all samples.

    `rows` are offsets of these samples' hidden inputs, (sample, hidden), or of no length.
    """
    hidden = law[0].shape[1]
    width, number = len(room) // 4, np.uint64(draw)
    mine = states[begin * units : (begin + samples) * units]
    answers = drawn[begin * hidden : (begin + samples) * hidden]
    given, tools = np.empty(samples * hidden, np.float32), room_to_draw()
    for first in range(0, units, length):
        into = part if first else sums
        last = min(first + length, units)
        sum_stretch(weights, units, hidden, states, samples, begin, first, last, into, many_room)
        if first:
            _add(part, sums)
    for _ in range(sweeps):
        for sample in range(samples):
            at = sample * hidden
            for unit in range(hidden):
                given[at + unit] = sums[sample * width + unit]
        for place in range(len(rows)):
            given[place] += rows[place]
        for start in range(0, samples, VECTOR):
            stop = min(start + VECTOR, samples)
            for sample in range(start, stop):
                at = sample * hidden
                draw_row(given, at, begin + sample, law, (key, number), tables, tools, answers)
            # a few samples at a time, whose values are still in the first cache
            for unit in range(hidden):
                for sample in range(start, stop):
                    turned[unit * stride + sample] = answers[sample * hidden + unit]
        number += np.uint64(1) + np.uint64(law[3])
        for first in range(0, units, length):
            into = part if first else sums
            draw_stretch(
                weights, units, hidden, turned, stride, field, field_stride, samples, begin, key,
                number, mine, first, min(first + length, units), into, inputs, listed, room,
            )  # fmt: skip
            if first:
                _add(part, sums)
        number += np.uint64(1)


def sweep_rectified(
    visible: Tensor,
    visible_field: Tensor,
    fields: Tensor,
    roots: Tensor,
    weights: Tensor,
    sweeps: int,
    key: int,
    draw: int,
    rows: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Sweep binary visible and ReLU or dReLU hidden units, float32.

    Parameters
    ----------
    visible
        (chain, visible) uint8, at most `few_chains.SAMPLES` for each thread; left as they are.
    visible_field
        (visible,) or (chain, visible).
    fields, roots
        Parameters of the hidden units, as in `kernels.cpu.doubles.rectified.draw_rectified`.
    weights
        (visible, hidden).
    sweeps
        How many; each takes one draw for a ReLU, two for a dReLU, and one for the visible units.
    key, draw
        Random state.
    rows
        (chain, hidden), added to the inputs of the hidden units.

    Returns
    -------
    visible, hidden
        States after the last sweep.
    """
    chains, (units, others) = len(visible), weights.shape
    states = visible.reshape(-1).clone(memory_format=torch.contiguous_format)
    # long enough to be read a word at a time
    room_of_words = torch.nn.functional.pad(states, (0, max(0, WORD - states.numel())))
    hidden = torch.empty((chains, others))
    moved, drawn, law = room_of_words.numpy(), flat(hidden), law_of(fields, roots)
    given, width, length = flat(weights), whole_vectors(others), length_of_stretches(units)
    for begin, stop in stretches_of(sweeps, chains * units * others):
        number = np.uint64(draw + (len(fields) + 1) * begin)

        def task(first: int, count: int, size: int = stop - begin, at: np.uint64 = number) -> None:
            stride = padded_samples(count)
            sweep_through(
                given,
                units,
                length,
                *field_of(visible_field, first, count, stride),
                np.empty(0, np.float32) if rows is None else flat(rows[first : first + count]),
                law,
                size,
                first,
                count,
                stride,
                np.uint64(key),
                at,
                moved,
                drawn,
                torch.empty(count * width).numpy(),
                torch.empty(count * width).numpy(),
                torch.zeros(others * stride).numpy(),
                torch.empty(4 * stride).numpy(),
                np.empty(others, np.int64),
                torch.zeros(4 * width).numpy(),
                torch.zeros(WORD * width).numpy(),
                (TABLE, QUANTILES),
            )

        share(task, chains, least=1 + 2000 // (units + others), most=SAMPLES)
    return room_of_words[: states.numel()].reshape(visible.shape), hidden
