"""The command `boltzbrain fit`: its options, a training with progress, and going on with one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from boltzbrain.cli.options import LEARNING, Device, Others, merged, option, takes
from boltzbrain.cli.resuming import go_on, places
from boltzbrain.cli.several.every import fit_animals, of_animals
from boltzbrain.cli.streams import path_to_type
from boltzbrain.cli.summaries.losses import warn_of_losses
from boltzbrain.cli.summaries.results import activity_line, show_run
from boltzbrain.cli.summaries.study import show_study
from boltzbrain.cli.terminal import INTERRUPTED, note, out
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.disk.folders import folder_to_write, one_writer
from boltzbrain.foundations.options import names_of, options_of
from boltzbrain.foundations.showing.display import Display
from boltzbrain.preparing.preparation import Preparation
from boltzbrain.preparing.prepare import prepare
from boltzbrain.training.plan import TrainingPlan, make_plan

if TYPE_CHECKING:
    from boltzbrain.training.run.run import TrainingRun

OWN = [one.name for one in options_of(TrainingPlan) if one.flag]
"""Hyperparameters with an option of their own; --set sets any of them."""


@takes("preparation", Preparation, names_of(Preparation), whole=True)
@takes("hyperparameters", TrainingPlan, OWN, panel=LEARNING)
def fit(
    recording: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RECORDING...",
            help="File of the recording; several are joined as --join says. A toml file of a study "
            "has a run of every animal. With --resume it may be left out, or be the run folder.",
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
    begin: Annotated[
        Path | None,
        option(
            "--from",
            metavar="RUN",
            text="Finished run whose weights a training with [bold]--context[/] begins with.",
            default="small random ones",
            panel=LEARNING,
        ),
    ] = None,
    seed: Annotated[
        int | None, option("--seed", text="Seed of folds and training.", default="0")
    ] = None,
    repeats: Annotated[
        int,
        option(
            "--repeats",
            metavar="N",
            text="Train so often again, with other seeds and on each half of the recording, so "
            "that interpret says which assemblies come back; with --resume, of a finished run.",
            default="0",
            panel=LEARNING,
        ),
    ] = 0,
    device: Device = "auto",
    *,
    preparation: Preparation,
    hyperparameters: Mapping[str, Any],
    other: Others = None,
) -> None:
    """Train a model of a recording.

    Writes the run folder: the activity that the model saw, checkpoints, and the log of the held-out
    score. The model chosen in the end is the latest checkpoint whose validation log-likelihood is
    within one standard error of the highest.
    """
    named = {**hyperparameters, **({} if seed is None else {"seed": seed})}
    values = merged(named, other)
    preparation.refuse_conflicts()
    if resume and recording and (Path(recording[0]) / "study.json").is_file():
        folder, recording = Path(recording[0]), None
    recording, folder = places(recording, folder, resume, "run")
    if resume and begin is not None:
        raise bad_input("--from", "be left out with --resume: the run knows it", begin)
    try:
        if of_animals(recording, folder, resume):
            show_study(out(), fit_animals(folder, recording, preparation, values, device))
            return
        if resume and (not recording or (folder / "run.json").exists()):
            run = go_on(folder, recording, preparation, values, device)
        else:
            run = start(folder, recording, preparation, values, device, begin)
    except KeyboardInterrupt:
        note(stopped(folder))
        raise typer.Exit(INTERRUPTED) from None
    show_run(out(), run)
    if repeats:
        from boltzbrain.grid.repeats import repeat

        display = Display()
        with display.stage("repeating") as stage:
            again = repeat(run, repeats, device=device, callbacks=(stage.show,), progress=False)
        note(f"{len(again)} repeats in {run.folder / 'repeats'}; boltzbrain interpret reads them")


def start(
    folder: Path,
    recording: list[str] | None,
    preparation: Preparation,
    values: dict[str, Any],
    device: str = "auto",
    begin: Path | None = None,
) -> TrainingRun:
    """Prepare the activity and train, from the weights of a finished run if there is one."""
    if not recording:
        raise bad_input("RECORDING", "be given", "none")
    display = Display()
    with display.stage("starting"):
        from boltzbrain.training.context.start import values_from
        from boltzbrain.training.device import device_for
        from boltzbrain.training.run.run import RUN, TrainingRun
        from boltzbrain.training.sizes import require_sizes
        from boltzbrain.training.train import train

    before = None if begin is None else TrainingRun.open(begin)
    plan = make_plan(**(values if before is None else values_from(before, values)))
    require_sizes(plan)
    device_for(device, plan, neurons=1)
    RUN.require_none(folder_to_write("output folder", folder))
    # from here on, and not when minutes of reading are over
    with one_writer(folder, "fit"):
        RUN.require_none(folder)
        activity = prepare(preparation, recording, plan.seed, display)
        note(activity_line(activity))
        warn_of_losses(activity, preparation)
        with display.stage("training") as stage:
            return train(activity, plan, folder, (stage.show,), device=device, start=before)


def stopped(folder: Path) -> str:
    """Return what to say when a training was interrupted."""
    if not (folder / "run.json").exists():
        return "Stopped before the training began; nothing was kept."
    command = f"boltzbrain fit --resume {path_to_type(folder)}"
    return f"Stopped. What was learnt is in {folder}; go on with: {command}"
