"""How far a model goes beyond pairs: the spread of a pair's coupling over what the others do.

The definition of R is ours; that of the Neuropixels paper was not available. Given the state of the
other neurons the coupling of a pair is J_ij(v), the sum over A containing i and j of J_A times the
others' part. Its mean is the effective coupling, and its standard deviation R_ij is the strength of
all terms of three and more neurons that contain the pair: R_ij**2 = sum of J_A**2 over A larger
than {i, j}, under the uniform reference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from boltzbrain.foundations.checks import bad_input, one_of, whole_number_in
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.couplings.exact import conditional_pairs, state_probabilities
from boltzbrain.interpretation.couplings.local import local_blocks, local_differences
from boltzbrain.interpretation.marginal import Floats, Indices, Marginal
from boltzbrain.interpretation.references import (
    REFERENCES,
    Data,
    States,
    checked_tuples,
    mean_activities,
    some_bins,
    states_of,
    unit_factor,
)
from boltzbrain.model.rbm import RBM

ENUMERATED_NEURONS = 14
"""Up to this many neurons, all states are weighed by their probability."""

MOST_DENSE_NEURONS = 8000
"""Most neurons of which all pairs are computed."""

_PANEL = 512
_FLAT = 1e-6
"""Neurons of a panel of the pairs' matrix. Axes of a core below this share of the most are flat."""


@dataclass(frozen=True, eq=False)
class Spread:
    """Mean and standard deviation of conditional couplings over states of the other neurons.

    Attributes
    ----------
    mean
        (neuron, neuron) or (pair,): the effective coupling, as these states have it.
    deviation
        Same shape: R.
    samples
        Number of states; all of them if exact.
    exact
        Whether all states were weighed by their probability.
    """

    mean: Floats
    deviation: Floats
    samples: int
    exact: bool


def conditional_spread(
    model: RBM,
    reference: str = "uniform",
    convention: str = "ising",
    *,
    tuples: object = None,
    data: Data | None = None,
    samples: int = 200,
    generator: Generator | None = None,
) -> Spread:
    """Return R_ij, the standard deviation of the conditional coupling of pairs.

    Parameters
    ----------
    model, convention
        As in `couplings.couplings`.
    reference
        Measure of the other neurons: "uniform" or "product" are sampled (exact up to 14 neurons),
        "data" takes recorded bins.
    tuples
        (pair, 2) neurons; None gives all pairs, at most 8000 neurons.
    data
        For "product" and "data".
    samples
        Number of states or bins. The relative error of R is near 1 / sqrt(2 samples), more where
        few states matter. All pairs of 1560 neurons and 500 hidden units take about 0.2 s each on 2
        cores.
    generator
        Needed where states are sampled; moves on.

    Raises
    ------
    InputError
        If an option is unknown or something needed is missing.
    """
    one_of("reference", reference, REFERENCES)
    whole_number_in("samples", samples, low=2)
    marginal = Marginal.of(model)
    neurons = marginal.neurons
    factor = unit_factor(convention, 2)
    chosen = None if tuples is None else checked_tuples(tuples, 2, neurons)
    if chosen is None and neurons > MOST_DENSE_NEURONS:
        raise bad_input("tuples", f"be given beyond {MOST_DENSE_NEURONS} neurons", "none")
    if reference == "data":
        states = some_bins(states_of(data, neurons, "reference 'data'"), samples)
    else:
        means = mean_activities(reference, neurons, data)
        if neurons <= ENUMERATED_NEURONS:
            return _exact_spread(marginal, means, chosen, factor)
        states = independent_states(means, samples, generator)
    if chosen is not None:
        values = factor * local_differences(marginal, chosen, states)
        return Spread(values.mean(axis=1), values.std(axis=1, ddof=1), len(states), False)
    mean, deviation = _all_conditional_pairs(marginal, states)
    return Spread(factor * mean, factor * deviation, len(states), False)


def independent_states(means: Floats, samples: int, generator: Generator | None) -> States:
    """Return states of independent neurons with the given mean activities, (sample, neuron)."""
    if generator is None:
        raise bad_input("generator", "be given to sample states", "none")
    uniform = generator.uniform((samples, len(means))).numpy()
    return (uniform < means).astype(np.uint8)


