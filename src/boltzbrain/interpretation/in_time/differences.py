"""Couplings of hidden states or epochs, and which pairs differ beyond labels at other times.

What differs between labels are the fields of the hidden units, and by them which couplings the
weights make: all others as in the training bins (data reference), as with all others active half
the time a unit that is on more easily has smaller couplings. A label with few bins has offsets of
its own by chance, so those of the labels are fitted anew, from none on, beside weights that rest,
and as much is done with labels that are shifted in time: the change of a pair counts where it lies
beyond what nearly all pairs of those have.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from boltzbrain.baselines.in_time.changes import QUANTILE, SURROGATES
from boltzbrain.foundations.progress import Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.couplings.couplings import couplings
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM
from boltzbrain.training.context.refit import refitted

Floats = NDArray[np.float64]

MOST_NEURONS, KEPT = 2000, 200
"""Neurons up to which all pairs are compared, and pairs that are kept, the most changing first."""
BINS = 500
"""Training bins that the data reference averages over."""


@dataclass(frozen=True, eq=False)
class Differences:
    """How couplings change with the label.

    Attributes
    ----------
    pairs
        (pair, 2) neurons, the most changing pair first.
    values
        (pair, label) couplings, in spins of -1 and +1, data reference.
    change
        (pair,) root mean square over labels, as often as they are held, of what is not their mean.
    threshold
        Change of a pair that a share of `QUANTILE` of the surrogates' pairs stays below.
    compared, changing, expected
        Pairs in all, those beyond the threshold, and how many would be by chance.
    """

    pairs: NDArray[np.int64]
    values: Floats
    change: Floats
    threshold: float
    compared: int
    changing: int
    expected: float


def differences(
    rbm: RBM,
    given: Sequences,
    posterior: Floats,
    generator: Generator,
    tell: Teller,
    surrogates: int = SURROGATES,
) -> Differences:
    """Compare the couplings of labels.

    Parameters
    ----------
    rbm
        The model without offsets.
    given
        Training bins.
    posterior
        (bin, label) probabilities of the labels of every bin.
    generator
        Moves on.
    tell
        Told the fits.
    surrogates
        Number of shifts.
    """
    states, share = torch.from_numpy(given.states), posterior.mean(axis=0)
    upper = np.triu_indices(given.states.shape[1], 1)

    def by_label(weights: Floats, number: int) -> Floats:
        """Return the couplings of every pair and label, (pair, label)."""
        tell(number, surrogates + 1)
        told = torch.from_numpy(np.ascontiguousarray(weights))
        rows = refitted(rbm, states, told, generator.child(number))
        return couplings_of(rbm, rows, given.states)[upper]

    own = by_label(posterior, 0)
    change = _spread(own, share)
    others = np.concatenate(
        [
            _spread(by_label(shifted(posterior, given, generator), number + 1), share)
            for number in range(surrogates)
        ]
    )
    tell(surrogates + 1, surrogates + 1)
    threshold = float(np.quantile(others, QUANTILE))
    order = np.argsort(-change, kind="stable")[:KEPT]
    return Differences(
        np.column_stack(upper)[order].astype(np.int64),
        own[order],
        change[order],
        threshold,
        len(change),
        int((change > threshold).sum()),
        # of few pairs the surrogates' quantile is but their largest value
        max(1 - QUANTILE, 1 / (1 + len(others))) * len(change),
    )


def couplings_of(rbm: RBM, rows: Offsets, states: NDArray[np.uint8]) -> Floats:
    """Return the pair couplings of the law of every row, (neuron, neuron, row)."""
    found = []
    for row in rows.rows():
        law = rbm.with_fields_moved(row)
        found.append(np.asarray(couplings(law, 2, "data", data=states, bins=BINS, check=False)))
    return np.stack(found, axis=2)


def shifted(posterior: Floats, given: Sequences, generator: Generator) -> Floats:
    """Return labels at other times: circularly within pieces, each by a lag of its own.

    Where most pieces are of one label, that would change nothing, and all bins are shifted at once.
    """
    path = posterior.argmax(axis=1)
    edges = given.edges
    same = [len(np.unique(path[one:two])) == 1 for one, two in itertools.pairwise(edges)]
    if np.mean(same) > 0.5:
        return np.roll(posterior, 1 + int(generator.integers(max(1, len(path) - 1), 1)[0]), axis=0)
    result = posterior.copy()
    chance = generator.uniform((1, len(edges) - 1))[0].numpy()
    for place, (one, two) in enumerate(itertools.pairwise(edges)):
        lag = 1 + int(chance[place] * max(two - one - 1, 0))
        result[one:two] = np.roll(posterior[one:two], lag, axis=0)
    return result


def _spread(values: Floats, share: Floats) -> Floats:
    weight = share / share.sum()
    centred = values - (values @ weight)[:, None]
    found: Floats = np.sqrt(np.square(centred) @ weight)
    return found
