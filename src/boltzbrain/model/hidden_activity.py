"""The activity of the hidden units over a recording."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.foundations.memory import VALUES, slices
from boltzbrain.model.rbm import RBM


def hidden_activity(
    model: RBM, states: NDArray[np.uint8], added: Tensor | None = None
) -> NDArray[np.float32]:
    """Return <h | v> of every bin, (bin, hidden) float32.

    Parameters
    ----------
    model
        The model.
    states
        (bin, visible) uint8, at least one bin.
    added
        (hidden,) input beside that of the states.
    """
    device = model.weights.device

    def means(part: slice) -> Tensor:
        visible = torch.from_numpy(np.ascontiguousarray(states[part])).to(device)
        inputs = model.inputs_to_hidden(visible)
        return model.hidden.mean(inputs if added is None else inputs + added)

    parts = [
        means(part).to("cpu", torch.float32).numpy()
        for part in slices(len(states), model.weights.shape[1], 2 * VALUES)
    ]
    return np.concatenate(parts)
