"""Clamping: an RBM with some neurons or hidden units held at a value is an RBM of the others.

A clamped neuron adds its weights to the inputs of the hidden units, which their layer takes up in
its parameters (`Layer.input_shift`); a clamped hidden unit adds its weights to the fields of the
neurons. So conditional sampling, clamping and silencing need no sampler of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from boltzbrain.foundations.checks import bad_input, number_in, whole_number_in
from boltzbrain.interpretation.marginal import Indices
from boltzbrain.model.layers.layer import Layer
from boltzbrain.model.rbm import RBM


@dataclass(frozen=True)
class Clamp:
    """What is held fixed.

    Attributes
    ----------
    neurons
        Neuron to 1 (active) or 0 (silent).
    hidden
        Hidden unit to its value.
    removed
        Hidden units taken out of the model, as if their weights were 0.
    """

    neurons: Mapping[int, int] = field(default_factory=dict)
    hidden: Mapping[int, float] = field(default_factory=dict)
    removed: frozenset[int] = frozenset()


NOTHING = Clamp()


def silence(neurons: Indices | list[int]) -> Clamp:
    """Return the clamp of an ablation: these neurons are never active."""
    return Clamp({int(neuron): 0 for neuron in neurons})


@dataclass(frozen=True, eq=False)
class Conditioned:
    """The law of the free units given the clamped ones.

    Attributes
    ----------
    model
        RBM of the free units.
    free
        (free neuron,) their numbers in the whole model.
    free_hidden
        (free hidden unit,) likewise.
    states
        (neuron,) the clamped neurons' states, 0 where free.
    log_weight
        The unnormalised probability of the clamped and free units in the whole model is
        exp(log_weight) times that of the free units in `model`.
    """

    model: RBM
    free: Indices
    free_hidden: Indices
    states: Tensor
    log_weight: float

    def whole(self, free_states: Tensor) -> Tensor:
        """Return states of all neurons (sample, neuron) from those of the free ones."""
        states = self.states.to(free_states.dtype).repeat(len(free_states), 1)
        states[:, torch.from_numpy(self.free)] = free_states
        return states


def condition(model: RBM, clamp: Clamp) -> Conditioned:
    """Return the RBM of the units that are not clamped.

    Parameters
    ----------
    model
        Two-valued visible units.
    clamp
        At least one neuron and one hidden unit stay free.

    Raises
    ------
    InputError
        If a number is out of range, a value impossible or nothing stays free.
    """
    visible, hidden = len(model.visible), len(model.hidden)
    values = model.visible.all_states()
    if values is None or len(values) != 2:
        raise bad_input(
            "model.visible", "be of units with two values", f"{model.visible.kind} units"
        )
    _check(model, clamp)
    held = np.array(sorted(clamp.neurons), dtype=np.int64)
    fixed = np.array(sorted(clamp.hidden), dtype=np.int64)
    free = np.setdiff1d(np.arange(visible), held)
    free_hidden = np.setdiff1d(np.arange(hidden), [*fixed.tolist(), *clamp.removed])
    for name, left in (("neuron", free), ("hidden unit", free_hidden)):
        if len(left) == 0:
            raise bad_input("clamp", f"leave at least one {name} free", "none left")
    low, high = float(values.min()), float(values.max())
    states = torch.full((visible,), low, dtype=torch.float64)
    states[torch.from_numpy(held)] = torch.tensor(
        [high if clamp.neurons[neuron] else low for neuron in held.tolist()], dtype=torch.float64
    )
    amounts = torch.tensor([clamp.hidden[unit] for unit in fixed.tolist()], dtype=torch.float64)
    weights = model.weights.to("cpu", torch.float64)
    kept, kept_hidden = torch.from_numpy(free), torch.from_numpy(free_hidden)
    clamped, clamped_hidden = torch.from_numpy(held), torch.from_numpy(fixed)
    to_hidden = states[clamped] @ weights[clamped][:, kept_hidden]
    to_visible = weights[kept][:, clamped_hidden] @ amounts
    exact = model.to("cpu").to(torch.float64)
    constant = float(states[clamped] @ weights[clamped][:, clamped_hidden] @ amounts)
    constant -= float(_part(exact.visible, clamped).energy(states[clamped][None])[0])
    constant -= float(_part(exact.hidden, clamped_hidden).energy(amounts[None])[0])
    part = RBM(
        _part(exact.visible, kept).shifted(to_visible),
        _part(exact.hidden, kept_hidden).shifted(to_hidden),
        weights[kept][:, kept_hidden],
    ).to(model.weights.dtype)
    return Conditioned(
        part.to(model.weights.device),
        free,
        free_hidden,
        torch.where(states == high, 1, 0) if low == 0 else states,
        constant,
    )


def _check(model: RBM, clamp: Clamp) -> None:
    visible, hidden = len(model.visible), len(model.hidden)
    for neuron, value in clamp.neurons.items():
        whole_number_in("clamp.neurons", neuron, low=0, high=visible - 1)
        if value not in (0, 1):
            raise bad_input(f"clamp.neurons[{neuron}]", "be 0 or 1", value)
    both = set(clamp.removed) & set(clamp.hidden)
    if both:
        raise bad_input("clamp.removed", "name no clamped hidden unit", min(both))
    for unit in (*clamp.hidden, *clamp.removed):
        whole_number_in("clamp.hidden", unit, low=0, high=hidden - 1)
    possible = model.hidden.all_states()
    for unit, amount in clamp.hidden.items():
        number_in(f"clamp.hidden[{unit}]", amount)
        if possible is not None and amount not in possible.tolist():
            raise bad_input(
                f"clamp.hidden[{unit}]",
                "be one of: " + ", ".join(f"{value:g}" for value in possible.tolist()),
                amount,
            )
        alone = _part(model.hidden, torch.tensor([unit]))
        if not _reaches(alone, amount):
            raise bad_input(f"clamp.hidden[{unit}]", "be a value that the unit can take", amount)


def _reaches(layer: Layer, amount: float) -> bool:
    """Say whether a unit can take a value: states of the opposite sign may not exist.

    A kind that has states of both signs can be turned round (`Layer.flipped`) or lists its values.
    """
    if layer.all_states() is not None or amount >= 0:
        return True
    return layer.flipped(torch.tensor([False], device=layer.device)) is not None


def _part(layer: Layer, units: Tensor) -> Layer:
    """Return the layer of some units."""
    return layer.with_parameters(
        {name: value[units.to(value.device)] for name, value in layer.parameters().items()}
    )