def _exact_spread(
    marginal: Marginal, means: Floats, tuples: Indices | None, factor: float
) -> Spread:
    neurons = marginal.neurons
    first, second = np.triu_indices(neurons, 1)
    pairs = np.column_stack((first, second)) if tuples is None else tuples
    chance = state_probabilities(means)
    mean, deviation = np.empty(len(pairs)), np.empty(len(pairs))
    for row in range(len(pairs)):
        values = conditional_pairs(marginal, pairs[row : row + 1])[0]
        mean[row] = chance @ values
        deviation[row] = np.sqrt(chance @ (values - mean[row]) ** 2)
    if tuples is not None:
        return Spread(factor * mean, factor * deviation, len(chance), True)
    whole = np.zeros((2, neurons, neurons))
    whole[:, first, second] = factor * np.stack((mean, deviation))
    whole += whole.transpose(0, 2, 1)
    return Spread(whole[0], whole[1], len(chance), True)


def _all_conditional_pairs(marginal: Marginal, states: States) -> tuple[Floats, Floats]:
    """Return mean and standard deviation over states of Delta_ij f for all pairs.

    Given a state these are a matrix of low rank: of each hidden unit's core only the axes are taken
    along which it bends. As the matrix is symmetric, its blocks from the diagonal on are enough.
    """
    neurons = marginal.neurons
    inputs = marginal.inputs(states)
    blocks = []
    for block in local_blocks(marginal, inputs, tolerance=1e-4):
        calm, moved = (of.to(torch.float32).transpose(0, 1) for of in block.features())
        blocks.append((block, calm.contiguous(), moved.contiguous()))
    edges = range(0, neurons, _PANEL)
    totals = [torch.zeros((min(_PANEL, neurons - edge), neurons - edge)) for edge in edges]
    squares = [torch.zeros_like(total) for total in totals]
    shifts: list[Tensor] = []
    for number, row in enumerate(torch.from_numpy(states.astype(np.bool_))):
        here = inputs[number : number + 1]
        cored = [(block.cores(here, 2)[0], calm, moved) for block, calm, moved in blocks]
        signs, left = _bends(cored, row)
        signed = left * signs
        for place, edge in enumerate(edges):
            panel = signed[edge : edge + _PANEL] @ left[edge:].T
            if number == 0:
                shifts.append(panel)
                continue
            # about the first state's couplings, so that the squares do not cancel
            panel -= shifts[place]
            totals[place] += panel
            squares[place].addcmul_(panel, panel)
    count = len(states)
    mean, deviation = (np.zeros((neurons, neurons)) for _ in range(2))
    for place, edge in enumerate(edges):
        rows, rest = slice(edge, edge + _PANEL), slice(edge, None)
        average = totals[place].to(torch.float64) / count
        spread = squares[place].to(torch.float64) - count * average**2
        for whole, part in (
            (deviation, (spread.clamp_min(0.0) / (count - 1)).sqrt()),
            (mean, average + shifts[place]),
        ):
            whole[rest, rows] = part.numpy().T
            whole[rows, rest] = part.numpy()
    for matrix in (mean, deviation):
        np.fill_diagonal(matrix, 0.0)
    return mean, deviation


def _bends(blocks: list[tuple[Tensor, Tensor, Tensor]], active: Tensor) -> tuple[Tensor, Tensor]:
    """Return signs (axis,) and factors (neuron, axis) of all pairs' couplings in one state.

    Of each block the cores (unit, term, term) and the features (unit, neuron, term) of an inactive
    and of an active neuron; axes along which a core bends less than `_FLAT` of the most are left
    out.
    """
    axes = [torch.linalg.eigh(core) for core, _, _ in blocks]
    most = max((float(sizes.abs().max()) for sizes, _ in axes), default=0.0)
    signs, factors = [], []
    for (_, calm, moved), (sizes, vectors) in zip(blocks, axes, strict=True):
        scaled = (vectors * sizes.abs().sqrt()[:, None, :]).to(torch.float32)
        kept = sizes.abs() > _FLAT * most
        features = torch.where(active[None, :, None], moved, calm)
        signs.append(sizes[kept].sign().to(torch.float32))
        factors.append((features @ scaled).transpose(0, 1)[:, kept])
    if not signs:
        return torch.zeros(0), torch.zeros((len(active), 0))
    return torch.cat(signs), torch.cat(factors, dim=1)
