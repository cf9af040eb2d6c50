"""The likelihood of a fold whose bins have fields of their own: each a row of offsets, and a log Z.

The error of a mean over bins is taken over clusters of them, as everywhere. Where every row was
annealed, the noise of its log Z is part of the spread of the scores, so that this error holds it.
What a reference tells of the rows that were not annealed is not in that spread, and what all rows
share never is: the error of the mean log Z stands beside it, and in the second case adds to it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from boltzbrain.data.clusters import Clusters, clustered_stderr
from boltzbrain.foundations.checks import Undefined, bad_input
from boltzbrain.foundations.memory import slices
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.rows.estimate import RowPartitions


def rows_log_likelihood(
    model: RBM, partitions: RowPartitions, offsets: Offsets, states: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """Return log P(v) = -F(v) - log Z of every bin, each under its own row, (bin,) float64 nats.

    Parameters
    ----------
    model
        Model with as many visible units as the states have neurons.
    partitions, offsets
        log Z, and the offsets, of every bin.
    states
        (bin, neuron) uint8.

    Raises
    ------
    InputError
        If there is not a row for every bin.
    """
    for name, rows in (("offsets", len(offsets)), ("partitions", len(partitions.values))):
        if rows != len(states):
            raise bad_input(name, f"have a row for each of {len(states)} bins", rows)
    result = np.empty(len(states))
    for part in slices(*states.shape):
        energy = model.free_energy(torch.from_numpy(states[part]), offsets[part])
        result[part] = -energy.cpu().numpy() - partitions.values[part].numpy()
    return result


def mean_over_bins(
    scores: NDArray[np.float64], clusters: Clusters, partitions: RowPartitions
) -> dict[str, Any]:
    """Return a mean over bins, or of differences paired by bin, with its errors.

    Parameters
    ----------
    scores
        (bin,) nats, of `rows_log_likelihood`, with another model's subtracted or not.
    clusters
        The bins' clusters.
    partitions
        log Z of every bin.

    Returns
    -------
    dict
        ``value``; ``stderr`` over clusters; ``stderr_log_partition``, that of the mean log Z, in
        ``stderr`` already where every row was annealed.
    """
    if len(scores) == 0:
        empty = Undefined("there are no bins")
        return dict.fromkeys(("value", "stderr", "stderr_log_partition"), empty)
    return {
        "value": float(scores.mean()),
        "stderr": clustered_stderr(scores, clusters),
        "stderr_log_partition": partitions.stderr,
    }


def describe_rows(partitions: RowPartitions) -> dict[str, Any]:
    """Return what a result says of log Z of the bins: figures by name, absent ones `Undefined`."""
    absent = Undefined(f"there is none where log Z is {partitions.method}")
    told = {
        "value": partitions.mean,
        "stderr": partitions.stderr,
        "method": partitions.method,
        "annealed": partitions.annealed,
        "effective_share": partitions.effective_share,
        "spread": partitions.spread,
        "gap": partitions.gap,
        "gap_stderr": partitions.gap_stderr,
        "unreliable": partitions.warnings,
    }
    return {name: absent if value is None else value for name, value in told.items()}
