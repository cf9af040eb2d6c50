"""The command line from a recording to the page."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing
from pathlib import Path

import h5py
import numpy as np
import pytest
import typer.main

import boltzbrain as bb
from boltzbrain.cli.main import app, main
from boltzbrain.cli.options import merged
from boltzbrain.foundations.disk.folders import page_file
from boltzbrain.pages.plates.entries import entries_of
from boltzbrain.pages.story import scored
from boltzbrain.training.plan import TrainingPlan, make_plan
from helpers.command_line import (
    BINS,
    NEURONS,
    QUICK,
    digests,
    make,
    run_command,
    write_small,
)

pytestmark = pytest.mark.usefixtures("quick_evaluation")


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    return write_small(tmp_path_factory.mktemp("recording") / "small.npz")


@pytest.fixture(scope="module")
def run(recording, tmp_path_factory) -> Path:
    """A finished, evaluated run, made through the command line."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    make("fit", recording, "-o", folder, *QUICK)
    make("evaluate", folder)
    return folder


def test_a_finished_command_ends_without_an_exit_status(recording, capsys):
    assert run_command(["info", recording], capsys).status == 0


def test_info_tells_people_and_programs_the_same(recording, capsys):
    told = run_command(["info", recording], capsys)
    assert told.status == 0
    assert f"{NEURONS}" in told.out
    assert "CA1 12" in told.out
    card = json.loads(run_command(["info", recording, "--json"], capsys).out)
    assert (card["neurons"], card["bins"], card["bin_width_s"]) == (NEURONS, BINS, 0.02)
    assert card["segments"] == 50
    assert card["regions"] == {"CA1": 12, "VISp": 12}
    with np.load(recording) as arrays:
        assert card["mean_activity"] == pytest.approx(arrays["states"].mean())


