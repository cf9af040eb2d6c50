"""The hot loops for the CPU, on all cores: what `kernels.dispatch` calls, and which way it goes.

`kernels.reference` specifies them. Nothing is chosen by a clock: the number of samples, the types
and how many units are active decide.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from boltzbrain.kernels import reference
from boltzbrain.kernels.cpu import few_chains, many_chains
from boltzbrain.kernels.cpu.arrays import flat, packable
from boltzbrain.kernels.cpu.binary_products import count_active, count_by_unit
from boltzbrain.kernels.cpu.draws import TILE, draw_rows, draw_rows_exact, whole_tiles
from boltzbrain.kernels.cpu.steps import adam_step
from boltzbrain.kernels.cpu.threads import share

__all__ = [
    "adam_step",
    "contrast",
    "correlate",
    "draw_and_sum",
    "draw_bernoulli",
    "mean_states",
    "sum_active_columns",
    "sum_active_rows",
    "sweep_bernoulli",
]

DENSE = 0.25
"""States with a larger share of active units are correlated by a dense product."""

FEW = 256
"""Up to so many samples, `kernels.cpu.few_chains` is faster than `kernels.cpu.many_chains`."""


def draw_bernoulli(inputs: Tensor, field: Tensor, key: int, draw: int) -> Tensor:
    """Draw as `kernels.reference.draw_bernoulli` does."""
    samples, units = inputs.shape
    if field.ndim == 2:
        inputs, field = inputs + field, field.new_zeros(units)
    states = torch.empty((samples, units), dtype=torch.uint8)
    drawn, state = flat(states), (np.uint64(key), np.uint64(draw))
    if inputs.dtype == field.dtype == torch.float32:
        given, fields = flat(inputs), flat(pad(field, (0, whole_tiles(units) - units)))

        def task(first: int, count: int) -> None:
            room = torch.empty(TILE * count).numpy(), np.empty(TILE * count, np.uint8)
            draw_rows(given, units, fields, first, count, *state, drawn, *room)

    else:
        totals = flat((inputs + field).to(torch.float64))

        def task(first: int, count: int) -> None:
            draw_rows_exact(totals, units, first, count, *state, drawn)

    share(task, samples, least=1 + 20_000 // max(1, units), most=samples + 1)
    return states


def sum_active_rows(states: Tensor, weights: Tensor) -> Tensor:
    """Sum as `kernels.reference.sum_active_rows` does."""
    if len(states) <= FEW and weights.dtype == torch.float32:
        return few_chains.sum_active_rows(states, weights)
    return many_chains.sum_active_rows(states, weights)


def sum_active_columns(states: Tensor, weights: Tensor) -> Tensor:
    """Sum as `kernels.reference.sum_active_columns` does."""
    return many_chains.sum_active_columns(states, weights)


def mean_states(states: Tensor, dtype: torch.dtype) -> Tensor:
    """Average as `kernels.reference.mean_states` does."""
    samples, units = states.shape
    given, counts = flat(states), np.zeros(units, np.int64)

    def task(first: int, count: int) -> None:
        count_by_unit(given, samples, units, first, count, counts)

    share(task, units, least=1 + 100_000 // (samples + 1), most=units)
    return (torch.from_numpy(counts).to(torch.float64) / samples).to(dtype)


def correlate(states: Tensor, values: Tensor) -> Tensor:
    """Multiply as `kernels.reference.correlate` does."""
    given = packable(states)
    if count_active(given, 0, len(given)) > DENSE * states.numel():
        return states.T.to(values.dtype) @ values
    return many_chains.correlate(states, values)


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
    if out is None:
        out = torch.empty((states.shape[1], values.shape[1]), dtype=values.dtype)
    if max(len(states), len(others)) <= FEW and values.dtype == torch.float32:
        return few_chains.contrast(states, values, others, other_values, out)
    return torch.sub(correlate(states, values), correlate(others, other_values), out=out)


def draw_and_sum(
    hidden: Tensor, weights: Tensor, field: Tensor, key: int, draw: int
) -> tuple[Tensor, Tensor]:
    """Draw and sum as `kernels.reference.draw_and_sum` does."""
    single = hidden.dtype == weights.dtype == field.dtype == torch.float32
    if single and len(hidden) <= FEW:
        return few_chains.draw_and_sum(hidden, weights, field, key, draw)
    states = draw_bernoulli(hidden @ weights.T, field, key, draw)
    return states, sum_active_rows(states, weights)


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
    if not weights.dtype == visible_field.dtype == hidden_field.dtype == torch.float32:
        return _sweep_in_steps(visible, visible_field, hidden_field, weights, sweeps, key, draw)
    return many_chains.sweep_bernoulli(
        visible, visible_field, hidden_field, weights, sweeps, key, draw
    )


def _sweep_in_steps(
    visible: Tensor,
    visible_field: Tensor,
    hidden_field: Tensor,
    weights: Tensor,
    sweeps: int,
    key: int,
    draw: int,
) -> tuple[Tensor, Tensor]:
    """Sweep in float64, one product and one draw after the other."""
    hidden = torch.empty(0)
    for sweep in range(sweeps):
        inputs = sum_active_rows(visible, weights)
        hidden = draw_bernoulli(inputs, hidden_field, key, draw + 2 * sweep)
        inputs = sum_active_columns(hidden, weights)
        visible = draw_bernoulli(inputs, visible_field, key, draw + 2 * sweep + 1)
    return visible, hidden
