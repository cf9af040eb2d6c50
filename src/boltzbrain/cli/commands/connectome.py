"""The command `boltzbrain connectome`: motifs of one or several recordings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from boltzbrain.cli.options import option, takes
from boltzbrain.cli.terminal import say
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.disk.folders import folder_to_write
from boltzbrain.foundations.options import names_of
from boltzbrain.foundations.showing.display import Display
from boltzbrain.interpretation.motifs.choices import MotifChoices


@takes("choices", MotifChoices, names_of(MotifChoices))
def connectome(
    recordings: Annotated[
        list[str],
        typer.Argument(
            metavar="RECORDING...",
            help="Recordings, one for each animal, whose neurons have names in common; or one; or "
            "a study, its toml file or the folder that 'boltzbrain align' wrote; or run folders, "
            "for motifs of couplings.",
        ),
    ],
    output: Annotated[
        Path | None,
        option(
            "--out",
            "-o",
            metavar="FOLDER",
            text="Folder for motifs.h5 and page. Those in STUDY/motifs or RUN/motifs are on the "
            "page of the study or run.",
            default="STUDY/motifs or RUN/motifs of one alone",
        ),
    ] = None,
    *,
    choices: dict[str, Any],
    beside: Annotated[
        list[Path] | None,
        option(
            "--beside",
            metavar="RUN",
            text="Run of an animal, in the order of the recordings, one --beside each: its "
            "couplings and assemblies are held against the motifs.",
            default="none",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of every stream.")] = 0,
) -> None:
    """Find motifs: which neurons change together, when, and in which animals.

    Traces are taken as they are, spikes in bins of the default width; of the folder of a study its
    activities; of run folders the couplings in windows. Writes motifs.h5 and motifs.html.
    """
    display = Display()
    if output is not None:
        folder_to_write("--out", output)
    with display.stage("starting"):
        from boltzbrain.alignment.connectome import PAGE
        from boltzbrain.alignment.connectome import connectome as work
        from boltzbrain.alignment.folder import FILE as STUDY
        from boltzbrain.alignment.folder import StudyFolder
        from boltzbrain.interpretation.motifs.kept import FILE, FOLDER
        from boltzbrain.pages.motifs.words import motif_words
        from boltzbrain.readers.study import is_study
        from boltzbrain.training.run.run import TrainingRun
    given: Any
    if len(recordings) == 1 and (Path(recordings[0]) / STUDY).is_file():
        given = StudyFolder.open(recordings[0])
        names = given.animals
    elif len(recordings) == 1 and (Path(recordings[0]) / "run.json").is_file():
        given = TrainingRun.open(recordings[0])
        names = ["animal"]
    else:
        if output is None:
            must = "be given: of recordings there is no folder that motifs belong to"
            raise bad_input("--out", must, "none")
        whole = len(recordings) == 1 and is_study(recordings[0])
        given = _study(recordings[0], display) if whole else _animals(recordings, display)
        names = list(given)
    if beside and len(beside) != len(names):
        must = f"be given once for each of {len(names)} animals"
        raise bad_input("--beside", must, len(beside))
    models = dict(zip(names, beside or [], strict=False))
    folder = given.folder / FOLDER if output is None else output
    with display.stage("finding motifs", phases=True) as stage:
        found = work(
            given, beside=models, out=folder, seed=seed, callbacks=(stage.show,), progress=False,
            **choices,
        )  # fmt: skip
    say(*motif_words(found))
    say(f"written: {folder / FILE}", f"         {folder / PAGE}")


def _study(path: str, display: Display) -> dict[str, Any]:
    """Return the recordings of a study by name of the animal."""
    from boltzbrain.readers.study import read_study

    with display.stage(f"reading {Path(path).name}"):
        return dict(read_study(path))


def _animals(paths: Sequence[str], display: Display) -> dict[str, Any]:
    """Return recordings and runs by the name of file or folder, numbered where several have one."""
    from boltzbrain.readers.detect import read
    from boltzbrain.training.run.run import TrainingRun

    are_runs = [(Path(path) / "run.json").is_file() for path in paths]
    names = [
        Path(path).resolve().name if run else Path(path).stem
        for path, run in zip(paths, are_runs, strict=True)
    ]
    found: dict[str, Any] = {}
    for number, (path, name) in enumerate(zip(paths, names, strict=True)):
        called = name if names.count(name) == 1 else f"{name} {number + 1}"
        if are_runs[number]:
            found[called] = TrainingRun.open(path)
            continue
        with display.stage(f"reading {Path(path).name}"):
            found[called] = read(path)
    return found