def test_info_merges_bins(recording, capsys):
    card = json.loads(run_command(["info", recording, "--json", "--bin-ms", "40"], capsys).out)
    assert (card["bins"], card["bin_width_s"]) == (BINS // 2, 0.04)


def test_fit_says_what_it_chose_and_what_comes_next(recording, tmp_path, capsys):
    told = run_command(["fit", recording, "-o", tmp_path / "run", *QUICK], capsys)
    assert told.status == 0
    opened = bb.TrainingRun.open(tmp_path / "run")
    assert f"{opened.chosen_update} of 40" in told.out
    # every score has its error, and the update that is taken is called what it is
    gain = next(line for line in told.out.splitlines() if line.split()[0] == "gain")
    assert re.search(r"[+−][0-9.]+ ± [0-9.]+ nats per bin over independent neurons", gain)
    assert "the latest that is as good as the best on validation" in told.out
    assert f"boltzbrain evaluate {tmp_path / 'run'}" in told.out
    # results on stdout, the rest on stderr
    assert "24 neurons, 1500 bins of 20 ms" in told.err
    log = opened.log().set_index("update")
    assert opened.chosen_update >= log["validation_nats_per_bin"].idxmax()


def test_every_option_of_the_training_reaches_the_plan(recording, tmp_path, capsys):
    # a hyperparameter that is accepted and then ignored misleads whoever gave it
    given = {
        "hidden": 5, "updates": 3, "batch": 64, "chains": 20, "sweeps": 3, "learning_rate": 0.2,
        "l1": 0.001, "l2": 0.002, "seed": 7,
    }  # fmt: skip
    other = {
        "optimizer": "adam", "checkpoints": 2, "ais_chains": 20, "ais_rungs": 10,
        "final_learning_rate": 0.1,
    }  # fmt: skip
    words = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    words += [f"--set={name}={value}" for name, value in other.items()]
    told = run_command(
        ["fit", recording, "-o", tmp_path / "run", "--preset=binary", *words], capsys
    )
    assert told.status == 0, told.err
    plan = bb.TrainingRun.open(tmp_path / "run").plan
    assert {**plan.model_dump(), **given, **other} == plan.model_dump()
    untouched = set(TrainingPlan.model_fields) - set(given) - set(other) - {"final_learning_rate"}
    assert all(getattr(plan, name) == getattr(make_plan(), name) for name in untouched)


@pytest.mark.parametrize("name", sorted(set(TrainingPlan.model_fields) - {"preset", "anchor"}))
def test_every_hyperparameter_can_be_set(name):
    # also those that come later: the value is made from the field's type
    field = TrainingPlan.model_fields[name]
    kinds = {"normalised": ("hidden_kind=drelu",)}
    words = {"hidden_kind": "gaussian", "final_learning_rate": 0.01, "context": "past,trial"}
    if name in words:
        value: object = words[name]
    elif typing.get_origin(field.annotation) is typing.Literal:
        value = next(word for word in typing.get_args(field.annotation) if word != field.default)
    elif isinstance(field.default, bool):
        value = not field.default
    elif isinstance(field.default, float):
        value = field.default / 2 if field.default else 0.25
    else:
        value = (field.default or 0) + 3
    if name == "l1_choices":
        value = (0.001, 0.002)
    written = str(value).strip("()").replace(" ", "")
    texts = [f"{name.replace('_', '-')}={written}", *kinds.get(name, ())]
    assert getattr(make_plan(**merged({}, texts)), name) == value


def test_none_takes_a_hyperparameter_away(recording, tmp_path, capsys):
    # the recipe lowers the learning rate; without a way to say no, it could not be held constant
    assert make_plan().final_learning_rate is not None
    words = ["fit", recording, "-o", tmp_path / "run", *QUICK, "--set", "final_learning_rate=none"]
    assert run_command(words, capsys).status == 0
    run = bb.TrainingRun.open(tmp_path / "run")
    assert run.plan.final_learning_rate is None
    assert run.log()["learning_rate"].nunique() == 1


def test_the_defaults_in_the_help_are_those_of_the_plan():
    command = typer.main.get_command(app).commands["fit"]  # type: ignore[attr-defined]
    helps = {one.name: one.help for one in command.params if one.param_type_name == "option"}
    plan = make_plan().model_dump()
    checked = set(plan) & set(helps)
    for name in checked:
        if plan[name] is None:
            # what is not done unless it is asked for, or follows from the data
            continue
        default = re.search(r"default: ([^ ;\]]+)", helps[name])[1]
        asked = plan[name]
        assert default == (asked if isinstance(asked, str) else f"{asked:g}"), name
    assert len(checked) >= 10


def test_evaluation_holds_what_the_page_and_programs_read(run):
    found = json.loads((run / "evaluation.json").read_text())
    scores = found["log_likelihood"]
    for fold in ("train", "validation", "test"):
        assert np.isfinite(scores[fold]["nats_per_bin"])
        assert np.isfinite(scores["independent"][fold])
    gain = scores["gain"]
    difference = scores["test"]["nats_per_bin"] - scores["independent"]["test"]
    assert gain["value"] == pytest.approx(difference)
    assert gain["stderr"] > 0
    assert gain["stderr_log_partition"] >= 0
    assert np.isfinite(scores["bits_per_spike"])
    partition = scores["log_partition"]
    for name in ("forward", "backward", "trajectory", "running"):
        assert set(partition[name]) >= {"value", "stderr", "effective_sample_size"}
        error = np.hypot(partition[name]["stderr"], partition["forward"]["stderr"])
        # four roads to one number; 5 errors over 3 pairs: false alarm below 2e-6
        assert abs(partition[name]["value"] - partition["forward"]["value"]) < 5 * error + 1e-9
    assert scores["unreliable"] == []
    for statistics in (found["statistics"], found["statistics"]["ceiling"]):
        for name in ("rates", "covariances"):
            assert set(statistics[name]) >= {"pearson", "slope", "rmse"}
    assert found["activity"] == {
        "neurons": NEURONS, "bins": BINS, "mean_activity": found["activity"]["mean_activity"],
    }  # fmt: skip
    assert found["chosen_update"] == bb.TrainingRun.open(run).chosen_update
    assert found["seconds"] > 0


def test_evaluate_twice_gives_the_same_numbers(run, capsys):
    before = json.loads((run / "evaluation.json").read_text())
    assert run_command(["evaluate", run], capsys).status == 0
    after = json.loads((run / "evaluation.json").read_text())
    assert {**before, "seconds": 0} == {**after, "seconds": 0}


def test_samples_are_a_recording_of_their_own(run, tmp_path, capsys):
    path = tmp_path / "samples.npz"
    words = ["sample", run, "-n", 30, "--sampler", "gibbs", "--sweeps", 5, "--anneal", 5]
    words += ["--seed", 3]
    assert run_command([*words, "-o", path], capsys).status == 0
    states = bb.read(path).binarize().states
    assert states.shape == (30, NEURONS)
    model = bb.TrainingRun.open(run).best
    np.testing.assert_array_equal(states, model.sample(30, seed=3, sweeps=5, anneal=5).numpy())
    again = run_command([*words, "-o", path], capsys)
    assert again.status == 2
    assert "not exist yet" in again.err
    drawn = bb.sample(run, 30, sampler="gibbs", sweeps=5, anneal=5, seed=3)
    assert set(drawn.step("sample").options["mixing"]) == {"energy", "population_count", "hidden"}


def test_sampling_tells_how_many_samples_are_independent(run, tmp_path, capsys):
    words = ["sample", run, "-n", 400, "--chains", 40, "--warm-up", 20, "--seed", 3]
    told = run_command([*words, "-o", tmp_path / "samples.npz"], capsys)
    assert told.status == 0, told.err
    assert "independent samples: about " in told.out
    assert "split R-hat" in told.out
    drawn = bb.sample(run, 400, chains=40, warm_up=20, seed=3)
    states = bb.read(tmp_path / "samples.npz").binarize().states
    np.testing.assert_array_equal(states, drawn.states)
    facts = drawn.step("sample").options
    assert 0 < facts["independent_samples"] <= 400
    assert set(facts["mixing"]) == {"energy", "population_count", "hidden"}
    assert len(facts["acceptance"]) == facts["rungs"] - 1 == len(facts["flow"]) - 1
    assert facts["flow"][0] > 0.9 > 0.1 > facts["flow"][-1]
    # few samples lie far apart on chains that are long enough to tell how they mix
    few = bb.sample(run, 50, chains=10, warm_up=20, seed=3).step("sample").options
    assert (few["thin"], few["steps"]) == (10, 50)
    assert max(one["r_hat"] for one in few["mixing"].values()) < 1.2
    assert few["independent_samples"] <= 50


@pytest.mark.parametrize("sampler", ["trajectory", "annealing", "temperature", "moves"])
def test_every_sampler_draws_from_one_law(sampler, run):
    # 6 standard errors over 24 rates: false alarm below 1e-7
    drawn = bb.sample(run, 400, sampler=sampler, chains=40, warm_up=20, seed=3)
    facts = drawn.step("sample").options
    other = bb.sample(run, 2000, sampler="gibbs", sweeps=50, anneal=20, seed=4)
    rates = drawn.states.mean(axis=0), other.states.mean(axis=0)
    error = np.sqrt(rates[1] * (1 - rates[1]) * (1 / facts["independent_samples"] + 1 / 2000))
    assert np.all(np.abs(rates[0] - rates[1]) < 6 * error + 1e-3)


@pytest.mark.parametrize(
    ("sampler", "option"),
    [("gibbs", "chains"), ("gibbs", "warm_up"), ("trajectory", "anneal"), ("moves", "anneal")],
)
def test_an_option_of_the_other_sampler_is_refused(sampler, option, run):
    with pytest.raises(bb.InputError, match=f"{option} must be left out"):
        bb.sample(run, 10, sampler=sampler, **{option: 5})


@pytest.mark.parametrize("command", ["evaluate", "interpret"])
def test_ctrl_c_leaves_with_a_word(command, run, capsys, monkeypatch):
    # Typer on its own would take the interrupt, and leave without one
    def interrupt(_stage, _progress):
        raise KeyboardInterrupt

    monkeypatch.setattr("boltzbrain.foundations.showing.display.Stage.show", interrupt)
    told = run_command([command, run], capsys)
    assert (told.status, told.out) == (130, "")
    assert told.err.splitlines()[-1] == "Stopped."


def test_report_stands_alone(run, tmp_path, capsys, undrawn):
    told = run_command(["report", run, "-o", tmp_path / "page.html"], capsys)
    assert told.status == 0, told.err
    assert told.out.strip() == str(tmp_path / "page.html")
    assert "</html>" in (tmp_path / "page.html").read_text()
    assert not (run / "report.html").exists()
    # it is known again, so that a later page may replace it
    assert page_file("out", tmp_path / "page.html") == tmp_path / "page.html"


def test_figures_for_a_paper(run, tmp_path, capsys, monkeypatch):
    def only(*names):
        """Draw figures of these names alone: all of them take ten seconds."""

        def some(page):
            return [one for one in entries_of(page) if one.name.startswith(names)]

        monkeypatch.setattr("boltzbrain.pages.plates.write.entries_of", some)

    out = tmp_path / "papers"
    only("training", "population-count", "projection", "rates", "covariances", "triplets",
         "energies", "activation")  # fmt: skip
    words = ["figures", run, "-o", out, "--width", "8.9cm", "--format"]
    told = run_command([*words, "pdf"], capsys)
    assert told.status == 0, told.err
    lines = told.out.splitlines()
    assert lines[0] == f"plate: {out / 'plate-neuropixels.pdf'} (8 panels)"
    lacking = "left out: couplings, regions and assemblies"
    assert f"{lacking}; for it: boltzbrain interpret {run}" in lines
    assert (out / "rates-generated-against-test.pdf").read_bytes().startswith(b"%PDF")
    assert not list(out.glob("*.svg"))
    # again into the same folder, and not over what a person changed
    only("training")
    assert run_command([*words, "svg"], capsys).status == 0
    (out / "training.svg").write_text("mine")
    told = run_command([*words, "svg"], capsys)
    assert told.status == 2
    assert "training.svg, which was changed" in told.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--width", "89"], "--width must be a length with its unit, mm, cm or in"),
        (["--plate-width", "1 km"], "--plate-width must be a length with its unit"),
        (["--format", "svg,gif"], "--format must be one of: svg, pdf, png; got gif"),
    ],
)
def test_figures_that_cannot_be(run, words, message, tmp_path, capsys):
    told = run_command(["figures", run, "-o", tmp_path / "papers", *words], capsys)
    assert told.status == 2
    assert message in told.err
    assert list(tmp_path.iterdir()) == []


