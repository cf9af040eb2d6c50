"""Score and slope of binary states given log-odds: one pass over the bins."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
from numba import prange
from torch import Tensor

from boltzbrain.foundations.compiling.cache import kept

_GROUPS = 16
"""Bins are summed over in so many groups, whatever the number of cores."""


@functools.partial(kept, parallel=True)
def _pass(
    odds: Any, field: Any, own: Any, traces: Any, states: Any, weight: Any, wanted: bool,
    score: Any, residual: Any, field_slope: Any, own_slope: Any,
) -> None:  # fmt: skip
    bins, neurons = odds.shape
    one, none = np.float32(1.0), np.float32(0.0)
    for group in prange(_GROUPS):
        for bin_ in range(bins * group // _GROUPS, bins * (group + 1) // _GROUPS):
            total, product = 0.0, 1.0
            for neuron in range(neurons):
                z = odds[bin_, neuron] + field[neuron]
                for trace in range(len(own)):
                    z += own[trace, neuron] * traces[bin_, trace, neuron]
                small = np.exp(-abs(z))
                active = np.float32(states[bin_, neuron])
                total += active * z - max(z, none)
                # the logarithm of a product of 32 numbers below 2, not 32 logarithms
                product *= 1.0 + small
                if neuron % 32 == 31:
                    total -= np.log(product)
                    product = 1.0
                if wanted:
                    chance = one / (one + small) if z >= none else small / (one + small)
                    left = weight[bin_] * (chance - active)
                    residual[bin_, neuron] = left
                    field_slope[group, neuron] += left
                    for trace in range(len(own)):
                        own_slope[group, trace, neuron] += left * traces[bin_, trace, neuron]
            score[bin_] = total - np.log(product)


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
    nothing = np.empty((0, 0), np.float32)
    score = np.empty(len(odds))
    _pass(
        odds.numpy(), field.numpy(), own.numpy(), traces.numpy(), states.numpy(),
        np.empty(0, np.float32), False, score, nothing, np.empty((0, 0)), np.empty((0, 0, 0)),
    )  # fmt: skip
    return torch.from_numpy(score)


def scores_and_slopes(
    odds: Tensor, field: Tensor, own: Tensor, traces: Tensor, states: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return `scores` and how the negative score, weighted by bin, changes.

    Parameters
    ----------
    odds, field, own, traces, states
        As in `scores`.
    weight
        (bin,) float32.

    Returns
    -------
    score
        (bin,) float64, without the weight.
    residual
        (bin, neuron) float32, the slope by `odds`.
    field_slope, own_slope
        (neuron,) and (trace, neuron) float64.
    """
    neurons, kinds = odds.shape[1], len(own)
    score, residual = np.empty(len(odds)), np.empty(odds.shape, np.float32)
    by_field, by_own = np.zeros((_GROUPS, neurons)), np.zeros((_GROUPS, kinds, neurons))
    _pass(
        odds.numpy(), field.numpy(), own.numpy(), traces.numpy(), states.numpy(), weight.numpy(),
        True, score, residual, by_field, by_own,
    )  # fmt: skip
    found = (score, residual, by_field.sum(axis=0), by_own.sum(axis=0))
    first, second, third, fourth = (torch.from_numpy(one) for one in found)
    return first, second, third, fourth
