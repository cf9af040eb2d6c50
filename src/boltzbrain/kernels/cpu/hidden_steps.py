"""Steps of single hidden units on the CPU, visible units integrated out, sixteen neurons at a time.

A step of unit a by d changes log sum_v P(v, h) by sum_i softplus(x_i + w_ia d) - softplus(x_i),
with softplus(x) = max(x, 0) + log(1 + exp(-|x|)). The factors 1 + exp(-|x|) lie between 1 and 2, so
that a hundred of them are multiplied before a logarithm is taken. A term is right to 2e-7, and
their errors do not add up in one direction.
"""

# numba infers the types of the loops, so they carry none.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numba import njit
from torch import Tensor

from boltzbrain.kernels.compiling import compiled
from boltzbrain.kernels.cpu.arrays import flat
from boltzbrain.kernels.cpu.draws import exp_of
from boltzbrain.kernels.cpu.simd import (
    fused,
    load,
    magnitude,
    nothing,
    smaller,
    spread,
    store,
)
from boltzbrain.kernels.cpu.threads import share

_WIDTH = 16
_BLOCK = 96 * _WIDTH
"""Neurons between two logarithms: 96 factors of at most 2 stay below the largest float32."""
_DENSE = 0.3
"""A column with a larger share of entries is read whole, which spares looking up its neurons."""
_SILENT = -80.0
"""Input of the neurons that fill up a row; nothing is ever added to it."""
_ONE, _FAR = np.float32(1.0), np.float32(64.0)


class _Columns(NamedTuple):
    """The weights of each hidden unit: of its neurons, or of all where most have one.

    Every column is filled up to whole vectors by zeros at a neuron that is none.
    """

    starts: Any
    whole: Any
    neurons: Any
    weights: Any


def _width(units: int) -> int:
    """Return the length of a row: whole vectors, the last element never a neuron."""
    return (units // _WIDTH + 1) * _WIDTH


def _columns(weights: Tensor) -> _Columns:
    turned = weights.detach().to(torch.float32).T.contiguous().numpy()
    hidden, units = turned.shape
    width = _width(units)
    whole = np.count_nonzero(turned, axis=1) > _DENSE * units
    starts, neurons, values = [0], [], []
    for unit in range(hidden):
        if whole[unit]:
            # their places are not looked up
            where, room = np.empty(0, np.int32), width
            column = turned[unit]
        else:
            where = np.flatnonzero(turned[unit]).astype(np.int32)
            room = -(-len(where) // _WIDTH) * _WIDTH
            column = turned[unit, where]
        padded = np.zeros(room, np.float32)
        padded[: len(column)] = column
        places = np.full(room, width - 1, np.int32)
        places[: len(where)] = where
        starts.append(starts[-1] + room)
        neurons.append(places)
        values.append(padded)
    nothing_yet = [np.empty(0, np.int32)]
    return _Columns(
        np.array(starts, np.int64),
        whole,
        np.concatenate(neurons or nothing_yet),
        np.concatenate(values or [np.empty(0, np.float32)]),
    )


@njit(inline="always")
def _factor(size):
    """Return 1 + exp(-size) of floats of at least 0."""
    return exp_of(nothing(size) - smaller(size, _FAR)) + _ONE


@njit
def _gain(inputs, origin, weights, start, count, step, lanes):
    """Return the change of the sum of softplus over `count` inputs from `origin` on."""
    total = 0.0
    place = 0
    while place < count:
        stop = min(place + _BLOCK, count)
        above, below = spread(_ONE), spread(_ONE)
        linear = nothing(above)
        for at in range(place, stop, _WIDTH):
            old = load(inputs, np.uint64(origin + at))
            new = fused(load(weights, np.uint64(start + at)), step, old)
            old_size, new_size = magnitude(old), magnitude(new)
            above = above * _factor(new_size)
            below = below * _factor(old_size)
            linear = linear + ((new - old) + (new_size - old_size))
        store(lanes, np.uint64(0), above)
        store(lanes, np.uint64(_WIDTH), below)
        store(lanes, np.uint64(2 * _WIDTH), linear)
        for lane in range(_WIDTH):
            ratio = np.float64(lanes[lane]) / np.float64(lanes[_WIDTH + lane])
            total += math.log(ratio) + 0.5 * np.float64(lanes[2 * _WIDTH + lane])
        place = stop
    return total


@compiled
def _take_steps(
    inputs, width, starts, whole, neurons, weights, steps, least, order, first, chains, taken
):
    """Try the steps of `chains` chains from `first` on; see `kernels.reference.take_steps`."""
    room = np.empty(width, np.float32)
    lanes = np.empty(3 * _WIDTH, np.float32)
    for chain in range(first, first + chains):
        origin = chain * width
        for unit in order:
            step, start = steps[chain, unit], starts[unit]
            count = starts[unit + 1] - start
            if step == 0.0:
                continue
            if whole[unit]:
                gain = _gain(inputs, origin, weights, start, count, step, lanes)
            else:
                for at in range(count):
                    room[at] = inputs[origin + neurons[start + at]]
                gain = _gain(room, 0, weights, start, count, step, lanes)
            if not gain > least[chain, unit]:
                continue
            taken[chain, unit] = True
            if whole[unit]:
                for at in range(0, count, _WIDTH):
                    where = np.uint64(origin + at)
                    new = fused(load(weights, np.uint64(start + at)), step, load(inputs, where))
                    store(inputs, where, new)
            else:
                for at in range(count):
                    inputs[origin + neurons[start + at]] += weights[start + at] * step


def take_steps(
    inputs: Tensor, weights: Tensor, steps: Tensor, least: Tensor, order: Tensor
) -> Tensor:
    """Decide as `kernels.reference.take_steps` does, from inputs rounded to float32."""
    chains, units = inputs.shape
    width = _width(units)
    rows = torch.full((chains, width), _SILENT)
    rows[:, :units] = inputs
    given, columns = flat(rows), _columns(weights)
    taken = np.zeros(steps.shape, np.bool_)
    moves = steps.to(torch.float32).contiguous().numpy()
    bounds, turns = least.to(torch.float64).contiguous().numpy(), order.numpy()

    def task(first: int, count: int) -> None:
        _take_steps(given, width, *columns, moves, bounds, turns, first, count, taken)

    share(task, chains, least=1 + 10_000 // max(1, weights.numel()), most=chains + 1)
    return torch.from_numpy(taken)
