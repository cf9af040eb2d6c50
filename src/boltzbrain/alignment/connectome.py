"""`connectome`: the motifs of recordings, of a study, or of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from boltzbrain.alignment.folder import StudyFolder
from boltzbrain.alignment.register import Register
from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import Recording
from boltzbrain.data.study import Study
from boltzbrain.foundations.checks import bad_input, one_of, whole_number_in
from boltzbrain.foundations.disk.folders import folder_to_write, given_path, one_writer, together
from boltzbrain.foundations.progress import Callback
from boltzbrain.foundations.showing.display import showing
from boltzbrain.interpretation.motifs.affinities import columns_of, shared_names
from boltzbrain.interpretation.motifs.beside import FEWEST
from boltzbrain.interpretation.motifs.changes import names_of
from boltzbrain.interpretation.motifs.choices import MotifChoices
from boltzbrain.interpretation.motifs.find import Motifs, find_motifs
from boltzbrain.interpretation.motifs.kept import FILE, FOLDER
from boltzbrain.pages.motifs.page import write_motifs_page
from boltzbrain.training.run.run import TrainingRun

PAGE = "motifs.html"

Animals = Mapping[str, Any] | Study | StudyFolder | Recording | Activity | TrainingRun


def connectome(
    animals: Animals | str | Path,
    *,
    beside: Mapping[str, TrainingRun | str | Path] | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
    **choices: Any,
) -> Motifs:
    """Find which neurons change together, when, and in which animals.

    Parameters
    ----------
    animals
        Name to recording or activity, or a study; or one of them alone. Neurons of several animals
        are told by name: the column ``label`` of the table of neurons, else their id. Of the folder
        of a study (or its path) the activities, by names or by the regions that it was aligned by,
        with the animals' own runs beside. Finished runs in place of recordings (or the folder of
        one): motifs of their couplings in windows of ``window_bins`` bins.
    beside
        Animal to a run of it (or its folder), whose couplings and assemblies are held against the
        motifs; the runs themselves where they are given.
    out
        Folder for motifs.h5 and motifs.html. If None, ``motifs`` in the folder of the study or run
        that is given, where the page of that shows them; of anything else nothing is written.
    seed
        Of every stream.
    callbacks, progress
        As in `fit`, phase by phase: "components", "surrogates", "communities", "models".
    **choices
        Fields of `interpretation.motifs.choices.MotifChoices`, e.g. ``rank=3``.

    Raises
    ------
    InputError
        If a choice is unknown or out of range, animals share fewer than 3 names, the affinities do
        not fit into memory, or the folder cannot be written.
    """
    whole_number_in("seed", seed, low=0)
    asked = MotifChoices(**choices)
    given = _of_folder(animals) if isinstance(animals, str | Path) else animals
    place = given.folder / FOLDER if isinstance(given, StudyFolder | TrainingRun) else None
    folder = place if out is None else folder_to_write("out", out)
    models = {name: _opened(one) for name, one in (beside or {}).items()}
    named: dict[str, Any]
    if isinstance(given, StudyFolder):
        named = {name: given.activity(name) for name in given.animals}
        asked = _by_register(given, named, asked)
        models = models or _own_runs(given, named, asked)
    elif isinstance(given, Recording | Activity | TrainingRun):
        named = {"animal": given}
    else:
        named = dict(given)
    for name in models:
        one_of("beside", name, named)
    with showing(progress, "finding motifs", callbacks, phases=True) as heard:
        if folder is None:
            return find_motifs(named, asked, beside=models, seed=seed, callbacks=heard)
        with one_writer(folder, "connectome"):
            found = find_motifs(named, asked, beside=models, seed=seed, callbacks=heard)
            with together(folder) as at:
                found.save(at(FILE))
                write_motifs_page(found, at(PAGE))
    return found


def _of_folder(path: str | Path) -> StudyFolder | TrainingRun:
    """Return the study or the run in a folder."""
    folder = given_path("animals", path)
    if (folder / "run.json").is_file():
        return TrainingRun.open(folder)
    return StudyFolder.open(folder)


def _opened(run: TrainingRun | str | Path) -> TrainingRun:
    return run if isinstance(run, TrainingRun) else TrainingRun.open(given_path("beside", run))


def _by_register(
    study: StudyFolder, activities: Mapping[str, Activity], asked: MotifChoices
) -> MotifChoices:
    """Return the choices with the atlas that a study was aligned by, where none is asked for."""
    by = study.asked.get("by")
    if by is None or asked.atlas is not None:
        return asked
    register = Register.of(by)
    if register.way == "positions":
        must = "be given: the study was aligned by positions, and its neurons are called nothing"
        raise bad_input("atlas", must, "none", file=study.folder)
    if register.way == "names":
        return asked
    atlas = register.atlas or min(next(iter(activities.values())).regions)
    return asked.model_copy(update={"atlas": atlas})


def _own_runs(
    study: StudyFolder, activities: Mapping[str, Activity], asked: MotifChoices
) -> dict[str, TrainingRun]:
    """Return the animals' own runs, of those that share enough neurons by name."""
    if asked.atlas is not None or study.info["status"] == "started":
        return {}
    columns = {name: columns_of(names_of(one)) for name, one in activities.items()}
    shared = set(shared_names(list(columns.values())))
    return {
        name: study.run(name) for name in activities if len(shared & columns[name].keys()) >= FEWEST
    }
