"""The log-probability of the neurons alone, whatever the kind of hidden unit.

With the hidden units integrated out, log P(v) + log Z = f(v) = sum_i b_i v_i + sum_a Gamma_a(c_a +
sum_i W_ia v_i), v in {0, 1}, where Gamma_a is the log-partition of hidden unit a. Everything in
this folder is computed from f through `Layer.log_partition`; no kind of unit is known by name.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.memory import VALUES, slices
from boltzbrain.model.layers.layer import Layer
from boltzbrain.model.rbm import RBM

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Marginal:
    """f(v), the log-probability of the neurons up to log Z, in v of {0, 1} and float64.

    Attributes
    ----------
    bias
        (neuron,) b_i, the visible layer's own log-odds of the upper state.
    weights
        (neuron, hidden) W_ia, the rise of a hidden input when the neuron turns active.
    base
        (hidden,) input of each hidden unit when every neuron is inactive.
    hidden
        The hidden layer, float64 on the CPU; it adds its own field.
    """

    bias: Floats
    weights: Floats
    base: Floats
    hidden: Layer

    @classmethod
    def of(cls, model: RBM) -> Marginal:
        """Return the marginal of a model whose visible units have two values.

        For Bernoulli units the values are 0 and 1; for units of -1 and +1 "active" is +1, and the
        weights double.

        Raises
        ------
        InputError
            If the visible units are not two-valued.
        """
        exact = model.to("cpu").to(torch.float64)
        values = exact.visible.all_states()
        if values is None or len(values) != 2:
            raise bad_input(
                "model.visible", "be of units with two values", f"{model.visible.kind} units"
            )
        low, high = float(values.min()), float(values.max())
        weights = exact.weights.numpy()
        parameters = exact.visible.parameters()
        bias = np.zeros(len(weights))
        for value, sign in ((high, 1.0), (low, -1.0)):
            states = torch.full((1, len(weights)), value, dtype=torch.float64)
            for name, statistic in exact.visible.statistics(states).items():
                bias += sign * (statistic[0] * parameters[name]).numpy()
        return cls(bias, (high - low) * weights, low * weights.sum(axis=0), exact.hidden)

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return int(self.weights.shape[0])

    @property
    def units(self) -> int:
        """Number of hidden units."""
        return int(self.weights.shape[1])

    def layer_of(self, units: Indices) -> Layer:
        """Return the hidden layer of the given units, in that order; a unit may come twice."""
        chosen = torch.from_numpy(units)
        return self.hidden.with_parameters(
            {name: value[chosen] for name, value in self.hidden.parameters().items()}
        )

    def gamma(self, units: Indices, inputs: Floats) -> Floats:
        """Return Gamma of the given units at inputs (sample, unit), same shape."""
        layer = self.layer_of(units)
        result: Floats = layer.log_partition(torch.from_numpy(inputs)).numpy()
        return result

    def inputs(self, states: NDArray[np.uint8]) -> Floats:
        """Return c_a + sum_i W_ia v_i without the hidden unit's own field, (sample, hidden)."""
        result: Floats = self.base + states.astype(np.float64) @ self.weights
        return result

    def log_weight(self, states: NDArray[np.uint8]) -> Floats:
        """Return f(v) of states (sample, neuron) in {0, 1}, (sample,)."""
        everyone = np.arange(self.units)
        parts = []
        for piece in slices(len(states), max(self.units, self.neurons), VALUES // 2):
            part = states[piece]
            gamma = self.gamma(everyone, self.inputs(part)).sum(axis=1)
            parts.append(part.astype(np.float64) @ self.bias + gamma)
        return np.concatenate(parts) if parts else np.zeros(0)

    def narrowness(self, centre: Floats, reach: Floats) -> Floats:
        """Return 1 / (2 sd) of each hidden unit at its broadest within reach of an input.

        Gamma'' is the variance of the hidden unit, so Gamma bends on the scale of 1 / sd: 1 for
        Bernoulli, 1/2 for Ising units, half the root of the precision for Gaussian ones. It bounds
        the step of every quadrature (`normal_inputs`).

        Parameters
        ----------
        centre, reach
            (hidden,) middle and half-width of the interval of inputs.
        """
        grid = np.linspace(-1.0, 1.0, 513)[:, None]
        inputs = torch.from_numpy(centre + grid * reach)
        variance = self.hidden.variance(inputs).max(dim=0).values.numpy()
        result: Floats = 0.5 / np.sqrt(np.maximum(variance, 1e-300))
        return result
