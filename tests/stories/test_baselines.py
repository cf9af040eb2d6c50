"""A run beside simpler models, from the command line to the page."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from boltzbrain.baselines.in_time.history import fit_history
from boltzbrain.baselines.in_time.hmm import fit_hmm
from boltzbrain.baselines.in_time.hmm_glm import fit_hmm_glm
from boltzbrain.baselines.in_time.signs import fit_hmm_signs
from boltzbrain.baselines.pairwise.fit import fit_pairwise
from boltzbrain.baselines.vae import fit_vae
from boltzbrain.comparison.compare import NAMES, read_assemblies, read_states
from boltzbrain.comparison.rbms import fit_hopfield
from boltzbrain.foundations.checks import InputError
from boltzbrain.pages.verdicts.baselines import winner, without_time
from helpers.browsing import console, open_page
from helpers.command_line import NEURONS, QUICK, digests, make, run_command, write_small


@pytest.fixture(scope="module")
def quick_baselines(quick_evaluation):
    """Make the searches coarse: these runs show that everything is there, not who is best."""
    with pytest.MonkeyPatch.context() as patch:
        pairwise = {"penalties": (100.0, 30.0), "factors": (1.0,), "chains": 200, "updates": 20,
                    "rungs": 50}  # fmt: skip
        for fit, given in (
            (fit_pairwise, pairwise),
            (fit_vae, {"latents": (4,), "penalties": (0.001, 0.01), "trial_updates": 40,
                       "updates": 200}),
            (fit_hopfield, {"penalties": (0.01,), "updates": 30, "chains": 40, "rungs": 50}),
            (fit_hmm, {"states": (1, 2, 4), "starts": 2}),
            (fit_history, {"penalties": (1000.0, 300.0)}),
            (fit_hmm_glm, {"states": (2,), "changes": (100.0,), "starts": 2, "rounds": 2}),
            (fit_hmm_signs, {"states": (2,), "penalties": (30.0,), "rounds": 2}),
        ):  # fmt: skip
            for name, value in given.items():
                patch.setitem(fit.__kwdefaults__, name, value)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory, quick_baselines):
    folder = tmp_path_factory.mktemp("baselines")
    recording = write_small(folder / "small.npz")
    make("fit", recording, "-o", folder / "run", *QUICK)
    make("evaluate", folder / "run", "--baselines", "all", "--controls")
    make("report", folder / "run")
    return folder / "run"


def test_every_baseline_stands_in_the_result_with_what_it_gives(run):
    found = json.loads((run / "evaluation.json").read_text())
    table, reasons = found["baselines"], found["reasons"]
    assert list(table) == ["rbm", *NAMES]
    for name, one in table.items():
        # given the past alone, a neuron is as without the others of its bin
        assert (one["conditional"]["bits_per_spike"] is None) == (name == "history")
        assert one["fit"]["seconds"] >= 0
        has_gain = name not in ("glm", "pca")
        assert (one["gain"]["value"] is not None) == has_gain
        if not has_gain:
            assert "no likelihood" in reasons[f"baselines.{name}.gain.value"]
        if name not in ("rbm", "history"):
            paired = one["rbm_minus_this"]["conditional"]
            gap = table["rbm"]["conditional"]["bits_per_spike"]
            gap -= one["conditional"]["bits_per_spike"]
            assert paired["value"] == pytest.approx(gap, abs=1e-6)
    for name in ("rbm", "ising", "kpairwise", "hopfield"):
        assert isinstance(table[name]["log_partition"]["unreliable"], list)
    assert table["rbm"]["log_partition"]["unreliable"] == found["log_likelihood"]["unreliable"]
    errors = [table[name]["gain"]["stderr_log_partition"] for name in ("rbm", "ising")]
    paired = table["ising"]["rbm_minus_this"]["gain"]
    assert paired["stderr_log_partition"] == pytest.approx(np.hypot(*errors))
    assert paired["stderr"] > paired["stderr_log_partition"] > 0
    assert table["vae"]["gain"]["kind"] == "lower bound"
    assert table["independent"]["gain"]["value"] == pytest.approx(0, abs=1e-9)
    # the same scores as those of the evaluation itself
    own = found["log_likelihood"]["gain"]
    assert table["rbm"]["gain"]["value"] == pytest.approx(own["value"])
    assert table["rbm"]["gain"]["stderr"] == pytest.approx(own["stderr"])
    same = found["conditional"]["bits_per_spike"]
    assert table["rbm"]["conditional"]["bits_per_spike"] == pytest.approx(same, abs=1e-5)
    # assemblies are there: what knows of the others does better than a rate
    for name in ("ising", "glm", "pca", "vae"):
        assert table[name]["conditional"]["bits_per_spike"] > 0
    weights = read_assemblies(run / "baselines.h5")
    assert set(weights) == {"rbm", "pca", "vae", "hopfield"}
    assert all(one.shape[0] == NEURONS for one in weights.values())


def test_every_model_stands_on_the_scale_of_a_bin_given_earlier_ones(run):
    found = json.loads((run / "evaluation.json").read_text())
    table, own = found["baselines"], found["predictive"]
    assert own["gain"]["value"] == found["log_likelihood"]["gain"]["value"]
    assert own["bits_per_spike"] == found["log_likelihood"]["bits_per_spike"]
    for name, one in table.items():
        given = one["predictive"]
        in_time = name in ("hmm", "history", "hmmglm", "hmmsigns")
        assert given["uses_time"] == in_time
        if in_time:
            assert given["gain"]["stderr"] > 0
            added = given["over_without_time"]["value"]
            assert added == pytest.approx(given["gain"]["value"] - one["gain"]["value"])
            less = one["rbm_minus_this"]["predictive"]["value"]
            assert less == pytest.approx(own["gain"]["value"] - given["gain"]["value"], abs=1e-6)
        else:
            assert given["gain"]["value"] == one["gain"]["value"]
    controls = own["controls"]
    assert set(controls) == {"history", "other_segment", "shuffled_in_segment", "place_in_trial"}
    for one in controls.values():
        assert one["gain"]["stderr"] > 0
    states = read_states(run / "baselines.h5")
    assert "hmmglm" in states
    bins = found["baselines"]["hmmglm"]["states"]
    posterior = states["hmmglm"]["posterior"]
    assert posterior.shape[1] == bins["number"] == 2
    np.testing.assert_allclose(posterior.sum(axis=1), 1.0, atol=1e-5)


def test_controls_are_kept_beside_the_same_data(run, tmp_path):
    copied = tmp_path / "run"
    shutil.copytree(run, copied)
    before = json.loads((copied / "evaluation.json").read_text())["predictive"]
    make("evaluate", copied)
    assert json.loads((copied / "evaluation.json").read_text())["predictive"] == before


def test_the_page_says_who_wins(browser, run):
    browser.get_log("browser")  # of pages before
    open_page(browser, run / "report.html", 1280)
    assert console(browser) == []
    text = browser.execute_script("return document.body.innerText")
    assert "Would something simpler do?" in text
    table = json.loads((run / "evaluation.json").read_text())["baselines"]
    for kind in ("gain", "conditional"):
        assert winner(without_time(table), kind).text in text
    rows = browser.execute_script(
        "return [...document.querySelector('#baselines ~ * table.scores').rows]"
        ".map(r => r.cells[0].innerText)"
    )
    assert rows[1:] == [one["title"] for one in without_time(table).values()]
    assert "Is it the state of the brain, or the last bins?" in text
    drawn = browser.execute_script("return [...document.querySelectorAll('figure')].map(f => f.id)")
    wanted = {"baseline-scores", "baseline-weights", "baseline-embedding", "baseline-regions"}
    assert wanted | {"time-gains", "time-states", "time-profiles"} <= set(drawn)
    open_page(browser, run / "report.html", 390)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390


def test_what_cannot_be_compared_is_refused_before_any_work(run, tmp_path, capsys):
    before = digests(run)
    outcome = run_command(["evaluate", run, "--baselines", "isnig"], capsys)
    assert outcome.status == 2
    assert "--baselines must be one of" in outcome.err
    assert "did you mean 'ising'?" in outcome.err
    assert digests(run) == before
    recording = write_small(tmp_path / "small.npz")
    make("fit", recording, "-o", tmp_path / "run", *QUICK, "--all-data")
    outcome = run_command(["evaluate", tmp_path / "run", "--baselines", "glm"], capsys)
    assert outcome.status == 2
    assert "validation fold must hold at least 2 bins for baselines" in outcome.err


def test_a_damaged_file_is_named(run, tmp_path):
    path = tmp_path / "baselines.h5"
    path.write_bytes((run / "baselines.h5").read_bytes()[:1000])
    with pytest.raises(InputError, match=r"baselines\.h5"):
        read_assemblies(path)


def test_the_arrays_fit_the_recording(run):
    weights = read_assemblies(run / "baselines.h5")["rbm"]
    assert np.isfinite(weights).all()
    assert weights.shape == (NEURONS, 6)
