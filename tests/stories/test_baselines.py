"""A run beside simpler models, from the command line to the page."""

from __future__ import annotations

import json

import numpy as np
import pytest

from boltzbrain.baselines.pairwise.fit import fit_pairwise
from boltzbrain.baselines.vae import fit_vae
from boltzbrain.comparison.compare import NAMES, read_assemblies
from boltzbrain.comparison.rbms import fit_hopfield
from boltzbrain.foundations.checks import InputError
from boltzbrain.pages.verdicts.baselines import winner
from helpers.browsing import open_page
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
        ):  # fmt: skip
            for name, value in given.items():
                patch.setitem(fit.__kwdefaults__, name, value)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory, quick_baselines):
    folder = tmp_path_factory.mktemp("baselines")
    recording = write_small(folder / "small.npz")
    make("fit", recording, "-o", folder / "run", *QUICK)
    make("evaluate", folder / "run", "--baselines", "all")
    make("report", folder / "run")
    return folder / "run"


def test_every_baseline_stands_in_the_result_with_what_it_gives(run):
    found = json.loads((run / "evaluation.json").read_text())
    table, reasons = found["baselines"], found["reasons"]
    assert list(table) == ["rbm", *NAMES]
    for name, one in table.items():
        assert one["conditional"]["bits_per_spike"] is not None
        assert one["fit"]["seconds"] >= 0
        has_gain = name not in ("glm", "pca")
        assert (one["gain"]["value"] is not None) == has_gain
        if not has_gain:
            assert "no likelihood" in reasons[f"baselines.{name}.gain.value"]
        if name != "rbm":
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


def test_the_page_says_who_wins(browser, run):
    open_page(browser, run / "report.html", 1280)
    assert browser.get_log("browser") == []
    text = browser.execute_script("return document.body.innerText")
    assert "Would something simpler do?" in text
    table = json.loads((run / "evaluation.json").read_text())["baselines"]
    for kind in ("gain", "conditional"):
        assert winner(table, kind).text in text
    rows = browser.execute_script(
        "return [...document.querySelectorAll('table.scores tr')].map(r => r.cells[0].innerText)"
    )
    assert rows[1:] == [one["title"] for one in table.values()]
    drawn = browser.execute_script("return [...document.querySelectorAll('figure')].map(f => f.id)")
    assert {"baseline-scores", "baseline-weights", "baseline-embedding", "baseline-regions"} <= set(
        drawn
    )
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
