"""What a coupling is averaged over, and the unit it is told in.

The effective coupling of a set A of n neurons is the mean over the other neurons of the mixed
difference Delta_A f = sum over B in A of (-1)**(n - |B|) f(neurons of B active, A's others not).
The *reference* names the measure of that mean, the *convention* its unit: `lattice_gas` is the
mixed difference itself, for neurons in {0, 1}; `ising` is 2**-n of it, for spins of -1 and +1.

============  =========================================================  ==========================
reference     the other neurons are                                      where it is used
============  =========================================================  ==========================
``uniform``   active with probability 1/2, independently                 Bereux et al. 2026
``product``   active at their own rates, independently                   between the two
``data``      as in the recorded bins                                    van der Plas et al. 2023,
                                                                         eq. 15-16
``silent``    all inactive                                               lattice-gas expansion
============  =========================================================  ==========================

Under the three independent references f is rebuilt exactly from all its couplings: f(v) = sum_A D_A
prod_{i in A} (v_i - m_i), with D_A in the lattice-gas convention and m the mean activities.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from boltzbrain.data.activity import TRAIN, Activity
from boltzbrain.foundations.checks import bad_input, has_shape, one_of, whole_number_in
from boltzbrain.interpretation.marginal import Floats, Indices

States: TypeAlias = NDArray[np.uint8]
Data: TypeAlias = "Activity | NDArray[np.uint8] | torch.Tensor"

REFERENCES = ("uniform", "product", "data", "silent")
CONVENTIONS: Mapping[str, float] = {"ising": 0.5, "lattice_gas": 1.0}
"""Factor per neuron from the mixed difference in {0, 1} to a coupling."""


def unit_factor(convention: str, order: int) -> float:
    """Return the factor from a mixed difference of `order` neurons to a coupling."""
    return float(CONVENTIONS[one_of("convention", convention, CONVENTIONS)] ** order)


def states_of(data: Data | None, neurons: int, needed_by: str) -> States:
    """Return recorded states (bin, neuron) uint8: the training bins of an activity, or an array.

    An activity without training bins gives all its bins.

    Raises
    ------
    InputError
        If there are none, they do not fit the model, or hold more than 0 and 1.
    """
    if data is None:
        raise bad_input("data", f"be given for {needed_by}", "none")
    if isinstance(data, Activity):
        train = data.fold == TRAIN
        states = data.states[train] if train.any() else data.states
    else:
        states = np.asarray(data)
        if states.ndim == 2 and not _binary(states):
            raise bad_input("data", "hold 0 and 1 only", "other values")
        states = states.astype(np.uint8, copy=False)
    has_shape("data", states, (None, neurons))
    if len(states) == 0:
        raise bad_input("data", "hold at least one bin", "none")
    return states


def _binary(states: NDArray[Any]) -> bool:
    if states.dtype in (np.bool_, np.uint8):
        return not states.size or int(states.max()) <= 1
    return bool(((states == 0) | (states == 1)).all())


def some_bins(states: States, bins: int) -> States:
    """Return at most `bins` rows, evenly spaced in time."""
    whole_number_in("bins", bins, low=1)
    if bins >= len(states):
        return states
    chosen = np.linspace(0, len(states) - 1, bins).round().astype(np.int64)
    return np.ascontiguousarray(states[chosen])


def mean_activities(reference: str, neurons: int, data: Data | None) -> Floats:
    """Return the mean activity of every neuron under an independent reference, (neuron,).

    Raises
    ------
    InputError
        If the reference is unknown or "data", or "product" without data.
    """
    one_of("reference", reference, REFERENCES)
    if reference == "data":
        raise bad_input("reference", "be uniform, product or silent here", reference)
    if reference == "uniform":
        return np.full(neurons, 0.5)
    if reference == "silent":
        return np.zeros(neurons)
    rates: Floats = states_of(data, neurons, "reference 'product'").mean(axis=0, dtype=np.float64)
    return rates


def checked_tuples(tuples: object, order: int, neurons: int) -> Indices:
    """Return tuples of distinct neurons as (tuple, order) int64.

    Raises
    ------
    InputError
        If the shape, a number or a repetition is wrong.
    """
    chosen = np.asarray(tuples)
    has_shape("tuples", chosen, (None, order))
    if chosen.dtype.kind not in "iu":
        raise bad_input("tuples", "hold whole numbers", str(chosen.dtype))
    if chosen.size and (chosen.min() < 0 or chosen.max() >= neurons):
        bad = int(chosen.min()) if chosen.min() < 0 else int(chosen.max())
        raise bad_input("tuples", f"name neurons from 0 to {neurons - 1}", bad)
    ordered = np.sort(chosen, axis=1)
    if order > 1 and (np.diff(ordered, axis=1) == 0).any():
        first = int(np.flatnonzero((np.diff(ordered, axis=1) == 0).any(axis=1))[0])
        raise bad_input("tuples", "hold distinct neurons", str(chosen[first].tolist()))
    return chosen.astype(np.int64)
