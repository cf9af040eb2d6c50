"""Effective couplings between neurons, of any order, for hidden units of any kind.

The definitions are in `references`: what a coupling is averaged over, and its unit. With the
uniform reference and the Ising convention they are the coefficients of log P in spins of -1 and +1,
as in Bereux et al. 2026 (its Methods text was not available; the formula is that of Decelle, Navas
Gomez and Seoane, Physical Review Letters 135:207301, 2025); with the data reference and the
lattice-gas convention they are those of van der Plas et al. 2023, eq. 15-16.
"""

from __future__ import annotations

import warnings

import numpy as np

from boltzbrain.foundations.checks import bad_input, one_of, whole_number_in
from boltzbrain.interpretation.couplings.all_pairs import field_differences, pair_differences
from boltzbrain.interpretation.couplings.exact import (
    MOST_NEURONS,
    all_mixed_differences,
    pair_matrix,
    places,
)
from boltzbrain.interpretation.couplings.local import (
    local_differences,
    mean_local_fields,
    mean_local_pairs,
)
from boltzbrain.interpretation.couplings.low_rank import (
    TOLERANCE,
    LowRank,
    factorise,
    taylor_of_states,
)
from boltzbrain.interpretation.couplings.normal_inputs import InputLaw, tuple_differences
from boltzbrain.interpretation.marginal import Floats, Indices, Marginal
from boltzbrain.interpretation.references import (
    REFERENCES,
    Data,
    checked_tuples,
    mean_activities,
    some_bins,
    states_of,
    unit_factor,
)
from boltzbrain.model.rbm import RBM

METHODS = ("auto", "exact", "gaussian", "taylor")
ENUMERATED_NEURONS = 12
"""Up to this many neurons, "auto" enumerates all states."""
DATA_BINS = 500
"""Recorded bins that the data reference averages over unless told otherwise."""
DISAGREEMENT = 0.1
"""Fraction of strong pairs of opposite sign from which two references are said to disagree."""

_STRONG_PAIRS = 200
_CHECK_BINS = 100


class ReferenceWarning(UserWarning):
    """Two references give strong pairs couplings of opposite sign."""


def couplings(
    model: RBM,
    order: int = 2,
    reference: str = "uniform",
    convention: str = "ising",
    *,
    tuples: object = None,
    data: Data | None = None,
    bins: int = DATA_BINS,
    method: str = "auto",
    check: bool = True,
    memory_limit_gb: float = 4.0,
) -> Floats:
    """Return effective couplings of a trained model.

    Parameters
    ----------
    model
        RBM with two-valued visible units and hidden units of any kind.
    order
        1 for fields, 2 for pairs, n for sets of n neurons.
    reference
        What the other neurons do on average: "uniform", "product" of the data's rates, "data", or
        "silent"; see `references`.
    convention
        "ising" (spins of -1 and +1) or "lattice_gas" (neurons in {0, 1}, 2**order times larger).
    tuples
        (tuple, order) neurons; needed from order 3. None gives every neuron or every pair.
    data
        An `Activity` (its training bins) or states (bin, neuron), for the references "product" and
        "data"; with it the uniform reference is checked against the data one.
    bins
        Recorded bins, evenly spaced, that the data reference averages over.
    method
        "exact" enumerates the states of all neurons (at most 20); "gaussian" takes hidden inputs as
        nearly normal (`normal_inputs`), the mean over which is exact to 1e-6; "auto" enumerates up
        to 12 neurons. With the data reference every method but "taylor" (eq. 17, pairs only)
        averages the exact mixed difference over the bins.
    check
        Warn if another reference turns the sign of strong pairs (order 2 without tuples).
    memory_limit_gb
        Most memory for a (neuron, neuron) array; beyond, use `low_rank_couplings`.

    Returns
    -------
    ndarray
        (neuron,) for order 1, (neuron, neuron) with zero diagonal for order 2, (tuple,) for given
        tuples; float64.

    Warns
    -----
    ReferenceWarning
        If more than a tenth of the strongest pairs turn sign under the data reference (without data
        under the silent one).

    Raises
    ------
    InputError
        If an option is unknown, data or tuples are missing or do not fit, or the array is too
        large.
    """
    marginal = _checked(model, order, reference, method)
    neurons = marginal.neurons
    factor = unit_factor(convention, order)
    chosen = None if tuples is None else checked_tuples(tuples, order, neurons)
    if chosen is None and order > 2:
        raise bad_input("tuples", f"be given for order {order}", "none")
    needed = pair_memory_gb(neurons)
    if chosen is None and order == 2 and needed > memory_limit_gb:
        raise bad_input(
            "memory_limit_gb",
            f"be at least {needed:.1f} for all pairs of {neurons} neurons "
            "(low_rank_couplings needs no such array)",
            memory_limit_gb,
        )
    if reference == "data":
        differences = _over_data(marginal, order, chosen, data, bins, method)
    else:
        means = mean_activities(reference, neurons, data)
        differences = _over_independent(marginal, order, chosen, means, method)
    result = factor * differences
    if check and order == 2 and chosen is None and neurons > 1:
        _warn_of_signs(model, result, reference, data)
    return result


def pair_memory_gb(neurons: int) -> float:
    """Return the memory that the couplings of all pairs need while they are computed, GB."""
    return 5 * 8e-9 * neurons * neurons


