"""The command `boltzbrain fit`: its options, a training with progress, and going on with one."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from boltzbrain.cli.display import Display
from boltzbrain.cli.options import (
    INTO_FOLDS,
    LEARNING,
    Others,
    Preset,
    Updates,
    named_values,
    option,
)
from boltzbrain.cli.preparation import BINNING, READING, SPLITTING, prepares
from boltzbrain.cli.resuming import go_on, places
from boltzbrain.cli.summaries.results import activity_line, show_run
from boltzbrain.cli.terminal import INTERRUPTED, note, out
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.files import folder_to_write
from boltzbrain.preparing.preparation import Preparation

if TYPE_CHECKING:
    from boltzbrain.training.run.run import TrainingRun


@prepares(READING, BINNING, SPLITTING)
def fit(
    recording: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RECORDING...",
            help="File of the recording; several are joined as --join says. With --resume it may "
            "be left out, or be the run folder.",
            show_default=False,
        ),
    ] = None,
    folder: Annotated[
        Path | None, option("--out", "-o", metavar="RUN", text="Run folder.", default="run")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with the run in the folder, where it was stopped or killed; the result is "
            "the same bit for bit.",
        ),
    ] = False,
    seed: Annotated[
        int | None, option("--seed", text="Seed of folds and training.", default="0")
    ] = None,
    *,
    preparation: Preparation,
    all_data: Annotated[
        bool,
        typer.Option(
            "--all-data",
            help="Train on every bin: no held-out score, and no choice of the best update.",
            rich_help_panel=INTO_FOLDS,
        ),
    ] = False,
    preset: Preset = None,
    hidden: Annotated[
        int | None,
        option("--hidden", text="Hidden units.", default="100", panel=LEARNING),
    ] = None,
    updates: Updates = None,
    batch: Annotated[
        int | None,
        option("--batch", text="Training bins per update.", default="1000", panel=LEARNING),
    ] = None,
    chains: Annotated[
        int | None,
        option("--chains", text="Persistent chains.", default="500", panel=LEARNING),
    ] = None,
    sweeps: Annotated[
        int | None,
        option(
            "--sweeps",
            text="Gibbs sweeps of every chain per update.",
            default="5",
            panel=LEARNING,
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        option(
            "--learning-rate",
            text="Learning rate at the start.",
            default="0.5",
            panel=LEARNING,
        ),
    ] = None,
    l1: Annotated[
        float | None,
        option("--l1", text="L1 penalty on the weights.", default="0", panel=LEARNING),
    ] = None,
    l2: Annotated[
        float | None,
        option("--l2", text="L2 penalty on the weights.", default="0.002", panel=LEARNING),
    ] = None,
    other: Others = None,
) -> None:
    """Train a model of a recording.

    Writes the run folder: the activity that the model saw, checkpoints, and the log of the held-out
    score. The model chosen in the end is the latest checkpoint whose validation log-likelihood is
    within one standard error of the highest.
    """
    named = {
        "preset": preset,
        "hidden": hidden,
        "updates": updates,
        "batch": batch,
        "chains": chains,
        "sweeps": sweeps,
        "learning_rate": learning_rate,
        "l1": l1,
        "l2": l2,
        "seed": seed,
    }
    values = merged({name: value for name, value in named.items() if value is not None}, other)
    preparation = replace(preparation, all_data=all_data)
    preparation.refuse_conflicts()
    recording, folder = places(recording, folder, resume, "run")
    try:
        if resume and (not recording or (folder / "run.json").exists()):
            run = go_on(folder, recording, preparation, values)
        else:
            run = start(folder, recording, preparation, values)
    except KeyboardInterrupt:
        note(stopped(folder))
        raise typer.Exit(INTERRUPTED) from None
    show_run(out(), run)


def merged(named: dict[str, Any], other: list[str] | None) -> dict[str, Any]:
    """Return the hyperparameters given as options and by ``--set``, none of them twice.

    Examples
    --------
    >>> merged({"hidden": 50}, ["optimizer=adam"])
    {'hidden': 50, 'optimizer': 'adam'}
    """
    more = named_values("--set", other)
    for name in set(named) & set(more):
        raise bad_input(name, "be given once", f"{named[name]} and {more[name]}")
    return {**named, **more}


def start(
    folder: Path, recording: list[str] | None, preparation: Preparation, values: dict[str, Any]
) -> TrainingRun:
    """Prepare the activity and train."""
    if not recording:
        raise bad_input("RECORDING", "be given", "none")
    display = Display()
    with display.stage("starting"):
        from boltzbrain.training.plan import make_plan
        from boltzbrain.training.run.run import RUN
        from boltzbrain.training.train import train

    plan = make_plan(**values)
    RUN.require_none(folder_to_write("output folder", folder))
    activity = preparation.activity(recording, plan.seed, display)
    note(activity_line(activity))
    with display.stage("training") as stage:
        return train(activity, plan, folder, (stage.show,))


def stopped(folder: Path) -> str:
    """Return what to say when a training was interrupted."""
    if not (folder / "run.json").exists():
        return "Stopped before the training began; nothing was kept."
    command = f"boltzbrain fit --resume {shlex.quote(str(folder))}"
    return f"Stopped. What was learnt is in {folder}; go on with: {command}"
