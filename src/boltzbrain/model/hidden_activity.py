"""The activity of the hidden units over a recording."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from boltzbrain.model.rbm import RBM

_VALUES = 1 << 23


def hidden_activity(model: RBM, states: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return <h | v> of every bin, (bin, hidden) float32.

    Parameters
    ----------
    model
        The model.
    states
        (bin, visible) uint8, at least one bin.
    """
    step = max(1, _VALUES // max(1, model.weights.shape[1]))
    device = model.weights.device
    parts = [
        model.mean_hidden(
            torch.from_numpy(np.ascontiguousarray(states[first : first + step])).to(device)
        )
        .to("cpu", torch.float32)
        .numpy()
        for first in range(0, len(states), step)
    ]
    return np.concatenate(parts)
