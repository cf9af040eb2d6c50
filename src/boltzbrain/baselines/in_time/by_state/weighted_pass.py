"""Score and slope of the bins that a hidden state holds, many neurons to an instruction.

Every number is float32 but for sums over bins. exp and log are polynomials, so that the compiler
takes them for as many neurons at once as the processor has room for.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numba import njit, prange
from numpy.polynomial import Chebyshev, Polynomial
from torch import Tensor

from boltzbrain.foundations.compiling.cache import kept

_GROUPS = 16
"""Bins are summed over in so many groups, whatever the number of cores."""
_FEW = 64
"""Bins of which sums are float32."""


def _polynomial(function: Callable[[Any], Any], low: float, high: float, power: int) -> Any:
    """Return the polynomial through a function at the points of Chebyshev, lowest power first."""
    found = Chebyshev.interpolate(function, power, domain=[low, high])
    return tuple(np.float32(one) for one in found.convert(kind=Polynomial).coef)


_LOG2_E = np.float32(1 / math.log(2))
_ROUNDER = np.float32(1.5 * 2**23)
"""Added to a number, it leaves the nearest whole one in the last bits."""
_FAR, _ZERO, _ONE = np.float32(-86.0), np.float32(0.0), np.float32(1.0)
_EXP = _polynomial(np.exp2, -0.5, 0.5, 6)
_LOG = _polynomial(lambda x: np.log1p(x) / x, 1e-9, 1.0, 9)


@njit(fastmath={"contract"})
def _exp(value: Any) -> Any:
    """Return exp of a float32 of 0 at most."""
    value = max(value, _FAR) * _LOG2_E
    shifted = value + _ROUNDER
    rest = value - (shifted - _ROUNDER)
    power = _EXP[6]
    power = power * rest + _EXP[5]
    power = power * rest + _EXP[4]
    power = power * rest + _EXP[3]
    power = power * rest + _EXP[2]
    power = power * rest + _EXP[1]
    power = power * rest + _EXP[0]
    bits = np.float32(power).view(np.int32) + (np.float32(shifted).view(np.int32) << 23)
    return np.int32(bits).view(np.float32)


@njit(fastmath={"contract"})
def _log_beyond_one(value: Any) -> Any:
    """Return log(1 + value) of a float32 from 0 to 1."""
    power = _LOG[9]
    power = power * value + _LOG[8]
    power = power * value + _LOG[7]
    power = power * value + _LOG[6]
    power = power * value + _LOG[5]
    power = power * value + _LOG[4]
    power = power * value + _LOG[3]
    power = power * value + _LOG[2]
    power = power * value + _LOG[1]
    power = power * value + _LOG[0]
    return power * value


@njit(fastmath={"contract"})
def _sum_up(z: Any, odds: Any, field: Any, own: Any, traces: Any) -> None:
    for neuron in range(len(z)):
        z[neuron] = odds[neuron] + field[neuron]
    for trace in range(len(own)):
        weights, heard = own[trace], traces[trace]
        for neuron in range(len(z)):
            z[neuron] += weights[neuron] * heard[neuron]


@njit(fastmath={"contract", "reassoc"})
def _score(z: Any, states: Any) -> Any:
    """Return log P of independent neurons."""
    total = _ZERO
    for neuron in range(len(z)):
        here = z[neuron]
        lost = max(here, _ZERO) + _log_beyond_one(_exp(-abs(here)))
        total += np.float32(states[neuron]) * here - lost
    return total


# without the error that a division by 0 raises in Python, of which there is none here
@njit(error_model="numpy", fastmath={"contract"})
def _leave(z: Any, states: Any, weight: Any, value: Any) -> None:
    """Put the slope in place of the log-odds, and add what is lost to that of every neuron."""
    for neuron in range(len(z)):
        here, active = z[neuron], np.float32(states[neuron])
        small = _exp(-abs(here))
        lost = max(here, _ZERO) + _log_beyond_one(small) - active * here
        value[neuron] += weight * lost
        top = _ONE if here >= _ZERO else small
        z[neuron] = weight * (top / (_ONE + small) - active)


@functools.partial(kept, parallel=True)
def _scores(odds: Any, field: Any, own: Any, traces: Any, states: Any, score: Any) -> None:
    bins, neurons = odds.shape
    for group in prange(_GROUPS):
        z = np.empty(neurons, np.float32)
        for bin_ in range(bins * group // _GROUPS, bins * (group + 1) // _GROUPS):
            _sum_up(z, odds[bin_], field, own, traces[bin_])
            score[bin_] = _score(z, states[bin_])


@njit(fastmath={"contract"})
def _add(left: Any, traces: Any, residual: Any, by_field: Any, by_own: Any) -> None:
    for neuron in range(len(left)):
        residual[neuron] += left[neuron]
    for neuron in range(len(left)):
        by_field[neuron] += left[neuron]
    for trace in range(len(by_own)):
        heard, slope = traces[trace], by_own[trace]
        for neuron in range(len(left)):
            slope[neuron] += left[neuron] * heard[neuron]


@functools.partial(kept, parallel=True)
def _slopes(
    odds: Any, field: Any, own: Any, traces: Any, states: Any, bins: Any, weight: Any,
    packed: bool, residual: Any, value: Any, by_field: Any, by_own: Any,
) -> None:  # fmt: skip
    count, neurons = len(bins), len(field)
    for group in prange(_GROUPS):
        z = np.empty(neurons, np.float32)
        # sums of a few bins in float32, of many in float64
        few = np.zeros((2 + len(own), neurons), np.float32)
        last = count * (group + 1) // _GROUPS
        for row in range(count * group // _GROUPS, last):
            bin_ = bins[row]
            place = row if packed else bin_
            _sum_up(z, odds[place], field, own, traces[bin_])
            _leave(z, states[bin_], weight[row], few[0])
            _add(z, traces[bin_], residual[place], few[1], few[2:])
            if row % _FEW == 0 or row == last - 1:
                value[group] += few[0]
                by_field[group] += few[1]
                by_own[group] += few[2:]
                few[:] = _ZERO


def scores(odds: Tensor, field: Tensor, own: Tensor, traces: Tensor, states: Tensor) -> Tensor:
    """Return log P(v) of independent neurons, (bin,) float64.

    Parameters
    ----------
    odds
        (bin, neuron) float32 log-odds, to which field and own traces are added.
    field
        (neuron,) float32.
    own
        (trace, neuron) float32 weights of every neuron on its own traces.
    traces
        (bin, trace, neuron) float32.
    states
        (bin, neuron) uint8.
    """
    score = np.empty(len(odds))
    _scores(odds.numpy(), field.numpy(), own.numpy(), traces.numpy(), states.numpy(), score)
    return torch.from_numpy(score)


def slopes(
    odds: Tensor,
    field: Tensor,
    own: Tensor,
    traces: Tensor,
    states: Tensor,
    bins: Tensor,
    weight: Tensor,
    residual: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the negative score of some bins, weighted, and how it changes.

    Parameters
    ----------
    odds
        As in `scores`, of every bin or of those given alone.
    field, own, traces, states
        As in `scores`, of every bin.
    bins
        (row,) int64 which of them.
    weight
        (row,) float32 weight of each.
    residual
        As long as `odds`, float32: the slope by them is added in place.

    Returns
    -------
    value, field_slope
        (neuron,) float64.
    own_slope
        (trace, neuron) float64.
    """
    neurons, kinds = odds.shape[1], len(own)
    value, by_field = np.zeros((2, _GROUPS, neurons))
    by_own = np.zeros((_GROUPS, kinds, neurons))
    _slopes(
        odds.numpy(), field.numpy(), own.numpy(), traces.numpy(), states.numpy(), bins.numpy(),
        weight.numpy(), len(odds) == len(bins), residual.numpy(), value, by_field, by_own,
    )  # fmt: skip
    first, second, third = (torch.from_numpy(one.sum(axis=0)) for one in (value, by_field, by_own))
    return first, second, third
