"""The hot loops behind one interface, chosen by the device of the tensors."""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor

from boltzbrain.kernels import cpu, reference


def _kernels(tensor: Tensor) -> ModuleType:
    return cpu if tensor.device.type == "cpu" else reference


def draw_bernoulli(inputs: Tensor, field: Tensor, key: int, draw: int) -> Tensor:
    """Draw 1 with probability sigmoid(inputs + field); see `kernels.reference.draw_bernoulli`."""
    result: Tensor = _kernels(inputs).draw_bernoulli(inputs, field, key, draw)
    return result


def sum_active_rows(states: Tensor, weights: Tensor) -> Tensor:
    """Return states @ weights for uint8 states; see `kernels.reference.sum_active_rows`."""
    result: Tensor = _kernels(weights).sum_active_rows(states, weights)
    return result


def sum_active_columns(states: Tensor, weights: Tensor) -> Tensor:
    """Return states @ weights.T for uint8 states; see `kernels.reference.sum_active_columns`."""
    result: Tensor = _kernels(weights).sum_active_columns(states, weights)
    return result


def mean_states(states: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the mean of uint8 states over the samples; see `kernels.reference.mean_states`."""
    result: Tensor = _kernels(states).mean_states(states, dtype)
    return result


def correlate(states: Tensor, values: Tensor) -> Tensor:
    """Return states.T @ values for uint8 states; see `kernels.reference.correlate`."""
    result: Tensor = _kernels(values).correlate(states, values)
    return result


def sweep_bernoulli(
    visible: Tensor,
    visible_field: Tensor,
    hidden_field: Tensor,
    weights: Tensor,
    sweeps: int,
    key: int,
    draw: int,
) -> tuple[Tensor, Tensor]:
    """Run block Gibbs sweeps; see `kernels.reference.sweep_bernoulli`."""
    result: tuple[Tensor, Tensor] = _kernels(weights).sweep_bernoulli(
        visible, visible_field, hidden_field, weights, sweeps, key, draw
    )
    return result