def test_everything_after_fit_needs_the_run_folder_alone(tmp_path, capsys, undrawn):
    recording = write_small(tmp_path / "gone.npz")
    assert run_command(["fit", recording, "-o", tmp_path / "run", *QUICK], capsys).status == 0
    recording.unlink()
    (tmp_path / "run").rename(tmp_path / "moved")
    for command in ("evaluate", "report"):
        told = run_command([command, tmp_path / "moved"], capsys)
        assert told.status == 0, told.err


def test_convert_there_and_back(recording, tmp_path, capsys):
    assert run_command(["convert", recording, tmp_path / "copy.npz"], capsys).status == 0
    first, second = bb.read(recording), bb.read(tmp_path / "copy.npz")
    np.testing.assert_array_equal(first.signal.counts, second.signal.counts)
    assert first.neurons["id"].tolist() == second.neurons["id"].tolist()
    told = run_command(["convert", recording, tmp_path / "copy.nwb"], capsys)
    assert told.status == 2
    assert "spike times" in told.err


def test_all_data_has_no_held_out_score_and_says_so(recording, tmp_path, capsys):
    told = run_command(["fit", recording, "-o", tmp_path / "run", "--all-data", *QUICK], capsys)
    assert told.status == 0, told.err
    assert "40, the last" in told.out
    assert "none" in told.out
    told = run_command(["evaluate", tmp_path / "run"], capsys)
    assert told.status == 0, told.err
    assert "none: no bins were held out, as every bin trained the model" in told.out
    assert "none nats per bin" not in told.out
    found = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert found["log_likelihood"]["gain"]["value"] is None
    assert found["log_likelihood"]["test"]["nats_per_bin"] is None
    assert "log_likelihood.gain.value" in found["reasons"]


