"""A run with a context from the command line to its score; nothing reads it as one without."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

import boltzbrain as bb
from boltzbrain.comparison.score import TestScorer as Scorer
from boltzbrain.foundations.checks import InputError
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.sampling.enumeration import exact_log_partitions
from helpers.browsing import require_sound
from helpers.command_line import QUICK, make, run_command, write_small
from helpers.contexts import predictive

pytestmark = pytest.mark.usefixtures("quick_evaluation")
LIKE_THE_OTHER = ("--updates", "30", "--batch", "100", "--sweeps", "2", "--set", "checkpoints=3")


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return write_small(tmp_path_factory.mktemp("context") / "small.npz")


@pytest.fixture(scope="module")
def static(recording):
    folder = recording.parent / "static"
    make("fit", recording, "-o", folder, *QUICK)
    return folder


@pytest.fixture(scope="module")
def run(recording, static):
    folder = recording.parent / "run"
    words = ("--context", "trial, past", "--from", static, *LIKE_THE_OTHER)
    make("fit", recording, "-o", folder, *words)
    return folder


def test_a_run_says_what_its_context_is_and_where_it_began(run, static):
    told = json.loads((run / "run.json").read_text())
    assert told["plan"]["context"] == "past,trial"
    # what was not asked for is the other run's
    assert told["plan"]["hidden"] == 6
    assert told["from"]["folder"] == str(static)
    text = repr(bb.TrainingRun.open(run).in_context())
    assert "24 neurons with a context" in text
    assert "trial" in text
    assert "30 bins of a trial" in text


def test_evaluate_scores_bins_given_their_context(run, capsys):
    done = run_command(["evaluate", run], capsys)
    assert done.status == 0, done.err
    assert "given the past and the place in the trial" in done.out
    assert "over the run it began with" in done.out
    told = json.loads((run / "evaluation.json").read_text())["predictive"]
    assert told["uses_time"] is True
    assert np.isfinite([told[name]["value"] for name in ("gain", "over_run")]).all()
    assert np.isfinite(told["over_itself_without_time"]["stderr"])


def test_transform_says_of_every_bin_what_its_context_tells(run, recording, tmp_path, capsys):
    done = run_command(["transform", run, recording, "-o", tmp_path / "hidden.csv"], capsys)
    assert done.status == 0, done.err
    assert "the past and the place in the trial" in done.out
    assert "in the mean" in done.out
    table = pd.read_csv(tmp_path / "hidden.csv")
    told = json.loads((run / "evaluation.json").read_text())["predictive"]
    opened = bb.TrainingRun.open(run)
    bins = opened.activity().bins_of("test")
    gain = table["log_probability"].to_numpy()[bins] - Scorer(opened.activity(), 0).base
    # log Z is summed, not estimated; whole segments are test bins
    assert gain.mean() == pytest.approx(told["gain"]["value"], abs=1e-4)


def test_a_run_with_a_context_is_no_teacher_and_none_to_begin_with(
    run, recording, tmp_path, capsys
):
    names = ("--name", "one", "--name", "two")
    done = run_command(["align", run, recording, "-o", tmp_path / "study", *names], capsys)
    assert done.status == 2
    assert "train one without --context" in done.err
    words = ["fit", recording, "-o", tmp_path / "more", "--context", "past", "--from", run]
    done = run_command(words, capsys)
    assert done.status == 2
    assert "from must be a run without a context" in done.err
    assert not list(tmp_path.iterdir())


def test_the_page_says_what_the_context_adds(run, tmp_path, capsys):
    # what the reading is of, and the viewer, are those of the model at the mean of its context
    for words in (["evaluate"], ["interpret"], ["report"], ["view", "-o", tmp_path / "view.html"]):
        done = run_command([words[0], run, *words[1:]], capsys)
        assert done.status == 0, done.err
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "given the past and the place in the trial" in page
    assert "What the context adds" in page
    assert "Run freely, covariances a bin apart" in page
    assert "Common drive" in page
    assert "beside those of the run that the training began with" in page
    done = run_command(["sample", run, "-n", "30", "-o", tmp_path / "drawn.npz"], capsys)
    assert done.status == 0, done.err
    assert "bins that follow in time" in done.out


def test_python_does_not_take_the_model_for_one_without_a_context(run):
    opened = bb.TrainingRun.open(run)
    with pytest.raises(InputError, match="without a context"):
        _ = opened.best
    with pytest.raises(InputError, match="without a context"):
        opened.trajectory()
    with pytest.raises(InputError, match="sampler must be left out for a run with a context"):
        bb.sample(opened, 10, sampler="gibbs", progress=False)


def test_going_on_is_told_no_run_to_begin_with(run, static, capsys):
    done = run_command(["fit", "--resume", run, "--from", static], capsys)
    assert done.status == 2
    assert "--from must be left out with --resume" in done.err


def test_a_sweep_scores_runs_given_their_context(recording, in_process, tmp_path, capsys):
    words = ["sweep", recording, "-o", tmp_path / "sweep", "--hidden", "2,3", "--context", "past"]
    quick = [
        f"--set={name}" for name in ("batch=100", "sweeps=2", "checkpoints=2", "learning-rate=0.3")
    ]
    done = run_command([*words, "--updates", "10", *quick], capsys)
    assert done.status == 0, done.err
    runs = sorted((tmp_path / "sweep").rglob("scores.json"))
    assert len(runs) == 2
    for path in runs:
        told = json.loads(path.read_text())
        given = bb.TrainingRun.open(path.parent).in_context()
        test = Sequences.of_fold(bb.TrainingRun.open(path.parent).activity(), "test")
        exact = predictive(given.to(torch.float64), test).mean()
        assert told["test_nats_per_bin"] == pytest.approx(exact, abs=0.02)
        sums = told["validation_clusters"]
        mean = sum(sums["sums"]) / sum(sums["sizes"])
        assert mean == pytest.approx(told["validation_nats_per_bin"], abs=1e-6)


@pytest.fixture(scope="module")
def with_states(recording, static):
    folder = recording.parent / "states"
    words = ("--context", "states:2", "--from", static, *LIKE_THE_OTHER, "--set", "chains=100")
    make("fit", recording, "-o", folder, *words)
    return folder


def test_a_run_of_states_is_evaluated_read_shown_and_drawn_from(
    browser, with_states, recording, tmp_path, capsys
):
    for word in ("evaluate", "interpret", "report"):
        done = run_command([word, with_states], capsys)
        assert done.status == 0, done.err
        if word == "evaluate":
            assert "given 2 hidden states" in done.out
            assert "over the run it began with" in done.out
    told = json.loads((with_states / "evaluation.json").read_text())["predictive"]
    assert told["states"]["number"] == 2
    assert told["log_partition"]["method"] == "exact"
    run = bb.TrainingRun.open(with_states)
    test, model = Sequences.of_fold(run.activity(), "test"), run.in_context()
    states = model.contexts.states
    logs = exact_log_partitions(model.rbm, states.rows(model.rbm))
    known = states.given_partitions(model.rbm, logs)
    base = Scorer(run.activity(), 0).base
    exact = known.predictive(test, model.rbm) - base
    assert told["gain"]["value"] == pytest.approx(exact.mean(), abs=1e-4)
    less = known.predictive(test, model.rbm) - known.without_time(test.states, model.rbm)
    assert told["over_itself_without_time"]["value"] == pytest.approx(less.mean(), abs=1e-4)
    page = (with_states / "report.html").read_text(encoding="utf-8")
    assert "given 2 hidden states" in page
    assert "Hidden states: RBM" in page
    sources = "return [...document.querySelectorAll('[data-part=source] option')].map(o => o.text)"
    require_sound(browser, with_states / "report.html")
    browser.execute_script("document.getElementById('viewer').scrollIntoView()")
    browser.execute_async_script(
        "const done = arguments[0], wait = () => document.getElementById('viewer').dataset.state"
        " === 'ready' ? done() : setTimeout(wait, 30); wait()"
    )
    assert browser.execute_script(sources)[1:] == ["generated by the model", "generated in time"]
    done = run_command(["sample", with_states, "-n", "30", "-o", tmp_path / "drawn.npz"], capsys)
    assert done.status == 0, done.err
    assert "given 2 hidden states" in done.out
    done = run_command(["transform", with_states, recording, "-o", tmp_path / "said.npz"], capsys)
    assert done.status == 0, done.err
    assert "2, as the bins so far tell them" in done.out
    assert np.load(tmp_path / "said.npz")["states"].shape == (1500, 2)


def test_a_sweep_varies_the_number_of_states(recording, in_process, tmp_path, capsys):
    words = ["sweep", recording, "-o", tmp_path / "sweep", "--context", "states", "--hidden", "3"]
    quick = [f"--set={name}" for name in ("batch=100", "sweeps=2", "checkpoints=2", "chains=100")]
    vary = ["--vary", "states=1,2"]
    done = run_command([*words, *vary, "--updates", "10", *quick], capsys)
    assert done.status == 0, done.err
    table = pd.read_csv(tmp_path / "sweep" / "table.csv")
    assert sorted(table["states"]) == [1, 2]
    for path in (tmp_path / "sweep").rglob("scores.json"):
        told = json.loads(path.read_text())
        sums = told["validation_clusters"]
        mean = sum(sums["sums"]) / sum(sums["sizes"])
        assert mean == pytest.approx(told["validation_nats_per_bin"], abs=1e-6)
