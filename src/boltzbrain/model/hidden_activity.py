"""The activity of the hidden units over a recording."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.foundations.memory import VALUES, slices
from boltzbrain.model.context.contextual import ContextualRBM
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.offsets import Offsets
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
        (hidden,) input beside that of the states, or (bin, hidden) that of every bin.
    """
    device = model.weights.device

    def means(part: slice) -> Tensor:
        visible = torch.from_numpy(np.ascontiguousarray(states[part])).to(device)
        inputs = model.inputs_to_hidden(visible)
        if added is not None:
            inputs = inputs + (added if added.ndim == 1 else added[part])
        return model.hidden.mean(inputs)

    parts = [
        means(part).to("cpu", torch.float32).numpy()
        for part in slices(len(states), model.weights.shape[1], 2 * VALUES)
    ]
    return np.concatenate(parts)


def hidden_in_context(
    model: ContextualRBM, given: Sequences, offsets: Offsets | None = None
) -> NDArray[np.float32]:
    """Return <h_t | v_t, context> of every bin, (bin, hidden) float32.

    The context is what earlier bins of the piece tell. Where it is a hidden state, the mean is over
    states as probable as the bins so far make them, the bin itself among them.

    Parameters
    ----------
    model
        The model.
    given
        At least one bin.
    offsets
        Those of the bins, where they are known already; of no use with hidden states.
    """
    states = model.contexts.states
    if states is None:
        moved = (model.offsets(given) if offsets is None else offsets).hidden
        return hidden_activity(model.rbm, given.states, moved)
    held = states.filtered(given, model.rbm)[1].astype(np.float32)
    found = np.zeros((len(given), model.rbm.weights.shape[1]), dtype=np.float32)
    for weight, law in zip(held.T, states.models(model.rbm), strict=True):
        found += weight[:, None] * hidden_activity(law, given.states)
    return found
