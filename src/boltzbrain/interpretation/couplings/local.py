"""Couplings given the state of the other neurons, and their mean over recorded bins.

Van der Plas et al. 2023, eq. 15: the mixed difference of f at the state v of all other neurons. Its
mean over recorded bins (eq. 16) needs no more than Gamma itself, so it is computed without the
Taylor expansion of eq. 17. For all pairs at once each Gamma_a(I + x + y) around a bin's input I is
a polynomial in the steps x and y of two neurons (as in `expansion`): an inactive neuron steps up
from I, an active one steps down, and because few neurons are active the mean over bins splits into
a term that all pairs share, one per active neuron and one per pair of active neurons.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from boltzbrain.foundations.memory import VALUES, slices
from boltzbrain.interpretation.couplings.expansion import DEGREES, TOLERANCE, to_tensor
from boltzbrain.interpretation.couplings.point_sets import chebyshev_points, polynomials
from boltzbrain.interpretation.marginal import Floats, Indices, Marginal
from boltzbrain.interpretation.references import States

_PILOT_BINS = 64


def local_differences(marginal: Marginal, tuples: Indices, states: States) -> Floats:
    """Return Delta_A f at every state of the other neurons, (tuple, bin).

    Parameters
    ----------
    marginal
        The model.
    tuples
        (tuple, order); what the neurons of a tuple do in a bin themselves does not matter.
    states
        (bin, neuron) in {0, 1}. Cost: tuples x bins x hidden units x 2**order values of Gamma.
    """
    count, order = tuples.shape
    everyone = np.arange(marginal.units)
    result = np.zeros((count, len(states)))
    if order == 1:
        result += marginal.bias[tuples[:, 0]][:, None]
    inputs = marginal.inputs(states)
    for row, members in enumerate(tuples):
        weights = marginal.weights[members]
        for part in slices(len(states), marginal.units * (1 << order), VALUES):
            corners = inputs[part] - states[part][:, members].astype(np.float64) @ weights
            corners = corners[None]
            signs = np.ones(1)
            for weight in weights:
                corners = np.concatenate((corners + weight, corners))
                signs = np.concatenate((signs, -signs))
            gamma = marginal.gamma(everyone, corners.reshape(-1, marginal.units))
            result[row, part] += signs @ gamma.sum(axis=1).reshape(len(signs), -1)
    return result


def mean_curvature(marginal: Marginal, states: States) -> Floats:
    """Return the mean over bins of Gamma'' = Var(h | v), (hidden,); see eq. 17."""
    total = np.zeros(marginal.units)
    for part in slices(len(states), marginal.units, VALUES):
        inputs = torch.from_numpy(marginal.inputs(states[part]))
        total += marginal.hidden.variance(inputs).sum(dim=0).numpy()
    result: Floats = total / len(states)
    return result


@dataclass(frozen=True, eq=False)
class LocalBlock:
    """Hidden units whose Gamma around a bin's input is expanded to one degree.

    Attributes
    ----------
    marginal
        The model.
    units
        (unit,) numbers of the hidden units.
    radius
        (unit,) largest step of a neuron, |W|.
    degree
        Number of Chebyshev polynomials, T_0 included.
    """

    marginal: Marginal
    units: Indices
    radius: Floats
    degree: int

    def features(self) -> tuple[Tensor, Tensor]:
        """Return the differences of the polynomials of an inactive and an active neuron.

        Both (neuron, unit, degree - 1).
        """
        places = self.marginal.weights[:, self.units] / self.radius
        middle = polynomials(np.zeros(1), self.degree)
        up = polynomials(places, self.degree) - middle
        down = middle - polynomials(-places, self.degree)
        return torch.from_numpy(up[..., 1:].copy()), torch.from_numpy(down[..., 1:].copy())

    def cores(self, inputs: Floats, order: int) -> Tensor:
        """Return the coefficients around inputs (bin, hidden): (bin, unit, degree - 1, ...)."""
        points = order * chebyshev_points(order * self.degree)
        mine = inputs[:, self.units]
        totals = mine[:, None, :] + points[:, None] * self.radius
        gamma = self.marginal.gamma(self.units, totals.reshape(-1, len(self.units)))
        values = gamma.reshape(len(mine), len(points), len(self.units))
        tensor = np.einsum("cq,squ->suc", to_tensor(order, self.degree), values)
        shaped = tensor.reshape(len(mine), len(self.units), *(self.degree,) * order)
        cut = (slice(None), slice(None), *(slice(1, None),) * order)
        return torch.from_numpy(np.ascontiguousarray(shaped[cut]))

    def pieces(self, values_per_unit: int) -> Iterator[LocalBlock]:
        """Cut the block so that a piece holds some millions of numbers."""
        for part in slices(len(self.units), values_per_unit, 4 * VALUES):
            yield LocalBlock(self.marginal, self.units[part], self.radius[part], self.degree)


def local_blocks(
    marginal: Marginal, inputs: Floats, *, tolerance: float = TOLERANCE
) -> list[LocalBlock]:
    """Choose the degree of every hidden unit's expansion by a few of the bins' inputs."""
    radius = np.abs(marginal.weights).max(axis=0, initial=0.0)
    waiting = np.flatnonzero(radius > 0)
    pilot = inputs[:: max(1, len(inputs) // _PILOT_BINS)]
    blocks = []
    for degree in DEGREES:
        if len(waiting) == 0:
            break
        trial = LocalBlock(marginal, waiting, radius[waiting], degree)
        good = np.ones(len(waiting), dtype=np.bool_)
        if degree != DEGREES[-1]:
            size = np.zeros((2, len(waiting)))
            for row in range(len(pilot)):
                core = trial.cores(pilot[row : row + 1], 2)[0].abs()
                size[0] = np.maximum(size[0], core.amax(dim=(1, 2)).numpy())
                size[1] = np.maximum(size[1], core[:, -2:].amax(dim=(1, 2)).numpy())
            scale = 1.0 + np.abs(inputs[:, waiting]).max(axis=0)
            good = (size[1] <= tolerance * size[0]) | (size[1] <= 1e-14 * degree * scale)
        if good.any():
            blocks.append(LocalBlock(marginal, waiting[good], radius[waiting[good]], degree))
        waiting = waiting[~good]
    return blocks


def mean_local_pairs(marginal: Marginal, states: States, *, tolerance: float = TOLERANCE) -> Floats:
    """Return the mean of Delta_ij f over bins for all pairs (eq. 16), (neuron, neuron).

    Parameters
    ----------
    marginal
        The model.
    states
        (bin, neuron) in {0, 1}. 1560 neurons, 500 hidden units and 500 bins take some seconds on
        2 cores.
    tolerance
        Size of the last polynomial terms relative to the largest.
    """
    neurons = marginal.neurons
    inputs = marginal.inputs(states)
    active = [torch.from_numpy(np.flatnonzero(row)) for row in states]
    dense = torch.from_numpy(states.astype(np.float64))
    total = torch.zeros((neurons, neurons), dtype=torch.float64)
    half = torch.zeros_like(total)
    for block in local_blocks(marginal, inputs, tolerance=tolerance):
        terms = block.degree - 1
        for piece in block.pieces(max(neurons, len(states)) * terms * terms):
            calm, moved = piece.features()
            moved = moved - calm
            flat = calm.reshape(neurons, -1)
            core = piece.cores(inputs, 2)
            units = len(piece.units)
            left = torch.einsum("nup,upq->nuq", calm, core.sum(dim=0))
            total.addmm_(left.reshape(neurons, -1), flat.T)
            own = (dense.T @ core.reshape(len(states), -1)).reshape(neurons, units, terms, terms)
            left = torch.einsum("nup,nupq->nuq", moved, own)
            half.addmm_(left.reshape(neurons, -1), flat.T)
            for number, chosen in enumerate(active):
                if len(chosen) < 2:
                    continue
                rows = moved[chosen]
                left = torch.einsum("nup,upq->nuq", rows, core[number]).reshape(len(chosen), -1)
                together = left @ rows.reshape(len(chosen), -1).T
                total.index_put_((chosen[:, None], chosen[None, :]), together, accumulate=True)
    result: Floats = (total + half + half.T).numpy() / len(states)
    np.fill_diagonal(result, 0.0)
    return 0.5 * (result + result.T)


def mean_local_fields(
    marginal: Marginal, states: States, *, tolerance: float = TOLERANCE
) -> Floats:
    """Return the mean over bins of each neuron's log-odds given the others, (neuron,)."""
    inputs = marginal.inputs(states)
    share = torch.from_numpy(states.astype(np.float64)).T / len(states)
    result = torch.from_numpy(marginal.bias.copy())
    for block in local_blocks(marginal, inputs, tolerance=tolerance):
        for piece in block.pieces(max(marginal.neurons, len(states)) * block.degree * 2):
            calm, moved = piece.features()
            core = piece.cores(inputs, 1)
            result += torch.einsum("nup,up->n", calm, core.mean(dim=0))
            own = (share @ core.reshape(len(states), -1)).reshape(moved.shape)
            result += ((moved - calm) * own).sum(dim=(1, 2))
    values: Floats = result.numpy()
    return values
