r"""Hidden samples that a training is anchored to: their file, and what they add to the gradient.

    L = (1 - l) < log P(v) >_data + l < log P(h) >_q,
    log P(h) = -E(h) + sum_i Gamma_i((W h)_i) - log Z,

    dL/dW = (1 - l) <v r^T>_data + l <vhat h^T>_q - <v h^T>_model,   vhat = <v | h>,

and the like for fields and potentials. So the samples of q, with <v | h> in the place of their
visible states, are a second half of the data, and one model phase serves both.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.disk.files import FileFormat, atomic_hdf5, open_ours, require_sha256
from boltzbrain.foundations.random import Generator
from boltzbrain.model.rbm import RBM, Moments
from boltzbrain.training.anchor import Anchor
from boltzbrain.training.plan import TrainingPlan

FORMAT = FileFormat("boltzbrain hidden samples", what="the hidden samples")


def write_samples(path: Path, hidden: Tensor) -> None:
    """Write hidden samples, (sample, hidden), whole or not at all; the same ones give one file."""
    with atomic_hdf5(path) as file:
        file.attrs.update(FORMAT.told)
        # the time of writing would give every file a hash of its own
        file.create_dataset("hidden", data=hidden.cpu().numpy(), track_times=False)


def read_samples(path: Path) -> Tensor:
    """Return hidden samples, (sample, hidden), as `write_samples` wrote them.

    Raises
    ------
    InputError
        If the file is missing, damaged or another.
    """
    with open_ours(path, FORMAT) as file:
        return torch.from_numpy(file["hidden"][:])


def samples_of(anchor: Anchor, run: Path, plan: TrainingPlan) -> Tensor:
    """Return the samples that a training is anchored to, (sample, hidden).

    Parameters
    ----------
    anchor
        As the plan has it.
    run
        The run folder, from which a relative path is taken.
    plan
        Every hyperparameter.

    Raises
    ------
    InputError
        If the file is missing, is not the one that the anchor says, or is of other units.
    """
    path = anchor.path(run)
    hidden = read_samples(path)
    require_sha256(path, anchor.sha256, "the hidden samples that the plan names", "put it back")
    if hidden.ndim != 2 or hidden.shape[1] != plan.hidden or not len(hidden):
        must = f"have shape (sample, {plan.hidden})"
        raise bad_input("hidden", must, f"shape {tuple(hidden.shape)}", file=path)
    return hidden


class AnchoredSamples:
    """The samples of an anchor, in random order, every one once per epoch.

    Parameters
    ----------
    weight
        Share of the objective.
    hidden
        (sample, hidden), on the device of the training.
    plan
        Seed and size of a batch.
    """

    def __init__(self, weight: float, hidden: Tensor, plan: TrainingPlan) -> None:
        self.weight, self.hidden, self._plan = weight, hidden, plan
        self._epoch = -1
        self._order = torch.empty(0, dtype=torch.int64)

    def at(self, update: int) -> Tensor:
        """Return the samples of an update, counted from 1, (sample, hidden)."""
        count = len(self.hidden)
        size = min(self._plan.batch, count)
        epoch, place = divmod(update - 1, count // size)
        if epoch != self._epoch:
            stream = Generator.from_seed(self._plan.seed, "anchor", epoch)
            order = torch.from_numpy(stream.permutation(count))
            self._epoch, self._order = epoch, order.to(self.hidden.device)
        return self.hidden[self._order[place * size : (place + 1) * size]]


def moments_of_hidden(model: RBM, hidden: Tensor) -> Moments:
    """Return the mean statistics of hidden samples, visible units integrated out.

    The derivatives of log P(h) + log Z by the parameters, averaged over the samples. `states` are
    <v | h> and `means` the samples.
    """
    values = hidden.to(model.weights.dtype)
    answers = model.visible.answers(model.inputs_to_visible(values))
    return Moments(
        answers.statistics,
        model.hidden.mean_of_statistics(hidden),
        answers.mean.mean(dim=0),
        values.mean(dim=0),
        answers.mean,
        values,
    )


def mixed(data: Moments, anchored: Moments, weight: float) -> Moments:
    """Return the means of data and samples in their shares; `states` stay those of the data."""

    def both(one: Tensor, other: Tensor) -> Tensor:
        return (1.0 - weight) * one + weight * other

    return replace(
        data,
        visible={name: both(one, anchored.visible[name]) for name, one in data.visible.items()},
        hidden={name: both(one, anchored.hidden[name]) for name, one in data.hidden.items()},
        mean_visible=both(data.mean_visible, anchored.mean_visible),
        mean_hidden=both(data.mean_hidden, anchored.mean_hidden),
    )
