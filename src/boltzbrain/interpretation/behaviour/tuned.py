"""What each neuron's strongest assembly is tuned to most, for figures that colour neurons by it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from boltzbrain.interpretation.behaviour.power import LEVEL
from boltzbrain.interpretation.file import Interpretation


def tuned_to(found: Interpretation) -> NDArray[np.int64]:
    """Return the number of the name of largest effect, (neuron,), -1 for none.

    Of the names (`behaviour/names`) that a neuron's strongest assembly is tuned to.
    """
    tuned = found["behaviour/hidden/q_value"] <= LEVEL
    effect = np.where(tuned, np.maximum(found["behaviour/hidden/effect"], 0), 0)
    best = np.where(effect.max(axis=0) > 0, effect.argmax(axis=0), -1)
    strongest = found["neurons/strongest_assembly"]
    result: NDArray[np.int64] = np.where(strongest >= 0, best[np.maximum(strongest, 0)], -1)
    return result
