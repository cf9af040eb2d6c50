"""Each neuron given all others: the effective field, its calibration, and the score it gives.

P(v_i = 1 | rest) = sigmoid(h_i) with the effective field h_i = F(v_i = 0) - F(v_i = 1) =
b_i + sum_a [Gamma_a(I_a + W_ia) - Gamma_a(I_a)], where the inputs I_a leave out neuron i. This is
exact, and any model of simultaneous activity can be compared on the score. Bereux et al. 2026 show
the calibration in their figure 3g; their definition of the field was not available to us.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.data.activity import active_bins
from boltzbrain.data.clusters import Clusters, clustered_stderr
from boltzbrain.evaluation.bins import BinSet
from boltzbrain.evaluation.calibration import Calibration, calibrate
from boltzbrain.evaluation.flips import effective_fields_by_products, turns_fast
from boltzbrain.evaluation.likelihood import independent_log_likelihood
from boltzbrain.foundations.checks import Undefined
from boltzbrain.foundations.memory import VALUES, slices
from boltzbrain.foundations.numerics import bernoulli_log_likelihood
from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.rbm import RBM

QUANTILES = 100
"""Bins of the effective field that its calibration is computed in."""
_WORK = 2_000_000_000
"""Most evaluations of Gamma; with more bins than this allows, a uniform sample of them is taken."""


def effective_fields(model: RBM, states: Tensor) -> Tensor:
    """Return the log-odds of every neuron given all others, (bin, neuron).

    Parameters
    ----------
    model
        Model with Bernoulli visible units and hidden units of any kind.
    states
        (bin, neuron) uint8; the field of a neuron does not depend on its own state.
    """
    assert isinstance(model.visible, Bernoulli)
    if turns_fast(model):
        return effective_fields_by_products(model, states)
    inputs = model.inputs_to_hidden(states)
    base = model.hidden.log_partition(inputs).sum(dim=1)
    sign = 1 - 2 * states.to(inputs.dtype)
    fields = torch.empty_like(sign)
    bins, hidden = inputs.shape
    for part in slices(len(model.weights), bins * hidden, VALUES):
        flipped = inputs[:, None, :] + sign[:, part, None] * model.weights[part]
        gamma = model.hidden.log_partition(flipped.reshape(-1, hidden)).sum(dim=1)
        fields[:, part] = gamma.reshape(bins, -1) - base[:, None]
    return model.visible.field + sign * fields


@dataclass(frozen=True)
class Conditionals:
    """Every neuron of some bins given all others.

    Attributes
    ----------
    fields
        (bin, neuron) float32 effective fields.
    states
        (bin, neuron) uint8.
    cluster
        (bin,) cluster of each bin.
    """

    fields: NDArray[np.float32]
    states: NDArray[np.uint8]
    cluster: NDArray[np.int64]

    @cached_property
    def _sums(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Log P(v_i | rest) summed over neurons (bin,) and over bins (neuron,)."""
        of_bins, of_neurons = np.empty(len(self.states)), np.zeros(self.states.shape[1])
        for first in range(0, len(self.states), 256):
            part = slice(first, first + 256)
            fields = torch.from_numpy(self.fields[part]).to(torch.float64)
            each = bernoulli_log_likelihood(fields, torch.from_numpy(self.states[part]))
            of_bins[part] = each.sum(dim=1).numpy()
            of_neurons += each.sum(dim=0).numpy()
        return of_bins, of_neurons

    def log_likelihood(self) -> NDArray[np.float64]:
        """Return log P(v_i | rest) summed over bins, (neuron,) float64 nats."""
        return self._sums[1]

    def scores_of_bins(self, base: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the score of each bin over fixed log-odds `base` (neuron,), (bin,) nats."""
        return self._sums[0] - independent_log_likelihood(torch.from_numpy(base), self.states)

    def calibration(self, quantiles: int = QUANTILES) -> Calibration:
        """Compare the share of active neurons with sigmoid(field) in quantiles of the field."""
        return calibrate(self.fields, self.states, self.cluster, quantiles)


def conditionals(model: RBM, bins: BinSet, seed: int = 0) -> Conditionals:
    """Compute the effective fields of a fold, or of a uniform sample of its bins if it is large.

    Parameters
    ----------
    model
        Model with Bernoulli visible units.
    bins
        Bins of one fold, at least one.
    seed
        Seed of the sample of bins.
    """
    most = max(20, _WORK // model.weights.numel())
    kept = np.arange(len(bins))
    if len(kept) > most:
        order = Generator.from_seed(seed, "conditionals").permutation(len(kept))
        kept = np.sort(order[:most])
    states, cluster = bins.states[kept], np.unique(bins.cluster[kept], return_inverse=True)[1]
    fields = [
        effective_fields(model, torch.from_numpy(states[part]))
        for part in slices(len(states), 4 * model.weights.shape[1], VALUES, most=64)
    ]
    return Conditionals(torch.cat(fields).to(torch.float32).cpu().numpy(), states, cluster)


def conditional_scores(found: Conditionals | None, field: Tensor) -> dict[str, Any]:
    """Score P(v_i | rest) over independent neurons, and its calibration.

    Parameters
    ----------
    found
        Effective fields of test bins; None where there are none.
    field
        (neuron,) log-odds of the independent model.

    Returns
    -------
    dict
        ``conditional``: ``bits_per_spike`` over the independent model, summed over neurons, its
        clustered ``stderr``, ``median_neuron_bits_per_spike`` over the neurons active in these
        bins, and the number of ``bins``; ``h_eff``: ``calibration_error``,
        ``fraction_within_3_stderr`` and, under ``calibration``, each list of the `Calibration`.
    """
    if found is None:
        nothing = Undefined("the test fold has no bins")
        names = ("bits_per_spike", "stderr", "median_neuron_bits_per_spike", "bins")
        return {
            "conditional": dict.fromkeys(names, nothing),
            "h_eff": dict.fromkeys(
                ("calibration_error", "fraction_within_3_stderr", "calibration"), nothing
            ),
        }
    base = field.to(torch.float64).numpy()
    gains = found.scores_of_bins(base)
    spikes = active_bins(found.states)
    calibration = found.calibration()
    scores: dict[str, Any] = {"bins": len(found.states)}
    if spikes.sum() == 0:
        silent = Undefined("no neuron is active in these bins")
        scores.update(bits_per_spike=silent, stderr=silent, median_neuron_bits_per_spike=silent)
    else:
        unit = math.log(2) * float(spikes.sum()) / len(found.states)
        error = clustered_stderr(gains, Clusters(found.cluster, "segment", None))
        rate = torch.from_numpy(spikes / len(found.states))
        constant = bernoulli_log_likelihood(field.to(torch.float64), rate).numpy()
        active = spikes > 0
        each = found.log_likelihood() - len(found.states) * constant
        each = each[active] / spikes[active] / math.log(2)
        scores.update(
            bits_per_spike=float(gains.mean()) / unit,
            stderr=error if isinstance(error, Undefined) else error / unit,
            median_neuron_bits_per_spike=float(np.median(each)),
        )
    few = int(found.cluster.max()) + 1 < 2
    return {
        "conditional": scores,
        "h_eff": {
            "calibration_error": calibration.error,
            "fraction_within_3_stderr": Undefined("an error needs at least 2 clusters of bins")
            if few
            else calibration.within(),
            # the page draws it: to compute it takes longer than all its figures
            "calibration": asdict(calibration),
        },
    }
