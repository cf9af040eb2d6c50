"""Small models exactly: their log-partition and independent samples of it."""

from __future__ import annotations

import torch
from torch import Tensor

from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.layer import Layer
from boltzbrain.model.rbm import RBM

ENUMERATED_UNITS = 20
"""Most units of a layer whose states are listed one by one (2**20 states)."""

_AT_ONCE = 1 << 14
"""States whose energies are summed at once."""


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
