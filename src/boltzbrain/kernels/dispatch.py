"""The hot loops behind one interface, chosen by the device of the tensors."""

from __future__ import annotations

import importlib
from functools import cache
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from boltzbrain.kernels import reference
from boltzbrain.kernels.cpu import backend as cpu
from boltzbrain.kernels.cpu import hidden_steps
from boltzbrain.kernels.cpu.doubles import rectified


@cache
def _cuda() -> ModuleType | None:
    """Return the kernels for NVIDIA GPUs, or None where Triton is absent or the GPU another's."""
    if torch.version.cuda is None or find_spec("triton") is None:
        return None
    return importlib.import_module("boltzbrain.kernels.cuda.backend")


def _kernels(tensor: Tensor) -> ModuleType:
    if tensor.device.type == "cpu":
        return cpu
    return (_cuda() if tensor.device.type == "cuda" else None) or reference


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


def contrast(
    states: Tensor,
    values: Tensor,
    others: Tensor,
    other_values: Tensor,
    out: Tensor | None = None,
) -> Tensor:
    """Return the difference of two correlations; see `kernels.reference.contrast`."""
    result: Tensor = _kernels(values).contrast(states, values, others, other_values, out)
    return result


def adam_step(parameter: Tensor, *tensors: Tensor | None, **numbers: Any) -> None:
    """Move a parameter by one step of Adam; see `kernels.reference.adam_step`."""
    _kernels(parameter).adam_step(parameter, *tensors, **numbers)


def draw_and_sum(
    hidden: Tensor, weights: Tensor, field: Tensor, key: int, draw: int
) -> tuple[Tensor, Tensor]:
    """Draw visible units and sum them again; see `kernels.reference.draw_and_sum`."""
    result: tuple[Tensor, Tensor] = _kernels(weights).draw_and_sum(
        hidden, weights, field, key, draw
    )
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


def has_real_kernels(device: torch.device) -> bool:
    """Return whether `sweep_real` and `draw_rectified` serve a device that is not the CPU."""
    return device.type == "cuda" and _cuda() is not None


def sweep_real(
    kind: str,
    visible: Tensor,
    visible_field: Tensor,
    fields: Tensor,
    roots: Tensor,
    weights: Tensor,
    sweeps: int,
    key: int,
    draw: int,
) -> tuple[Tensor, Tensor]:
    """Run sweeps with real-valued hidden units; see `kernels.cuda.backend.sweep_real`."""
    result: tuple[Tensor, Tensor] = _kernels(weights).sweep_real(
        kind, visible, visible_field, fields, roots, weights, sweeps, key, draw
    )
    return result


def draw_rectified(inputs: Tensor, fields: Tensor, roots: Tensor, key: int, draw: int) -> Tensor:
    """Draw ReLU or dReLU units; see `kernels.cpu.doubles.rectified.draw_rectified`."""
    kernels = rectified if inputs.device.type == "cpu" else _kernels(inputs)
    result: Tensor = kernels.draw_rectified(inputs, fields, roots, key, draw)
    return result


def take_steps(
    inputs: Tensor, weights: Tensor, steps: Tensor, least: Tensor, order: Tensor
) -> Tensor:
    """Decide which steps of hidden units are taken; see `kernels.reference.take_steps`."""
    kernels = hidden_steps if inputs.device.type == "cpu" else reference
    result: Tensor = kernels.take_steps(inputs, weights, steps, least, order)
    return result
