"""Every hidden unit clamped in its turn, low and high, from one set of states."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import stdtrit
from torch import Tensor

from boltzbrain.foundations.checks import has_shape
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.in_silico.perturb import (
    NOTHING,
    Clamp,
    as_probability,
    is_small,
    probabilities,
)
from boltzbrain.interpretation.marginal import Floats
from boltzbrain.model.hidden_activity import hidden_activity
from boltzbrain.model.rbm import RBM

_EXACT_TERMS = 200_000_000
_STATES = 4000
_OPERATIONS, _FEWEST, _MOST = 2e10, 8, 200
_VALUES = 20_000_000
_RARE, _OFTEN = 0.02, 0.98


@dataclass(frozen=True, eq=False)
class ClampedUnits:
    """P(active) of every neuron with each hidden unit clamped, beside nothing clamped.

    Attributes
    ----------
    values
        (hidden, 2) the low and the high value at which each unit is held.
    before
        (neuron,) probability with nothing clamped.
    change, stderr
        (hidden, 2, neuron) float32, change of the probability and its standard error; 0 if exact.
    support
        (hidden, 2) effective number of the states that a clamp rests on.
    exact
        Whether all states were summed.
    draws
        States that each clamp and its error rest on; 0 if exact.
    """

    values: Floats
    before: Floats
    change: NDArray[np.float32]
    stderr: NDArray[np.float32]
    support: Floats
    exact: bool
    draws: int = 0

    def told(self) -> NDArray[np.float32]:
        """Return the changes that are not chance, (hidden, 2, neuron), 0 for all others.

        Beyond so many standard errors (Student's t) that by chance one neuron or fewer of a clamp
        is expected to pass.
        """
        if self.exact:
            return self.change
        beyond = -float(stdtrit(max(1, self.draws - 1), 0.5 / len(self.before)))
        kept: NDArray[np.float32] = np.where(
            np.abs(self.change) > beyond * self.stderr, self.change, np.float32(0)
        )
        return kept


def low_and_high(model: RBM, states: NDArray[np.uint8]) -> Floats:
    """Return a low and a high value of every hidden unit, (hidden, 2).

    Both values of two-valued units; of others what 2 % and 98 % of bins stay below.
    """
    values = model.hidden.all_states()
    if values is not None:
        both = np.array([float(values.min()), float(values.max())])
        return np.tile(both, (len(model.hidden), 1))
    activity = hidden_activity(model, states)
    return np.quantile(activity, (_RARE, _OFTEN), axis=0).T.astype(np.float64)


def clamp_units(
    model: RBM, values: Floats, states: NDArray[np.uint8], generator: Generator
) -> ClampedUnits:
    """Return how every neuron's probability changes when each hidden unit is clamped.

    `perturb` runs chains for every clamp. Here one set of states of the model serves all of them:
    P(v | h_a = x) is proportional to P(v) p(h_a = x | v), so states are drawn anew in proportion to
    p(h_a = x | v), their other hidden units are drawn, and P(active | hidden units) is averaged.
    Small models are summed exactly, as `perturb` does.

    Parameters
    ----------
    model
        Two-valued visible units.
    values
        (hidden, 2) at which each unit is held.
    states
        (state, neuron) samples of the model; with recorded bins in their place the result is that
        of the model as far as its samples are like the recording.
    generator
        Moves on unless everything is exact.
    """
    has_shape("values", values, (len(model.hidden), 2))
    has_shape("states", states, (None, len(model.visible)))
    if _sums_all(model):
        return _exact(model, values, generator)
    return _resampled(model, values, states, generator)


def _sums_all(model: RBM) -> bool:
    smaller = min(
        len(layer)
        for layer in (model.visible, model.hidden)
        if layer.all_states() is not None
    )  # fmt: skip
    terms = 2.0 * len(model.hidden) * len(model.visible) * 2.0 ** min(smaller, 60)
    return len(model.hidden) > 1 and is_small(model) and terms <= _EXACT_TERMS


def _exact(model: RBM, values: Floats, generator: Generator) -> ClampedUnits:
    before = probabilities(model, NOTHING, generator).mean
    change = np.array(
        [
            [
                probabilities(model, Clamp(hidden={unit: float(value)}), generator).mean - before
                for value in pair
            ]
            for unit, pair in enumerate(values)
        ],
        dtype=np.float32,
    )
    support = np.full(values.shape, np.inf)
    return ClampedUnits(values, before, change, np.zeros_like(change), support, exact=True)


def _resampled(
    model: RBM, values: Floats, states: NDArray[np.uint8], generator: Generator
) -> ClampedUnits:
    hidden, neurons = len(model.hidden), len(model.visible)
    count = int(np.clip(_OPERATIONS / (4.0 * hidden * hidden * neurons), _FEWEST, _MOST))
    kept = np.linspace(0, len(states) - 1, min(len(states), _STATES)).round().astype(np.int64)
    some = torch.from_numpy(np.ascontiguousarray(states[kept])).to(model.weights.device)
    inputs = model.inputs_to_hidden(some)
    gamma = model.hidden.log_partition(inputs).to("cpu", torch.float64).numpy()
    pushed = inputs.to("cpu", torch.float64).numpy()
    free = max(_FEWEST, int(_VALUES / neurons))
    before, error = _mean(model, inputs[:: -(-len(inputs) // free)], generator, {})
    change = np.empty((hidden, 2, neurons), dtype=np.float32)
    stderr = np.empty_like(change)
    support = np.empty((hidden, 2))
    for unit in range(hidden):
        for side, value in enumerate(values[unit].tolist()):
            # the density of the unit at this value, up to what is the same for all states
            share = value * pushed[:, unit] - gamma[:, unit]
            share = np.exp(share - share.max())
            share /= share.sum()
            support[unit, side] = effective = 1.0 / np.square(share).sum()
            begin = float(generator.uniform((1, 1))[0, 0])
            at = np.searchsorted(np.cumsum(share), (np.arange(count) + begin) / count)
            drawn = inputs[torch.from_numpy(np.minimum(at, len(share) - 1))]
            after, own = _mean(model, drawn, generator, {unit: value})
            own *= np.sqrt(1.0 + count / effective)
            change[unit, side] = after - before
            stderr[unit, side] = np.hypot(own, error)
    return ClampedUnits(values, before, change, stderr, support, exact=False, draws=count)


def _mean(
    model: RBM, inputs: Tensor, generator: Generator, held: dict[int, float]
) -> tuple[Floats, Floats]:
    """Return the mean of P(active | hidden units drawn) and its standard error, (neuron,) each."""
    hidden = model.hidden.sample(inputs, generator).to(model.weights.dtype)
    for unit, value in held.items():
        hidden[:, unit] = value
    active = as_probability(model.visible, model.mean_visible(hidden))
    variance, mean = torch.var_mean(active, dim=0)
    error = (variance / len(active)).sqrt().to("cpu", torch.float64)
    return mean.to("cpu", torch.float64).numpy(), error.numpy()
