"""The command `boltzbrain connectome`: motifs of one or several recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from boltzbrain.cli.options import option, takes
from boltzbrain.cli.terminal import say
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.folders import folder_to_write
from boltzbrain.foundations.options import names_of
from boltzbrain.foundations.showing.display import Display
from boltzbrain.interpretation.motifs.choices import MotifChoices


@takes("choices", MotifChoices, names_of(MotifChoices))
def connectome(
    recordings: Annotated[
        list[str],
        typer.Argument(
            metavar="RECORDING...",
            help="Recordings, one for each animal, whose neurons have names in common; or one, or "
            "a study; or run folders, for motifs of couplings.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Folder for motifs.h5 and page.")
    ],
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

    Traces are taken as they are, spikes in bins of the default width; of run folders the couplings
    in windows. Writes motifs.h5 and motifs.html.
    """
    display = Display()
    folder_to_write("--out", output)
    with display.stage("starting"):
        from boltzbrain.pages.motifs import connectome as work
        from boltzbrain.pages.motifs import motif_words
        from boltzbrain.readers.detect import read
        from boltzbrain.readers.study import is_study, read_study
    animals: dict[str, Any] = {}
    if len(recordings) == 1 and is_study(recordings[0]):
        with display.stage(f"reading {Path(recordings[0]).name}"):
            animals |= dict(read_study(recordings[0]))
        recordings = []
    names = [Path(path).stem for path in recordings]
    runs = [path for path in recordings if (Path(path) / "run.json").is_file()]
    if runs:
        from boltzbrain.training.run.run import TrainingRun
    for number, path in enumerate(recordings):
        if path in runs:
            animals[path] = TrainingRun.open(path)
            continue
        with display.stage(f"reading {Path(path).name}"):
            alone = names.count(names[number]) == 1
            animals[names[number] if alone else f"{names[number]} {number + 1}"] = read(path)
    if beside and len(beside) != len(animals):
        must = f"be given once for each of {len(animals)} animals"
        raise bad_input("--beside", must, len(beside))
    models = dict(zip(animals, beside or [], strict=False))
    with display.stage("finding motifs", phases=True) as stage:
        found = work(
            animals, beside=models, out=output, seed=seed, callbacks=(stage.show,), progress=False,
            **choices,
        )  # fmt: skip
    say(*motif_words(found))
    say(f"written: {output / 'motifs.h5'}", f"         {output / 'motifs.html'}")