@pytest.mark.filterwarnings("default::boltzbrain.preparing.folds.split.LeakageWarning")
def test_shuffled_bins_are_warned_about_in_one_line(recording, tmp_path, capsys):
    told = run_command(
        ["fit", recording, "-o", tmp_path / "run", "--split", "shuffled", *QUICK], capsys
    )
    assert told.status == 0, told.err
    warned = [line for line in told.err.splitlines() if line.startswith("Warning: ")]
    assert len(warned) == 1
    assert "too good" in warned[0]


def test_python_and_the_command_line_give_the_same_model(recording, run, tmp_path):
    activity = bb.read(recording).binarize(bin_ms=20).split(seed=0)
    ours = bb.fit(
        activity, hidden=6, out=tmp_path / "run", updates=40, batch=100, chains=50, sweeps=2,
        learning_rate=0.3, checkpoints=6, ais_chains=50, ais_rungs=30,
    )  # fmt: skip
    theirs = bb.TrainingRun.open(run)
    assert ours.chosen_update == theirs.chosen_update
    assert bool((ours.best.weights == theirs.best.weights).all())


def test_an_activity_without_folds_is_warned_about(recording, tmp_path):
    whole = bb.read(recording).binarize()
    with pytest.warns(UserWarning, match="no held-out score"):
        bb.fit(whole, hidden=2, out=tmp_path / "run", updates=1, checkpoints=1, chains=10,
               ais_chains=10, ais_rungs=2)  # fmt: skip


