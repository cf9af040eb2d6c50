"""Single-site Gibbs sweeps of a pairwise model on the CPU.

A neuron's input from the others is kept up to date: only where a neuron changes is a row of the
couplings added. With few active neurons few change, so a sweep of a chain costs about one draw per
neuron and a hundred rows of additions per thousand neurons, far less than the two dense products of
block Gibbs with as many Gaussian hidden units as neurons. That way would also have to lift the
couplings by their lowest eigenvalue, which ties every neuron to its own state of the sweep before.
"""

# numba infers the types of the loops, so they carry none.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated, assignment"

from __future__ import annotations

import math
from typing import Any

import numpy as np
from torch import Tensor

from boltzbrain.foundations.random import philox_block
from boltzbrain.kernels.compiling import compiled
from boltzbrain.kernels.cpu.backend import sum_active_rows
from boltzbrain.kernels.cpu.threads import share

_UNIT = 2.0**-32


@compiled
def _sweep_pairs(
    states, inputs, field, couplings, steps, scale, first, count, sweeps, key, draw
):  # fmt: skip
    mask, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    k0, k1 = np.uint64(key) & mask, np.uint64(key) >> half
    neurons = len(field)
    for chain in range(first, first + count):
        mine, sums = states[chain], inputs[chain]
        active = 0
        for neuron in range(neurons):
            active += np.int64(mine[neuron])
        for sweep in range(sweeps):
            number = np.uint64(draw) + np.uint64(sweep)
            for block in range((neurons + 3) // 4):
                words = philox_block(
                    np.uint64(block), np.uint64(chain), number & mask, number >> half, k0, k1
                )
                for place in range(min(4, neurons - 4 * block)):
                    neuron = 4 * block + place
                    before = np.int64(mine[neuron])
                    total = field[neuron] + scale * (sums[neuron] + steps[active - before])
                    uniform = (np.float64(words[place]) + 0.5) * _UNIT
                    after = np.int64(uniform * (1.0 + math.exp(-total)) < 1.0)
                    if after != before:
                        mine[neuron] = after
                        active += after - before
                        sign, row = np.float32(after - before), couplings[neuron]
                        for other in range(neurons):
                            sums[other] += sign * row[other]


def sweep_pairs(
    visible: Tensor,
    field: Tensor,
    couplings: Tensor,
    steps: Tensor,
    scale: float,
    sweeps: int,
    key: int,
    draw: int,
) -> tuple[Tensor, Tensor]:
    """Draw every neuron given all others, one after the other, `sweeps` times.

    P(v_i = 1 | rest) = sigmoid(field_i + scale (sum_j couplings_ij v_j + steps_k)), k the number of
    active neurons among the others.

    Parameters
    ----------
    visible
        (chain, neuron) uint8; left as they are.
    field
        (neuron,) float64.
    couplings
        (neuron, neuron) float32, symmetric, zero diagonal.
    steps
        (neuron,) float64: what one more active neuron adds where k of the others are.
    scale
        Factor of couplings and steps.
    sweeps
        Number of sweeps; sweep number n uses the draw number draw + n.
    key, draw
        Of the random stream.

    Returns
    -------
    visible
        (chain, neuron) uint8 new states.
    inputs
        (chain, neuron) float32, couplings times the new states.
    """
    visible = visible.clone().contiguous()
    inputs = sum_active_rows(visible, couplings)
    arrays: list[Any] = [one.numpy() for one in (visible, inputs, field, couplings, steps)]

    def task(first: int, count: int) -> None:
        _sweep_pairs(*arrays, scale, first, count, sweeps, np.uint64(key), np.uint64(draw))

    share(task, len(visible), least=1, most=64)
    return visible, inputs
