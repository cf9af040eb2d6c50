"""The specification of the hot loops in plain torch, on any device."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from boltzbrain.foundations.random import philox_words


def draw_bernoulli(inputs: Tensor, field: Tensor, key: int, draw: int) -> Tensor:
    """Draw 1 with probability sigmoid(inputs + field), (sample, unit) uint8.

    The field is (unit,), or (sample, unit) where every sample has its own.

    The word w of the draw (see `foundations.random`) gives 1 where (w + 1/2) / 2**32 is below the
    probability.
    """
    words = philox_words(inputs.shape[0], inputs.shape[1], key, draw, inputs.device)
    uniform = (words.to(torch.float64) + 0.5) * 2.0**-32
    return (uniform < torch.sigmoid((inputs + field).to(torch.float64))).to(torch.uint8)


def sum_active_rows(states: Tensor, weights: Tensor) -> Tensor:
    """Return states (sample, row) @ weights (row, column) for uint8 states of 0 and 1."""
    return states.to(weights.dtype) @ weights


def sum_active_columns(states: Tensor, weights: Tensor) -> Tensor:
    """Return states (sample, column) @ weights.T, weights (row, column), for states of 0 and 1."""
    return states.to(weights.dtype) @ weights.T


def mean_states(states: Tensor, dtype: torch.dtype) -> Tensor:
    """Return how often each unit of states (sample, unit) in {0, 1} is active, (unit,)."""
    return states.mean(dim=0, dtype=torch.float64).to(dtype)


def correlate(states: Tensor, values: Tensor) -> Tensor:
    """Return states.T @ values, given states (sample, row) and values (sample, column)."""
    return states.to(values.dtype).T @ values


def contrast(
    states: Tensor,
    values: Tensor,
    others: Tensor,
    other_values: Tensor,
    out: Tensor | None = None,
) -> Tensor:
    """Return states.T @ values - others.T @ other_values, (unit, column), in `out` if it is there.

    States are (sample, unit) and values (sample, column), with samples of its own on either side.
    """
    result = torch.mm(states.to(values.dtype).T, values, out=out)
    return result.addmm_(others.to(values.dtype).T, other_values, alpha=-1.0)


def draw_and_sum(
    hidden: Tensor, weights: Tensor, field: Tensor, key: int, draw: int
) -> tuple[Tensor, Tensor]:
    """Draw binary visible units given hidden ones, and sum them to the next hidden inputs.

    Given hidden (sample, hidden), weights (visible, hidden) and field (visible,) or (sample,
    visible), returns states (sample, visible), uint8, and states @ weights. Random state as for
    `draw_bernoulli`.
    """
    states = draw_bernoulli(hidden @ weights.T, field, key, draw)
    return states, sum_active_rows(states, weights)


def adam_step(
    parameter: Tensor,
    gradient: Tensor,
    mean: Tensor | None,
    square: Tensor,
    *,
    count: int,
    rate: float,
    betas: tuple[float, float],
    epsilon: float,
    longest: float = math.inf,
    thresholds: Tensor | None = None,
) -> None:
    """Climb by one step of Adam (Kingma and Ba, ICLR 2015), in place, and shrink towards 0.

    Parameters
    ----------
    parameter, gradient
        What moves, and the direction of ascent.
    mean, square
        Running means of the gradient and of its square. Without `mean`, which a first beta of 0
        makes needless, the step is that of RMSprop with Adam's correction for the start.
    count
        Number of this step, from 1.
    rate, betas, epsilon
        As in Adam.
    longest
        Longest step of an element before the thresholds, in units of the rate.
    thresholds
        (column,): the parameters (row, column) are pulled to 0 by this much in the metric of the
        step, divided by sqrt(square) + epsilon as the gradient is, and no further than 0.
    """
    direction = gradient
    if mean is not None:
        direction = mean.lerp_(gradient, 1.0 - betas[0])
    square.mul_(betas[1]).addcmul_(gradient, gradient, value=1.0 - betas[1])
    width = (square / (1.0 - betas[1] ** count)).sqrt_().add_(epsilon)
    length = (direction / width / (1.0 - betas[0] ** count)).clamp_(-longest, longest)
    parameter.add_(length, alpha=rate)
    if thresholds is not None:
        size = (parameter.abs() - thresholds / width).clamp_(min=0.0)
        parameter.copy_(parameter.sign() * size)


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
        (visible,) and (hidden,), or either with a row for every chain.
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


def climb_bernoulli(
    visible: Tensor,
    fields: tuple[Tensor, Tensor],
    hidden_field: Tensor,
    weights: Tensor,
    ts: Tensor,
    key: int,
    draw: int,
) -> tuple[Tensor, Tensor]:
    """Carry chains of a Bernoulli-Bernoulli RBM along rungs t: visible field mixed, weights t W.

    At every rung between the first and the last the chains are swept once, hidden units first, with
    a draw number for each layer. From each rung to the next they gain F_here(v) - F_there(v).

    Parameters
    ----------
    visible
        (chain, visible) uint8 states of the first rung; left as they are.
    fields
        Visible fields at 0 and at 1, (visible,) each; the same tensor twice where they are equal.
        Both with a row for every chain where these differ.
    hidden_field, weights
        (hidden,), or with a row for every chain, and (visible, hidden).
    ts
        (rung,) float64 places, at least two; rising or falling.
    key, draw
        Random state.

    Returns
    -------
    visible, gains
        States of the last rung but one, and (rung - 1, chain) float64 log-weights.
    """
    start, end = fields
    change = (end - start).to(torch.float64)
    rungs, gains = ts.tolist(), []
    inputs = sum_active_rows(visible, weights)
    for step, (here, there) in enumerate(itertools.pairwise(rungs)):
        if step > 0:
            number = draw + 2 * (step - 1)
            hidden = draw_bernoulli(here * inputs, hidden_field, key, number)
            field = start if start is end else (1 - here) * start + here * end
            towards = here * sum_active_columns(hidden, weights)
            visible = draw_bernoulli(towards, field, key, number + 1)
            inputs = sum_active_rows(visible, weights)
        low, high = (softplus(t * inputs + hidden_field, threshold=80.0) for t in (here, there))
        slope = (visible.to(torch.float64) * change).sum(dim=1)
        gains.append((high - low).to(torch.float64).sum(dim=1) + (there - here) * slope)
    return visible, torch.stack(gains)


def take_steps(
    inputs: Tensor, weights: Tensor, steps: Tensor, least: Tensor, order: Tensor
) -> Tensor:
    """Decide which steps of single hidden units are taken, binary visible units integrated out.

    The units are tried one after the other. A step d of unit a changes the inputs of the visible
    units by w_a d, and is taken where sum_i softplus(inputs_i + w_ia d) - softplus(inputs_i) is
    above `least`.

    Parameters
    ----------
    inputs
        (chain, visible) total inputs of the visible units, fields included, before the first step.
    weights
        (visible, hidden).
    steps
        (chain, hidden) steps to try.
    least
        (chain, hidden): what a step has to gain.
    order
        (hidden,) int64: the units as they are tried.

    Returns
    -------
    Tensor
        (chain, hidden) bool: the steps that are taken.
    """
    here, columns = inputs.to(torch.float64), weights.to(torch.float64)
    taken = torch.zeros(steps.shape, dtype=torch.bool, device=inputs.device)
    for unit in order.tolist():
        there = here + torch.outer(steps[:, unit].to(torch.float64), columns[:, unit])
        gain = (softplus(there, threshold=80.0) - softplus(here, threshold=80.0)).sum(dim=1)
        taken[:, unit] = gain > least[:, unit]
        here = torch.where(taken[:, unit, None], there, here)
    return taken
