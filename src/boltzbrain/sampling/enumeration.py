"""Small models exactly: their log-partition and independent samples of it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from boltzbrain.foundations.checks import InputError, bad_input
from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.layer import Layer
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM

ENUMERATED_UNITS = 20
"""Most units of a layer whose states are listed one by one (2**20 states)."""

_AT_ONCE = 1 << 14
"""States whose energies are summed at once."""

_CELLS = 1 << 24
"""Pairs of a row and a state that are summed at once."""


def all_states(layer: Layer) -> Tensor:
    """Return every joint state of a layer of two-valued units, (2**unit, unit).

    The first unit changes slowest.

    Raises
    ------
    InputError
        If the units are not two-valued or more than `ENUMERATED_UNITS`.
    """
    values = layer.all_states()
    if values is None or len(values) != 2 or len(layer) > ENUMERATED_UNITS:
        raise bad_input(
            "the enumerated layer",
            f"have at most {ENUMERATED_UNITS} units of two values each",
            f"{len(layer)} units of kind {layer.kind}",
        )
    size = len(layer)
    number = torch.arange(1 << size, device=layer.device)[:, None]
    place = torch.arange(size - 1, -1, -1, device=layer.device)[None, :]
    states = values[(number >> place) & 1]
    return states.to(layer.state_dtype or layer.dtype)


def _enumerates_visible(model: RBM) -> bool:
    """Say whether the visible layer is the one to enumerate: the smaller of those that can be."""
    fits = {}
    for name, layer in (("visible", model.visible), ("hidden", model.hidden)):
        values = layer.all_states()
        if values is not None and len(values) == 2 and len(layer) <= ENUMERATED_UNITS:
            fits[name] = len(layer)
    if not fits:
        raise bad_input(
            "model",
            f"have a layer of at most {ENUMERATED_UNITS} two-valued units to be summed exactly",
            f"{len(model.visible)} {model.visible.kind} visible and {len(model.hidden)} "
            f"{model.hidden.kind} hidden units",
        )
    return min(fits, key=lambda name: fits[name]) == "visible"


def _log_probabilities(model: RBM, states: Tensor, visible: bool) -> Tensor:
    """Return minus the free energy of states of one layer, (state,) float64."""
    energy = model.free_energy if visible else model.free_energy_of_hidden
    return -torch.cat([energy(part) for part in states.split(_AT_ONCE)])


def exact_log_partition(model: RBM) -> float:
    """Return log Z by summing over all states of one layer, the other integrated in closed form.

    Raises
    ------
    InputError
        If neither layer is two-valued with at most `ENUMERATED_UNITS` units.
    """
    model = model.to(torch.float64)
    visible = _enumerates_visible(model)
    states = all_states(model.visible if visible else model.hidden)
    return float(torch.logsumexp(_log_probabilities(model, states, visible), dim=0))


def terms_of_rows(model: RBM, offsets: Offsets) -> float:
    """Return how many terms `exact_log_partitions` sums, infinitely many where it cannot."""
    try:
        visible = _enumerates_visible(model)
    except InputError:
        return math.inf
    units, other = (model.visible, offsets.hidden) if visible else (model.hidden, offsets.visible)
    each = model.weights.numel() / len(units)
    states, rows = 2.0 ** len(units), len(offsets)
    return states * (each + rows if other is None else each * rows)


def exact_log_partitions(model: RBM, offsets: Offsets) -> Tensor:
    """Return log Z of every row of offsets, (row,) float64, as `exact_log_partition` does.

    Where the layer that is not enumerated has no offsets, the energies of all states are computed
    once, and a row costs one product with them.

    Raises
    ------
    InputError
        If neither layer is two-valued with at most `ENUMERATED_UNITS` units, or the offsets do not
        fit the model.
    """
    offsets.require(len(offsets), model.weights)
    model, offsets = model.to(torch.float64), offsets.to(torch.float64)
    visible = _enumerates_visible(model)
    layer, own, other = model.hidden, offsets.hidden, offsets.visible
    if visible:
        layer, own, other = model.visible, offsets.visible, offsets.hidden
    if other is not None:
        each = (model.with_fields_moved(row) for row in offsets.rows())
        return torch.tensor([exact_log_partition(one) for one in each], dtype=torch.float64)
    assert own is not None
    total = torch.full((len(offsets),), -torch.inf, dtype=torch.float64, device=own.device)
    for states in all_states(layer).split(max(1, _CELLS // len(offsets))):
        table = _log_probabilities(model, states, visible)
        each_row = torch.addmm(table, own, states.to(torch.float64).T)
        total = torch.logaddexp(total, torch.logsumexp(each_row, dim=1))
    return total


def exact_samples(model: RBM, n: int, generator: Generator) -> Tensor:
    """Draw independent visible states of a small model, by the inverse of its distribution.

    The smaller enumerable layer is drawn from its exact marginal; where that is the hidden one, the
    visible units are drawn given it, so the visible layer may be large.

    Parameters
    ----------
    model
        One layer two-valued with at most `ENUMERATED_UNITS` units.
    n
        Number of samples.
    generator
        Moves on.

    Returns
    -------
    Tensor
        (n, visible) states.

    Raises
    ------
    InputError
        If no layer can be enumerated.
    """
    visible = _enumerates_visible(model)
    states = all_states(model.visible if visible else model.hidden)
    log_weights = _log_probabilities(model.to(torch.float64), states, visible)
    cumulated = torch.softmax(log_weights, dim=0).cumsum(dim=0)
    uniform = generator.uniform((n, 1), device=model.weights.device)[:, 0] * cumulated[-1]
    drawn = states[torch.searchsorted(cumulated, uniform, right=True).clamp_max_(len(states) - 1)]
    return drawn if visible else model.sample_visible(drawn, generator)
