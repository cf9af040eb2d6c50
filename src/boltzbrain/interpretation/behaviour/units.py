"""What behaviour is compared with: hidden units, neurons, or as many principal components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity
from boltzbrain.foundations.checks import one_of
from boltzbrain.model.context.contextual import ContextualRBM
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.hidden_activity import hidden_activity, hidden_in_context
from boltzbrain.model.rbm import RBM

KINDS = ("hidden", "neurons", "components")
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
        components of the training states as there are hidden units.

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

    train = activity.states_of("train").astype(np.float32)
    rbm = model.rbm if isinstance(model, ContextualRBM) else model
    number = min(len(rbm.hidden), *train.shape)
    fitted = PCA(number, svd_solver="randomized", random_state=0).fit(train)
    return Units(kind, fitted.transform(activity.states.astype(np.float32)).astype(np.float32))


def _hidden(model: RBM | ContextualRBM, activity: Activity) -> NDArray[np.float32]:
    if isinstance(model, ContextualRBM):
        return hidden_in_context(model.in_sign_gauge(), Sequences.of_segments(activity))
    return hidden_activity(model.in_sign_gauge(), activity.states)
