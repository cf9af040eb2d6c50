"""The command `boltzbrain sweep`: its options, a sweep with progress, and going on with one."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from boltzbrain.cli.options import LEARNING, Device, Others, merged, named_values, option, takes
from boltzbrain.cli.resuming import places, require_same_activity
from boltzbrain.cli.streams import path_to_type
from boltzbrain.cli.summaries.losses import warn_of_losses
from boltzbrain.cli.summaries.results import activity_line
from boltzbrain.cli.summaries.sweep import show_sweep
from boltzbrain.cli.terminal import INTERRUPTED, note, out
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.disk.folders import folder_to_write, one_writer
from boltzbrain.foundations.options import names_of
from boltzbrain.foundations.progress import Progress
from boltzbrain.foundations.showing.display import Display
from boltzbrain.preparing.preparation import Preparation
from boltzbrain.preparing.prepare import prepare
from boltzbrain.training.plan import TrainingPlan

if TYPE_CHECKING:
    from boltzbrain.grid.folder import SweepFolder

GRID = "Grid"
WORK = "How it is done"
OF_ALL = [name for name in names_of(Preparation) if name != "all_data"]
"""Without folds no model could be chosen."""


@takes("lists", TrainingPlan, ("hidden", "l1", "l2"), panel=GRID, listed=True)
@takes("preparation", Preparation, OF_ALL, whole=True)
@takes("fixed", TrainingPlan, ("preset", "updates", "context"), panel=LEARNING)
def sweep(
    recording: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RECORDING...",
            help="File of the recording; several are joined as --join says. With --resume it may "
            "be left out, or be the sweep's folder.",
            show_default=False,
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        option("--out", "-o", metavar="FOLDER", text="Folder of the sweep.", default="sweep"),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with the sweep in the folder: runs that are done stay as they are, the "
            "others go on where they were stopped.",
        ),
    ] = False,
    *,
    lists: Mapping[str, str],
    vary: Annotated[
        list[str] | None,
        option(
            "--vary",
            metavar="NAME=X,X,...",
            text="Values of any other hyperparameter, e.g. --vary learning_rate=0.2,0.5; may be "
            "given several times. docs/training.md lists them.",
            panel=GRID,
        ),
    ] = None,
    seeds: Annotated[
        int | None, option("--seeds", text="Trainings of each point.", default="1", panel=GRID)
    ] = None,
    seed: Annotated[
        int | None,
        option("--seed", text="Seed of the folds, and the first of training.", default="0"),
    ] = None,
    rule: Annotated[
        str | None,
        option(
            "--rule",
            metavar="NAME",
            text="How the model is chosen by the validation fold: [bold]best[/], or "
            "[bold]one-stderr[/]: the fewest hidden units within one standard error of the best.",
            default="best",
        ),
    ] = None,
    full: Annotated[
        bool | None,
        option(
            "--evaluate/--no-evaluate",
            text="Run the whole of 'boltzbrain evaluate' on every run, and show it over the grid.",
            default="for real-valued hidden units",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        option(
            "--workers",
            text="Processes side by side, of one thread each; 0 is this process itself.",
            default="number of cores",
            panel=WORK,
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        option(
            "--scheduler",
            metavar="ADDRESS",
            text="A Dask scheduler, e.g. tcp://10.0.0.1:8786, to run the same sweep on its "
            "workers; they must see the folder under the same name.",
            default="processes on this machine",
            panel=WORK,
        ),
    ] = None,
    device: Device = "auto",
    preparation: Preparation,
    fixed: Mapping[str, Any],
    other: Others = None,
) -> None:
    """Train many models of a recording and choose one.

    Trains every combination of the given values, several at a time, scores them on the validation
    and the test fold, and chooses one by the validation fold alone. Writes table.csv, choice.json
    and the page sweep.html into the folder, and every run below it.
    """
    values: dict[str, Any] = {name: _values(f"--{name}", text) for name, text in lists.items()}
    more = {name: _values(name, text) for name, text in named_values("--vary", vary).items()}
    held = merged({name: value for name, value in fixed.items() if name != "preset"}, other)
    for name in [*more, *held]:
        if name in values or (name in more and name in held):
            raise bad_input(name, "be given once", "it twice")
    values |= more | held
    asked = {
        "preset": fixed.get("preset"),
        "values": values or None,
        "seeds": seeds,
        "seed": seed,
        "rule": rule,
        "full": full,
    }
    asked = {name: value for name, value in asked.items() if value is not None}
    preparation.refuse_conflicts()
    recording, folder = places(recording, folder, resume, "sweep")
    if device != "auto":
        # here, as PyTorch takes seconds
        from boltzbrain.grid.workers import require_device

        require_device(device, scheduler)
    try:
        begun = resume and (not recording or (folder / "sweep.json").exists())
        with contextlib.ExitStack() as stack:
            known = (_known if begun else _started)(folder, recording, preparation, asked, stack)
            _work(known, workers, scheduler, device)
    except KeyboardInterrupt:
        note(_stopped(folder))
        raise typer.Exit(INTERRUPTED) from None
    show_sweep(out(), known)


def _values(name: str, text: str) -> list[str]:
    """Return the values of a list with commas."""
    values = [one.strip() for one in text.split(",")]
    if not all(values):
        raise bad_input(name, "be values with commas between them", text)
    return values


def _started(
    folder: Path,
    recording: list[str] | None,
    preparation: Preparation,
    asked: dict[str, Any],
    held: contextlib.ExitStack,
) -> SweepFolder:
    """Prepare the activity and make the folder of the sweep; its lock goes with `held`."""
    if not recording:
        raise bad_input("RECORDING", "be given", "none")
    display = Display()
    with display.stage("starting"):
        from boltzbrain.grid.folder import SWEEP
        from boltzbrain.grid.points import Grid
        from boltzbrain.grid.sweep import start_sweep
        from boltzbrain.training.sizes import require_sizes

    options = {name: value for name, value in asked.items() if name != "values"}
    values = asked.get("values", {})
    # before the recording is read: a bad value must not cost minutes
    grid = Grid.of(asked.get("preset", "binary"), values, seeds=asked.get("seeds", 1))
    for one in grid.runs:
        require_sizes(one.plan)
    SWEEP.require_none(folder_to_write("output folder", folder))
    # from here on, and not when minutes of reading are over
    held.enter_context(one_writer(folder, "sweep"))
    SWEEP.require_none(folder)
    activity = prepare(preparation, recording, asked.get("seed", 0), display)
    note(activity_line(activity))
    warn_of_losses(activity, preparation)
    return start_sweep(activity, folder, **options, **values)


def _known(
    folder: Path,
    recording: list[str] | None,
    preparation: Preparation,
    asked: dict[str, Any],
    held: contextlib.ExitStack,
) -> SweepFolder:
    """Open the sweep of a folder; what is given again must be what it was started with."""
    display = Display()
    with display.stage("opening the sweep"):
        from boltzbrain.grid.folder import SweepFolder

        known = SweepFolder.open(folder)
    held.enter_context(one_writer(folder, "sweep --resume"))
    for name, value in asked.items():
        if value != known.asked[name]:
            raise bad_input(
                "the grid" if name == "values" else name,
                f"be what the sweep was started with ({known.asked[name]}) or be left out",
                f"{value}",
                file=folder,
            )
    if recording:
        theirs = known.activity()
        require_same_activity(folder, theirs, known.asked["seed"], recording, preparation, display)
    elif preparation.given:
        raise bad_input(
            preparation.flags[0],
            "be left out when resuming from the folder alone, which holds the activity",
            "it without the recording",
        )
    return known


def _work(known: SweepFolder, workers: int | None, scheduler: str | None, device: str) -> None:
    """Do what is left of the sweep, with progress."""
    display = Display()
    with display.stage("training and scoring") as stage:
        from boltzbrain.grid.sweep import run_sweep

        callbacks = (_warn_of_failure, stage.show)
        run_sweep(known, workers=workers, scheduler=scheduler, device=device, callbacks=callbacks)


def _warn_of_failure(progress: Progress) -> None:
    facts = progress.facts
    if facts["error"] is not None:
        note(f"Warning: {facts['name']} failed: {facts['error']}")


def _stopped(folder: Path) -> str:
    """Return what to say when a sweep was interrupted."""
    if not (folder / "sweep.json").exists():
        return "Stopped before the sweep began; nothing was kept."
    command = f"boltzbrain sweep --resume {path_to_type(folder)}"
    return f"Stopped. What is done is in {folder}; go on with: {command}"
