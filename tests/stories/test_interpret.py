"""Reading a run through the command line: the file, the comparison, the page."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

import boltzbrain as bb
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.choices import Choices
from boltzbrain.interpretation.file import (
    Entry,
    Interpretation,
    read_interpretation,
    write_interpretation,
)
from boltzbrain.interpretation.interpret import interpret_model
from boltzbrain.pages import story
from boltzbrain.sampling.synthetic import random_model
from helpers.browsing import console, open_page, serious_faults
from helpers.command_line import NEURONS, QUICK, digests, make, run_command, write_small

pytestmark = pytest.mark.usefixtures("quick_evaluation")

# long enough that every seed gains something
LEARNT = (*QUICK, "--updates", "300", "--learning-rate", "0.5", "--set", "weight_std=0.1")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Two interpreted seeds of one recording whose neurons have positions."""
    folder = tmp_path_factory.mktemp("reading")
    xyz = np.random.default_rng(0).uniform(0, 900, (NEURONS, 3))
    xyz[3] = np.nan
    recording = write_small(folder / "small.npz", xyz_um=xyz)
    for seed in (0, 1):
        run = folder / f"run{seed}"
        make("fit", recording, "-o", run, "--seed", seed, *LEARNT)
        make("interpret", run, "--pairwise")
    make("evaluate", folder / "run0")
    make("report", folder / "run0")
    return folder


def documented() -> list[tuple[str, str]]:
    """Every path of docs/interpretation.md, with the axes that it gives."""
    text = (ROOT / "docs" / "interpretation.md").read_text(encoding="utf-8")
    return re.findall(r"^\| `/([\w/{},]+)` \| (.+?) \|", text, re.M)


def expanded(path: str) -> list[str]:
    found = re.search(r"\{([\w,]+)\}", path)
    if not found:
        return [path]
    return [path.replace(found.group(), one) for one in found.group(1).split(",")]


def test_the_file_holds_what_the_documentation_lists(folder):
    listed = {one for path, _ in documented() for one in expanded(path)}
    with h5py.File(folder / "run0" / "interpretation.h5") as file:
        assert file.attrs["format"] == "boltzbrain interpretation"
        assert file.attrs["version"] == 2
        held = []
        file.visititems(lambda name, item: held.append(name) if hasattr(item, "shape") else None)
        for name in held:
            if name != "summary":
                assert file[name].attrs["definition"]
                assert file[name].attrs["unit"] in ("1", "nats", "nats^2", "um")
            if file[name].dtype.kind == "f":
                assert np.isfinite(file[name][...]).all(), name
    assert set(held) <= listed
    # factors stand in for arrays of pairs, and the other way round; this run has no context, was
    # not repeated, and is small enough to be summed
    others = ("low_rank", "in_time/", "agreement", "in_silico/clamped/support")
    assert {name for name in listed - set(held) if not any(one in name for one in others)} == {
        "couplings/r_sample/tuples", "couplings/r_sample/values", "couplings/data/r_sample/values",
    }  # fmt: skip
    for path in ("couplings/fields", "couplings/pairs", "couplings/r_pairs", "regions/names",
                 "regions/counts", "regions/mean", "regions/l1", "regions/rms",
                 "assemblies/membership", "assemblies/weights", "assemblies/region_occupancy",
                 "neurons/id"):  # fmt: skip
        assert path in held