def test_real_recording(shared_data, tmp_path, capsys):
    folder = shared_data / "steinmetz"
    run = tmp_path / "run"
    words = ["fit", folder / "session10.npz", "-o", run, "--bin-ms", 20, "--folds",
             f"{folder / 'session10_folds.csv'}:split0", "--seed", 0, *QUICK]  # fmt: skip
    told = run_command(words, capsys)
    assert told.status == 0, told.err
    activity = bb.TrainingRun.open(run).activity()
    assert activity.n_bins == 8940
    assert 900 < activity.n_neurons < 1172
    with h5py.File(run / "activity.h5", "r") as file:
        assert file["states"].dtype == np.uint8
        assert file["states"].shape == (activity.n_bins, activity.n_neurons)
    with h5py.File(run / "checkpoints" / "0000040.h5", "r") as file:
        assert file["weights"].shape == (activity.n_neurons, 6)
        assert file["hidden/field"].shape == (6,)
    assert digests(run).keys() >= {"run.json", "log.csv", "activity.h5", "checkpoints"}


@pytest.mark.parametrize("words", [["--help"], *([c, "--help"] for c in ("info", "fit", "demo"))])
def test_help_is_quick(words, capsys):
    told = run_command(words, capsys)
    assert told.status == 0
    assert "Usage: boltzbrain" in told.out


HEAVY = ("torch", "numba", "pandas", "scipy", "sklearn", "h5py", "matplotlib", "jinja2", "tkinter")
"""What neither `import boltzbrain` nor the help needs: seconds before every --help."""


