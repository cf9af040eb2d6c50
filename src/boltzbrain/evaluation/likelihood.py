"""The log-likelihood of every fold, and the gain over independent neurons on the test fold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import softplus

from boltzbrain.data.activity import FOLDS, Activity, FoldName
from boltzbrain.data.clusters import clustered_stderr, clusters_of
from boltzbrain.evaluation.partitions import unreliable
from boltzbrain.foundations.checks import Undefined, bad_input
from boltzbrain.foundations.memory import slices
from boltzbrain.kernels.dispatch import sum_active_rows
from boltzbrain.model.independent import independent_field
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.partition import LogPartition

FOLD_NAMES: tuple[FoldName, ...] = tuple(FOLDS)  # type: ignore[arg-type]  # the keys are FoldName


def log_likelihood(
    model: RBM, log_partition: float, states: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """Return log P(v) = -F(v) - log Z of every bin, (bin,) float64 nats.

    Parameters
    ----------
    model
        Model with as many visible units as the states have neurons.
    log_partition
        log Z.
    states
        (bin, neuron) uint8.
    """
    parts = [
        -model.free_energy(torch.from_numpy(states[part])).cpu() - log_partition
        for part in slices(*states.shape)
    ]
    result: NDArray[np.float64] = torch.cat(parts).numpy() if parts else np.empty(0)
    return result


def independent_log_likelihood(field: Tensor, states: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return log P(v) of independent neurons, (bin,) float64 nats.

    Parameters
    ----------
    field
        (neuron,) log-odds of a spike. The distribution is normalised exactly: log Z is the sum of
        log(1 + exp(field)).
    states
        (bin, neuron) uint8.
    """
    field = field.to(torch.float64)
    log_partition = float(softplus(field, threshold=80.0).sum())
    if not len(states):
        return np.empty(0)
    energy = sum_active_rows(torch.from_numpy(states), field[:, None])[:, 0]
    result: NDArray[np.float64] = energy.numpy() - log_partition
    return result


def _mean(values: NDArray[np.float64], reason: str) -> float | Undefined:
    return float(values.mean()) if len(values) else Undefined(reason)


def likelihoods(
    model: RBM, log_partition: Mapping[str, LogPartition | Undefined], activity: Activity
) -> dict[str, Any]:
    """Score a model and independent neurons on every fold.

    The independent model takes its rates from the training fold only, with half a spike and half a
    silent bin added to each neuron (Jeffreys), so that it gives every pattern some probability.

    Parameters
    ----------
    model
        The model.
    log_partition
        Estimates of log Z by name; "forward" is the one that is used.
    activity
        States and folds.

    Returns
    -------
    dict
        What evaluation.json holds under ``log_likelihood``, in nats per bin. ``stderr`` is
        clustered by segment (or stretch, see `data.clusters`) and leaves out the error of
        log Z, which is given apart. ``gain`` is the paired difference on the test bins;
        ``bits_per_spike`` is it divided by log 2 and by the mean number of active neurons of a test
        bin. ``unreliable`` says in words what to doubt. Undefined figures are `Undefined`.

    Raises
    ------
    InputError
        If there is no forward estimate.
    """
    estimate = log_partition.get("forward")
    if not isinstance(estimate, LogPartition):
        raise bad_input("log_partition", "hold a forward estimate", ", ".join(log_partition))
    folds: dict[str, Any] = {}
    independent: dict[str, Any] = {}
    independent_stderr: dict[str, Any] = {}
    gain: dict[str, Any] = {}
    bits: dict[str, Any] = {}
    for fold in FOLD_NAMES:
        bins = activity.bins_of(fold)
        states, clusters = activity.states[bins], clusters_of(activity, bins)
        if fold == "train":
            field = independent_field(torch.from_numpy(states))
        empty = f"the {fold} fold has no bins"
        scores = log_likelihood(model, estimate.value, states)
        baseline = independent_log_likelihood(field, states)
        error = Undefined(empty) if not len(bins) else None
        folds[fold] = {
            "nats_per_bin": _mean(scores, empty),
            "stderr": error or clustered_stderr(scores, clusters),
        }
        independent[fold] = _mean(baseline, empty)
        independent_stderr[fold] = error or clustered_stderr(baseline, clusters)
        if fold == "test":
            difference = scores - baseline
            stderr = error or clustered_stderr(difference, clusters)
            gain = {
                "value": _mean(difference, empty),
                "stderr": stderr,
                "stderr_log_partition": error or estimate.stderr,
                "clusters": error or clusters.describe(),
            }
            bits = bits_per_spike(gain["value"], stderr, states)
    return {
        **folds,
        "independent": {**independent, "stderr": independent_stderr, "pseudo_count": 0.5},
        "gain": gain,
        **bits,
        "log_partition": {name: _describe(one) for name, one in log_partition.items()},
        "unreliable": unreliable(log_partition),
    }


def predictive_scores(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Return the score of a bin given the earlier ones of its segment, of a model without time.

    It answers with what it has, the likelihood of the bin alone.

    Parameters
    ----------
    scores
        Of `likelihoods`.
    """
    names = ("value", "stderr", "stderr_log_partition")
    return {
        "uses_time": False,
        "gain": {name: scores["gain"][name] for name in names},
        "bits_per_spike": scores["bits_per_spike"],
    }


def bits_per_spike(
    gain: float | Undefined, stderr: float | Undefined, states: NDArray[np.uint8]
) -> dict[str, Any]:
    """Return a gain in nats per bin, and its error, in bits per spike of the states."""
    if isinstance(gain, Undefined):
        return {"bits_per_spike": gain, "bits_per_spike_stderr": gain}
    spikes = int(states.sum(dtype=np.int64)) / len(states)
    if spikes == 0:
        silent = Undefined("no neuron is active in the test fold")
        return {"bits_per_spike": silent, "bits_per_spike_stderr": silent}
    unit = math.log(2) * spikes
    return {
        "bits_per_spike": gain / unit,
        "bits_per_spike_stderr": stderr if isinstance(stderr, Undefined) else stderr / unit,
    }


def _describe(estimate: LogPartition | Undefined) -> dict[str, Any]:
    """Return what a result says about an estimate of log Z."""
    if isinstance(estimate, Undefined):
        return dict.fromkeys(("value", "stderr", "effective_sample_size"), estimate)
    return {
        "value": estimate.value,
        "stderr": estimate.stderr,
        "effective_sample_size": estimate.effective_sample_size,
        "chains": estimate.chains,
        "reliable": estimate.reliable,
    }
