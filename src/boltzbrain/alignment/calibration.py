"""Fields of a student before its training: its neurons keep their rates, its units their law."""

from __future__ import annotations

import torch
from torch import Tensor

from boltzbrain.foundations.memory import VALUES, slices
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM
from boltzbrain.training.update.first_weights import fields_at_rates

_RIDGE = 1e-6


def calibrated(teacher: RBM, weights: Tensor, rates: Tensor, hidden: Tensor) -> RBM:
    """Return the student of a teacher at its first weights.

    The visible fields solve <sigmoid(b + W h)>_q = rates. Integrating the visible units out leaves
    A(h) = sum_i log(1 + exp(b_i + W_i h)) beside the energy of h; the hidden fields take up what of
    A_T - A_S over q is linear in h. The rest of the hidden layer is the teacher's.

    Parameters
    ----------
    teacher
        The teacher.
    weights
        (neuron, hidden) of the student.
    rates
        (neuron,) mean rates of the student's neurons, in (0, 1).
    hidden
        (sample, hidden) of q.

    Returns
    -------
    RBM
        In the floating type of the teacher.
    """
    kind = teacher.weights.dtype
    samples = hidden.to(torch.float64)
    first = torch.special.logit(rates.to(torch.float64))
    fields = fields_at_rates(weights.to(torch.float64), samples, rates.to(torch.float64), first)
    visible = Bernoulli(fields.to(kind))
    student = RBM(visible, teacher.hidden, weights.to(kind))
    apart = _silent_part(teacher, hidden) - _silent_part(student, hidden)
    slopes = _slopes(samples, apart).to(kind)
    return student.with_fields_moved(Offsets(hidden=slopes[None]))


def _silent_part(model: RBM, hidden: Tensor) -> Tensor:
    """Return A(h) of hidden samples, (sample,) float64."""
    double = model.visible.to(torch.float64)
    weights = model.weights.to(torch.float64)
    parts = []
    for piece in slices(len(hidden), len(model.visible), VALUES):
        inputs = hidden[piece].to(torch.float64) @ weights.T
        parts.append(double.log_partition(inputs).sum(dim=1))
    return torch.cat(parts)


def _slopes(samples: Tensor, values: Tensor) -> Tensor:
    """Return the slopes of values (sample,) on samples (sample, unit), with an intercept."""
    centred = samples - samples.mean(dim=0)
    square = centred.T @ centred / len(samples)
    # units that never move have no slope
    ridge = _RIDGE * float(square.diagonal().mean()) + 1e-12
    square = square + ridge * torch.eye(len(square), dtype=square.dtype)
    cross = centred.T @ (values - values.mean()) / len(samples)
    slopes: Tensor = torch.linalg.solve(square, cross)
    return slopes
