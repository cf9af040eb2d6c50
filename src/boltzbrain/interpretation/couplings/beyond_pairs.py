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
    """Return mean and standard deviation over states of Delta_ij f for all pairs."""
    neurons = marginal.neurons
    inputs = marginal.inputs(states)
    blocks = []
    for block in local_blocks(marginal, inputs, tolerance=1e-4):
        calm, moved = block.features()
        blocks.append((block, calm.to(torch.float32), moved.to(torch.float32)))
    total = torch.zeros((neurons, neurons), dtype=torch.float64)
    squares = torch.zeros_like(total)
    shift = None
    for number, row in enumerate(torch.from_numpy(states.astype(np.bool_))):
        here = torch.zeros((neurons, neurons), dtype=torch.float32)
        for block, calm, moved in blocks:
            features = torch.where(row[:, None, None], moved, calm)
            core = block.cores(inputs[number : number + 1], 2)[0].to(torch.float32)
            left = torch.einsum("nup,upq->nuq", features, core)
            here.addmm_(left.reshape(neurons, -1), features.reshape(neurons, -1).T)
        if shift is None:
            shift = here.clone()
        # about the first state's couplings, so that the squares do not cancel
        here -= shift
        total += here
        squares.addcmul_(here.to(torch.float64), here.to(torch.float64))
    count = len(states)
    mean = total / count
    deviation = ((squares - count * mean * mean).clamp_min(0.0) / (count - 1)).sqrt()
    if shift is not None:
        mean += shift
    for matrix in (mean, deviation):
        matrix.fill_diagonal_(0.0)
    return mean.numpy(), deviation.numpy()
