r"""Hidden activity held at mean 0 and variance 1, with the gradient that goes through it.

The compositional phase wants hidden units of equal importance, so the potential of each unit is
reparametrised until <h>_data = 0 and <h**2>_data = 1 (van der Plas et al., eLife 12:e83139, 2023,
'Compositional restricted Boltzmann machine'; the batch-norm procedure of Tubiana's thesis, 2018, is
described there in words only, so the derivation below is ours).

Two directions of the potential are not free but follow from the weights and the data: a shift
delta of the unit's input, and a scale s, which turns h into s h at the same weights. With
parameters phi_k and their signs e_k under a shift (`Layer.input_shift`) and powers p_k under a
scale (`Layer.scale_powers`), d phi_k / d delta = e_k and d phi_k / d log s = -p_k phi_k. They solve
two equations for every hidden unit, averaged over data,

    C_1 = <m(I)> = 0,      C_2 = <kappa_2(I) + m(I)**2> - 1 = 0,

with m, kappa_2, kappa_3 the cumulants of h given its input I. Their derivatives are

    dC_1/dw_i     = <v_i kappa_2>           dC_2/dw_i     = <v_i (kappa_3 + 2 m kappa_2)>
    dC_1/ddelta   = <kappa_2>               dC_2/ddelta   = <kappa_3 + 2 m kappa_2>
    dC_1/dlog s   = <m + I kappa_2>         dC_2/dlog s   = <2 (kappa_2 + m**2)
                                                             + I (kappa_3 + 2 m kappa_2)>
    dC_1/dphi_k   = <T_k'(I)>               dC_2/dphi_k   = <T_k''(I) + 2 m T_k'(I)>

where T_k(I) is the mean of the statistic of phi_k given I, because dGamma/dphi_k = T_k and m =
dGamma/dI. Write A for the two-by-two matrix of the derivatives along (delta, log s), and g for the
plain gradient of the log-likelihood. By the implicit function theorem the gradient at fixed C = 0
adds to g the same combination of both constraints everywhere,

    g_w   + x_1 dC_1/dw   + x_2 dC_2/dw,      g_phi + x_1 dC_1/dphi + x_2 dC_2/dphi,

    A^T x = -(sum_k e_k g_k, -sum_k p_k phi_k g_k),

so that nothing is gained along the two bound directions. A unit that takes one sign only (ReLU) is
held at <h**2>_data = 1 alone. Binary units have no scale and are left as they are.

At fixed C the x keep <h> of model and data apart, so the last updates let the activity go
(`TrainingPlan.release`), and the L1 penalty with it: scaled units h -> s h with w -> w / s leave
the likelihood as it is, so that a penalty on w would stretch h without end. With the precisions at
rest, which fixes the scale, <h> of model and data agree, and so does sum_k phi_k T_k over the
precisions of a unit, since sum_i w_i g_i = sum_k p_k phi_k g_k whatever the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from boltzbrain.model.layers.layer import Layer, Responses
from boltzbrain.model.rbm import RBM

_NEWTON_STEPS = 30


@dataclass(frozen=True, eq=False)
class Constraint:
    """The two conditions on every hidden unit and their derivatives, over one batch, float64.

    Attributes
    ----------
    values
        (2, hidden): C_1 and C_2.
    matrix
        (hidden, 2, 2): rows C_1, C_2; columns delta, log s.
    per_sample
        (2, bin, hidden): kappa_2 and kappa_3 + 2 m kappa_2, in the type of the layer.
    parameters
        Name to (2, hidden): derivatives along the parameter.
    """

    values: Tensor
    matrix: Tensor
    per_sample: Tensor
    parameters: dict[str, Tensor]

    @classmethod
    def of(cls, layer: Layer, responses: Responses) -> Constraint:
        """Take the conditions from how the layer responds to inputs v W, (bin, hidden)."""
        mean, square = responses.moments
        values = torch.stack([mean, square - 1.0])
        along_scale = torch.stack([mean, 2.0 * square]) + responses.by_scale
        matrix = torch.stack([responses.by_shift, along_scale], dim=-1).transpose(0, 1).contiguous()
        if not layer.signed:
            values[0] = 0.0
            matrix[:, 0, 0], matrix[:, 0, 1], matrix[:, 1, 0] = 1.0, 0.0, 0.0
        return cls(values, matrix, responses.by_input, responses.by_parameter)


def tangent_pull(
    layer: Layer, constraint: Constraint, gradient: Mapping[str, Tensor]
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return what makes the plain gradient the one at fixed constraint (module docstring).

    Parameters
    ----------
    layer
        The hidden layer that is held.
    constraint
        Conditions at this model and batch.
    gradient
        Plain gradient of the layer's parameters, by name.

    Returns
    -------
    pull
        (bin, hidden): what is added to the hidden means given each bin, x_1 kappa_2 + x_2 (kappa_3
        + 2 m kappa_2), so that <v pull> is added to the gradient of the weights.
    changes
        Name to what is added to the gradient of the parameter.
    """
    bound = torch.zeros_like(constraint.values)
    if layer.signed:
        for name, sign in layer.input_shift.items():
            bound[0] += sign * gradient[name].to(torch.float64)
    for name, value in layer.parameters().items():
        bound[1] -= layer.scale_powers[name] * (value * gradient[name]).to(torch.float64)
    x = torch.linalg.solve(constraint.matrix.transpose(1, 2), -bound.T).T
    by_mean, by_square = x.to(layer.dtype)
    of_mean, of_square = constraint.per_sample
    pull = torch.addcmul(by_mean * of_mean, by_square, of_square)
    changes = {
        name: (x * derivative).sum(dim=0).to(layer.dtype)
        for name, derivative in constraint.parameters.items()
    }
    return pull, changes


