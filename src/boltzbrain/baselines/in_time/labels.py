"""Log-odds of independent neurons by the label of a bin: its place in the trial, its epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from boltzbrain.foundations.memory import VALUES, slices

PSEUDO_BINS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
"""Bins at a neuron's own rate that are added to those of every label, to try."""
_STEPS, _SETTLED = 50, 1e-6


@dataclass(frozen=True, eq=False)
class LabelledBins:
    """Bins with a label each.

    Attributes
    ----------
    states
        (bin, neuron) uint8.
    label
        (bin,) int64, -1 where it has none.
    base
        (bin, neuron) float32 log-odds that are known of every bin beside the field; None: none.
    """

    states: Tensor
    label: Tensor
    base: Tensor | None = None

    def scores(self, field: Tensor, table: Tensor) -> Tensor:
        """Return log P(v) of every bin, (bin,) float64 nats.

        Parameters
        ----------
        field
            (neuron,) float64 log-odds.
        table
            (label, neuron) float64, what labels add to them.
        """
        whole = torch.cat([table, table.new_zeros((1, table.shape[1]))]) + field
        parts = []
        for part in slices(len(self.states), self.states.shape[1], VALUES):
            odds = whole[self.label[part]]
            if self.base is not None:
                odds = odds + self.base[part]
            here = self.states[part].to(odds.dtype)
            parts.append((here * odds - softplus(odds, threshold=80.0)).sum(dim=1))
        return torch.cat(parts)


def label_offsets(given: LabelledBins, field: Tensor, labels: int, pseudo: float) -> Tensor:
    """Return what every label adds to the log-odds, (label, neuron) float64.

    The most probable values, where so many bins at the neuron's own rate are added to every label.

    Parameters
    ----------
    given
        The training bins.
    field
        (neuron,) float64 log-odds.
    labels
        Number of labels.
    pseudo
        Bins to add.
    """
    has = given.label >= 0
    label, states = given.label[has], given.states[has]
    rate, shape = torch.sigmoid(field), (labels, len(field))
    active = torch.zeros(shape, dtype=torch.float64)
    for part in slices(len(states), states.shape[1], VALUES):
        active.index_add_(0, label[part], states[part].to(torch.float64))
    bins = torch.bincount(label, minlength=labels).to(torch.float64)[:, None]
    wanted = active + pseudo * rate
    table = torch.logit(wanted / (bins + pseudo)) - field
    if given.base is None:
        return table
    base = given.base[has]
    for _ in range(_STEPS):
        own = torch.sigmoid(field + table)
        mean, curve = pseudo * own, pseudo * own * (1 - own)
        for part in slices(len(states), states.shape[1], VALUES):
            chance = torch.sigmoid((field + table)[label[part]] + base[part])
            mean.index_add_(0, label[part], chance)
            curve.index_add_(0, label[part], chance * (1 - chance))
        step = ((wanted - mean) / curve).clamp(-1.0, 1.0)
        table = table + step
        if float(step.abs().max()) < _SETTLED:
            break
    return table


def fit_labels(
    train: LabelledBins,
    validation: LabelledBins | None,
    field: Tensor,
    labels: int,
    *,
    pseudo: Sequence[float] = PSEUDO_BINS,
) -> tuple[Tensor, float]:
    """Return `label_offsets`, and the number of added bins that the validation bins choose.

    Without validation bins it is the one in the middle.
    """
    if validation is None:
        middle = pseudo[len(pseudo) // 2]
        return label_offsets(train, field, labels, middle), middle
    tried = {one: label_offsets(train, field, labels, one) for one in pseudo}
    best = max(tried, key=lambda one: float(validation.scores(field, tried[one]).mean()))
    return tried[best], best
