"""Components that take every value, beside those that are on or off: amplitudes and slopes.

What is left of graded components once on-bins are taken off is turned again (`rotation`).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.kernels.dispatch import correlate, sum_active_rows
from boltzbrain.training.assemblies.rotation import turned

Floats = NDArray[np.float64]
Marks = NDArray[np.bool_]

FEWEST_FOLLOWERS = 20
"""A component that fewer neurons follow is none."""
LEAST_TOGETHER = 5.0
"""The projection of a component varies so many times as much as with independent neurons. Planted
ones of 200 neurons and more reach 14 to 39; what is left of the noise of finite recordings, 1.2 to
2.3."""
MOST_WITHIN = 0.5
"""What varies while one assembly is on, and hardly else, is no assembly beside it but a part of it,
such as one within it that cannot be told on or off. A unit of its own would run away beside that of
the whole. In a fish of `proofs/harder_fish.py` without overlap one is at .73, and graded assemblies
are at .12 at most."""
_LEAST_VARIANCE = 1e-6
"""Share of the largest variance below which a direction of amplitudes is rounding."""


def graded_components(
    states: Tensor, apart: Floats, on: Marks, rates: Floats, least_z: float
) -> tuple[Floats, Floats]:
    """Return graded amplitudes, and by how much log-odds rise with them.

    Parameters
    ----------
    states
        (bin, neuron) uint8.
    apart
        (bin, component) projections that seem graded, without what on-bins explain.
    on
        (bin, component) on-bins of the others.
    rates
        (neuron,) mean activity.
    least_z
        A neuron follows an amplitude where its rise is so many standard errors from 0.

    Returns
    -------
    amplitudes
        (bin, graded component) of mean 0 and variance 1, uncorrelated.
    slopes
        (neuron, graded component), 0 but for the neurons that follow it.
    """
    variance = np.maximum(rates * (1 - rates), 1.0 / len(on) ** 2)
    amplitudes = _turned(states, apart, variance)
    both = np.column_stack([on, amplitudes]).astype(np.float64)
    both -= both.mean(axis=0)
    inverse = np.linalg.pinv(both.T @ both)
    by_bin = torch.from_numpy((both @ inverse).astype(np.float32))
    rise = correlate(states, by_bin).numpy()[:, on.shape[1] :].astype(np.float64)
    error = np.sqrt(variance[:, None] * np.diag(inverse)[on.shape[1] :])
    slopes = np.where(np.abs(rise) > least_z * error, rise / variance[:, None], 0.0)
    kept = (slopes != 0).sum(axis=0) >= FEWEST_FOLLOWERS
    kept &= _together(states, slopes, on, variance) >= LEAST_TOGETHER
    kept &= _within_one(amplitudes, on) < MOST_WITHIN
    return np.ascontiguousarray(amplitudes[:, kept]), np.ascontiguousarray(slopes[:, kept])


def _together(states: Tensor, slopes: Floats, on: Marks, variance: Floats) -> Floats:
    """Return by how much more projections vary than those of independent neurons, (component,)."""
    projection = sum_active_rows(states, torch.from_numpy(slopes.astype(np.float32))).numpy()
    design = np.column_stack([np.ones(len(on)), on])
    rest = projection - design @ np.linalg.lstsq(design, projection, rcond=None)[0]
    alone = (slopes**2 * variance[:, None]).sum(axis=0)
    return np.asarray(rest.var(axis=0) / np.maximum(alone, np.finfo(np.float64).tiny))


def _within_one(amplitudes: Floats, on: Marks) -> Floats:
    """Return the share of squared amplitudes in the on-bins of any one, less that of bins, at most.

    0 without any that is on or off; (component,).
    """
    square = amplitudes**2 / np.maximum((amplitudes**2).sum(axis=0), np.finfo(np.float64).tiny)
    inside = on.T.astype(np.float64) @ square - on.mean(axis=0)[:, None]
    return np.asarray(inside.max(axis=0, initial=0.0))


def _turned(states: Tensor, apart: Floats, variance: Floats) -> Floats:
    """Return uncorrelated amplitudes in the same space, of which each neuron follows few."""
    left, sizes, _ = np.linalg.svd(apart - apart.mean(axis=0), full_matrices=False)
    real = sizes**2 > _LEAST_VARIANCE * sizes.max(initial=0.0) ** 2
    whitened = left[:, real] * np.sqrt(len(apart))
    return turned(states, whitened, np.sqrt(variance))
