"""The page in headless Chromium: it opens alone, draws every figure, and fits desktop and phone."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from boltzbrain.comparison.evaluate_run import evaluate_run
from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import neuron_table
from boltzbrain.data.regions import Regions
from boltzbrain.data.steps import Source, Step
from boltzbrain.evaluation.bins import BinSet
from boltzbrain.evaluation.results import plain, read_evaluation
from boltzbrain.evaluation.samples import read_samples
from boltzbrain.evaluation.statistics.compare import compare_statistics
from boltzbrain.foundations.checks import InputError, Undefined
from boltzbrain.pages import report
from boltzbrain.pages.page import PageData, page_data
from boltzbrain.pages.panels import Panel
from boltzbrain.pages.report import write_page, write_report
from boltzbrain.pages.verdicts.checks import TITLES, WORDS, belief, checks, counted
from boltzbrain.pages.verdicts.verdict import Verdict
from boltzbrain.training.plan import make_plan
from boltzbrain.training.train import train
from helpers.browsing import Keys, console, open_page, requests_of, serious_faults

HOSTILE = '</script><b>MB & "x"</b>'  # a region's name comes from a file and must stay text


def states(bins, neurons=40, seed=0):
    """Return activity with two assemblies, so that there are covariances to show."""
    generator = np.random.default_rng(seed)
    p = np.full((bins, neurons), 0.05) * np.linspace(0.3, 2, neurons)
    for first in (0, neurons // 2):
        on = generator.random(bins) < 0.2
        p[on, first : first + neurons // 4] = 0.5
    return (generator.random((bins, neurons)) < p).astype(np.uint8)


def make_page(test_bins=300):
    train, test, generated = (
        BinSet(one, np.arange(len(one)) // 20)
        for one in (states(900), states(test_bins, seed=1), states(800, seed=2))
    )
    nothing = Undefined("the test fold has no bins")
    has_test = test_bins > 0

    def score(value):
        return value if has_test else nothing

    evaluation = plain(
        {
            "log_likelihood": {
                "train": {"nats_per_bin": -9.0, "stderr": 0.1},
                "test": {"nats_per_bin": score(-9.2), "stderr": score(0.2)},
                "gain": {
                    "value": score(1.5), "stderr": score(0.1),
                    "stderr_log_partition": score(0.02),
                },
                "bits_per_spike": score(0.4),
                "log_partition": {
                    "forward": {
                        "value": 3.0, "stderr": 0.02, "effective_sample_size": 600.0,
                        "chains": 1000, "reliable": True,
                    }
                },
            },
            "statistics": compare_statistics(train, test, generated),
            "chosen_update": 100,
        }
    )  # fmt: skip
    update = np.array([1, 10, 100, 1000])
    log = pd.DataFrame(
        {
            "update": update,
            "train_nats_per_bin": [-10.5, -9.8, -9.0, -8.5],
            "train_independent": -10.5,
            "validation_nats_per_bin": [-10.6, -9.9, -9.3, -9.6],
            "validation_stderr": 0.1,
            "validation_independent": -10.6,
        }
    )
    return PageData(
        title="recording <1>.npz",
        card=[("neurons", "40"), ("regions", HOSTILE)],
        plan=[("hidden", "10"), ("seed", "0")],
        log=log,
        chosen_update=100,
        evaluation=evaluation,
        train=train,
        test=test,
        generated=generated,
        test_segment=np.repeat(np.arange(max(1, test_bins // 20)), 20)[:test_bins].astype(np.int32),
        bin_width_s=0.02,
        regions=[HOSTILE] * 15 + ["CA1"] * 20 + [""] * 5,
        neuron_ids=[str(number) for number in range(40)],
        version="1.2.3",
    )


def small_activity():
    """Return 40 neurons in 900 bins of 45 segments, in two regions."""
    bins, segment = states(900), np.repeat(np.arange(45), 20).astype(np.int32)
    fold = np.where(segment % 5 == 3, 1, np.where(segment % 5 == 4, 2, 0)).astype(np.int8)
    regions = {"atlas": Regions.from_labels(["CA1"] * 20 + ["VISp"] * 20)}
    table = neuron_table([str(number) for number in range(40)])
    source = Source("npz", "small.npz", "0" * 64)
    return Activity(bins, 0.02, segment, fold, table, regions, (Step("test", {"a": 1}),), source)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_page(make_page(), tmp_path_factory.mktemp("page") / "report.html")


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_opens_without_network_error_or_overflow(browser, written, width):
    browser.get_log("browser"), browser.get_log("performance")
    open_page(browser, written, width)
    assert console(browser) == []
    asked = [url for url in requests_of(browser) if not url.startswith("data:")]
    assert asked == [written.as_uri()]
    images = browser.execute_script(
        "return [...document.images].map(i => [i.complete, i.naturalWidth, i.width, i.alt])"
    )
    assert len(images) == 12
    for complete, natural, shown, words in images:
        assert complete
        assert natural > 100
        assert shown > 200
        assert words
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_the_answer_and_what_shows_it_are_on_the_first_screen(browser, written, width, height):
    open_page(browser, written, width, height)
    for name in ("answer", "finding"):
        top, bottom, left, right = browser.execute_script(
            f"const box = document.getElementById('{name}').getBoundingClientRect();"
            "return [box.top, box.bottom, box.left, box.right]"
        )
        assert 0 <= top < bottom <= height, name
        assert 0 <= left < right <= width, name
    assert browser.execute_script("return document.querySelector('#finding img').width") > 200


def test_what_failed_is_open_what_passed_is_folded_and_a_shared_link_unfolds(browser, written):
    open_page(browser, written, 1280)
    state = (
        "return Object.fromEntries([...document.querySelectorAll('details.check')]"
        ".map(d => [d.id, [d.querySelector('.mark').textContent, d.open]]))"
    )
    found = browser.execute_script(state)
    assert list(TITLES) == sorted(found, key=list(TITLES).index)
    for name, (mark, is_open) in found.items():
        assert mark in WORDS.values(), name
        assert is_open == (mark in ("failed", "weak")), name
    folded = next(name for name, (mark, _) in found.items() if mark == "passed")
    browser.execute_script(f"location.hash = '{folded}'")
    browser.execute_async_script("setTimeout(arguments[0], 100)")
    assert browser.execute_script(state)[folded][1]
    browser.execute_script("document.getElementById('unfold').click()")
    assert all(is_open for _, is_open in browser.execute_script(state).values())


def test_the_page_is_used_by_the_keyboard_alone(browser, written):
    open_page(browser, written, 1280)
    body = browser.find_element("tag name", "body")
    body.send_keys(Keys.TAB)
    assert browser.switch_to.active_element.text == "To the page"
    reached, wanted = set(), {"a", "summary", "button", "canvas"}
    for _ in range(120):
        if wanted <= reached:
            break
        one = browser.switch_to.active_element
        if one.tag_name == "summary" and not reached & {"summary"}:
            parent = one.find_element("xpath", "..")
            before = parent.get_attribute("open")
            one.send_keys(Keys.ENTER)
            assert parent.get_attribute("open") != before
        reached.add(one.tag_name)
        one.send_keys(Keys.TAB)
    assert wanted <= reached


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_has_no_serious_fault_of_accessibility(browser, written, width):
    open_page(browser, written, width)
    browser.execute_script(
        "for (const one of document.querySelectorAll('details')) one.open = true"
    )
    assert serious_faults(browser) == []


def test_the_page_judges_and_holds_its_figures_for_a_program(browser, written):
    open_page(browser, written, 1280)
    embedded = browser.execute_script(
        "return JSON.parse(document.getElementById('evaluation').textContent)"
    )
    assert embedded == make_page().evaluation
    assert "+1.50 ± 0.10" in browser.find_element("id", "score").text
    rows = browser.execute_script(
        "return Object.fromEntries([...document.querySelectorAll('table.figures tr')]"
        ".map(r => [r.cells[0].textContent, r.cells[1].textContent]))"
    )
    assert rows["log_likelihood.gain.value"] == "1.5"


def test_the_terminal_and_the_page_tell_the_same(browser, written):
    page = make_page()
    found = checks(page.evaluation, page.log, page.chosen_update, page.convergence)
    open_page(browser, written, 1280)
    told = browser.find_element("css selector", ".overall").text
    assert told == f"{belief(found).text} {counted(found)}."


def test_names_from_a_file_stay_text(browser, written):
    open_page(browser, written, 1280)
    assert HOSTILE in browser.execute_script("return document.body.innerText")
    assert browser.execute_script("return document.querySelectorAll('td b').length") == 0


def test_prints_to_paper(browser, written):
    open_page(browser, written, 1280)
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert len(printed["data"]) > 50_000


def test_the_file_is_small_and_names_no_other(written):
    text = written.read_text(encoding="utf-8")
    assert written.stat().st_size < 15e6
    for address in re.findall(r"""(?:src|href|action)\s*=\s*["']?([^"'\s>]+)""", text):
        # %23 is the # of a picture that names a part of itself
        assert address.startswith(("data:", "#", "%23")), address
    assert not re.search(r"url\((?!%23)|@import|\bfetch\(|XMLHttpRequest", text)


def test_without_a_test_fold_the_page_says_so(browser, tmp_path):
    page = make_page(test_bins=0)
    log = page.log.drop(columns=[name for name in page.log if name.startswith("validation")])
    path = write_page(replace(page, log=log), tmp_path / "report.html")
    open_page(browser, path, 1280)
    assert console(browser) == []
    text = browser.execute_script("return document.body.innerText")
    assert "no held-out score" in text
    assert "nothing guards against overfitting" in text
    assert "So nobody can say how good this model is" in text
    assert len(browser.execute_script("return [...document.images].map(i => i.src)")) == 9


def test_poor_memory_is_shown_but_does_not_condemn_the_model(monkeypatch):
    poor = [
        Panel(name, name, "", "", [], verdict=Verdict("poor", "It forgets."))
        for name in ("autocorrelation", "relaxation")
    ]
    monkeypatch.setattr(report, "panels", lambda page: poor)
    # only what the likelihoods tell is judged
    page = replace(make_page(), evaluation={**make_page().evaluation, "statistics": {}})
    text = report.render(page)
    assert 'data-level="good"' in text
    assert text.count("It forgets.") == 2
    assert "should not be interpreted" not in text
    ran_away = {"weights": {"std": 9.0, "zero_fraction": 0.0}}
    forward = {"stderr": 3.0, "effective_sample_size": 2.0, "chains": 1000, "value": 0.0}
    scores = {**page.evaluation["log_likelihood"], "log_partition": {"forward": forward}}
    worse = {**page.evaluation, **ran_away, "log_likelihood": scores}
    text = report.render(replace(page, evaluation=worse))
    assert 'data-level="poor"' in text
    assert "should not be interpreted" in text
    assert '<section id="found" class="doubtful">' in text


def test_one_neuron_is_enough_for_a_page(tmp_path):
    page = make_page()
    one = {
        name: BinSet(getattr(page, name).states[:, :1], getattr(page, name).cluster)
        for name in ("train", "test", "generated")
    }
    statistics = plain({"statistics": compare_statistics(**one)})
    evaluation = {**page.evaluation, "statistics": statistics["statistics"]}
    page = replace(page, **one, regions=[""], neuron_ids=["0"], evaluation=evaluation)
    assert write_page(page, tmp_path / "report.html").exists()


def test_a_run_folder_is_evaluated_and_shown(browser, tmp_path, quick_evaluation):
    plan = make_plan(
        hidden=5, updates=40, batch=100, chains=50, sweeps=1, checkpoints=4, ais_chains=20,
        ais_rungs=10,
    )  # fmt: skip
    run = train(small_activity(), plan, tmp_path / "run")
    with pytest.raises(InputError, match="boltzbrain evaluate"):
        write_report(run)
    evaluation = evaluate_run(run)
    kept = read_evaluation(run.folder / "evaluation.json")
    assert {**kept, **evaluation} == kept
    assert read_samples(run.folder / "samples.h5").states.shape == (600, 40)
    # what the page would compute of an older run is what was kept
    page = page_data(run)
    computed = replace(page, kept=None).details
    assert page.kept is not None
    assert set(page.kept) == set(computed)
    for name, values in computed.items():
        np.testing.assert_allclose(page.kept[name], values, rtol=1e-5, atol=1e-6, err_msg=name)
    open_page(browser, write_report(run), 1280)
    assert console(browser) == []
    text = browser.execute_script("return document.body.innerText")
    assert "small.npz" in text
    assert "step: test" in text
    assert f"update {run.chosen_update}" in text
    drawn = browser.execute_script("return [...document.querySelectorAll('figure')].map(f => f.id)")
    assert {"finding", "rasters", "strongest-weights"} <= set(drawn)
    shown = browser.execute_script(
        "return [...document.querySelectorAll('details.check:has(img)')].map(d => d.id)"
    )
    assert {"energies", "activation", "reconstruction", "hidden-vh", "weights"} <= set(shown)
    marks = browser.execute_script(
        "return [...document.querySelectorAll('details.check .mark')].map(m => m.textContent)"
    )
    assert "undecided" not in marks
    assert browser.execute_script("return [...document.images].every(i => i.naturalWidth > 100)")
