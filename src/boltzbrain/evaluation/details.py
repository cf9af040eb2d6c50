"""What the figures of a page show of an evaluation: arrays beside the samples, in samples.h5."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import torch
from numpy.typing import NDArray

from boltzbrain.evaluation.bins import BinSet
from boltzbrain.evaluation.dynamics.hidden_units import hidden_dynamics, keep_hidden_dynamics
from boltzbrain.evaluation.reconstruction import (
    independent_quality,
    normalised_log_likelihood,
    reconstruction_quality,
)
from boltzbrain.evaluation.samples import FORMAT
from boltzbrain.evaluation.statistics.compare import keep_statistics
from boltzbrain.evaluation.statistics.energies import energies, keep_energies
from boltzbrain.evaluation.statistics.hidden_statistics import keep_hidden
from boltzbrain.evaluation.statistics.kept import Kept
from boltzbrain.evaluation.statistics.projection import keep_projections, principal_axes
from boltzbrain.foundations.disk.files import open_ours
from boltzbrain.model.hidden_activity import hidden_activity
from boltzbrain.model.independent import independent_field
from boltzbrain.model.rbm import RBM
from boltzbrain.training.update.penalties import Penalties

GROUP = "figures"
"""Group of samples.h5 that holds them."""


def details_of(
    model: RBM | None,
    train: BinSet,
    test: BinSet,
    generated: BinSet,
    segment: NDArray[np.int32],
    penalties: Penalties,
    seed: int = 0,
) -> Kept:
    """Compute what `evaluate` keeps for the page, for an evaluation that did not keep it.

    Parameters
    ----------
    model
        Without it there is what needs none.
    train, test, generated
        Bins; the test fold may be empty.
    segment
        (bin,) of the test fold, or without one of the training fold.
    penalties
        Penalties that the model was trained with.
    seed
        Seed of the samples of pairs and triplets.
    """
    kept: Kept = {}
    keep_statistics(kept, train, test, generated, seed)
    recorded = test if len(test) else train
    if train.states.shape[1] > 1:
        axes = principal_axes(train.states)
        keep_projections(kept, axes, recorded.states, generated.states)
    if model is None:
        return kept
    keep_energies(kept, *(energies(model, one.states) for one in (train, test, generated)))
    if len(test):
        field = independent_field(torch.from_numpy(train.states))
        quality = reconstruction_quality(model, test.states)
        base = independent_quality(field, test.states)
        kept["reconstruction/rbm"] = normalised_log_likelihood(quality, base)
        sets = {"train": train.states, "test": test.states, "generated": generated.states}
        keep_hidden(kept, model, sets, penalties)
    oriented = model.in_sign_gauge()
    activity = hidden_activity(oriented, recorded.states)
    found = hidden_dynamics(activity, recorded.states, segment)
    keep_hidden_dynamics(kept, found, hidden_activity(oriented, generated.states))
    return kept


def write_details(file: h5py.File, kept: Kept) -> None:
    """Write into an open samples.h5; numbers in floating point as float32, as they are drawn."""
    for path, values in kept.items():
        kind = np.float32 if values.dtype.kind == "f" else values.dtype
        # those few values would be larger compressed
        how = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
        file.create_dataset(
            f"{GROUP}/{path}", data=values.astype(kind), **(how if values.size > 500 else {})
        )


def read_details(path: Path) -> Kept | None:
    """Read them from samples.h5; None where an earlier version did not keep any.

    Raises
    ------
    InputError
        If the file is missing, damaged or of another format.
    """
    found: Kept = {}

    def take(name: str, one: h5py.Group | h5py.Dataset) -> None:
        if isinstance(one, h5py.Dataset):
            values = np.asarray(one[()])
            found[name] = values.astype(np.float64) if values.dtype.kind == "f" else values

    with open_ours(path, FORMAT) as file:
        if GROUP not in file:
            return None
        file[GROUP].visititems(take)
    return found
