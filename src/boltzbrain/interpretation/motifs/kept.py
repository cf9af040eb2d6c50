"""Motifs that lie in the folder of a run or a study, beside what they are of."""

from __future__ import annotations

from pathlib import Path

from boltzbrain.evaluation.results import require_of_run
from boltzbrain.foundations.checks import bad_input
from boltzbrain.interpretation.motifs.changes import names_of
from boltzbrain.interpretation.motifs.find import Motifs, read_motifs
from boltzbrain.training.run.run import TrainingRun

FOLDER, FILE = "motifs", "motifs.h5"


def motifs_in(folder: Path) -> Motifs | None:
    """Return the motifs in the folder of a run or study, None where there are none.

    Raises
    ------
    InputError
        If the file is damaged or of another format.
    """
    path = folder / FOLDER / FILE
    return read_motifs(path) if path.exists() else None


def motifs_of_run(run: TrainingRun) -> Motifs | None:
    """Return the motifs in the folder of a run, None where there are none.

    Raises
    ------
    InputError
        If they are of several animals, of other neurons, or of another model than the chosen one.
    """
    found, path = motifs_in(run.folder), run.folder / FOLDER / FILE
    if found is None:
        return None
    animals, models = found.summary["animals"], found.summary["runs"]
    if len(animals) > 1:
        must = "be of the animal of the run alone"
        raise bad_input(path.name, must, f"{len(animals)} animals", file=run.folder)
    for told in models.values():
        require_of_run(run, told["run"], told["update"], path, "boltzbrain connectome")
    activity, nodes = run.activity(), found["nodes/name"].tolist()
    regions = {name for atlas in activity.regions.values() for name in atlas.names}
    known = {*names_of(activity)} if found.summary["of"] == "neurons" else regions
    other = [name for name in nodes if name not in known]
    if other:
        raise bad_input(path.name, "be of the neurons of the run", other[0], file=run.folder)
    return found
