"""The specification of the hot loops in plain torch, on any device."""

from __future__ import annotations

import torch
from torch import Tensor

from boltzbrain.foundations.random import philox_words


def draw_bernoulli(inputs: Tensor, field: Tensor, key: int, draw: int) -> Tensor:
    """Draw 1 with probability sigmoid(inputs + field), (sample, unit) uint8.

    The word w of the draw (see `foundations.random`) gives 1 where (w + 1/2) / 2**32 is below the
    probability.
    """
    words = philox_words(inputs.shape[0], inputs.shape[1], key, draw, inputs.device)
    uniform = (words.to(torch.float64) + 0.5) * 2.0**-32
    return (uniform < torch.sigmoid((inputs + field).to(torch.float64))).to(torch.uint8)


def sum_active_rows(states: Tensor, weights: Tensor) -> Tensor:
    """Return states @ weights for binary states, (sample, column).

    Parameters
    ----------
    states
        (sample, row) uint8 in {0, 1}.
    weights
        (row, column) floating.
    """
    return states.to(weights.dtype) @ weights


def sum_active_columns(states: Tensor, weights: Tensor) -> Tensor:
    """Return states @ weights.T for binary states, (sample, row).

    Parameters
    ----------
    states
        (sample, column) uint8 in {0, 1}.
    weights
        (row, column) floating.
    """
    return states.to(weights.dtype) @ weights.T


def mean_states(states: Tensor, dtype: torch.dtype) -> Tensor:
    """Return how often each unit of states (sample, unit) in {0, 1} is active, (unit,)."""
    return states.mean(dim=0, dtype=torch.float64).to(dtype)


def correlate(states: Tensor, values: Tensor) -> Tensor:
    """Return states.T @ values for binary states, (row, column).

    Parameters
    ----------
    states
        (sample, row) uint8 in {0, 1}.
    values
        (sample, column) floating.
    """
    return states.to(values.dtype).T @ values


def sweep_bernoulli(
    visible: Tensor,
    visible_field: Tensor,
    hidden_field: Tensor,
    weights: Tensor,
    sweeps: int,
    key: int,
    draw: int,
) -> tuple[Tensor, Tensor]:
    """Run block Gibbs sweeps of a Bernoulli-Bernoulli RBM from visible states.

    Sweep s draws the hidden units with draw number ``draw + 2 s`` and the visible units with
    ``draw + 2 s + 1``.

    Parameters
    ----------
    visible
        (chain, visible) uint8; left as it is.
    visible_field, hidden_field
        (visible,) and (hidden,).
    weights
        (visible, hidden).
    sweeps
        Number of sweeps, at least 1.
    key, draw
        Random state.

    Returns
    -------
    visible, hidden
        New states, uint8; the hidden ones are those from which the visible ones were drawn.
    """
    hidden = torch.empty(0)
    for sweep in range(sweeps):
        inputs = sum_active_rows(visible, weights)
        hidden = draw_bernoulli(inputs, hidden_field, key, draw + 2 * sweep)
        logits = sum_active_columns(hidden, weights)
        visible = draw_bernoulli(logits, visible_field, key, draw + 2 * sweep + 1)
    return visible, hidden