def test_the_file_agrees_with_the_python_interface(folder):
    run = bb.TrainingRun.open(folder / "run0")
    found = read_interpretation(run.folder / "interpretation.h5")
    dense = bb.couplings(run.best, order=2, reference="uniform")
    np.testing.assert_allclose(found["couplings/pairs"], dense, rtol=1e-5, atol=1e-7)
    fields = bb.couplings(run.best, order=1, reference="data", data=run.activity())
    np.testing.assert_allclose(found["couplings/data/fields"], fields)
    mine = bb.couplings(run.best, 3, tuples=found["couplings/triplets/tuples"][:50])
    values = found["couplings/triplets/values"][:50]
    np.testing.assert_allclose(values, mine, atol=0.05 * np.abs(mine).max())
    assert found["couplings/norms/update"][-1] == run.chosen_update
    partners, values = found["couplings/partners"], found["couplings/partner_values"]
    rows = np.arange(NEURONS)[:, None]
    np.testing.assert_allclose(values, dense[rows, partners], rtol=1e-5)
    assert found["neurons/positioned"].tolist() == [int(n != 3) for n in range(NEURONS)]
    names = ["CA1", "VISp"]
    assert found["regions/names"].tolist() == names
    inside = dense[::2, ::2][~np.eye(NEURONS // 2, dtype=bool)]
    assert found.maps().mean[0, 0] == pytest.approx(inside.mean(), rel=1e-4)
    test = found.summary["regions"]["label_tests"]["uniform"]["l1"]
    assert 0 < test["p_value"] <= 1
    # the same seed reads the same
    again = bb.interpret(run, pairwise=True)
    for path in found:
        np.testing.assert_array_equal(found[path], again[path], err_msg=path)


def test_progress_and_results_are_told(folder, capsys):
    before = digests(folder / "run1")
    told = run_command(
        ["interpret", folder / "run1", "--rule", "fixed", "--threshold", "0.3"], capsys
    )
    assert told.status == 0, told.err
    found = read_interpretation(folder / "run1" / "interpretation.h5")
    flat = " ".join(told.out.split())
    assert story.found(found)
    assert all(sentence in flat for sentence in story.found(found))
    assert f"boltzbrain report {folder / 'run1'}" in told.out
    after = digests(folder / "run1")
    assert [name for name in after if after[name] != before.get(name)] == ["interpretation.h5"]
    found = read_interpretation(folder / "run1" / "interpretation.h5")
    assert (found["assemblies/threshold"] == 0.3).all()
    assert found.summary["options"]["rule"] == "fixed"
    phases = []
    bb.interpret(folder / "run1", callbacks=[lambda progress: phases.append(progress)])
    assert {one.phase for one in phases} == {
        "couplings", "beyond pairs", "norms along training", "assemblies", "regions",
    }  # fmt: skip
    assert all(0 <= one.done <= one.total for one in phases)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--rule", "largest"], "--rule must be one of"),
        (["--atlas", "zbrain"], "--atlas must be one of"),
        (["--min-neurons", "1"], "--min-neurons must be a whole number, at least 2"),
        (["--threshold", "0"], "--threshold must be a number"),
        (["--threshold", "0.3"], "--threshold must come with --rule fixed"),
        (["--seed", "-1"], "seed"),
    ],
)
def test_what_cannot_be_read_is_refused(folder, capsys, words, told):
    before = digests(folder)
    outcome = run_command(["interpret", folder / "run0", *words], capsys)
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)
    assert told in outcome.err
    assert digests(folder) == before


def test_large_models_are_kept_in_factors(folder):
    run = bb.TrainingRun.open(folder / "run0")
    activity, model = run.activity(), run.best
    one, two = (
        interpret_model(model, activity, Choices(memory_limit_gb=limit)) for limit in (4.0, 0.0)
    )
    assert "couplings/pairs" not in two
    assert len(two["couplings/r_sample/values"]) == len(two["couplings/r_sample/tuples"])
    scale = np.abs(one["couplings/pairs"]).max()
    dense = two.pairs().dense()
    np.testing.assert_allclose(dense, one["couplings/pairs"], atol=2e-3 * scale)
    np.testing.assert_allclose(two.maps().l1, one.maps().l1, atol=2e-3 * scale)
    tuples = two["couplings/r_sample/tuples"]
    spread = one["couplings/r_pairs"][tuples[:, 0], tuples[:, 1]]
    # both from 200 states each: an error of 5 % on either side, more where few states matter
    ratio = two["couplings/r_sample/values"].mean() / spread.mean()
    assert 0.8 < ratio < 1.25
    assert two.summary["reasons"]["regions.label_tests"] == "the couplings are kept in factors"
    assert (folder / "low.h5").exists() is False
    write_interpretation(folder / "low.h5", two)
    back = read_interpretation(folder / "low.h5")
    np.testing.assert_array_equal(back.pairs().dense(), dense)
    (folder / "low.h5").unlink()


