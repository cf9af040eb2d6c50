"""What each released version wrote is opened by every command of today.

An archive of tests/frozen is named after the version that wrote it, by `frozen/freeze.py`.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from boltzbrain.comparison.compare import read_assemblies
from boltzbrain.data.activity_file import read_activity
from boltzbrain.evaluation.results import read_evaluation
from boltzbrain.evaluation.samples import read_samples
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.showing.numbers import value_words
from boltzbrain.grid.choice import FoldScores
from boltzbrain.grid.folder import SWEEP, SweepFolder
from boltzbrain.grid.one_run import complete, fold_scores
from boltzbrain.grid.points import Grid
from boltzbrain.interpretation.file import read_interpretation
from boltzbrain.model.rbm import RBM
from boltzbrain.pages.page import page_data
from boltzbrain.training.run.checkpoints import read_checkpoint
from boltzbrain.training.run.folder import FolderKind, environment
from boltzbrain.training.run.run import RUN, TrainingRun
from helpers.command_line import run_command
from helpers.killing import differences

FROZEN = sorted((Path(__file__).parents[1] / "frozen").glob("*.zip"))
KEPT = "run/checkpoints/[0-9]*.h5"
WIDTH = "AVX-512"
"""Of the processors that wrote the archives."""

pytestmark = [
    pytest.mark.usefixtures("quick_evaluation", "in_process"),
    pytest.mark.parametrize("archive", FROZEN, ids=lambda path: path.stem),
]


@pytest.fixture
def there(archive, tmp_path, monkeypatch) -> Path:
    """The folder of the archive, unpacked, as the working folder: paths in it are relative."""
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def hashed_then(monkeypatch):
    """Let what ties a folder together be the hash that another version took of what it wrote."""
    monkeypatch.setattr(FolderKind, "_id", lambda self, content: content.get("id"))


def edit(run: Path, **plan: object) -> None:
    """Give a run hyperparameters as another version would have; None takes one away."""
    info = RUN.read(run)
    whole = {**info["plan"], **plan}
    told = {name: value for name, value in whole.items() if name not in plan or value is not None}
    RUN.replace(run, {**info, "plan": told})


def test_there_is_one_of_every_release(archive):
    assert zipfile.ZipFile(archive).testzip() is None
    assert "0.1.0.zip" in [path.name for path in FROZEN]


def test_every_command_opens_it(there, archive, capsys, request):
    if archive != FROZEN[0]:
        # pictures of the oldest alone; tests/pages/test_plates.py draws a later one
        request.getfixturevalue("undrawn")
    shutil.copytree("run", "second")
    for words in (
        ["info", "small.npz"],
        ["info", "samples.npz"],
        ["report", "run"],
        ["view", "run"],
        ["compare", "run", "second", "-o", "both"],
        ["sample", "run", "-n", "20", "-o", "again.npz"],
        ["fit", "--resume", "run"],
        ["evaluate", "run"],
        ["evaluate", "drelu"],
        ["interpret", "run"],
    ):
        told = run_command(words, capsys)
        assert told.status == 0, told.err
        for lost in ("left out", "nothing is kept", "not kept"):
            assert lost not in told.err, told.err
    for words in (
        ["report", "past"],
        ["fit", "--resume", "past"],
        ["sample", "past", "-n", "9", "-o", "drawn.npz"],
        ["report", "study"],
    ):
        # since 0.3.0
        if any(Path(word).is_dir() for word in words):
            told = run_command(words, capsys)
            assert told.status == 0, told.err
    kept = read_evaluation(there / "run" / "evaluation.json")["baselines"]
    assert {"rbm", "independent", "pca"} <= set(kept)


def test_a_stopped_training_ends_as_if_never_stopped(there, archive, capsys):
    run = TrainingRun.open("stopped")
    then = run.info["environment"]
    before = run.newest().update
    assert before < run.plan.updates
    assert run_command(["fit", "--resume", "stopped"], capsys).status == 0
    done = TrainingRun.open("stopped")
    assert done.info["status"] == "finished"
    assert done.info["updates_done"] == run.plan.updates
    plan = run.plan.model_dump()
    words = [word for one in plan.items() for word in ("--set", f"{one[0]}={value_words(one[1])}")]
    given = ["--preset", plan["preset"], *words[words.index("--set", 1) :]]
    told = run_command(["fit", "small.npz", "-o", "whole", *given], capsys)
    assert told.status == 0, told.err
    assert TrainingRun.open("whole").plan == run.plan
    # numbers are promised for one machine and one torch; older versions do not name its width
    now = environment()
    same = all(then[name] == now[name] for name in ("torch", "numpy", "machine"))
    if same and now["loops"]["path"] == then.get("loops", {}).get("path", WIDTH):
        found = differences(there / "whole", there / "stopped")
        # parameters and chains; scores by annealing may differ in their last digits
        assert [one for one in found if "online/" not in one and one != "log.csv"] == []
        logs = [
            TrainingRun.open(name).log().drop(columns="seconds") for name in ("whole", "stopped")
        ]
        pd.testing.assert_frame_equal(*logs, rtol=1e-5, atol=1e-6)


def test_a_sweep_is_gone_on_with(there, capsys):
    sweep = SweepFolder.open("sweep")
    table, plans = sweep.table(), {}
    for one in sweep.grid.runs:
        plans[one.name] = TrainingRun.open(sweep.run_folder(one.name)).plan
    # the recipes of today give the grid of then
    assert {one.name: one.plan for one in sweep.grid.runs} == plans
    last = sweep.run_folder(sweep.grid.runs[-1].name)
    (last / "scores.json").unlink()
    told = run_command(["sweep", "--resume", "sweep"], capsys)
    assert told.status == 0, told.err
    pd.testing.assert_frame_equal(sweep.table(), table, rtol=1e-6, atol=1e-6)
    assert sweep.chosen.chosen_update == table["update"][table["run"] == sweep.choice["run"]].item()


def read_npz(path: Path) -> None:
    import boltzbrain as bb

    bb.read(path)


READERS = {
    "run/run.json": lambda path: TrainingRun.open(path.parent),
    "run/activity.h5": read_activity,
    KEPT: read_checkpoint,
    "run/evaluation.json": read_evaluation,
    "run/samples.h5": read_samples,
    "run/baselines.h5": read_assemblies,
    "run/interpretation.h5": read_interpretation,
    "sweep/sweep.json": lambda path: SweepFolder.open(path.parent),
    "sweep/choice.json": lambda path: SweepFolder.open(path.parent).choice,
    "sweep/runs/*/scores.json": lambda path: complete(
        str(path.parents[2]), path.parent.name, full=False
    ),
    "stopped/checkpoints/resume.h5": read_checkpoint,
    "samples.npz": read_npz,
    "model": RBM.load,
}


def rewrite(path: Path, version: object = None, form: str | None = None) -> None:
    """Let a file say another version or format."""
    model = path.name == "model"
    if path.suffix == ".json":
        told = json.loads(path.read_text())
        told |= {} if version is None else {"version": version}
        told |= {} if form is None else {"format": form}
        path.write_text(json.dumps(told))
    elif path.suffix == ".npz":
        told = dict(np.load(path))
        told |= {} if version is None else {"format_version": np.array(version)}
        told |= {} if form is None else {"format": np.array(form)}
        np.savez(path, **told)
    else:
        with h5py.File(path, "a") as file:
            if version is not None:
                file.attrs["model_version" if model else "version"] = version
            if form is not None:
                file.attrs["model_format" if model else "format"] = form


@pytest.mark.parametrize("name", READERS)
def test_a_newer_one_and_a_foreign_one_are_refused_by_name(name, there):
    if name == "model":
        (there / name).write_bytes(next(there.glob(KEPT)).read_bytes())
    path, read = next(there.glob(name)), READERS[name]
    whole = path.read_bytes()
    read(path)
    rewrite(path, version=999)
    with pytest.raises(InputError, match=r"version must be at most \d.* wrote this file") as caught:
        read(path)
    assert str(path.name) in str(caught.value)
    assert "999" in str(caught.value)
    path.write_bytes(whole)
    rewrite(path, form="another thing")
    with pytest.raises(InputError, match=r"format must be 'boltzbrain .*got another") as caught:
        read(path)
    assert str(path.name) in str(caught.value)


def test_scores_of_an_older_version_are_made_again(there):
    path = next(there.glob("sweep/runs/*/scores.json"))
    now = fold_scores(json.loads(path.read_text()))
    rewrite(path, version=2)
    again = fold_scores(complete("sweep", path.parent.name, full=False))
    assert isinstance(again, FoldScores)
    np.testing.assert_allclose(again.sums, now.sums)


@pytest.mark.usefixtures("hashed_then")
def test_a_hyperparameter_of_another_version(there, capsys):
    # one that is gone, one that is new
    edit(there / "run", temperature=2.0, ais_rungs=None)
    for words in (
        ["evaluate", "run"],
        ["interpret", "run"],
        ["sample", "run", "-n", "5", "-o", "few.npz"],
        ["fit", "--resume", "run"],  # it is finished: nothing is left to train
    ):
        told = run_command(words, capsys)
        assert told.status == 0, told.err
    # what the page tells of it
    assert ("temperature", "2") in page_data(TrainingRun.open("run")).plan


@pytest.mark.usefixtures("hashed_then")
@pytest.mark.parametrize(
    ("change", "name"), [({"temperature": 2.0}, "temperature"), ({"l2": None}, "l2")]
)
def test_only_going_on_with_its_training_is_refused(change, name, there, archive, capsys):
    edit(there / "stopped", **change)
    told = run_command(["fit", "--resume", "stopped"], capsys)
    assert told.status == 2
    assert f"run.json: {name} must be" in told.err
    assert f"boltzbrain {archive.stem} began it" in told.err


@pytest.mark.usefixtures("hashed_then")
def test_a_sweep_with_a_hyperparameter_that_is_gone_can_be_looked_at(there, capsys):
    sweep = SweepFolder.open("sweep")
    info, grid = sweep.info, sweep.grid
    plans = {one.name: {**one.plan.model_dump(), "temperature": 2.0} for one in grid.runs}
    whole = {**info, "axes": ["hidden", "l1", "temperature"], "plans": plans}
    SWEEP.replace(there / "sweep", whole)
    assert isinstance(sweep.grid, Grid)
    assert list(sweep.grid.axes) == ["hidden", "l1"]
    assert sweep.chosen.best is not None
    name = grid.runs[0].name
    with pytest.raises(InputError, match=r"sweep\.json: temperature must be a hyperparameter"):
        sweep.plan_to_train(name)
