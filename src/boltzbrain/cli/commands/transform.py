"""The command `boltzbrain transform`: what a model says of every bin of a recording."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from boltzbrain.cli.opening import open_runs
from boltzbrain.cli.options import RecordingPaths, RunFolder, option, takes
from boltzbrain.cli.summaries.results import figure
from boltzbrain.cli.terminal import note, out
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.disk.folders import new_file
from boltzbrain.foundations.showing.display import Display
from boltzbrain.preparing.preparation import Preparation
from boltzbrain.preparing.prepare import read_as_asked

if TYPE_CHECKING:
    from boltzbrain.evaluation.new_data.transformed import Transformed
    from boltzbrain.training.run.run import TrainingRun

READING = (
    "format", "units", "reader", "join", "epochs", "trials", "covariates", "memory_limit_gb"
)  # fmt: skip
"""What may be asked for: everything else is as the run remembers it."""


@takes("preparation", Preparation, READING, whole=True)
def transform(
    run: RunFolder,
    recording: RecordingPaths,
    output: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="FILE", help="File to write, ending in .npz, .csv or .nwb."
        ),
    ],
    *,
    preparation: Preparation,
    whole: Annotated[
        bool,
        typer.Option(
            "--whole", help="Use the whole recording, though the run was made of some epochs."
        ),
    ] = False,
    missing: Annotated[
        str,
        option(
            "--missing",
            metavar="WAY",
            text="What becomes of neurons of the model that the recording lacks: [bold]refuse[/], "
            "or take each at its [bold]mean[/] over the training bins (without log-probability).",
            default="refuse",
        ),
    ] = "refuse",
    update: Annotated[
        int | None,
        option("--update", text="Use the checkpoint of this update.", default="the chosen one"),
    ] = None,
) -> None:
    """Write hidden means and log-probability of every bin of a recording.

    Neurons are matched by id. Bins, events of traces and mending of spikes and time are those of
    the run.
    """
    if whole and preparation.epochs:
        raise bad_input("--whole", "be left out beside --epoch", "both")
    display = Display()
    open_runs(display, [run])
    with display.stage("starting"):
        from boltzbrain.evaluation.new_data import transform as work
        from boltzbrain.evaluation.new_data.transformed import ENDINGS
        from boltzbrain.training.run.run import TrainingRun

        new_file("--out", output, ENDINGS)
        opened = TrainingRun.open(run)
    read = read_as_asked(preparation, recording, display)
    with display.stage("transforming") as stage:
        found = work.transform(
            opened,
            read,
            epochs=() if whole else preparation.epochs,
            missing=missing,
            update=update,
            out=output,
            memory_limit_gb=preparation.memory_limit_gb,
            callbacks=(stage.show,),
        )
    _show(opened, found, output)


def _show(run: TrainingRun, found: Transformed, output: Path) -> None:
    """Print what was written, and how the model fits beside the bins that it was chosen by."""
    from boltzbrain.foundations.checks import Undefined
    from boltzbrain.training.context.names import given_what

    facts = found.facts
    matched = f"{facts['matched']} of {facts['neurons']} matched by id"
    if facts["of_no_use"]:
        matched += f"; {facts['of_no_use']} others of the recording left out"
    rows = [
        ("written", str(output)),
        ("bins", f"{len(found):,} of {found.bin_width_s * 1000:g} ms"),
        ("hidden units", f"{found.hidden.shape[1]}"),
        ("neurons", matched),
    ]
    log = run.log().set_index("update").loc[facts["update"]]
    fold = "validation" if "validation_nats_per_bin" in log else "train"
    given = facts.get("context")
    if found.states is not None:
        rows.append(("hidden states", f"{found.states.shape[1]}, as the bins so far tell them"))
    elif given is not None:
        rows.append(("given", given_what(given)))
    if isinstance(found.log_probability, Undefined):
        rows.append(("log-probability", f"none: {found.log_probability.reason}"))
    else:
        beside = f"{figure(float(log[f'{fold}_nats_per_bin']))} on the {fold} bins of the run"
        rows.append(
            (
                "log-probability",
                f"{figure(float(found.log_probability.mean()))} nats per bin ({beside}; log Z "
                f"± {facts['log_partition_stderr']:.2g} "
                f"{'shared by all bins' if given is None else 'in the mean'})",
            )
        )
    out().pairs(rows, soft_wrap=True)
    if facts["missing"]:
        note(
            f"Warning: {len(facts['missing'])} neurons were taken at their mean over the training "
            f"bins: {', '.join(facts['missing'])}"
        )
