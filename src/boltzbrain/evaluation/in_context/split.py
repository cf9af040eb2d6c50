"""What of a gain its contexts tell, one after the other, and what the couplings tell beyond them.

Each context by itself is independent neurons whose fields follow it and those before it, fitted to
the training bins as a training begins with it. What the model gains beyond all of them are the
couplings, the common drive taken out; beside the gain of couplings that were found without it, the
share that is missing was common drive.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import softplus

from boltzbrain.data.activity import Activity
from boltzbrain.data.clusters import Clusters, clusters_of
from boltzbrain.evaluation.in_context.predict import Predicted
from boltzbrain.evaluation.in_context.rows import mean_over_bins
from boltzbrain.evaluation.likelihood import independent_log_likelihood, log_likelihood
from boltzbrain.foundations.checks import Undefined
from boltzbrain.model.context.contextual import ContextualRBM
from boltzbrain.model.context.following import FollowingPast
from boltzbrain.model.context.labelled import Labelled
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.independent import independent_field
from boltzbrain.model.rbm import RBM
from boltzbrain.training.context.fit import fit_contexts
from boltzbrain.training.plan import TrainingPlan

COUPLINGS = "couplings"


def gain_split(
    model: ContextualRBM,
    plan: TrainingPlan,
    found: Predicted,
    activity: Activity,
    start: tuple[RBM, float] | Undefined,
) -> dict[str, Any]:
    """Return the parts of the gain of a model with a context over independent neurons.

    Parameters
    ----------
    model, plan
        The model and its plan; contexts that follow hidden units count among the couplings.
    found
        Its test bins.
    activity
        States and folds.
    start
        The model without a context that the training began with, and its log Z; or why there is
        none.

    Returns
    -------
    dict
        ``parts``, each with ``name``, ``value`` and ``stderr``, nats per test bin beyond those
        before it, in the order in which the contexts are fitted; the last are the couplings.
        ``common_drive``: the share of what couplings gain without the context that they do not
        gain with it.
    """
    test = Sequences.of_fold(activity, "test")
    bins = activity.bins_of("test")
    clusters, states = clusters_of(activity, bins), activity.states[bins]
    field = independent_field(torch.from_numpy(activity.states_of("train")))
    alone = independent_log_likelihood(field, states)
    contexts = fit_contexts(activity, plan, model.contexts)
    odds = contexts.foot.to(torch.float64) + torch.zeros(states.shape, dtype=torch.float64)
    scores = alone
    parts: list[dict[str, Any]] = []
    for one in contexts.parts:
        if not isinstance(one, FollowingPast | Labelled):
            continue
        moved = one.offsets(test, model.rbm.to("cpu")).visible
        assert moved is not None
        odds = odds + moved.to(torch.float64)
        more = _scores(odds, states)
        parts.append({"name": plan.contexts[len(parts)], **_mean(more - scores, clusters, found)})
        scores = more
    rest = found.scores - scores
    parts.append({"name": COUPLINGS, **_mean(rest, clusters, found)})
    told: dict[str, Any] = {"parts": parts}
    if isinstance(start, Undefined):
        return {**told, "common_drive": dict.fromkeys(("value", "stderr"), start)}
    before = log_likelihood(start[0].to("cpu"), start[1], states) - alone
    if before.mean() <= 0:
        nothing = Undefined("the couplings without the context gain nothing")
        return {**told, "common_drive": dict.fromkeys(("value", "stderr"), nothing)}
    ratio = float(rest.mean() / before.mean())
    apart = _mean(rest - ratio * before, clusters, found)["stderr"]
    error = apart if isinstance(apart, Undefined) else float(apart / before.mean())
    return {**told, "common_drive": {"value": 1 - ratio, "stderr": error}}


def _scores(odds: torch.Tensor, states: NDArray[np.uint8]) -> NDArray[np.float64]:
    there = torch.from_numpy(states).to(odds.dtype)
    return (there * odds - softplus(odds, threshold=80.0)).sum(dim=1).numpy()


def _mean(values: NDArray[np.float64], clusters: Clusters, found: Predicted) -> dict[str, Any]:
    told = mean_over_bins(values, clusters, found.partitions)
    return {name: told[name] for name in ("value", "stderr")}
