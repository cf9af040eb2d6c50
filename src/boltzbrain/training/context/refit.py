"""Offsets of labels, or a recurrence, fitted anew beside weights that rest, as surrogates are."""

from __future__ import annotations

import torch
from torch import Tensor

from boltzbrain.baselines.in_time.regression import PSEUDO_BINS
from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.dispatch import correlate
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM
from boltzbrain.training.context.state import HIDDEN_PRIOR

UPDATES, BATCH, CHAINS, SWEEPS = 150, 1000, 48, 3
"""Updates, bins of each, chains of a label, and their sweeps at an update."""
_RATE, _AVERAGED = 0.3, 0.33
"""Rate of a step in units of the inverse variance, and share of the last updates averaged over."""
_LEAST = 0.01
_RIDGE = 1.0
"""Curvature of the log of the Gaussian prior of a recurrence, as a share of what the data have
along a mean direction: where units go together it is shared among them."""


def refitted(rbm: RBM, states: Tensor, posterior: Tensor, generator: Generator) -> Offsets:
    """Return a row of offsets of both layers for each label, from none on.

    Steps along the gradient of the log-likelihood, each unit's by the inverse of its variance: the
    means of a label's bins against those of chains of its law.

    Parameters
    ----------
    rbm
        The model; its weights and fields rest.
    states
        (bin, neuron) uint8.
    posterior
        (bin, label) float64 probabilities of the labels of every bin.
    generator
        Moves on.
    """
    labels, held = posterior.shape[1], posterior.sum(dim=0).clamp_min(1.0)[:, None]
    kind = rbm.weights.dtype
    rates = (correlate(states, posterior).T / held).to(kind)
    whole = states.mean(dim=0, dtype=kind)
    variance = (whole * (1 - whole)).clamp_min(_LEAST)
    inputs = rbm.inputs_to_hidden(states)
    tables = [rates.new_zeros(rates.shape), rates.new_zeros((labels, len(rbm.hidden)))]
    sums = [torch.zeros_like(one) for one in tables]
    of_chain = torch.arange(labels).repeat_interleave(CHAINS)
    visible = states[torch.from_numpy(generator.integers(len(states), len(of_chain)))]
    first = round((1 - _AVERAGED) * UPDATES)
    for update in range(UPDATES):
        laws = Offsets(tables[0][of_chain], tables[1][of_chain])
        visible, _ = rbm.sweep(visible, generator, SWEEPS, laws)
        there = rbm.mean_hidden(visible, laws)
        bins = torch.from_numpy(generator.integers(len(states), min(BATCH, len(states))))
        weight = posterior[bins]
        share = (weight / weight.sum(dim=0).clamp_min(1e-9)).to(kind)
        mean, spread = [], []
        for label, moved in enumerate(tables[1]):
            here = inputs[bins] + moved
            mean.append(share[:, label] @ rbm.hidden.mean(here))
            spread.append(share[:, label] @ rbm.hidden.variance(here))
        model = [visible.to(kind), there]
        model_means = [one.reshape(labels, CHAINS, -1).mean(dim=1) for one in model]
        steps = [
            (rates - model_means[0] - PSEUDO_BINS * variance * tables[0] / held) / variance,
            (torch.stack(mean) - model_means[1] - HIDDEN_PRIOR * tables[1] / held)
            / torch.stack(spread).clamp_min(_LEAST),
        ]
        for table, step, total in zip(tables, steps, sums, strict=True):
            table.add_(step.clamp(-1.0, 1.0).to(kind), alpha=_RATE)
            if update >= first:
                total.add_(table)
    return Offsets(*(total / (UPDATES - first) for total in sums))


def refitted_recurrence(
    rbm: RBM, states: Tensor, before: Tensor, beside: Tensor | None, generator: Generator
) -> Tensor:
    """Return a recurrence U from none on, (hidden, hidden): hidden fields of a bin are U times x.

    Steps along the gradient of the log-likelihood of the bins, x at rest, by the inverse of the
    variance of each unit and of the covariance of x. Every bin is held against a chain of its own
    law, which begins at the bin.

    Parameters
    ----------
    rbm
        The model; its weights and fields rest.
    states
        (bin, neuron) uint8.
    before
        (bin, hidden) x: what came before each bin, centred.
    beside
        (bin, neuron) offsets of the visible fields, which rest; None where there are none.
    generator
        Moves on.
    """
    kind, bins = rbm.weights.dtype, len(states)
    size = min(BATCH, bins)
    x = before.to(kind)
    spread = (x.T @ x / bins).to(torch.float64)
    ridge = max(_RIDGE * float(spread.trace()) / len(spread), 1e-12)
    spread += ridge * torch.eye(len(spread), dtype=torch.float64)
    whiten = torch.linalg.inv(spread).to(kind)
    still = rbm.inputs_to_hidden(states)
    means = rbm.hidden.mean(still)
    variance = means.var(dim=0) + rbm.hidden.variance(still).mean(dim=0)
    variance = variance.clamp_min(_LEAST)[:, None]
    found = rbm.weights.new_zeros((len(rbm.hidden), x.shape[1]))
    total, chains = torch.zeros_like(found), states.clone()
    first = round((1 - _AVERAGED) * UPDATES)
    for update in range(UPDATES):
        some = torch.from_numpy(generator.integers(bins, size))
        laws = Offsets(None if beside is None else beside[some], x[some] @ found.T)
        chains[some], _ = rbm.sweep(chains[some], generator, SWEEPS, laws)
        apart = rbm.mean_hidden(states[some], laws) - rbm.mean_hidden(chains[some], laws)
        step = (apart.T @ x[some] / size / variance - ridge * found) @ whiten
        found += _RATE * step.clamp(-1.0, 1.0)
        if update >= first:
            total += found
    return total / (UPDATES - first)