@pytest.mark.parametrize(
    ("words", "heavy"),
    [([], (*HEAVY, "numpy", "typer")), (["--help"], HEAVY), (["fit", "-h"], HEAVY)],
)
def test_import_and_help_load_nothing_heavy(words, heavy):
    script = (
        "import sys, boltzbrain\n"
        "words = sys.argv[1:]\n"
        "if words:\n"
        "    from boltzbrain.cli.main import main\n"
        "    try: main(words)\n"
        "    except SystemExit: pass\n"
        "print(*sys.modules)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, text=True, check=True
    )
    loaded = told.stdout.splitlines()[-1].split()
    assert "boltzbrain" in loaded
    assert sorted(set(heavy) & set(loaded)) == []


def test_the_installed_command_ends_with_the_right_status(tmp_path):
    command = Path(sys.executable).with_name("boltzbrain")
    told = subprocess.run(
        [command, "info", tmp_path / "absent.npz"], capture_output=True, text=True, check=False
    )
    assert told.returncode == 2
    assert told.stdout == ""
    # a slow machine may say before that it is reading
    assert told.stderr.splitlines()[-1].startswith("Error: ")
    assert told.stderr.count("Error") == 1


def test_a_reader_of_stdout_that_leaves_is_no_traceback(recording):
    # as in `boltzbrain info recording.npz | head -1`
    reading, writing = os.pipe()
    os.close(reading)
    script = f"from boltzbrain.cli.main import main; main(['info', {str(recording)!r}])"
    told = subprocess.run(
        [sys.executable, "-c", script], stdout=writing, stderr=subprocess.PIPE, text=True,
        check=False,
    )  # fmt: skip
    os.close(writing)
    assert told.returncode == 1
    assert "Traceback" not in told.stderr


def test_a_bug_keeps_its_traceback(recording, monkeypatch):
    # InputError is for the user; what is our fault must not be dressed up as theirs
    def broken(*_args, **_options):
        raise ZeroDivisionError

    monkeypatch.setattr("boltzbrain.preparing.card.card.data_card", broken)
    with pytest.raises(ZeroDivisionError):
        main(["info", str(recording)])


def test_unknown_words_are_guessed(capsys):
    for words, guess in (
        (["ft"], "Did you mean 'fit'?"),
        (["fit", "a.npz", "--hiden", "3"], "--hidden"),
    ):
        told = run_command(words, capsys)
        assert told.status == 2
        assert guess in told.err


def test_which_way_the_loops_go_is_told_and_kept_in_the_run(run, capsys):
    told = json.loads(run_command(["info", "--machine"], capsys).out)["loops"]
    assert told["path"] in {"AVX-512", "AVX2", "NEON", "other"}
    assert {"processor", "lanes", "registers", "tile", "cores"} <= set(told)
    assert json.loads((run / "run.json").read_text())["environment"]["loops"] == told


def test_commands_that_do_nothing_are_not_offered():
    names = {command.name or command.callback.__name__ for command in app.registered_commands}
    known = {"info", "fit", "convert", "evaluate", "interpret", "compare", "sample", "report"}
    known |= {"sweep", "demo", "transform", "figures", "view", "methods"}
    assert names == known | {"align", "translate", "connectome"}


def test_methods_tells_a_paper_what_the_files_of_the_run_say(run, capsys):
    text = run_command(["methods", run], capsys).out
    info = json.loads((run / "run.json").read_text())
    evaluation = json.loads((run / "evaluation.json").read_text())
    plan = info["plan"]
    for told in (
        f"{info['data']['neurons']:,} neurons",
        f"seed {plan['seed']}): {info['updates_done']:,} updates of batches of {plan['batch']:,}",
        f"checkpoint of update {info['chosen_update']:,}",
        scored(evaluation),
        info["environment"]["torch"],
        info["data"]["sha256"][:12],
        "arXiv:2603.11032",
        "boltzbrain interpret",  # what is missing, and how it is made
    ):
        assert told in text, told
    assert ("did not converge" in text) == (info["convergence"]["status"] == "failed")
