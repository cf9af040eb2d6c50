"""The hot loops for NVIDIA GPUs, in Triton: what `kernels.dispatch` calls.

`kernels.reference` specifies them, and serves where the weights are not float32. States stay uint8
on the device: the products read them as they are. Products are as accurate as float32 unless
``torch.set_float32_matmul_precision`` says "high" (TF32) or "medium" (bfloat16); their sums are
float32 in each case.
"""

from __future__ import annotations

import torch
from torch import Tensor

from boltzbrain.kernels import reference
from boltzbrain.kernels.cuda.products import Units, finish, multiply, random_state
from boltzbrain.kernels.cuda.sweeps import sweep
from boltzbrain.kernels.reference import adam_step, draw_and_sum

__all__ = [
    "adam_step",
    "contrast",
    "correlate",
    "draw_and_sum",
    "draw_bernoulli",
    "draw_rectified",
    "mean_states",
    "sum_active_columns",
    "sum_active_rows",
    "sweep_bernoulli",
    "sweep_real",
]


def _single(*tensors: Tensor) -> bool:
    return all(tensor.dtype == torch.float32 for tensor in tensors)


def _plain(weights: Tensor) -> Units:
    """Return units that are not drawn, whose states are their inputs."""
    return Units("none", weights)


def _product(left: Tensor, right: Tensor) -> Tensor:
    result = torch.empty((left.shape[0], right.shape[1]), device=left.device)
    multiply(left, right, _plain(right), random_state(0, 0, left.device), 0, result)
    return result


def _drawn(inputs: Tensor, units: Units, key: int, draw: int) -> Tensor:
    states = torch.empty(inputs.shape, dtype=units.dtype, device=inputs.device)
    state = random_state(key, draw, inputs.device)
    finish(inputs.contiguous()[None], units, state, 0, states)
    return states


def draw_bernoulli(inputs: Tensor, field: Tensor, key: int, draw: int) -> Tensor:
    """Draw as `kernels.reference.draw_bernoulli` does."""
    if not _single(inputs, field):
        return reference.draw_bernoulli(inputs, field, key, draw)
    if field.ndim == 2:
        inputs, field = inputs + field, field.new_zeros(field.shape[1])
    return _drawn(inputs, Units("bernoulli", field.contiguous()[None]), key, draw)


def sum_active_rows(states: Tensor, weights: Tensor) -> Tensor:
    """Sum as `kernels.reference.sum_active_rows` does."""
    if not _single(weights):
        return reference.sum_active_rows(states, weights)
    return _product(states, weights)


def sum_active_columns(states: Tensor, weights: Tensor) -> Tensor:
    """Sum as `kernels.reference.sum_active_columns` does."""
    if not _single(weights):
        return reference.sum_active_columns(states, weights)
    return _product(states, weights.T)


def mean_states(states: Tensor, dtype: torch.dtype) -> Tensor:
    """Average as `kernels.reference.mean_states` does."""
    return reference.mean_states(states, dtype)


def correlate(states: Tensor, values: Tensor) -> Tensor:
    """Multiply as `kernels.reference.correlate` does."""
    if not _single(values):
        return reference.correlate(states, values)
    return _product(states.T, values)


def contrast(
    states: Tensor,
    values: Tensor,
    others: Tensor,
    other_values: Tensor,
    out: Tensor | None = None,
) -> Tensor:
    """Correlate and subtract as `kernels.reference.contrast` does."""
    if not states.dtype == others.dtype == torch.uint8:
        return reference.contrast(states, values, others, other_values, out)
    return torch.sub(correlate(states, values), correlate(others, other_values), out=out)


def sweep_bernoulli(
    visible: Tensor,
    visible_field: Tensor,
    hidden_field: Tensor,
    weights: Tensor,
    sweeps: int,
    key: int,
    draw: int,
) -> tuple[Tensor, Tensor]:
    """Sweep as `kernels.reference.sweep_bernoulli` does."""
    # chains with fields of their own go by the plain loop
    shared = visible_field.ndim == hidden_field.ndim == 1
    if not (shared and _single(weights, visible_field, hidden_field)):
        return reference.sweep_bernoulli(
            visible, visible_field, hidden_field, weights, sweeps, key, draw
        )
    hidden = Units("bernoulli", hidden_field.contiguous()[None])
    return sweep(visible, visible_field, hidden, weights, sweeps, key, draw)


def _real(kind: str, fields: Tensor, roots: Tensor) -> Units:
    return Units(kind, torch.cat((fields, roots)).to(torch.float64))


def draw_rectified(inputs: Tensor, fields: Tensor, roots: Tensor, key: int, draw: int) -> Tensor:
    """Draw as `kernels.cpu.doubles.rectified.draw_rectified` does, given float32 inputs."""
    kind = "drelu" if len(fields) == 2 else "relu"
    return _drawn(inputs, _real(kind, fields, roots), key, draw)


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
    """Run block Gibbs sweeps as `kernels.reference.sweep_bernoulli` does, with real hidden units.

    Hidden states are float32. `kind` is "gaussian", "relu" or "drelu"; `fields` and `roots` are the
    fields and square roots of the precisions, float64 (half, hidden): for dReLU two halves, the
    positive first, else one. Each sweep uses one draw for the hidden units, two for dReLU, and the
    next for the visible ones.
    """
    hidden = _real(kind, fields, roots)
    return sweep(visible, visible_field, hidden, weights, sweeps, key, draw)
