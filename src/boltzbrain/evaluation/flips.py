"""What turning one neuron changes, for Bernoulli hidden units: products in place of logarithms.

With p_a the mean of hidden unit a and q_a = 1 - p_a, a neuron that is turned changes the sum of
Gamma by the sum of log(q_a + p_a exp(+-W_ia)): no exponential is left but that of the weights, and
one logarithm serves 64 units. Both terms are positive, so that no digit is lost.
"""

# numba infers the types of the loops, so they carry none.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"

from __future__ import annotations

import math

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.kernels.compiling import compiled
from boltzbrain.kernels.cpu.simd import fused, load, spread, store
from boltzbrain.kernels.cpu.threads import share
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.rbm import RBM

_LANES, _CHUNK = 16, 64
_ONE = np.float32(1.0)
_LEAST, _MOST = 1e-100, 1e100
_LARGEST = 40.0
"""Size of a weight from which on exp(-W) beside a probability is no float32."""


def turns_fast(model: RBM) -> bool:
    """Return whether the loops of this module serve a model."""
    here = model.weights.device.type == "cpu" and model.weights.dtype == torch.float32
    binary = isinstance(model.hidden, Bernoulli) and isinstance(model.visible, Bernoulli)
    return here and binary and float(model.weights.abs().max()) < _LARGEST


def _padded(values: Tensor, with_: float = 0.0) -> NDArray[np.float32]:
    """Return rows as long as whole vectors."""
    room = -values.shape[-1] % _LANES
    padded = torch.nn.functional.pad(values, (0, room), value=with_)
    return np.ascontiguousarray(padded.detach().numpy())


def _factors(model: RBM) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return exp(W) and exp(-W), of neurons that become active and silent."""
    return _padded(torch.exp(model.weights), 1.0), _padded(torch.exp(-model.weights), 1.0)


@njit
def _sum_of_logs(units, active, silent, at, factor, row, room):
    """Return the sum of log(silent + active factor) over the units of two rows of flat arrays."""
    total, product = 0.0, 1.0
    for start in range(0, units, _CHUNK):
        lanes = spread(_ONE)
        for place in range(start, min(start + _CHUNK, units), _LANES):
            mine, theirs = np.uint64(at + place), np.uint64(row + place)
            lanes = lanes * fused(load(active, mine), load(factor, theirs), load(silent, mine))
        store(room, np.uint64(0), lanes)
        # four products, so that none waits for another
        a, b = np.float64(room[0]), np.float64(room[1])
        c, d = np.float64(room[2]), np.float64(room[3])
        for lane in range(4, _LANES, 4):
            a *= room[lane]
            b *= room[lane + 1]
            c *= room[lane + 2]
            d *= room[lane + 3]
        whole = (a * b) * (c * d)
        if not _LEAST < whole < _MOST:
            for place in range(start, min(start + _CHUNK, units)):
                chance = np.float64(active[at + place]) * np.float64(factor[row + place])
                total += math.log(np.float64(silent[at + place]) + chance)
            continue
        product *= whole
        if not _LEAST < product < _MOST:
            total += math.log(product)
            product = 1.0
    return total + math.log(product)


@compiled
def _fields(states, units, active, silent, up, down, field, first, last, fields):
    room = np.empty(_LANES, np.float32)
    for row in range(first, last):
        for neuron in range(states.shape[1]):
            at, of = units * row, units * neuron
            if states[row, neuron] == 0:
                change = _sum_of_logs(units, active, silent, at, up, of, room)
                fields[row, neuron] = field[neuron] + change
            else:
                change = _sum_of_logs(units, active, silent, at, down, of, room)
                fields[row, neuron] = field[neuron] - change


@compiled
def _glauber(states, totals, rows, up, down, field, sites, limits, first, last):
    units = rows.shape[1]
    room = np.empty(_LANES, np.float32)
    active, silent = np.empty(units, np.float32), np.empty(units, np.float32)
    for chain in range(first, last):
        mine, total = states[chain], totals[chain]
        for unit in range(units):
            active[unit] = 1 / (1 + math.exp(-total[unit]))
            silent[unit] = 1 / (1 + math.exp(total[unit]))
        for update in range(sites.shape[1]):
            neuron = sites[chain, update]
            now, of = mine[neuron], units * neuron
            if now == 0:
                odds = field[neuron] + _sum_of_logs(units, active, silent, 0, up, of, room)
            else:
                odds = field[neuron] - _sum_of_logs(units, active, silent, 0, down, of, room)
            after = np.uint8(limits[chain, update] < odds)
            if after == now:
                continue
            mine[neuron] = after
            sign = np.float32(1) if after else np.float32(-1)
            for unit in range(units):
                total[unit] += sign * rows[neuron, unit]
                active[unit] = 1 / (1 + math.exp(-total[unit]))
                silent[unit] = 1 / (1 + math.exp(total[unit]))


def effective_fields_by_products(model: RBM, states: Tensor) -> Tensor:
    """Return the log-odds of every neuron given all others, (bin, neuron) float32.

    Parameters
    ----------
    model
        One that `turns_fast`.
    states
        (bin, neuron) uint8.
    """
    total = model.inputs_to_hidden(states) + model.hidden.parameters()["field"]
    active, silent = _padded(torch.sigmoid(total)), _padded(torch.sigmoid(-total), 1.0)
    up, down = _factors(model)
    given = np.ascontiguousarray(states.numpy())
    field = model.visible.parameters()["field"].numpy()
    fields = np.empty(given.shape, dtype=np.float32)
    units = active.shape[1]
    flat = [one.reshape(-1) for one in (active, silent, up, down)]

    def task(first: int, count: int) -> None:
        _fields(given, units, *flat, field, first, first + count, fields)

    share(task, len(given), least=1, most=64)
    return torch.from_numpy(fields)


def glauber_by_products(
    model: RBM, visible: Tensor, sites: NDArray[np.int64], threshold: Tensor
) -> None:
    """Update single neurons of each chain, given all others, one after the other.

    Parameters
    ----------
    model
        One that `turns_fast`.
    visible
        (chain, neuron) uint8, changed in place.
    sites, threshold
        (update, chain) the neuron, and the log-odds above which it becomes active.
    """
    inputs = model.inputs_to_hidden(visible) + model.hidden.parameters()["field"]
    totals = _padded(inputs, -80.0)
    rows = _padded(model.weights)
    flat = [one.reshape(-1) for one in _factors(model)]
    field = model.visible.parameters()["field"].numpy()
    # a chain reads its own draws one after the other
    drawn, limits = np.ascontiguousarray(sites.T), np.ascontiguousarray(threshold.numpy().T)
    states = visible.numpy()

    def task(first: int, count: int) -> None:
        _glauber(states, totals, rows, *flat, field, drawn, limits, first, first + count)

    share(task, len(states), least=1, most=64)
