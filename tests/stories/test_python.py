"""Python as a user types it: from an array to a page, progress, a stop and going on, a notebook."""

from __future__ import annotations

import importlib.util
import re
import sys
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import boltzbrain as bb
from boltzbrain.foundations.progress import Progress
from boltzbrain.foundations.showing import display as showing
from boltzbrain.grid.sweep import start_sweep
from helpers.killing import differences

pytestmark = pytest.mark.usefixtures("quick_evaluation")

ROOT = Path(__file__).parents[2]
QUICK = {"hidden": 4, "updates": 12, "checkpoints": 3, "ais_rungs": 20, "ais_chains": 20}


@pytest.fixture(scope="module")
def recording() -> bb.Recording:
    generator = np.random.default_rng(0)
    return bb.from_states(generator.random((400, 10)) < 0.2, 0.02)


def test_the_readme_goes_from_an_array_to_a_page_in_eight_lines(tmp_path, monkeypatch, recording):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, re.S)
    assert len([line for line in block.splitlines() if line]) <= 8
    monkeypatch.chdir(tmp_path)
    np.save("states.npy", recording.signal.counts)
    monkeypatch.setattr(bb, "fit", partial(bb.fit, **{**QUICK, "hidden": 100}))
    names: dict = {}
    exec(block, names)
    assert (tmp_path / "second" / "report.html").stat().st_size > 100_000
    # what its comments promise
    assert names["evaluation"].gain.value is not None
    assert names["found"].pairs().shape == (10, 10)
    assert len(names["found"].to_dataframe("assemblies")) == 100
    assert names["run"].best.sample(5).shape == (5, 10)


def test_fit_takes_a_recording_and_a_plan_and_points_from_an_array_to_the_door(tmp_path, recording):
    plan = bb.TrainingPlan(**QUICK, seed=3)
    run = bb.fit(recording, plan, out=tmp_path / "run", progress=False)
    assert run.plan == plan
    mine = recording.binarize().split(seed=3)
    np.testing.assert_array_equal(run.activity().fold, mine.fold)
    told = r"activity must be an activity or a recording \(from_states makes one of an array"
    with pytest.raises(bb.InputError, match=told):
        bb.fit(recording.signal.counts, out=tmp_path / "none")
    with pytest.raises(bb.InputError, match="hidden must"):
        bb.fit(recording, plan, hidden=9, out=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_one_baseline_may_be_named_alone(tmp_path, monkeypatch, recording):
    asked = []
    monkeypatch.setattr("boltzbrain.comparison.evaluate_run.evaluate_run",
                        lambda _, baselines, **__: asked.append(baselines))  # fmt: skip
    run = bb.fit(recording, out=tmp_path / "run", progress=False, **QUICK)
    bb.evaluate(run, baselines="ising", progress=False)
    bb.evaluate(run, baselines=["ising", "pca"], progress=False)
    assert asked == [("ising",), ("ising", "pca")]


def test_a_sweep_takes_a_recording_and_splits_it_as_a_fit_does(tmp_path, recording):
    found = start_sweep(recording, tmp_path / "sweep", hidden=[2, 3], updates=5, seed=4)
    mine = recording.binarize().split(seed=4)
    np.testing.assert_array_equal(found.activity().fold, mine.fold)
    with pytest.raises(bb.InputError, match="activity must be an activity or a recording"):
        bb.sweep(recording.signal.counts, tmp_path / "none", hidden=[2, 3])


def test_progress_is_shown_by_default_and_silenced(tmp_path, monkeypatch, recording, capsys):
    monkeypatch.setattr(showing, "QUIET_SECONDS", 0.0)
    run = bb.fit(recording, out=tmp_path / "loud", **QUICK)
    assert "training" in capsys.readouterr().err
    for verb in (bb.evaluate, bb.interpret):
        verb(run)
        assert capsys.readouterr().err
        verb(run, progress=False)
        assert capsys.readouterr().err == ""
    bb.sample(run, 20, sampler="gibbs", sweeps=5, progress=False)
    bb.fit(recording, out=tmp_path / "quiet", progress=False, **QUICK)
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "")


