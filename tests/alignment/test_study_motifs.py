"""Motifs of a study: where they lie, what stands beside them, and the page that shows them."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

import boltzbrain as bb
from boltzbrain.alignment.connectome import connectome
from boltzbrain.alignment.every import in_parallel, start_fits, write_animals
from boltzbrain.alignment.folder import StudyFolder
from boltzbrain.alignment.shown.page import write_study_page
from boltzbrain.cli.summaries.study import show_study
from boltzbrain.cli.terminal import out
from boltzbrain.foundations.checks import InputError
from boltzbrain.interpretation.motifs.kept import motifs_of_run
from boltzbrain.pages.motifs.words import motif_line
from boltzbrain.pages.report import write_report
from boltzbrain.training.plan import make_plan
from helpers.browsing import require_sound
from helpers.command_line import run_command

NAMES = ["AVA", "AVB", "AVD", "AVE", "RIM", "RIB", "AIB", "AIY"]
FEW = {"rank": 1, "starts": 2, "surrogates": 2, "progress": False}
LINE = "1 motif of 8 neurons in 2 animals, 20 windows of 2 s."


def activity(seed):
    rng = np.random.default_rng(seed)
    on = rng.random((400, 1)) < 0.3
    states = rng.random((400, 8)) < np.where(on & (np.arange(8) < 4), 0.7, 0.1)
    regions = ["front", "back", "side", "front", "back", "side", "front", "back"]
    made = bb.from_states(states.astype(np.uint8), 0.05, region=regions).binarize()
    return replace(made, neurons=made.neurons.assign(label=NAMES)).split(min_active_bins=0)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    plan = make_plan(
        hidden=2, updates=20, checkpoints=2, batch=50, chains=20, ais_chains=10, ais_rungs=10
    )
    fits = start_fits(
        tmp_path_factory.mktemp("motifs") / "study", {"one": activity(0), "two": activity(1)}, plan
    )
    in_parallel(fits, workers=0, device="cpu")
    return fits


@pytest.fixture(scope="module")
def pair():
    """Return what a study of two animals holds of a pair, no score known."""
    none = {"value": None, "stderr": None, "reason": "no scores here"}
    scores = (
        "blind_half", "blind_half_shuffled", "blind_half_other_units", "spatial_correlation",
        "log_likelihood", "over_own_model", "divergence",
    )  # fmt: skip
    return dict.fromkeys(scores, none) | {
        "teacher": "one", "receiver": "two", "units": [], "units_not_found": [],
        "units_without_place": [], "controls": {}, "untrained": {}, "start": {},
    }  # fmt: skip


def asked(study, folder, **changes):
    """Return a study of the same animals that was asked for otherwise."""
    shutil.copytree(study.folder / "activities", folder / "activities")
    activities = {name: study.activity(name) for name in study.animals}
    told = {"controls": "one", "teacher": "one", **changes}
    animals = write_animals(folder, activities)
    made = {"asked": told, "animals": animals, "environment": study.info["environment"]}
    return StudyFolder.create(folder, made)


def figures_of(page):
    """Return pictures and captions of motifs, in their order."""
    part = page[page.index('id="motif1"') : page.index('id="motif-numbers"')]
    return re.findall(r"<img [^>]*>|<figcaption>.*?</figcaption>", part, re.DOTALL)


def test_the_command_puts_motifs_into_the_folder_with_the_own_runs_beside(study, capsys):
    words = ("connectome", study.folder, "--rank", 1, "--starts", 2, "--surrogates", 2)
    done = run_command(words, capsys)
    assert done.status == 0, done.err
    assert LINE in done.out
    assert str(study.folder / "motifs" / "motifs.html") in done.out
    found = study.motifs()
    assert motif_line(found) == LINE
    assert found.summary["runs"].keys() == {"one", "two"}
    assert [one["animal"] for one in found.summary["beside"]] == ["one", "two"]
    # the terminal and Python say it in the same words
    assert LINE.removesuffix(".") in repr(found)
    assert LINE in repr(study)
    show_study(out(), study)
    assert LINE in capsys.readouterr().out


def test_the_page_of_the_study_shows_the_figures_of_the_page_of_motifs(
    browser, study, pair, tmp_path
):
    aligned = asked(study, tmp_path / "aligned", by="names")
    aligned.update(status="finished", pairs=[pair])
    write_study_page(aligned)
    assert 'id="motifs"' not in (aligned.folder / "study.html").read_text()
    connectome(aligned.folder, **FEW, beside={"one": study.run("one")})
    page = write_study_page(aligned)
    text = page.read_text(encoding="utf-8")
    assert '<a href="#motifs">Motifs</a>' in text
    assert LINE in text
    alone = (aligned.folder / "motifs" / "motifs.html").read_text(encoding="utf-8")
    assert len(figures_of(alone)) == 4
    assert figures_of(text) == figures_of(alone)
    require_sound(browser, page)


def test_a_study_by_regions_has_motifs_of_regions_and_one_by_positions_is_asked_for_them(
    study, tmp_path
):
    by_regions = asked(study, tmp_path / "regions", by="regions:region")
    assert connectome(by_regions, **FEW).summary["of"] == "regions"
    by_positions = asked(study, tmp_path / "positions", by="positions")
    with pytest.raises(InputError, match="atlas must be given: the study was aligned by positions"):
        connectome(by_positions, **FEW)
    assert connectome(by_positions, **FEW, atlas="region").summary["nodes"] == 3


def test_motifs_of_other_animals_are_refused(study, tmp_path):
    other = asked(study, tmp_path / "other", by="names")
    connectome({"three": activity(3)}, out=other.folder / "motifs", **FEW)
    with pytest.raises(InputError, match=r"motifs.h5 must be of animals of the study.*three"):
        other.motifs()


def test_the_page_of_a_run_shows_motifs_that_lie_in_its_folder(study, tmp_path, monkeypatch):
    monkeypatch.setattr("boltzbrain.pages.panels.panel._picture", lambda _image: "data:,")
    run = bb.TrainingRun.open(shutil.copytree(study.folder / "runs" / "one", tmp_path / "run"))
    bb.evaluate(run, device="cpu", progress=False)
    connectome(run, window_bins=50, **FEW)
    text = write_report(run).read_text(encoding="utf-8")
    assert '<a href="#motifs">Motifs</a>' in text
    assert "1 motif of couplings of 8 neurons in 1 animal, 8 windows of 50 bins." in text
    alone = (run.folder / "motifs" / "motifs.html").read_text(encoding="utf-8")
    assert figures_of(text) == figures_of(alone)


@pytest.mark.parametrize(
    ("animals", "must"),
    [
        ({"a": activity(0), "b": activity(1)}, "be of the animal of the run alone; got 2 animals"),
        (bb.from_states(activity(0).states, 0.05), "be of the neurons of the run; got 0"),
    ],
)
def test_motifs_of_others_are_not_shown_as_those_of_a_run(animals, must, study, tmp_path):
    run = bb.TrainingRun.open(shutil.copytree(study.folder / "runs" / "one", tmp_path / "run"))
    connectome(run.activity(), out=run.folder / "motifs", beside={"animal": run}, **FEW)
    assert motifs_of_run(run).summary["runs"]["animal"]["run"] == run.id
    connectome(animals, out=run.folder / "motifs", **FEW)
    with pytest.raises(InputError, match=f"motifs.h5 must {must}"):
        motifs_of_run(run)


def test_recordings_need_a_folder_to_be_told(tmp_path, capsys):
    np.savez(tmp_path / "a.npz", traces=np.random.default_rng(0).normal(size=(60, 4)),
             t=np.arange(60) * 0.5)  # fmt: skip
    done = run_command(("connectome", tmp_path / "a.npz"), capsys)
    assert done.status == 2
    assert "--out must be given" in done.err
