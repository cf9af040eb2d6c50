"""The model of a run on a recording: hidden means and log-probability of every bin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from boltzbrain.data.recording import Recording
from boltzbrain.evaluation.new_data.said import said_alone, said_in_context
from boltzbrain.evaluation.new_data.transformed import ENDINGS, Transformed
from boltzbrain.foundations.checks import bad_input, one_of, whole_number_in
from boltzbrain.foundations.disk.folders import given_path, new_file
from boltzbrain.foundations.progress import Callback, Teller
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

    A run with a context says it of every bin given the earlier ones of its segment, its place and
    epoch; hidden states are as probable as the bins so far make them, the bin itself among them.
    The first bin of a segment has no past.

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
        "mean" over the training bins. log P is not defined then, nor what hidden states (the
        context `states`) are told by, so that these refuse it.
    update
        A kept checkpoint; the chosen one if None.
    out
        An npz, csv or NWB file to write, which must not exist yet; none is written if None.
    memory_limit_gb
        Memory that the states may take, GB.
    callbacks
        Told the progress of finding events in traces, and of log Z of bins in their context.

    Warns
    -----
    UserWarning
        If the ids are the numbers of the rows of another file, or events were found by another
        rule.

    Raises
    ------
    InputError
        If the run is not finished, neurons are missing or doubled, or the recording cannot be
        prepared as the run's was, or does not tell epochs that a context follows.
    """
    one_of("missing", missing, MISSING)
    if out is not None:
        new_file("out", out, ENDINGS)
    if not isinstance(recording, Recording):
        must = "be a recording, as bb.read gives it (of an array: bb.from_states or its like)"
        raise bad_input("recording", must, type(recording).__name__)
    run = TrainingRun.open(run.folder if isinstance(run, TrainingRun) else given_path("run", run))
    number = run.chosen_update if update is None else whole_number_in("update", update, low=1)
    before, where = run.activity(), recording.source.path
    again = prepare_again(
        recording,
        before,
        epochs=epochs,
        may_miss=missing == "mean",
        memory_limit_gb=memory_limit_gb,
        callbacks=callbacks,
    )
    if run.plan.context is None:
        said = said_alone(run, number, again, before)
    else:
        tell = Teller(callbacks).phase("bins in context")
        said = said_in_context(run, number, again, before, where, tell)
    (matched,) = (step.options for step in again.steps[-1:])
    facts = {
        "run": str(run.folder),
        "run_id": run.id,
        "update": number,
        "recording": where,
        "recording_sha256": recording.source.sha256,
        "neurons": before.n_neurons,
        **{name: matched[name] for name in ("matched", "missing", "of_no_use")},
        **said.told,
        "steps": [{"name": one.name, "options": dict(one.options)} for one in again.steps],
    }
    found = Transformed(
        again.times_s,
        again.segment,
        again.bin_width_s,
        said.hidden,
        said.log_probability,
        facts,
        said.states,
    )
    if out is not None:
        found.save(out)
    return found
