"""Which influences of assemblies on each other lie beyond those of assemblies at other times.

A recurrence has a number for every pair of units, and fits what is not there, too: of shuffled bins
nearly as much as of others. So it is fitted anew to bins that the training has not seen, from none
on beside weights that rest, once to the means of the bin before and some times to means that are
shifted circularly over the bins: slow as these, but of another time. An influence counts where it
lies beyond what nearly all of those have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from boltzbrain.baselines.in_time.changes import QUANTILE, SURROGATES
from boltzbrain.foundations.progress import Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.in_time.influence import filtered_means
from boltzbrain.model.context.contextual import ContextualRBM
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.training.context.refit import refitted_recurrence

Floats = NDArray[np.float64]

_TENTH = 10


@dataclass(frozen=True, eq=False)
class BeyondChance:
    """Influences beside those of other times.

    Attributes
    ----------
    clear
        (hidden, hidden) bool, whether an influence lies beyond chance.
    threshold
        Size that a share of `QUANTILE` of the shifted ones stay below.
    expected
        How many of the pairs would lie beyond it by chance.
    """

    clear: NDArray[np.bool_]
    threshold: float
    expected: float


def beyond_chance(
    model: ContextualRBM,
    given: Sequences,
    covariance: Floats,
    generator: Generator,
    tell: Teller,
    surrogates: int = SURROGATES,
) -> BeyondChance:
    """Compare influences with those of assemblies at other times.

    Parameters
    ----------
    model
        With the context `assemblies`, others beside it or not.
    given
        Bins that the training has not seen: to those that it has, the weights are shaped.
    covariance
        (hidden, hidden) mean of that of the units in a bin.
    generator
        Moves on.
    tell
        Told the fits.
    surrogates
        Number of shifts.
    """
    later = np.flatnonzero(~given.begins)
    off = ~np.eye(len(covariance), dtype=bool)
    pairs = int(off.sum())
    if len(later) < 2 * _TENTH or not pairs:
        return BeyondChance(np.zeros(off.shape, dtype=bool), 0.0, 0.0)
    means = filtered_means(model, given)
    before = torch.from_numpy(means[later - 1] - means.mean(axis=0))
    beside = model.offsets(given).visible
    states = torch.from_numpy(given.states[later])
    rows = None if beside is None else beside[torch.from_numpy(later)]

    def size(lag: int, number: int) -> Floats:
        """Return the size of every influence, of means that are shifted by so many bins."""
        tell(number, surrogates + 1)
        shifted = before.roll(lag, dims=0)
        found = refitted_recurrence(model.rbm, states, shifted, rows, generator.child(number))
        result: Floats = np.abs(covariance @ found.to(torch.float64).numpy())
        return result

    own, least = size(0, 0), len(later) // _TENTH
    lags = least + generator.integers(len(later) - 2 * least, surrogates)
    others = np.concatenate([size(int(lag), 1 + k)[off] for k, lag in enumerate(lags)])
    tell(surrogates + 1, surrogates + 1)
    threshold = float(np.quantile(others, QUANTILE))
    expected = max(1 - QUANTILE, 1 / (1 + len(others))) * pairs
    return BeyondChance(own > threshold, threshold, expected)
