"""Which strong couplings come back when the model is trained again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.couplings.low_rank import Couplings, row_blocks, top_partners
from boltzbrain.interpretation.file import Entries, Entry
from boltzbrain.interpretation.marginal import Floats, Indices

STRONGEST = 200
"""Pairs of the summary."""


def find_returning_couplings(
    partners: Indices,
    own: Couplings,
    repeats: Sequence[Couplings],
    generator: Generator,
    halves: tuple[Couplings, Couplings] | None = None,
) -> tuple[Entries, dict[str, Any]]:
    """Return how much of every neuron's strongest couplings is found again, and its summary.

    The agreement of a coupling is its value in another training over its own, from 0 where it is
    gone or of the other sign to 1 where it is as large or larger; the median over repeats. Models
    of the same bins also agree on the noise of these, and a coupling that is strong by noise is so
    in both halves of them. So no agreement is larger than that of couplings as strong in a model of
    one half with the model of the other, by isotonic regression on the rank of their size.

    Parameters
    ----------
    partners
        (neuron, place) as of `top_partners`.
    own, repeats
        Couplings of the model and of other trainings under the data reference: where assemblies
        are strong, neurons that are active half of the time, as the uniform reference has them, are
        never seen, and each training tells something else of them.
    generator
        Moves on; permutes the neurons of the repeats for the chance level.
    halves
        Those of `repeats` that were trained on one and the other half of the bins; None where one
        is not there.
    """
    neurons = len(partners)
    values = _at(partners, own, np.arange(neurons))
    found, chance = [], []
    for again in repeats:
        found.append(_found_again(partners, values, again, np.arange(neurons)))
        chance.append(_found_again(partners, values, again, generator.permutation(neurons)))
    middle, by_chance = (np.median(one, axis=0) for one in (found, chance))
    if halves is not None:
        middle = np.minimum(middle, _between(halves, values))
    strong = np.argsort(-np.abs(values).ravel(), kind="stable")[: 2 * STRONGEST]
    entries = {
        "couplings/partner_agreement": Entry(
            middle.astype(np.float32),
            "(neuron, place) share found again, data reference, over repeats and halves, 0 to 1",
        )
    }
    told = {
        "repeats": len(repeats),
        "median_agreement": float(np.median(middle.ravel()[strong])),
        "chance": float(np.median(by_chance.ravel()[strong])),
    }
    return entries, told


def _between(halves: tuple[Couplings, Couplings], values: Floats) -> Floats:
    """Return the share of couplings as strong that one half has of those of the other."""
    # here, as it takes a second that most commands need not wait for
    from sklearn.isotonic import IsotonicRegression

    neurons, places = values.shape
    order = np.arange(neurons)
    sizes, shares = [], []
    for one, other in (halves, halves[::-1]):
        partners, theirs = top_partners(one, places)
        sizes.append(rankdata(np.abs(theirs)) / theirs.size)
        shares.append(_found_again(partners, theirs, other, order).ravel())
    curve = IsotonicRegression(out_of_bounds="clip")
    curve.fit(np.concatenate(sizes, axis=None), np.concatenate(shares))
    limit: Floats = curve.predict(rankdata(np.abs(values)) / values.size).reshape(values.shape)
    return limit


def _found_again(partners: Indices, values: Floats, again: Couplings, order: Indices) -> Floats:
    """Return the agreement, (neuron, place), neuron i of the first being order[i] of the other."""
    other = _at(partners, again, order)
    share = np.divide(other, values, out=np.zeros(values.shape), where=values != 0)
    result: Floats = np.clip(share, 0.0, 1.0)
    return result


def _at(partners: Indices, couplings: Couplings, order: Indices) -> Floats:
    """Return couplings of partners, (neuron, place), neuron i standing at order[i] of them."""
    result = np.empty(partners.shape)
    back = np.argsort(order)
    for first, block in row_blocks(couplings):
        mine = back[first : first + len(block)]
        result[mine] = np.take_along_axis(np.asarray(block), order[partners[mine]], axis=1)
    return result