def _checked(model: RBM, order: int, reference: str, method: str) -> Marginal:
    marginal = Marginal.of(model)
    whole_number_in("order", order, low=1, high=min(marginal.neurons, 20))
    one_of("reference", reference, REFERENCES)
    one_of("method", method, METHODS)
    if method == "exact" and marginal.neurons > MOST_NEURONS:
        raise bad_input(
            "method",
            f"be gaussian or auto beyond {MOST_NEURONS} neurons",
            f"exact for {marginal.neurons}",
        )
    if method == "taylor" and (reference != "data" or order != 2):
        raise bad_input(
            "method", "be auto, exact or gaussian but for pairs under the data reference", method
        )
    return marginal


def _over_data(
    marginal: Marginal,
    order: int,
    tuples: Indices | None,
    data: Data | None,
    bins: int,
    method: str,
) -> Floats:
    states = some_bins(states_of(data, marginal.neurons, "reference 'data'"), bins)
    if method == "taylor":
        dense = taylor_of_states(marginal, states, 1.0).dense()
        return dense if tuples is None else dense[tuples[:, 0], tuples[:, 1]]
    if tuples is not None:
        mean: Floats = local_differences(marginal, tuples, states).mean(axis=1)
        return mean
    return (mean_local_fields if order == 1 else mean_local_pairs)(marginal, states)


def _over_independent(
    marginal: Marginal, order: int, tuples: Indices | None, means: Floats, method: str
) -> Floats:
    if method == "exact" or (method == "auto" and marginal.neurons <= ENUMERATED_NEURONS):
        differences = all_mixed_differences(marginal, means)
        if tuples is None and order == 2:
            return pair_matrix(differences, marginal.neurons)
        members = np.arange(marginal.neurons)[:, None] if tuples is None else tuples
        return differences[places(members)]
    law = InputLaw.of(marginal, means)
    if tuples is not None:
        return tuple_differences(law, tuples)
    return field_differences(law) if order == 1 else pair_differences(law)


def low_rank_couplings(
    model: RBM,
    reference: str = "uniform",
    convention: str = "ising",
    *,
    data: Data | None = None,
    bins: int = DATA_BINS,
    tolerance: float = TOLERANCE,
) -> LowRank:
    """Return the couplings of all pairs in factors, without an array of neurons x neurons.

    Parameters
    ----------
    model, reference, convention, data, bins
        As in `couplings`. The data reference is in Taylor form here (van der Plas et al. 2023, eq.
        17): exact for Gaussian hidden units, good where weights are small.
    tolerance
        Norm of what is left out, relative to that of all couplings.

    Returns
    -------
    LowRank
        40,000 neurons and 200 hidden units take some seconds and 100 MB.
    """
    marginal = _checked(model, 2, reference, "auto")
    factor = unit_factor(convention, 2)
    if reference == "data":
        states = some_bins(states_of(data, marginal.neurons, "reference 'data'"), bins)
        return taylor_of_states(marginal, states, factor)
    means = mean_activities(reference, marginal.neurons, data)
    return factorise(InputLaw.of(marginal, means), factor, tolerance=tolerance)


def strongest_pairs(pairs: Floats, count: int) -> Indices:
    """Return the pairs (count, 2) of largest coupling of an array (neuron, neuron), falling."""
    first, second = np.triu_indices(len(pairs), 1)
    size = np.abs(pairs[first, second])
    count = min(count, len(size))
    top = np.argpartition(-size, count - 1)[:count] if count else np.empty(0, dtype=np.int64)
    top = top[np.argsort(-size[top], kind="stable")]
    return np.column_stack((first[top], second[top])).astype(np.int64)


def sign_disagreement(
    model: RBM,
    tuples: object,
    first: str,
    second: str,
    *,
    data: Data | None = None,
    bins: int = DATA_BINS,
) -> float:
    """Return the fraction of the given pairs whose couplings differ in sign between references.

    Pairs whose coupling is 0 under either reference agree.

    Parameters
    ----------
    model
        The model.
    tuples
        (pair, 2) neurons.
    first, second
        Names of references.
    data, bins
        As in `couplings`.
    """
    one, two = (
        couplings(model, 2, reference, tuples=tuples, data=data, bins=bins)
        for reference in (first, second)
    )
    return float((one * two < 0).mean()) if len(one) else 0.0


def _warn_of_signs(model: RBM, pairs: Floats, reference: str, data: Data | None) -> None:
    # the data reference is held against the uniform one, the others against the best that is known
    best = "silent" if data is None else "data"
    other = "uniform" if reference == "data" else best
    if other == reference:
        return
    count = max(10, min(_STRONG_PAIRS, len(pairs) * (len(pairs) - 1) // 200))
    strong = strongest_pairs(pairs, count)
    strong = strong[pairs[strong[:, 0], strong[:, 1]] != 0]
    if len(strong) == 0:
        return
    theirs = couplings(model, 2, other, tuples=strong, data=data, bins=_CHECK_BINS)
    fraction = float((theirs * pairs[strong[:, 0], strong[:, 1]] < 0).mean())
    if fraction > DISAGREEMENT:
        warnings.warn(
            f"{fraction:.0%} of the {len(strong)} strongest pairs change sign between the "
            f"references '{reference}' and '{other}': report both",
            ReferenceWarning,
            stacklevel=3,
        )