def test_a_stop_leaves_a_run_that_ends_as_if_undisturbed(tmp_path, recording):
    def stop(progress: Progress) -> None:
        if progress.done == 7:
            raise KeyboardInterrupt

    quick = {**QUICK, "progress": False}
    with pytest.raises(KeyboardInterrupt) as stopped:
        bb.fit(recording, out=tmp_path / "run", callbacks=[stop], **quick)
    assert stopped.value.__notes__ == [
        f"stopped; go on with it: boltzbrain.resume('{tmp_path / 'run'}')"
    ]
    run = bb.TrainingRun.open(tmp_path / "run")
    assert "resume(run) goes on with it" in repr(run)
    assert "data:image" in run._repr_html_()
    bb.resume(run, progress=False)
    bb.fit(recording, out=tmp_path / "whole", **quick)
    assert differences(tmp_path / "run", tmp_path / "whole") == []


class Cell:
    """An output of a cell: all that was shown in it, in order."""

    def __init__(self, first: object) -> None:
        self.shown = [first]

    def update(self, now: object) -> None:
        self.shown.append(now)


@pytest.fixture
def cells(monkeypatch) -> list[Cell]:
    """The outputs of a notebook whose kernel is made up."""
    made: list[Cell] = []

    def shown(first: object, *, display_id: bool) -> Cell:
        assert display_id
        made.append(Cell(first))
        return made[-1]

    ipython, inner = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())
    inner.display = shown
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", inner)
    monkeypatch.setattr(showing, "_CELL_SECONDS", 0.0)
    return made


def test_in_a_notebook_one_cell_follows_the_work_and_keeps_its_end(cells, recording, tmp_path):
    run = bb.fit(recording, out=tmp_path / "run", **QUICK)
    (cell,) = cells
    assert repr(cell.shown[0]) == "training ..."
    assert any("training: 7 of 12 updates" in repr(one) for one in cell.shown)
    assert repr(cell.shown[-1]).startswith("training: done in ")
    assert "12 of 12 updates; validation" in repr(cell.shown[-1])
    assert '<progress max="1" value="1.0000"' in cell.shown[-1]._repr_html_()
    bb.evaluate(run)
    assert any("evaluating, samples" in repr(one) for one in cells[1].shown)


def test_a_stopped_cell_says_how_far_it_came(cells, recording, tmp_path):
    def stop(progress: Progress) -> None:
        if progress.done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bb.fit(recording, out=tmp_path / "run", callbacks=[stop], **QUICK)
    assert repr(cells[0].shown[-1]).startswith("stopped: training: 6 of 12 updates")


@pytest.mark.skipif(importlib.util.find_spec("nbclient") is None, reason="nbclient is absent")
def test_the_stop_button_of_a_notebook_leaves_a_run_that_goes_on(tmp_path):
    import nbclient
    import nbformat

    make = nbformat.v4.new_code_cell
    book = nbformat.v4.new_notebook(
        cells=[
            make("import os, signal, threading\nimport numpy as np\nimport boltzbrain as bb"),
            make("states = np.random.default_rng(0).random((2000, 20)) < 0.2\n"
                 "recording = bb.from_states(states, 0.02)"),
            # as the button does, in the midst of it
            make("def press(progress):\n"
                 "    if progress.done == 20:\n"
                 "        button = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))\n"
                 "        button.start()\n\n"
                 "bb.fit(recording, hidden=10, updates=200_000, checkpoints=8, callbacks=[press])",
                 metadata={"tags": ["raises-exception"]}),
            make("bb.TrainingRun.open('run')"),
        ]
    )  # fmt: skip
    where = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(
        book, timeout=120, kernel_name="python3", resources=where, shutdown_kernel="immediate"
    ).execute()
    stopped, error = book.cells[2].outputs
    assert stopped["data"]["text/plain"].startswith("stopped: training: ")
    assert error["ename"] == "KeyboardInterrupt"
    assert "resume(run) goes on with it" in book.cells[3].outputs[0]["data"]["text/plain"]
