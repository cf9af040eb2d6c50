"""What `boltzbrain fit` and `boltzbrain evaluate` do of every animal of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boltzbrain.cli.terminal import out
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.disk.folders import folder_to_write, one_writer
from boltzbrain.foundations.showing.display import Display
from boltzbrain.preparing.preparation import Preparation
from boltzbrain.preparing.prepare import prepare_recording
from boltzbrain.training.plan import make_plan

if TYPE_CHECKING:
    from boltzbrain.alignment.folder import StudyFolder


def of_animals(recordings: Sequence[str] | None, folder: Path, resume: bool) -> bool:
    """Return whether a command is given a study of several animals."""
    if resume and (folder / "study.json").is_file():
        return True
    if not recordings or len(recordings) != 1:
        return False
    return recordings[0].endswith(".toml") or (Path(recordings[0]) / "study.toml").is_file()


def fit_animals(
    folder: Path,
    recordings: Sequence[str] | None,
    preparation: Preparation,
    values: dict[str, Any],
    device: str,
) -> StudyFolder:
    """Train a model of every animal of a study, or go on with it."""
    display = Display()
    with display.stage("starting"):
        from boltzbrain.alignment.every import in_parallel, start_fits
        from boltzbrain.alignment.folder import FILE, StudyFolder
        from boltzbrain.readers.study import read_study

    folder_to_write("output folder", folder)
    with one_writer(folder, "fit"):
        if (folder / FILE).is_file():
            if recordings:
                must = "hold no study yet (use --resume alone, or another folder)"
                raise bad_input("output folder", must, f"a study ({FILE})", file=folder)
            study = StudyFolder.open(folder)
        else:
            assert recordings
            plan = make_plan(**values)
            with display.stage("reading the animals"):
                told = read_study(recordings[0])
            activities = {
                name: prepare_recording(preparation, one, plan.seed, display) for name, one in told
            }
            study = start_fits(folder, activities, plan, told.groups)
        with display.stage("training") as stage:
            in_parallel(study, device=device, callbacks=(stage.show,))
    return study


def interpret_animals(
    folder: Path, display: Display, choices: Mapping[str, Any], seed: int | None
) -> None:
    """Interpret the own run of every animal."""
    with display.stage("reading") as stage:
        from boltzbrain.alignment.every import in_parallel, interpret_one
        from boltzbrain.alignment.folder import StudyFolder

        work = partial(interpret_one, choices=dict(choices), seed=seed)
        in_parallel(StudyFolder.open(folder), work, callbacks=(stage.show,))


def evaluate_animals(folder: Path, display: Display, device: str) -> None:
    """Evaluate the own run of every animal, and print the gain of each."""
    with display.stage("evaluating") as stage:
        from boltzbrain.alignment.every import evaluate_one, in_parallel
        from boltzbrain.alignment.folder import StudyFolder
        from boltzbrain.alignment.shown.told import figure_words

        study = StudyFolder.open(folder)
        found = in_parallel(study, evaluate_one, device=device, callbacks=(stage.show,))
    rows = [(name, figure_words(one["gain"])) for name, one in found.items()]
    out().columns(("animal", "gain on test (nats per bin)"), rows)