@pytest.mark.parametrize("kind", ["drelu", "gaussian", "relu", "ising"])
def test_every_kind_of_hidden_unit_is_read(folder, kind):
    activity = bb.TrainingRun.open(folder / "run0").activity()
    model = random_model(kind, NEURONS, 4, Generator.from_seed(0), weight_std=0.4)
    few = Choices(triplets=200, spread_samples=10, shuffles=20)
    found = interpret_model(model, activity, few)
    continuous = kind != "ising"
    assert (found["assemblies/scale"] != 1).all() == continuous
    members = found["assemblies/membership"].sum()
    assert 0 < members < model.weights.numel() / 2
    assert np.isfinite(found["couplings/pairs"]).all()


def test_a_recording_without_regions_is_read_and_says_so(tmp_path, capsys):
    recording = write_small(tmp_path / "plain.npz", region=None)
    make("fit", recording, "-o", tmp_path / "run", *QUICK)
    told = run_command(["interpret", tmp_path / "run"], capsys)
    assert told.status == 0, told.err
    assert "regions: none, as the recording names no regions" in told.out
    found = read_interpretation(tmp_path / "run" / "interpretation.h5")
    assert found.maps() is None
    assert found.summary["regions"] is None
    # a comparison says the same, and once; the run counts as it gains something
    log = pd.read_csv(tmp_path / "run" / "log.csv")
    log["validation_nats_per_bin"] = log["validation_independent"] + 1.0
    log.to_csv(tmp_path / "run" / "log.csv", index=False)
    told = run_command(["compare", tmp_path / "run", "-o", tmp_path / "both"], capsys)
    assert told.status == 0, told.err
    assert "gain (nats per bin)" in told.out
    assert told.out.count("the recording names no regions") == 1
    assert "region map" not in told.out


