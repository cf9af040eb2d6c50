"""The strength of each order of interaction, and sampled triplets.

Under an independent reference with mean activities m the variance of f = log P + constant is the
sum over all sets A of D_A**2 prod m (1 - m): it divides among the orders. Under the uniform
reference the terms are the squares of the Ising couplings. Sets of three are sampled; beyond them
only the sum of all orders is known, so that the fraction explained by the first three says what is
left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from boltzbrain.foundations.checks import bad_input, whole_number_in
from boltzbrain.foundations.memory import VALUES, rows_at_once
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.couplings.all_pairs import field_differences, pair_differences
from boltzbrain.interpretation.couplings.beyond_pairs import independent_states
from boltzbrain.interpretation.couplings.exact import all_mixed_differences, orders
from boltzbrain.interpretation.couplings.expansion import expand
from boltzbrain.interpretation.couplings.low_rank import factorise, row_blocks
from boltzbrain.interpretation.couplings.normal_inputs import InputLaw
from boltzbrain.interpretation.marginal import Floats, Indices, Marginal
from boltzbrain.interpretation.references import Data, mean_activities, unit_factor
from boltzbrain.model.rbm import RBM

ENUMERATED_NEURONS = 14
"""Up to this many neurons, sums over all sets are exact."""

_DENSE_NEURONS = 8000
_TRIPLET_DEGREE = 16
_TRIPLET_SHARE, _TRIPLET_OUTLIERS = 0.2, 3


@dataclass(frozen=True, eq=False)
class Triplets:
    """Three-neuron couplings of sampled sets.

    Attributes
    ----------
    tuples
        (triplet, 3) distinct neurons, drawn with equal probability with replacement.
    values
        (triplet,) couplings.
    """

    tuples: Indices
    values: Floats


def sampled_triplets(
    model: RBM,
    count: int,
    generator: Generator,
    reference: str = "uniform",
    convention: str = "ising",
    *,
    data: Data | None = None,
) -> Triplets:
    """Return the couplings of triplets drawn at random.

    Parameters
    ----------
    model, reference, convention, data
        As in `couplings.couplings`; the reference "data" is not possible here.
    count
        Number of triplets; 100,000 with 500 hidden units take some seconds.
    generator
        Moves on.
    """
    marginal = Marginal.of(model)
    whole_number_in("count", count, low=1)
    means = mean_activities(reference, marginal.neurons, data)
    tuples = _draw_triplets(marginal.neurons, count, generator)
    values = triplet_differences(marginal, means, tuples)
    return Triplets(tuples, unit_factor(convention, 3) * values)


def _draw_triplets(neurons: int, count: int, generator: Generator) -> Indices:
    if neurons < 3:
        raise bad_input("model", "have at least 3 neurons", neurons)
    drawn = np.stack([generator.integers(neurons - less, count) for less in range(3)], axis=1)
    # the second is drawn from those left by the first, the third from those left by both
    drawn[:, 1] += drawn[:, 1] >= drawn[:, 0]
    low, high = np.sort(drawn[:, :2], axis=1).T
    drawn[:, 2] += drawn[:, 2] >= low
    drawn[:, 2] += drawn[:, 2] >= high
    return np.sort(drawn, axis=1)


def triplet_differences(marginal: Marginal, means: Floats, tuples: Indices) -> Floats:
    """Return E Delta_ijk f of many triplets (triplet, 3) by expansion, (triplet,).

    Fewer large weights are enumerated than for pairs, so single values are right to about a
    percent; `normal_inputs.tuple_differences` is slower and better.
    """
    law = InputLaw.of(
        marginal, means, outlier_share=_TRIPLET_SHARE, most_outliers=_TRIPLET_OUTLIERS
    )
    distinct, back = np.unique(tuples, axis=0, return_inverse=True)
    blocks, unresolved = expand(law, 3, most_degree=_TRIPLET_DEGREE)
    result = np.zeros(len(distinct))
    for block in blocks:
        width = len(block.kept)
        units = rows_at_once(len(distinct) * width * width, VALUES)
        for first in range(0, len(block.units), units):
            piece = block.part(first, first + units)
            features = torch.from_numpy(piece.features())
            one, two, three = (features[distinct[:, place]] for place in range(3))
            inner = torch.einsum("tup,upqr->tuqr", one, torch.from_numpy(piece.tensor))
            inner = torch.einsum("tuqr,tuq->tur", inner, two)
            result += torch.einsum("tur,tur->t", inner, three).numpy()
    hard = set(unresolved.tolist())
    for unit, large in enumerate(law.large):
        # a neuron without weight has no part in any mixed difference
        touched = (marginal.weights[distinct, unit] != 0).all(axis=1)
        if unit not in hard:
            touched &= np.isin(distinct, large).any(axis=1)
        rows = np.flatnonzero(touched)
        if len(rows):
            units_of = np.full(len(rows), unit)
            result[rows] += law.mixed_differences(units_of, distinct[rows])[0]
    return result[back.ravel()]


@dataclass(frozen=True)
class Norms:
    """How the variance of f under an independent reference divides among orders.

    Attributes
    ----------
    fields, pairs, triplets
        Root of the sum of squared couplings of order 1, 2 and 3. Under the uniform reference these
        are the norms of the Ising couplings; in general each coupling D_A is weighed by
        prod sqrt(m (1 - m)).
    triplets_stderr
        Standard error of `triplets` from the sampling of sets; 0 if exact.
    variance
        Variance of f = log P + constant under the reference: the sum of the squares of all orders.
    variance_stderr
        Its standard error from sampled states; 0 if exact.
    explained, explained_stderr
        Fraction of the variance in orders 1 to 3, and its standard error; None where f is constant.
    exact
        Whether all sets were summed.
    """

    fields: float
    pairs: float
    triplets: float
    triplets_stderr: float
    variance: float
    variance_stderr: float
    explained: float | None
    explained_stderr: float | None
    exact: bool


def coupling_norms(
    model: RBM,
    reference: str = "uniform",
    *,
    data: Data | None = None,
    triplets: int = 100_000,
    samples: int = 4096,
    generator: Generator | None = None,
) -> Norms:
    """Return the norm of the couplings of order 1, 2 and 3 and the variance that they explain.

    Parameters
    ----------
    model, data
        As in `couplings.couplings`.
    reference
        "uniform", "product" or "silent"; under the last nothing varies.
    triplets, samples
        Sampled sets and states; neither beyond 14 neurons is exact.
    generator
        Needed beyond 14 neurons; moves on.
    """
    marginal = Marginal.of(model)
    neurons = marginal.neurons
    means = mean_activities(reference, neurons, data)
    noise = means * (1.0 - means)
    if neurons <= ENUMERATED_NEURONS:
        return _exact_norms(marginal, means)
    if generator is None:
        raise bad_input("generator", "be given to sample sets and states", "none")
    law = InputLaw.of(marginal, means)
    fields = float(np.square(field_differences(law)) @ noise)
    pairs = 0.0
    whole = pair_differences(law) if neurons <= _DENSE_NEURONS else factorise(law, 1.0)
    for first, block in row_blocks(whole):
        square = np.square(block.astype(np.float64))
        pairs += 0.5 * float(noise[first : first + len(block)] @ (square @ noise))
    tuples = _draw_triplets(neurons, triplets, generator)
    squares = np.square(triplet_differences(marginal, means, tuples)) * noise[tuples].prod(axis=1)
    sets = neurons * (neurons - 1) * (neurons - 2) / 6.0
    third = sets * float(squares.mean())
    third_error = sets * float(squares.std()) / np.sqrt(len(squares))
    values = marginal.log_weight(independent_states(means, samples, generator))
    deviations = np.square(values - values.mean())
    variance = float(deviations.sum() / (samples - 1))
    variance_error = float(deviations.std() / np.sqrt(samples))
    explained = explained_error = None
    if variance > 0:
        explained = (fields + pairs + third) / variance
        explained_error = float(np.hypot(third_error, explained * variance_error) / variance)
    root = float(np.sqrt(third))
    return Norms(
        float(np.sqrt(fields)),
        float(np.sqrt(pairs)),
        root,
        float(0.5 * third_error / root) if root > 0 else 0.0,
        variance,
        variance_error,
        explained,
        explained_error,
        False,
    )


def _exact_norms(marginal: Marginal, means: Floats) -> Norms:
    neurons = marginal.neurons
    noise = means * (1.0 - means)
    weight = np.ones(1)
    for value in noise.tolist():
        weight = np.concatenate((weight, weight * value))
    squares = np.square(all_mixed_differences(marginal, means)) * weight
    order = orders(neurons)
    one, two, three = (float(squares[order == number].sum()) for number in (1, 2, 3))
    variance = float(squares[order > 0].sum())
    explained = (one + two + three) / variance if variance > 0 else None
    return Norms(
        float(np.sqrt(one)),
        float(np.sqrt(two)),
        float(np.sqrt(three)),
        0.0,
        variance,
        0.0,
        explained,
        None if explained is None else 0.0,
        True,
    )