def held(model: RBM, states: Tensor) -> RBM:
    """Return the model with its hidden activity at mean 0 and variance 1 over states."""
    inputs = model.inputs_to_hidden(states)
    hidden = model.hidden
    for _ in range(_NEWTON_STEPS):
        constraint = Constraint.of(hidden, hidden.responses(inputs))
        hidden = retracted(hidden, constraint, 1.0)
    return RBM(model.visible, hidden, model.weights)


def of_unit_variance(model: RBM, states: Tensor) -> RBM:
    """Return the same law of the visible units with hidden units of variance 1 over states.

    h / s with s times the weights: exact, unlike what holds the mean at 0 as well.
    """
    layer, inputs = model.hidden, model.inputs_to_hidden(states)
    spread = layer.mean(inputs).var(dim=0, correction=0) + layer.variance(inputs).mean(dim=0)
    size = spread.to(torch.float64).sqrt()
    scaled = {
        name: (value * size ** layer.scale_powers[name]).to(value.dtype)
        for name, value in layer.parameters().items()
    }
    weights = (model.weights * size).to(model.weights.dtype)
    return RBM(model.visible, layer.with_parameters(scaled), weights)


def retracted(layer: Layer, constraint: Constraint, gain: float) -> Layer:
    """Return the layer moved by one Newton step towards the constraint, times `gain`.

    A batch only estimates the constraint, so a gain below 1 averages over about 1 / gain batches.
    Steps are bounded by 1/2 in delta, in units of the spread of h, and by 1/4 in log s.
    """
    step = -gain * torch.linalg.solve(constraint.matrix, constraint.values.T)
    shift, log_scale = step[:, 0].clamp(-0.5, 0.5), step[:, 1].clamp(-0.25, 0.25)
    changed = {}
    for name, value in layer.parameters().items():
        exact = value.to(torch.float64)
        if layer.signed:
            exact = exact + layer.input_shift.get(name, 0.0) * shift
        changed[name] = (exact * torch.exp(-layer.scale_powers[name] * log_scale)).to(value.dtype)
    return layer.with_parameters(changed)
