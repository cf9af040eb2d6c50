"""A model with a context: the score of a bin given its context, and what it generates in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity
from boltzbrain.data.clusters import clusters_of
from boltzbrain.evaluation.in_context.hidden_states import KnownStates, offsets_of_drawn_states
from boltzbrain.evaluation.in_context.rows import describe_rows, mean_over_bins, rows_log_likelihood
from boltzbrain.evaluation.likelihood import (
    bits_per_spike,
    independent_log_likelihood,
    log_likelihood,
)
from boltzbrain.evaluation.samples import Samples
from boltzbrain.foundations.checks import Undefined
from boltzbrain.foundations.progress import SILENT, Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.contextual import ContextualRBM
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.independent import independent_field
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.rows.estimate import RowPartitions
from boltzbrain.sampling.rows.free_run import SWEEPS
from boltzbrain.sampling.rows.partition import log_partitions_of_rows

_TOLD = 10


@dataclass(frozen=True, eq=False)
class Predicted:
    """The test bins under a model with a context.

    Attributes
    ----------
    scores
        (bin,) log P(v_t | context), nats: given the earlier bins of its piece alone.
    partitions
        log Z of every bin, or of every hidden state.
    states
        The hidden states; None where there are none.
    """

    scores: NDArray[np.float64]
    partitions: RowPartitions
    states: KnownStates | None = None


def predicted(
    model: ContextualRBM, activity: Activity, seed: int, tell: Teller = SILENT
) -> Predicted:
    """Score every test bin given its context.

    Parameters
    ----------
    model
        The model.
    activity
        States and folds, with test bins.
    seed
        Seed of the estimate of log Z.
    tell
        Told the bins.
    """
    test = Sequences.of_fold(activity, "test")
    if model.contexts.states is not None:
        known = KnownStates.of(model, activity, seed, tell)
        return Predicted(known.states.predictive(test, known.rbm), known.partitions, known)
    offsets = model.offsets(test)
    generator = Generator.from_seed(seed, "log partition", "bins")
    partitions = log_partitions_of_rows(
        model.rbm, offsets, generator, visible_field=model.contexts.foot, tell=tell
    )
    alone, beside = model.to("cpu").rbm, offsets.to("cpu")
    return Predicted(rows_log_likelihood(alone, partitions, beside, test.states), partitions)


def predictive_in_context(
    found: Predicted,
    activity: Activity,
    alone: tuple[RBM, float],
    start: tuple[RBM, float] | Undefined,
) -> dict[str, Any]:
    """Return what evaluation.json holds under ``predictive`` of a model with a context.

    Parameters
    ----------
    found
        The test bins.
    activity
        States and folds.
    alone
        The model read without time, and its log Z.
    start
        The model of the run that the training began with, and its log Z; or why there is none.

    Returns
    -------
    dict
        ``gain``, nats per test bin over independent neurons, and ``bits_per_spike``;
        ``over_itself_without_time`` (hidden states as often as they are held) and ``over_run``
        paired by bin; ``log_partition``.
    """
    bins = activity.bins_of("test")
    states, clusters = activity.states[bins], clusters_of(activity, bins)
    field = independent_field(torch.from_numpy(activity.states_of("train")))
    gain = found.scores - independent_log_likelihood(field, states)
    told = mean_over_bins(gain, clusters, found.partitions)

    known = found.states

    def over(other: tuple[RBM, float] | NDArray[np.float64] | Undefined) -> dict[str, Any]:
        if isinstance(other, Undefined):
            return dict.fromkeys(("value", "stderr"), other)
        if isinstance(other, tuple):
            other = log_likelihood(other[0].to("cpu"), other[1], states)
        paired = mean_over_bins(found.scores - other, clusters, found.partitions)
        return {name: paired[name] for name in ("value", "stderr")}

    itself = alone if known is None else known.states.without_time(states, known.rbm)
    return {
        "uses_time": True,
        "gain": told,
        "bits_per_spike": bits_per_spike(told["value"], told["stderr"], states)["bits_per_spike"],
        "over_itself_without_time": over(itself),
        "over_run": over(start),
        "log_partition": describe_rows(found.partitions),
    }


def samples_given_context(
    model: ContextualRBM, activity: Activity, seed: int, tell: Teller = SILENT
) -> Samples:
    """Generate every training bin given its recorded context, by a chain of its own.

    What the recorded context does not tell of a bin is the model's own, so these are what
    statistics within a bin are compared by; `free_running` has what it generates without any.

    Parameters
    ----------
    model, activity, seed
        As of `predicted`.
    tell
        Told the sweeps.
    """
    train = Sequences.of_fold(activity, "train")
    generator, rbm = Generator.from_seed(seed, "evaluation", "samples"), model.rbm
    if model.contexts.states is None:
        offsets = model.offsets(train)
    else:
        offsets = offsets_of_drawn_states(model, train, generator.child("states"))
    inputs = rbm.weights.new_zeros((len(train), len(rbm.visible)))
    if offsets.visible is not None:
        inputs = inputs + offsets.visible
    visible = Bernoulli(model.contexts.foot.to(rbm.weights)).sample(inputs, generator)
    for done in range(0, SWEEPS, _TOLD):
        tell(done, SWEEPS)
        visible, _ = rbm.sweep(visible, generator, _TOLD, offsets)
    tell(SWEEPS, SWEEPS)
    return Samples(visible.to("cpu", torch.uint8).numpy(), np.arange(len(train)), SWEEPS)
