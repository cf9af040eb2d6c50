"""What a model says of the bins of a recording: alone, or given what comes before each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.data.activity import Activity
from boltzbrain.evaluation.in_context.rows import rows_log_likelihood
from boltzbrain.evaluation.likelihood import log_likelihood
from boltzbrain.evaluation.results import evaluation_of
from boltzbrain.foundations.checks import Undefined, bad_input
from boltzbrain.foundations.progress import Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.foundations.showing.told import listed
from boltzbrain.model.context.contextual import ContextualRBM
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.hidden_activity import hidden_activity, hidden_in_context
from boltzbrain.model.offsets import Offsets
from boltzbrain.preparing.again import Again
from boltzbrain.sampling.rows.partition import log_partitions_of_rows
from boltzbrain.training.run.run import TrainingRun

_GONE = Undefined("the recording lacks neurons of the model")


@dataclass(frozen=True, eq=False)
class Said:
    """What a model says of every bin.

    Attributes
    ----------
    hidden
        (bin, hidden) float32.
    log_probability
        (bin,) float64 nats; `Undefined` where neurons are missing.
    told
        What is known of log Z, in the types of JSON.
    states
        (bin, state) float32 probability of each hidden state; None where there are none.
    """

    hidden: NDArray[np.float32]
    log_probability: NDArray[np.float64] | Undefined
    told: Mapping[str, Any]
    states: NDArray[np.float32] | None = None


def said_alone(run: TrainingRun, update: int, again: Again, before: Activity) -> Said:
    """Return what a model without a context says."""
    model, told = run.model(update), _log_partition(run, update)
    added = _of_missing(model.weights, again, before)
    log_probability: Any = _GONE
    if added is None:
        log_probability = log_likelihood(model, told["log_partition"], again.states)
    return Said(hidden_activity(model, again.states, added), log_probability, told)


def said_in_context(
    run: TrainingRun, update: int, again: Again, before: Activity, file: str, tell: Teller
) -> Said:
    """Return what a model with a context says, each bin given the earlier ones of its segment.

    Parameters
    ----------
    run, update
        A run with a context, and a kept checkpoint.
    again, before
        The recording prepared anew, and the activity of the run.
    file
        The recording, as messages name it.
    tell
        Told the bins whose log Z is estimated.

    Raises
    ------
    InputError
        If neurons are missing that hidden states are told by, bins tell no epoch that is known, or
        the recording lacks the behaviour that the fields follow.
    """
    model = run.in_context(update)
    names, states = model.contexts.names, model.contexts.states
    if states is not None and again.missing.any():
        must = "be all those of the model, as each has a part in telling the hidden state of a bin"
        raise bad_input("neurons", must, f"{int(again.missing.sum())} missing", file=file)
    epoch = _epochs(again, before, file) if "epoch" in names else None
    given = Sequences(
        again.states,
        again.segment.astype(np.int64),
        again.bin_width_s,
        epoch=epoch,
        behaviour=again.behaviour,
    )
    if states is not None:
        score, held = states.filtered(given, model.rbm)
        told = {**_log_partition(run, update, "log.csv"), "context": run.plan.context_told}
        return Said(hidden_in_context(model, given), score, told, held.astype(np.float32))
    added = _of_missing(model.rbm.weights, again, before)
    if added is not None:
        # in the fields of the hidden units, so that what follows from these knows of it
        moved = model.rbm.with_fields_moved(Offsets(hidden=added[None]))
        hidden = hidden_in_context(ContextualRBM(moved, model.contexts), given)
        return Said(hidden, _GONE, {"context": run.plan.context_told})
    offsets = model.offsets(given)
    generator = Generator.from_seed(run.plan.seed, "log partition", "transform")
    found = log_partitions_of_rows(
        model.rbm, offsets, generator, visible_field=model.contexts.foot, tell=tell
    )
    told = {
        "context": run.plan.context_told,
        "log_partition": found.mean,
        "log_partition_stderr": found.stderr,
        "log_partition_from": f"every bin, {found.method}",
    }
    scores = rows_log_likelihood(model.rbm, found, offsets, again.states)
    return Said(hidden_in_context(model, given, offsets), scores, told)


def _of_missing(weights: Tensor, again: Again, before: Activity) -> Tensor | None:
    """Return the input of missing neurons at their training means, (hidden,); None of none."""
    if not again.missing.any():
        return None
    means = torch.from_numpy(before.states_of("train")[:, again.missing].mean(axis=0))
    return means.to(weights.dtype) @ weights[torch.from_numpy(again.missing)]


def _epochs(again: Again, before: Activity, file: str) -> NDArray[np.int64]:
    """Return the epoch of every bin by the numbers of the run, -1 where it lies in none."""
    known = before.epoch_names
    held = set() if again.epoch is None else set(again.epoch.tolist()) - {-1}
    if again.epoch is None or not held:
        must = f"tell where {listed(list(known))} are, which the context of the run follows"
        raise bad_input("epochs", must, "none", file=file)
    strange = [again.epoch_names[one] for one in sorted(held)]
    strange = [one for one in strange if one not in known]
    if strange:
        must = (
            f"be among those of the model: {listed(list(known))} (epochs=[...], --epoch LABEL, "
            "takes those alone)"
        )
        raise bad_input("epochs", must, listed(strange), file=file)
    numbers = [known.index(one) if one in known else -1 for one in again.epoch_names]
    # the last one is that of bins in no epoch
    return np.array([*numbers, -1], dtype=np.int64)[again.epoch]


def _log_partition(run: TrainingRun, update: int, name: str | None = None) -> dict[str, Any]:
    """Return log Z of the model of an update: as `evaluate` found it, else as the training did.

    That of a file by its name, if one is given.
    """
    there = update == run.chosen_update and (run.folder / "evaluation.json").is_file()
    if name is None and there:
        name, found = "evaluation.json", evaluation_of(run)["log_likelihood"]["log_partition"]
        value, stderr = (found["forward"][key] for key in ("value", "stderr"))
    else:
        name, log = "log.csv", run.log().set_index("update")
        value, stderr = (log[key][update] for key in ("log_partition", "log_partition_stderr"))
    return {
        "log_partition": float(value),
        "log_partition_stderr": float(stderr),
        "log_partition_from": name,
    }
