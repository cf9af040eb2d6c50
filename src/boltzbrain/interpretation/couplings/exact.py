"""All couplings of a model of few neurons, by summing over every state.

f as a function of N binary neurons has exactly one expansion f(v) = sum_A D_A prod_{i in A}
(v_i - m_i) for any mean activities m. One pass per neuron over the 2**N values of f turns them into
the 2**N coefficients: (f0, f1) becomes (mean, difference) = ((1 - m) f0 + m f1, f1 - f0), the
Walsh-Hadamard transform for m = 1/2. D_A is the mean of the mixed difference Delta_A f over
independent neurons of mean activity m.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from boltzbrain.foundations.checks import bad_input, has_shape
from boltzbrain.interpretation.marginal import Floats, Indices, Marginal

MOST_NEURONS = 20
"""Most neurons whose states are all enumerated."""


def every_state(neurons: int) -> NDArray[np.uint8]:
    """Return all states (2**neuron, neuron); bit i of the row's number is neuron i.

    Raises
    ------
    InputError
        If there are more than `MOST_NEURONS`.
    """
    if neurons > MOST_NEURONS:
        raise bad_input("model", f"have at most {MOST_NEURONS} neurons to be enumerated", neurons)
    rows = np.arange(1 << neurons)[:, None]
    return ((rows >> np.arange(neurons)) & 1).astype(np.uint8)


def all_mixed_differences(marginal: Marginal, means: Floats) -> Floats:
    """Return D_A of every set of neurons, (2**neuron,); bit i of the place says if A holds i.

    Parameters
    ----------
    marginal
        Model of at most `MOST_NEURONS` neurons.
    means
        (neuron,) mean activities of the independent reference.
    """
    has_shape("means", means, (marginal.neurons,))
    values = marginal.log_weight(every_state(marginal.neurons))
    return transform(values, means)


def transform(values: Floats, means: Floats) -> Floats:
    """Return the expansion coefficients D_A of a function given by its values at every state."""
    result = values.astype(np.float64)
    for neuron, mean in enumerate(means.tolist()):
        pairs = result.reshape(-1, 2, 1 << neuron)
        low, high = pairs[:, 0].copy(), pairs[:, 1].copy()
        pairs[:, 0] = (1.0 - mean) * low + mean * high
        pairs[:, 1] = high - low
    return result


def places(tuples: Indices) -> Indices:
    """Return the place of each tuple (tuple, order) in the array of all sets."""
    result: Indices = (np.int64(1) << tuples).sum(axis=1)
    return result


def orders(neurons: int) -> NDArray[np.int64]:
    """Return the number of neurons in every set, (2**neuron,)."""
    result: NDArray[np.int64] = every_state(neurons).sum(axis=1, dtype=np.int64)
    return result


def pair_matrix(differences: Floats, neurons: int) -> Floats:
    """Return D_ij as (neuron, neuron), zero on the diagonal."""
    first, second = np.triu_indices(neurons, 1)
    matrix = np.zeros((neurons, neurons))
    if neurons > 1:
        matrix[first, second] = differences[places(np.column_stack((first, second)))]
    return matrix + matrix.T


def conditional_pairs(marginal: Marginal, pairs: Indices) -> Floats:
    """Return Delta_ij f given every state of the others, (pair, 2**neuron).

    The entry of a state does not depend on the two neurons of the pair themselves.
    """
    neurons = marginal.neurons
    values = marginal.log_weight(every_state(neurons))
    numbers = np.arange(1 << neurons)
    result = np.empty((len(pairs), len(values)))
    for row, (first, second) in enumerate(pairs.tolist()):
        one, two = 1 << first, 1 << second
        rest = numbers & ~(one | two)
        result[row] = (
            values[rest | one | two] - values[rest | one] - values[rest | two] + values[rest]
        )
    return result


def state_probabilities(means: Floats) -> Floats:
    """Return the probability of every state under independent neurons, (2**neuron,)."""
    result = np.ones(1)
    for mean in means.tolist():
        result = np.concatenate((result * (1.0 - mean), result * mean))
    return result
