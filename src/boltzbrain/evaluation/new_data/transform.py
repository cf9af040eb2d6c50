"""The model of a run on a recording: hidden means and log-probability of every bin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from boltzbrain.data.recording import Recording
from boltzbrain.evaluation.likelihood import log_likelihood
from boltzbrain.evaluation.new_data.transformed import ENDINGS, Transformed
from boltzbrain.evaluation.results import evaluation_of
from boltzbrain.foundations.checks import Undefined, bad_input, one_of, whole_number_in
from boltzbrain.foundations.folders import given_path, new_file
from boltzbrain.foundations.progress import Callback
from boltzbrain.model.hidden_activity import hidden_activity
from boltzbrain.preparing.again import prepare_again
from boltzbrain.training.run.run import TrainingRun

MISSING = ("refuse", "mean")
"""What becomes of neurons that the recording lacks."""


def transform(
    run: TrainingRun | str | Path,
    recording: Recording,
    *,
    epochs: Sequence[str] | None = None,
    missing: str = "refuse",
    update: int | None = None,
    out: str | Path | None = None,
    memory_limit_gb: float | None = None,
    callbacks: Sequence[Callback] = (),
) -> Transformed:
    """Return what the model of a run says of every bin of a recording.

    Neurons are matched by id, in any order; those that the model does not know are left out. The
    recording is prepared as the run's was: bins of the same width, traces made binary by the
    method, threshold and kernel of the run, the same faults of spikes and of time mended.

    Parameters
    ----------
    run
        A finished run or its folder.
    recording
        As `bb.read` gives it.
    epochs
        Labels of the epochs to use; those that the run was made of if None, the whole recording if
        empty.
    missing
        "refuse" a recording that lacks neurons of the model, by their ids; or take each at its
        "mean" over the training bins. log P is not defined then.
    update
        A kept checkpoint; the chosen one if None.
    out
        An npz, csv or NWB file to write, which must not exist yet; none is written if None.
    memory_limit_gb
        Memory that the states may take, GB.
    callbacks
        Told the progress of finding events in traces.

    Warns
    -----
    UserWarning
        If the ids are the numbers of the rows of another file, or events were found by another
        rule.

    Raises
    ------
    InputError
        If the run is not finished, neurons are missing or doubled, or the recording cannot be
        prepared as the run's was.
    """
    one_of("missing", missing, MISSING)
    if out is not None:
        new_file("out", out, ENDINGS)
    if not isinstance(recording, Recording):
        must = "be a recording, as bb.read gives it (of states: run.best.mean_hidden(states))"
        raise bad_input("recording", must, type(recording).__name__)
    run = TrainingRun.open(run.folder if isinstance(run, TrainingRun) else given_path("run", run))
    number = run.chosen_update if update is None else whole_number_in("update", update, low=1)
    model, before = run.model(number), run.activity()
    again = prepare_again(
        recording,
        before,
        epochs=epochs,
        may_miss=missing == "mean",
        memory_limit_gb=memory_limit_gb,
        callbacks=callbacks,
    )
    added, told = None, _log_partition(run, number)
    log_probability: Any = Undefined("the recording lacks neurons of the model")
    if again.missing.any():
        means = torch.from_numpy(before.states_of("train")[:, again.missing].mean(axis=0))
        weights = model.weights[torch.from_numpy(again.missing)]
        added = means.to(weights.dtype) @ weights
    else:
        log_probability = log_likelihood(model, told["log_partition"], again.states)
    (matched,) = (step.options for step in again.steps[-1:])
    facts = {
        "run": str(run.folder),
        "run_id": run.id,
        "update": number,
        "recording": recording.source.path,
        "recording_sha256": recording.source.sha256,
        "neurons": model.weights.shape[0],
        **{name: matched[name] for name in ("matched", "missing", "of_no_use")},
        **told,
        "steps": [{"name": one.name, "options": dict(one.options)} for one in again.steps],
    }
    found = Transformed(
        again.times_s,
        again.segment,
        again.bin_width_s,
        hidden_activity(model, again.states, added),
        log_probability,
        facts,
    )
    if out is not None:
        found.save(out)
    return found


def _log_partition(run: TrainingRun, update: int) -> dict[str, Any]:
    """Return log Z of the model of an update: as `evaluate` found it, else as the training did."""
    if update == run.chosen_update and (run.folder / "evaluation.json").is_file():
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
