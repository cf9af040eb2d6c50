"""Several animals aligned: own models, students of every pair, their scores and controls."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from boltzbrain.alignment.consensus import round_names, write_pool
from boltzbrain.alignment.every import write_animals
from boltzbrain.alignment.folder import (
    CONSENSUS,
    StudyFolder,
    names_for,
)
from boltzbrain.alignment.register import Neurons, Register, require_one_frame
from boltzbrain.alignment.results import gathered
from boltzbrain.alignment.starts import start_of
from boltzbrain.alignment.students import write_hidden
from boltzbrain.alignment.work import complete
from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import Recording
from boltzbrain.data.study import Frame, Study
from boltzbrain.foundations.checks import (
    TrainingFailedError,
    bad_input,
    number_in,
    one_of,
    whole_number_in,
)
from boltzbrain.foundations.disk.folders import folder_to_write, one_writer
from boltzbrain.foundations.progress import Callback, Teller
from boltzbrain.foundations.showing.display import showing
from boltzbrain.grid.workers import completed_by, require_device
from boltzbrain.readers.detect import read
from boltzbrain.training.run.folder import environment
from boltzbrain.training.run.run import RUN, TrainingRun

Given = str | Path | Recording | Activity | TrainingRun
CONTROLS = ("one", "all", "none")


def align(
    run: TrainingRun | str | Path,
    recordings: Given | Iterable[Given] | Study,
    out: str | Path = "study",
    *,
    by: str = "positions",
    latent: float = 0.5,
    teacher: str = "each",
    names: Sequence[str] | None = None,
    frame: Frame | None = None,
    updates: int | None = None,
    rounds: int = 8,
    controls: str = "one",
    seed: int = 0,
    workers: int | None = None,
    scheduler: str | None = None,
    device: str = "auto",
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
    **preparation: Any,
) -> StudyFolder:
    """Align animals: students that share the hidden units of a teacher, with scores that can fail.

    Processes are spawned: in a script, call it under ``if __name__ == "__main__"``.

    Parameters
    ----------
    run
        A finished run of the first animal, or its folder; the others are trained by its plan.
    recordings
        The other animals: files, recordings, activities with folds, finished runs (whose model is
        the animal's own then) or their folders, or a study.
    out
        The folder of the study, made here.
    by
        By what neurons of different animals are told to lie at one place: "positions", "names",
        "regions" or "regions:ATLAS".
    latent
        Share of the second term of the objective, in [0, 1).
    teacher
        "each": every animal teaches every other one; the name of one; or "consensus": the students
        of the first, and itself, are trained on the samples of all animals, pooled and drawn anew
        in every of `rounds` rounds.
    names
        Of all animals, the first included; the stems of their recordings if None.
    frame
        In which positions are told.
    updates
        Of the training of a student; half those of the plan if None.
    rounds
        Of a consensus, among which the updates of a student are divided once more.
    controls
        "one" refitted control per receiver, positions, names or regions shuffled; "all" of them for
        every pair; "none".
    seed
        Of starts, samples and students.
    workers, scheduler, device, callbacks, progress
        As of `boltzbrain.sweep`; 0 workers are this process itself.
    **preparation
        Options of `Recording.binarize` and `Activity.split` for recordings that are given as such.

    Returns
    -------
    StudyFolder
        ``study.json`` holds the scores of every ordered pair, null with a reason where a score does
        not exist.

    Raises
    ------
    InputError
        If an animal lacks what the study goes by, lies in another frame or is a mirror image, or
        an option is out of range.
    TrainingFailedError
        If a training goes wrong and no restart mends it.
    """
    opened = run if isinstance(run, TrainingRun) else TrainingRun.open(run)
    folder = folder_to_write("out", out)
    others, called = _others(recordings)
    if frame is None and isinstance(recordings, Study):
        frame = recordings.frame
    asked = options(
        by=by, latent=latent, teacher=teacher, frame=frame, updates=updates, rounds=rounds,
        controls=controls, seed=seed,
    )  # fmt: skip
    stems = [stem_of(opened.activity()), *called]
    told = names_for(stems, names)
    animals = [_animal(one, preparation, opened.plan.seed) for one in others]
    with one_writer(folder, "align"):
        study = start_study(folder, opened, animals, told, asked)
        with showing(progress, "aligning", callbacks) as shown:
            return run_study(
                study, workers=workers, scheduler=scheduler, device=device, callbacks=shown
            )


def resume_align(
    folder: StudyFolder | str | Path,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    device: str = "auto",
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
) -> StudyFolder:
    """Go on with a study that was stopped; parameters as of `align`.

    Raises
    ------
    InputError
        If the folder holds no study.
    """
    study = folder if isinstance(folder, StudyFolder) else StudyFolder.open(folder)
    with (
        one_writer(study.folder, "align --resume"),
        showing(progress, "aligning", callbacks) as shown,
    ):
        return run_study(
            study, workers=workers, scheduler=scheduler, device=device, callbacks=shown
        )


def options(
    *,
    by: str,
    latent: float,
    teacher: str,
    frame: Frame | None,
    updates: int | None,
    rounds: int,
    controls: str,
    seed: int,
) -> dict[str, Any]:
    """Return what a study is asked for, as study.json keeps it.

    Raises
    ------
    InputError
        If an option is out of range.
    """
    Register.of(by)
    number_in("latent", latent, low=0.0, high=1.0, include_high=False)
    one_of("controls", controls, CONTROLS)
    whole_number_in("seed", seed, low=0)
    whole_number_in("rounds", rounds, low=1)
    if updates is not None:
        whole_number_in("updates", updates, low=1)
    return {
        "by": by,
        "latent": float(latent),
        "teacher": teacher,
        "frame": asdict(frame or Frame()),
        "updates": updates,
        "rounds": rounds,
        "controls": controls,
        "seed": seed,
    }


def _others(given: Given | Iterable[Given] | Study) -> tuple[list[Given], list[str]]:
    """Return the other animals and what their recordings are called."""
    if isinstance(given, Study):
        return list(given.recordings), list(given.names)
    alone = isinstance(given, (str, Path, Recording, Activity, TrainingRun))
    several: list[Given] = [given] if alone else list(given)  # type: ignore[arg-type, list-item]
    if not several:
        raise bad_input("recordings", "hold at least one animal beside the first", "none")
    return several, [stem_of(one) for one in several]


def stem_of(one: Given) -> str:
    """Return what the recording of an animal is called."""
    if isinstance(one, TrainingRun):
        one = one.activity()
    if isinstance(one, (str, Path)):
        if is_run(one):
            return stem_of(TrainingRun.open(one))
        return Path(one).stem
    return Path(one.source.path).stem or "animal"


def is_run(path: str | Path) -> bool:
    """Return whether a path is a run folder."""
    return (Path(path) / RUN.file).is_file()


def _animal(one: Given, preparation: Mapping[str, Any], seed: int) -> Activity | TrainingRun:
    if isinstance(one, (Activity, TrainingRun)):
        return one
    if isinstance(one, (str, Path)) and is_run(one):
        return TrainingRun.open(one)
    recording = one if isinstance(one, Recording) else read(one)
    told = dict(preparation)
    binned = {name: told.pop(name) for name in ("bin_ms", "epochs") if name in told}
    return recording.binarize(**binned).split(seed=seed, **told)


def start_study(
    folder: Path,
    run: TrainingRun,
    others: Sequence[Activity | TrainingRun],
    names: Sequence[str],
    asked: Mapping[str, Any],
) -> StudyFolder:
    """Make the folder of a study; `run_study` does the work.

    Parameters
    ----------
    folder
        May exist, but hold no study.
    run
        A finished run of the first animal.
    others
        The other animals; the model of a finished run is the animal's own.
    names
        Of all.
    asked
        Of `options`.

    Raises
    ------
    InputError
        If an animal does not fit, see `align`.
    """
    if asked["teacher"] not in ("each", CONSENSUS):
        one_of("teacher", asked["teacher"], names)
    runs = {
        name: one
        for name, one in zip(names, [run, *others], strict=True)
        if isinstance(one, TrainingRun)
    }
    for one in runs.values():
        if one.plan.context is not None:
            must = (
                "have no context, as its hidden units alone do not say what a bin is (train one "
                "without --context, or give the recording in place of the run)"
            )
            raise bad_input("the run", must, one.plan.context, file=one.folder)
    register, frame = Register.of(asked["by"]), Frame(**asked["frame"])
    every = {
        name: one.activity() if isinstance(one, TrainingRun) else one
        for name, one in zip(names, [run, *others], strict=True)
    }
    neurons = {name: Neurons.of(name, one, register) for name, one in every.items()}
    fits = require_one_frame(neurons, frame) if register.way == "positions" else {}
    if register.way != "positions":
        # before minutes of training are over
        teachers = {"each": list(neurons), CONSENSUS: list(neurons)[:1]}
        for teacher in teachers.get(asked["teacher"], [asked["teacher"]]):
            for receiver in neurons.values():
                given = np.ones((len(neurons[teacher]), 1))
                start_of(register, neurons[teacher], given, receiver)
    animals = write_animals(folder, every)
    for name, its in runs.items():
        _copied(its, folder / "runs" / name)
    content = {
        "asked": dict(asked),
        "animals": animals,
        "frame_fits": fits,
        "environment": environment(),
    }
    return StudyFolder.create(folder, content)


def _copied(run: TrainingRun, place: Path) -> None:
    """Copy of a run what a study needs: the chosen model and what it saw."""
    chosen = run.chosen_update
    if (place / RUN.file).exists():
        if RUN.read(place).get("id") != run.info.get("id"):
            must = "hold no run of another study (take another folder)"
            raise bad_input("output folder", must, f"runs/{place.name}", file=place.parent)
        return
    (place / RUN.below).mkdir(parents=True, exist_ok=True)
    for name in (f"{RUN.below}/{run.checkpoint_path(chosen).name}", "activity.h5", "log.csv"):
        shutil.copyfile(run.folder / name, place / name)
    # last: with it the folder is a run
    shutil.copyfile(run.folder / RUN.file, place / RUN.file)


def run_study(
    study: StudyFolder,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    device: str = "auto",
    callbacks: Sequence[Callback] = (),
) -> StudyFolder:
    """Do every training of a study that is not done yet, then write what was found.

    Parameters are those of `align`; the caller is the folder's one writer.

    Raises
    ------
    TrainingFailedError
        If a training failed: a study needs all of them.
    """
    require_device(device, scheduler)
    if workers is not None:
        whole_number_in("workers", workers, low=0)
    own = [f"runs/{name}" for name in study.animals]
    tasks = [one.name for one in study.tasks()]
    rounds = [round_names(study, one + 1) for one in range(study.rounds)]
    whole = len(own) + len(tasks) + sum(map(len, rounds))
    teller = Teller(callbacks, "training and scoring", "runs")
    done = 0

    def work(names: Sequence[str]) -> None:
        nonlocal done
        failed: dict[str, str] = {}
        places = completed_by(
            complete, study.folder, names, workers=workers, scheduler=scheduler, device=device
        )
        for name, _, error in places:
            done += 1
            if error:
                failed[name] = error
            facts = {"failed": len(failed), "name": name, "error": error or None, "best": None}
            teller(done, whole, facts=facts)
        if failed:
            name, error = next(iter(failed.items()))
            raise TrainingFailedError(f"{study.folder}: {name}: {error}")

    work(own)
    for name in study.teachers:
        write_hidden(study, name)
    work(tasks)
    for number, names in enumerate(rounds, start=1):
        write_pool(study, number)
        work(names)
    study.update(**gathered(study), status="finished")
    return study
