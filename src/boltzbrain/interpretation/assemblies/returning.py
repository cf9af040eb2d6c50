"""Which assemblies come back when the model is trained again: other seeds, half of the bins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.file import Entries, Entry
from boltzbrain.model.hidden_activity import hidden_activity
from boltzbrain.model.rbm import RBM

Floats = NDArray[np.float64]
Tables = tuple[Floats, Floats]

RETURNS = 0.5
"""Agreement from which on an assembly is said to come back."""
_BINS = 3000
"""About so many bins tell the activity of the hidden units."""


def agreement(first: Tables, second: Tables) -> Floats:
    """Return how well each hidden unit is found again among those of another training, (hidden,).

    Units are matched one to one by the mean of two correlations, that of their weights over the
    neurons and that of their activity over the bins. A unit and its mirror image are the same, so
    that both correlations may change sign together; where they disagree in sign they cancel.

    Parameters
    ----------
    first, second
        (neuron, hidden) weights and (bin, hidden) activities, of the same neurons and bins.

    Returns
    -------
    ndarray
        Between 0 and 1; 0 for a unit that has no partner, as the other training has fewer.
    """
    similarity = _similarity(first, second)
    rows, columns = linear_sum_assignment(-similarity)
    found: Floats = np.zeros(similarity.shape[0])
    found[rows] = similarity[rows, columns]
    return found


def agreement_of_halves(mine: Tables, first: Tables, second: Tables) -> Floats:
    """Return how well the partners of each hidden unit in two trainings agree, (hidden,).

    The two share no bins, so that what a unit made of the noise of its bins is not in both; that
    of the unit itself is in either.

    Parameters
    ----------
    mine, first, second
        As of `agreement`; partners are found as there.
    """
    partners = []
    for half in (first, second):
        rows, columns = linear_sum_assignment(-_similarity(mine, half))
        partner = np.full(mine[0].shape[1], -1)
        partner[rows] = columns
        partners.append(partner)
    both = (partners[0] >= 0) & (partners[1] >= 0)
    found: Floats = np.zeros(len(both))
    found[both] = _similarity(first, second)[partners[0][both], partners[1][both]]
    return found


def _similarity(first: Tables, second: Tables) -> Floats:
    both = sum(
        unit_columns(one).T @ unit_columns(two) for one, two in zip(first, second, strict=True)
    )
    result: Floats = np.abs(np.asarray(both)) / len(first)
    return result


def find_returning(
    model: RBM,
    repeats: Sequence[RBM],
    states: NDArray[np.uint8],
    generator: Generator,
    halves: tuple[RBM, RBM] | None = None,
) -> tuple[Entries, dict[str, Any]]:
    """Return the agreement of every assembly over repeats, and its summary.

    It is the median over repeats or, where that is less, the agreement of its partners in the two
    halves: models of the same bins also agree on the noise of these.

    Parameters
    ----------
    model
        The model that is read.
    repeats
        Other trainings, of the same neurons; the halves among them.
    states
        (bin, neuron) training states.
    generator
        Moves on; permutes neurons and bins of the repeats for the chance level.
    halves
        Trainings on one and the other half of the bins; None where one is not there.
    """
    some = states[:: max(1, len(states) // _BINS)]
    mine = _tables(model, some)
    found, chance = [], []
    for repeat in repeats:
        theirs = _tables(repeat, some)
        found.append(agreement(mine, theirs))
        shuffled = tuple(one[generator.permutation(len(one))] for one in theirs)
        chance.append(agreement(mine, (shuffled[0], shuffled[1])))
    middle, between = np.median(found, axis=0), None
    if halves is not None:
        between = agreement_of_halves(mine, *(_tables(half, some) for half in halves))
        middle = np.minimum(middle, between)
    entries = {
        "assemblies/agreement": Entry(
            middle.astype(np.float32),
            "(hidden,) how well it is found again over repeats and between halves, 0 to 1",
        ),
    }
    told = {
        "repeats": len(repeats),
        "share_returning": float((middle >= RETURNS).mean()),
        "returns_from": RETURNS,
        "median_agreement": float(np.median(middle)),
        "between_halves": None if between is None else float(np.median(between)),
        "chance": float(np.mean(chance)),
    }
    return entries, told


def _tables(model: RBM, states: NDArray[np.uint8]) -> Tables:
    weights = model.weights.double().cpu().numpy()
    return weights, hidden_activity(model, states).astype(np.float64)


def unit_columns(columns: Floats) -> Floats:
    """Return columns of mean 0 and length 1; constant ones become 0."""
    centred = columns - columns.mean(axis=0)
    length = np.sqrt(np.square(centred).sum(axis=0))
    # rounding leaves a constant column a length that is not 0
    result: Floats = centred / np.where(length > 1e-12, length, np.inf)
    return result
