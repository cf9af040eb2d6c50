"""Components of a recording turned so that each may be an assembly, in two ways.

Until each neuron follows few of them, which is what assemblies are; and until they are independent.
The second tells amplitudes apart by their distributions: rarely on ones best of all, even where few
bins tell who follows them, but one that is on in 21 % of the bins has the kurtosis of a normal
amplitude, so that no rotation of two such is more independent than another. The first does not ask
how often an assembly is on.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.training.update.first_weights import (
    independent,
    significant_components,
    slopes_of,
)

Floats = NDArray[np.float64]

_TURNS, _ENOUGH = 200, 1e-8


def candidate_slopes(states: Tensor, most: int, seed: int) -> tuple[Floats, int, int]:
    """Return the slopes of significant components, turned both ways.

    Parameters
    ----------
    states
        (bin, neuron) uint8.
    most
        Most components.
    seed
        Seed of the rotation to independent components.

    Returns
    -------
    slopes
        (neuron, candidate): cov(v_i, s) / var(v_i) for components s of unit variance, which sum to
        a positive number each; first those of simple structure, then as many independent ones.
    simple
        How many of simple structure there are.
    bins
        Number of bins that were looked at.
    """
    binary, spread, whitened = significant_components(states, most)
    simple = turned(torch.from_numpy(binary), whitened, spread)
    both = np.hstack([simple, independent(whitened, seed)])
    slopes = slopes_of(binary, both / both.std(axis=0), spread)
    return slopes * np.where(slopes.sum(axis=0) < 0, -1.0, 1.0), simple.shape[1], len(binary)


def turned(states: Tensor, whitened: Floats, spread: Floats) -> Floats:
    """Return a rotation of amplitudes of which each neuron follows few, (bin, component).

    Parameters
    ----------
    states
        (bin, neuron) uint8.
    whitened
        (bin, component) uncorrelated amplitudes of mean 0 and variance 1.
    spread
        (neuron,) standard deviations.
    """
    if not whitened.shape[1]:
        return whitened
    loadings = slopes_of(states.numpy(), whitened, spread) * spread[:, None]
    turn = varimax(loadings)
    upright = np.where((loadings @ turn).sum(axis=0) < 0, -1.0, 1.0)
    return np.asarray(whitened @ (turn * upright))


def varimax(loadings: Floats) -> Floats:
    """Return the rotation after which squared loadings vary most (Kaiser, Psychometrika 1958).

    Parameters
    ----------
    loadings
        (neuron, component).
    """
    turn, before = np.eye(loadings.shape[1]), 0.0
    for _ in range(_TURNS):
        now = loadings @ turn
        squares = now * now
        pull = now * (squares - squares.mean(axis=0))
        left, sizes, right = np.linalg.svd(loadings.T @ pull)
        turn = left @ right
        if sizes.sum() <= before * (1 + _ENOUGH):
            break
        before = float(sizes.sum())
    return turn
