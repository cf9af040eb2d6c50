"""What behaviour is compared with: hidden units, neurons, or as many principal components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity
from boltzbrain.foundations.checks import one_of
from boltzbrain.interpretation.references import some_bins
from boltzbrain.kernels.dispatch import sum_active_rows
from boltzbrain.model.context.contextual import ContextualRBM
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.hidden_activity import hidden_activity, hidden_in_context
from boltzbrain.model.rbm import RBM

KINDS = ("hidden", "neurons", "components")
_BINS = 20_000
_NAMED = {"hidden": "assembly", "neurons": "neuron", "components": "component"}


@dataclass(frozen=True)
class Units:
    """The values of some units in every bin.

    Attributes
    ----------
    kind
        One of `KINDS`.
    values
        (bin, unit) float32, or uint8 of neurons.
    """

    kind: str
    values: NDArray[Any]

    @property
    def number(self) -> int:
        """Number of units."""
        return int(self.values.shape[1])

    @property
    def noun(self) -> str:
        """What one of them is called."""
        return _NAMED[self.kind]


def units_of(model: RBM | ContextualRBM, activity: Activity, kind: str) -> Units:
    """Return the values of the units of a kind.

    Parameters
    ----------
    model
        Its hidden units are taken with weights that sum to 0 or more, as `interpret` shows them;
        with a context under the fields of each bin, which begin anew in each segment.
    activity
        The activity.
    kind
        "hidden" for <h | v>, "neurons" for the states, "components" for as many principal
        components as there are hidden units, of training states: at most 20,000 bins, evenly
        spaced.

    Raises
    ------
    InputError
        If there is no such kind.
    """
    one_of("units", kind, KINDS)
    if kind == "neurons":
        return Units(kind, activity.states)
    if kind == "hidden":
        return Units(kind, _hidden(model, activity))
    from sklearn.decomposition import PCA

    train = some_bins(activity.states_of("train"), _BINS).astype(np.float32)
    rbm = model.rbm if isinstance(model, ContextualRBM) else model
    number = min(len(rbm.hidden), *train.shape)
    fitted = PCA(number, svd_solver="randomized", random_state=0).fit(train)
    axes = torch.from_numpy(np.ascontiguousarray(fitted.components_.T))
    values = sum_active_rows(torch.from_numpy(activity.states), axes).numpy()
    return Units(kind, values - fitted.mean_ @ fitted.components_.T)


def _hidden(model: RBM | ContextualRBM, activity: Activity) -> NDArray[np.float32]:
    if isinstance(model, ContextualRBM):
        return hidden_in_context(model.in_sign_gauge(), Sequences.of_segments(activity))
    return hidden_activity(model.in_sign_gauge(), activity.states)