def test_damaged_files_are_refused(folder, tmp_path):
    with pytest.raises(InputError, match="run `boltzbrain interpret` first"):
        read_interpretation(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(InputError, match="be a whole boltzbrain interpretation file"):
        read_interpretation(tmp_path / "text.h5")
    with pytest.raises(InputError, match="format must be 'boltzbrain interpretation'"):
        read_interpretation(folder / "run0" / "activity.h5")
    with pytest.raises(InputError, match="hold finite numbers"):
        write_interpretation(
            tmp_path / "nan.h5", Interpretation({"a": Entry(np.array([np.nan]), "x")}, {})
        )
    assert not (tmp_path / "nan.h5").exists()


def write_structure(path: Path, names: list[str]) -> Path:
    lines = [",".join(["", *names]), *(",".join([name, *"1" * len(names)]) for name in names)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_seeds_are_compared(folder, tmp_path, capsys):
    runs = [folder / "run0", folder / "run1"]
    told = run_command(["compare", *runs, "-o", tmp_path / "both"], capsys)
    assert told.status == 0, told.err
    assert "similarity of matched weights" in told.out
    assert told.out.count(" ± ") == 2
    found = json.loads((tmp_path / "both" / "comparison.json").read_text())
    assert all(one["converged"] and one["gain_stderr"] > 0 for one in found["runs"])
    assert (found["format"], found["version"]) == ("boltzbrain comparison", 1)
    assert [one["animal"] for one in found["runs"]] == [0, 0]
    assert found["structure"] is None
    assert found["reasons"]["structure"] == "none was given"
    matched = found["assemblies"][0]
    assert len(matched["weights"]["pairs"]) == 6
    assert 0 <= matched["activity"]["chance"] <= matched["activity"]["mean_similarity"] <= 1
    # two regions have three pairs, enough for a correlation
    agreement = found["maps"]["uniform"]["repeats"][0]
    assert (agreement["regions"], agreement["pairs"]) == (2, 3)
    text = (tmp_path / "both" / "map_uniform.csv").read_text(encoding="utf-8")
    rows = list(csv.reader(text.splitlines()))
    assert rows[0] == ["", "CA1", "VISp"]
    one, two = (read_interpretation(run / "interpretation.h5").maps().l1 for run in runs)
    np.testing.assert_allclose([[float(x) for x in row[1:]] for row in rows[1:]], (one + two) / 2)


def test_animals_are_told_apart_and_anatomy_is_compared(folder, tmp_path, capsys):
    region = np.array(["CA1", "VISp", "LGd"] * (NEURONS // 3))
    runs = []
    for number in range(2):
        recording = write_small(
            tmp_path / f"animal{number}.npz", region=np.roll(region, number),
            neuron_id=np.array([f"{number}-{n}" for n in range(NEURONS)]),
        )  # fmt: skip
        run = tmp_path / f"run{number}"
        make("fit", recording, "-o", run, *LEARNT)
        make("interpret", run, "--min-neurons", "5")
        runs.append(run)
    matrix = write_structure(tmp_path / "s.csv", ["ca1", "visp", "lgd", "elsewhere"])
    told = run_command(
        ["compare", *runs, "--structure", matrix, "-o", tmp_path / "both", "--kind", "rms"], capsys
    )
    assert told.status == 0, told.err
    found = json.loads((tmp_path / "both" / "comparison.json").read_text())
    assert [one["animal"] for one in found["runs"]] == [0, 1]
    assert found["maps"]["data"]["animals"][0]["regions"] == 3
    assert found["maps"]["data"]["repeats"] == []
    assert found["assemblies"] == []
    assert set(found["structure"]) == {"uniform", "data", "covariance", "correlation"}
    assert "maps.ising" in found["reasons"]
    assert found["structure"]["uniform"]["pairs"] == 3
    assert found["structure"]["uniform"]["spearman"] is None
    for words, message in (
        ([runs[0], runs[0]], "different folders"),
        ([runs[0], folder], "run folder must be"),
        ([*runs, "--kind", "median"], "--kind must be one of"),
        ([*runs, "--structure", tmp_path / "none.csv"], "csv file that can be read"),
    ):
        outcome = run_command(["compare", *words, "-o", tmp_path / "other"], capsys)
        assert outcome.status == 2
        assert message in outcome.err
    assert not (tmp_path / "other").exists()


def test_a_run_that_was_not_read_is_not_compared(folder, tmp_path, capsys):
    make("fit", folder / "small.npz", "-o", tmp_path / "run", *QUICK)
    told = run_command(["compare", tmp_path / "run", "-o", tmp_path / "out"], capsys)
    assert told.status == 2
    assert "run `boltzbrain interpret` first" in told.err


def script(browser, text, *words):
    return browser.execute_script(f"return {text}", *words)


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_shows_the_reading(browser, folder, width):
    browser.get_log("browser")
    page = folder / "run0" / "report.html"
    assert page.stat().st_size < 15e6
    open_page(browser, page, width)
    drawn = script(browser, "[...document.querySelectorAll('figure')].map(f => f.id)")
    assert {"coupling-histograms", "coupling-norms", "region-map", "region-histograms",
            "assemblies", "gallery", "table-assemblies", "table-couplings",
            "table-regions", "table-neurons"} <= set(drawn)  # fmt: skip
    assert script(browser, "[...document.images].every(i => i.naturalWidth > 100)")
    assert script(browser, "document.documentElement.scrollWidth") <= width
    browser.execute_script(
        "for (const one of document.querySelectorAll('details')) one.open = true"
    )
    assert serious_faults(browser) == []
    assert console(browser) == []


def test_the_gallery_steps_through_the_hidden_units(browser, folder):
    open_page(browser, folder / "run0" / "report.html", 1280)
    found = read_interpretation(folder / "run0" / "interpretation.h5")
    units = script(browser, "[...document.querySelectorAll('#gallery-unit option')].length")
    assert units == 6
    seen = []
    for _ in range(units + 1):
        seen.append(int(script(browser, "document.getElementById('gallery-unit').value")))
        first = script(browser, "document.querySelector('#gallery-weights span').textContent")
        strongest = int(np.abs(found["assemblies/weights"][:, seen[-1]]).argmax())
        assert first.split(" · ")[0] == found["neurons/id"][strongest]
        assert script(browser, "document.querySelector('#gallery-trace polyline') !== null")
        script(browser, "document.getElementById('gallery-next').click()")
    assert seen[:-1] == found["assemblies/order"].tolist()
    assert seen[-1] == seen[0]
    browser.execute_script(
        "const o = document.getElementById('gallery-order'); o.value = 'size';"
        "o.dispatchEvent(new Event('change'))"
    )
    largest = int(script(browser, "document.getElementById('gallery-unit').value"))
    assert found["assemblies/sizes"][largest] == found["assemblies/sizes"].max()


def test_tables_are_sorted_searched_and_saved(browser, folder):
    open_page(browser, folder / "run0" / "report.html", 1280)
    table = "document.querySelector('#table-couplings')"
    column = f"[...{table}.querySelectorAll('tbody tr')].map(r => Number(r.cells[4].textContent))"
    click = f"{table}.querySelectorAll('thead th')[4].click()"
    script(browser, click)
    falling = script(browser, column)
    assert falling == sorted(falling, reverse=True)
    script(browser, click)
    assert script(browser, column) == falling[::-1] or len(falling) == 200
    browser.execute_script(
        "const i = document.querySelector('#table-neurons input'); i.value = 'VISp';"
        "i.dispatchEvent(new Event('input'))"
    )
    rows = script(browser, "document.querySelectorAll('#table-neurons tbody tr').length")
    assert rows == NEURONS // 2
    browser.execute_script(
        "window.saved = null; URL.createObjectURL = blob => { window.saved = blob.text();"
        " return 'blob:x' }; HTMLAnchorElement.prototype.click = function () {};"
        "document.querySelector('#table-neurons button').click()"
    )
    text = browser.execute_async_script("window.saved.then(arguments[arguments.length - 1])")
    saved = list(csv.reader(text.splitlines()))
    assert saved[0][:2] == ["neuron", "region"]
    assert len(saved) == NEURONS // 2 + 1
    assert {row[1] for row in saved[1:]} == {"VISp"}


def test_the_page_holds_the_viewer_with_the_members_that_were_read(browser, folder):
    browser.get_log("browser")
    open_page(browser, folder / "run0" / "report.html", 1280)
    browser.set_script_timeout(60)
    browser.execute_script("document.getElementById('viewer').scrollIntoView()")
    shown = browser.execute_async_script(
        "const done = arguments[arguments.length - 1]; const wait = () => {"
        "const v = document.getElementById('viewer').viewer;"
        "v ? done([v.data.shown.length, v.data.unitNumbers.map(u => v.data.members(u)),"
        "v.data.sources.map(s => s.name)]) : setTimeout(wait, 50) }; wait()"
    )
    found = read_interpretation(folder / "run0" / "interpretation.h5")
    assert shown[0] == NEURONS - 1
    assert shown[1] == [np.flatnonzero(one).tolist() for one in found.membership.T]
    assert shown[2] == ["recorded", "generated"]
    # the browser warns of slow WebGL in software; errors there are none
    assert [one for one in browser.get_log("browser") if one["level"] == "SEVERE"] == []


def test_runs_that_did_not_converge_are_left_out(folder, tmp_path):
    # a learning rate at which nothing is learnt: its gain is near 0
    recording = folder / "small.npz"
    make("fit", recording, "-o", tmp_path / "bad", *QUICK, "--learning-rate", "1e-9")
    make("interpret", tmp_path / "bad")
    found = bb.compare([folder / "run0", tmp_path / "bad", folder / "run1"]).summary
    assert [one["converged"] for one in found["runs"]] == [True, False, True]
    assert [(one["first"], one["second"]) for one in found["assemblies"]] == [("run0", "run1")]
    alone = bb.compare([tmp_path / "bad"])
    assert alone.averages == {}
    assert alone.summary["reasons"]["maps.uniform"] == "no run converged"
