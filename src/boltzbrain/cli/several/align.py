"""The commands of several animals: `boltzbrain align` and `boltzbrain translate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from boltzbrain.cli.options import Device, option, takes
from boltzbrain.cli.streams import path_to_type
from boltzbrain.cli.summaries.study import show_study
from boltzbrain.cli.terminal import INTERRUPTED, note, out, say, say_path
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.disk.folders import folder_to_write, one_writer
from boltzbrain.foundations.options import names_of
from boltzbrain.foundations.showing.display import Display
from boltzbrain.preparing.preparation import Preparation
from boltzbrain.preparing.prepare import prepare

if TYPE_CHECKING:
    from boltzbrain.alignment.folder import StudyFolder

WORK = "Where it is done"


@takes("preparation", Preparation, names_of(Preparation), whole=True)
def align(
    animals: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN RECORDING...",
            help="Finished run of the first animal, and recordings or finished runs of the others. "
            "With --resume they are left out.",
            show_default=False,
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        option("--out", "-o", metavar="STUDY", text="Folder of the study.", default="study"),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with the study in the folder, where it was stopped."),
    ] = False,
    register: Annotated[
        str | None,
        option(
            "--by",
            metavar="WHAT",
            text="What tells neurons of two animals to lie at one place: [bold]positions[/], "
            "[bold]names[/] or [bold]regions:ATLAS[/].",
            default="positions",
        ),
    ] = None,
    latent: Annotated[
        float | None,
        option(
            "--latent",
            metavar="SHARE",
            text="Share of the objective that draws hidden units to the teacher's.",
            default="0.5",
        ),
    ] = None,
    teacher: Annotated[
        str | None,
        option(
            "--teacher",
            metavar="NAME",
            text="Whose hidden units are the standard: [bold]each[/] animal's in turn, one "
            "animal's, or [bold]consensus[/]: nobody's.",
            default="each",
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        option(
            "--name",
            metavar="NAME",
            text="Name of an animal, in their order; given once for each.",
            default="stem of its recording",
        ),
    ] = None,
    axes: Annotated[
        str | None,
        option(
            "--axes",
            metavar="RAS",
            text="Where x, y and z of all positions lead to: right or left, anterior or posterior, "
            "superior or inferior.",
            default="unknown",
        ),
    ] = None,
    updates: Annotated[
        int | None,
        option("--updates", text="Gradient steps of a student.", default="half those of the run"),
    ] = None,
    controls: Annotated[
        str | None,
        option(
            "--controls",
            metavar="WHICH",
            text="Which controls are trained: [bold]one[/] per receiver, [bold]all[/] of every "
            "pair, or [bold]none[/].",
            default="one",
        ),
    ] = None,
    seed: Annotated[
        int | None, option("--seed", text="Seed of starts and students.", default="0")
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
            text="A Dask scheduler whose workers see the folder under the same name.",
            default="processes on this machine",
            panel=WORK,
        ),
    ] = None,
    device: Device = "auto",
    *,
    preparation: Preparation,
) -> None:
    """Align several animals: one set of assemblies in many brains.

    Trains the other animals by the plan of the run, then students of every ordered pair whose
    hidden units are the teacher's, and controls. study.json holds scores that can fail: whether
    neurons that were not started from the teacher found their assemblies, and whether translated
    activity keeps its places.
    """
    given = {
        "by": register,
        "latent": latent,
        "teacher": teacher,
        "axes": axes,
        "updates": updates,
        "controls": controls,
        "seed": seed,
    }
    asked = {key: value for key, value in given.items() if value is not None}
    preparation.refuse_conflicts()
    place = folder or Path("study")
    try:
        if resume:
            place = _place(animals, folder)
            if asked or preparation.given or name:
                first = next(iter([*asked, *preparation.flags, "name"]))
                must = "be left out when resuming: the study knows what it was started with"
                raise bad_input(first, must, "it")
            study = _opened(place)
            held = "align --resume"
        else:
            study = _started(place, animals or [], name, preparation, asked)
            held = "align"
        with one_writer(place, held):
            _work(study, workers, scheduler, device)
    except KeyboardInterrupt:
        note(_stopped(place))
        raise typer.Exit(INTERRUPTED) from None
    show_study(out(), study)


def _place(animals: Sequence[str] | None, folder: Path | None) -> Path:
    if animals and (len(animals) > 1 or folder is not None):
        raise bad_input("RUN RECORDING...", "be left out with --resume", " ".join(animals))
    return Path(animals[0]) if animals else folder or Path("study")


def _opened(place: Path) -> StudyFolder:
    with Display().stage("opening the study"):
        from boltzbrain.alignment.folder import StudyFolder

        return StudyFolder.open(place)


def _started(
    place: Path,
    animals: Sequence[str],
    names: Sequence[str] | None,
    preparation: Preparation,
    asked: dict[str, Any],
) -> StudyFolder:
    """Prepare the other animals and make the folder of the study."""
    if len(animals) < 2:
        must = "be a finished run and at least one other animal"
        raise bad_input("RUN RECORDING...", must, " ".join(animals) or "none")
    display = Display()
    with display.stage("starting"):
        from boltzbrain.alignment.align import is_run, options, start_study, stem_of
        from boltzbrain.alignment.folder import FILE, NONE_YET, names_for
        from boltzbrain.data.study import Frame
        from boltzbrain.training.run.run import TrainingRun

        run = TrainingRun.open(animals[0])
        assert run.chosen_update >= 0
    usual = {"by": "positions", "latent": 0.5, "teacher": "each", "controls": "one", "seed": 0}
    frame = Frame(axes=asked.pop("axes", ""))
    told = options(**{**usual, "updates": None, "rounds": 8, **asked, "frame": frame})
    called = names_for([stem_of(run), *map(stem_of, animals[1:])], names or None)
    folder_to_write("output folder", place)
    with one_writer(place, "align"):
        if (place / FILE).exists():
            raise bad_input("output folder", NONE_YET, f"a study ({FILE})", file=place)
        others = [
            TrainingRun.open(path)
            if is_run(path)
            else prepare(preparation, [path], run.plan.seed, display)
            for path in animals[1:]
        ]
        with display.stage("laying out the study"):
            return start_study(place, run, others, called, told)


def _work(study: StudyFolder, workers: int | None, scheduler: str | None, device: str) -> None:
    with Display().stage("aligning") as stage:
        from boltzbrain.alignment.align import run_study

        run_study(
            study, workers=workers, scheduler=scheduler, device=device, callbacks=(stage.show,)
        )


def _stopped(place: Path) -> str:
    """Return what to say when a study was interrupted."""
    if not (place / "study.json").exists():
        return "Stopped before the study began; nothing was kept."
    command = f"boltzbrain align --resume {path_to_type(place)}"
    return f"Stopped. What is done is in {place}; go on with: {command}"


def translate(
    study: Annotated[
        Path, typer.Argument(metavar="STUDY", help="Folder that 'boltzbrain align' wrote.")
    ],
    source: Annotated[
        str, typer.Option("--from", metavar="NAME", help="Animal whose bins are told.")
    ],
    target: Annotated[
        str, typer.Option("--to", metavar="NAME", help="Animal whose neurons tell them.")
    ],
    output: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.npz", help="The file.")],
    fold: Annotated[
        str, typer.Option("--fold", help="Which bins: train, validation, test or all.")
    ] = "test",
    teacher: Annotated[
        str | None,
        option(
            "--teacher",
            metavar="NAME",
            text="Whose hidden units both have.",
            default="one of the two",
        ),
    ] = None,
    draws: Annotated[int, typer.Option("--draws", help="Draws of hidden units for a rate.")] = 20,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the draws.")] = 0,
) -> None:
    """Tell activity of one animal in the neurons of another."""
    with Display().stage("translating"):
        from boltzbrain.alignment.translation import translate as translated

        found = translated(
            study,
            source,
            target,
            out=output,
            fold=fold,
            teacher=teacher,
            draws=draws,
            seed=seed,
        )
    say(f"{len(found.bins):,} bins of {source} in {found.rates.shape[1]:,} neurons of {target}")
    say_path(output)
