"""Statistics of the hidden units, and the normalised errors of all five statistics.

Of recorded as of generated activity the hidden units are represented by their means given the
visible ones, <h | v> ('Assessment of data statistics', van der Plas et al. 2023).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from boltzbrain.evaluation.statistics.agreement import Comparison, normalised_rmse
from boltzbrain.evaluation.statistics.kept import Kept, keep_statistic
from boltzbrain.foundations.checks import Undefined
from boltzbrain.foundations.memory import slices
from boltzbrain.kernels.dispatch import correlate
from boltzbrain.model.rbm import RBM
from boltzbrain.training.update.penalties import Penalties

_PRODUCTS = 20_000_000
"""Most products v_i h_a compared; beyond, every so many-th neuron is left out."""


@dataclass(frozen=True)
class HiddenMoments:
    """Means of the hidden units over one set of activity.

    Attributes
    ----------
    h
        (hidden,) <h>.
    vh
        (neuron, hidden) <v h>.
    hh
        (pair,) <h h'> - <h><h'> of every pair of different hidden units.
    """

    h: NDArray[np.float64]
    vh: NDArray[np.float64]
    hh: NDArray[np.float64]


def hidden_moments(model: RBM, states: NDArray[np.uint8]) -> HiddenMoments:
    """Compute the means of hidden units and of their products, streamed over bins.

    Parameters
    ----------
    model
        The model.
    states
        (bin, neuron) uint8, at least one bin.
    """
    neurons, hidden = model.weights.shape
    h = torch.zeros(hidden, dtype=torch.float64)
    vh = torch.zeros((neurons, hidden), dtype=torch.float64)
    hh = torch.zeros((hidden, hidden), dtype=torch.float64)
    for part in slices(len(states), neurons):
        visible = torch.from_numpy(states[part])
        given = model.mean_hidden(visible)
        means = given.to(torch.float64)
        h += means.sum(dim=0)
        vh += correlate(visible, given).to(torch.float64)
        hh += means.T @ means
    h, vh, hh = h / len(states), vh / len(states), hh / len(states)
    rows, columns = np.triu_indices(hidden, 1)
    covariance = (hh - torch.outer(h, h)).numpy()
    return HiddenMoments(h.numpy(), vh.numpy(), covariance[rows, columns])


def products_compared(
    model: RBM, of: dict[str, HiddenMoments], penalties: Penalties
) -> dict[str, NDArray[np.float64]]:
    """Return <v h> of each set, (entry,), without exactly zero weights, the model's with the shift.

    What the penalties hold apart at the end of training is added to the model's statistic before it
    is compared; the paper adds the L1 term.

    Parameters
    ----------
    model
        The model.
    of
        Set ("train", "test", "generated") to its moments.
    penalties
        Penalties of the training.
    """
    weights = model.weights.to("cpu", torch.float64)
    step = max(1, -(-weights.numel() // _PRODUCTS))
    shift = penalties.pull(weights)[::step].numpy()
    kept = weights[::step].numpy() != 0
    return {
        name: (one.vh[::step] + (shift if name == "generated" else 0.0))[kept]
        for name, one in of.items()
    }


def hidden_comparisons(
    model: RBM, of: dict[str, HiddenMoments], penalties: Penalties
) -> dict[str, dict[str, Comparison]]:
    """Compare <h>, <v h> and <h h'> of generated and of training activity with the test fold.

    Returns
    -------
    dict
        "h", "vh" and "hh", each to "generated" and "train" against the test fold.
    """
    products = products_compared(model, of, penalties)
    values = {
        "h": {name: one.h for name, one in of.items()},
        "vh": products,
        "hh": {name: one.hh for name, one in of.items()},
    }
    return {
        name: {kind: Comparison(sets["test"], sets[kind]) for kind in ("generated", "train")}
        for name, sets in values.items()
    }


def keep_hidden(
    kept: Kept, model: RBM, sets: Mapping[str, NDArray[np.uint8]], penalties: Penalties
) -> dict[str, dict[str, Comparison]]:
    """Keep what the figures of hidden units show; return the comparisons that they are of."""
    of = {name: hidden_moments(model, states) for name, states in sets.items()}
    compared = hidden_comparisons(model, of, penalties)
    for name, kinds in compared.items():
        values = {kind: one.values for kind, one in kinds.items()}
        keep_statistic(kept, name, {**values, "test": kinds["train"].reference})
    return compared


def compare_hidden(
    model: RBM,
    train: NDArray[np.uint8],
    test: NDArray[np.uint8],
    generated: NDArray[np.uint8],
    penalties: Penalties | None = None,
    kept: Kept | None = None,
) -> dict[str, Any]:
    """Return ``hidden`` and the entries h, vh and hh of ``nrmse`` for evaluation.json.

    Parameters
    ----------
    model
        The model.
    train, test, generated
        (bin, neuron) uint8; the test fold may be empty.
    penalties
        Penalties of the training; none where None.
    kept
        Gets what the figures show.
    """
    if not len(test):
        nothing = Undefined("the test fold has no bins")
        empty = dict.fromkeys(("pearson", "slope", "rmse"), nothing)
        hidden = dict.fromkeys(("h", "vh", "hh"), empty)
        return {
            "hidden": {**hidden, "ceiling": hidden},
            "nrmse": dict.fromkeys(("h", "vh", "hh"), nothing),
        }
    sets = {"train": train, "test": test, "generated": generated}
    compared = keep_hidden({} if kept is None else kept, model, sets, penalties or Penalties())
    missing = dict.fromkeys(("pearson", "slope", "rmse"), Undefined("there is one hidden unit"))

    def summary(name: str, kind: str) -> dict[str, Any]:
        one = compared[name][kind]
        return one.summary() if len(one.values) else missing

    return {
        "hidden": {
            **{name: summary(name, "generated") for name in compared},
            "ceiling": {name: summary(name, "train") for name in compared},
        },
        "nrmse": {
            name: normalised_rmse(one["generated"], one["train"]) for name, one in compared.items()
        },
    }
